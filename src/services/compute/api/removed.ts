/** Calls that the Compute API once had: the paths are there for every version, and answer 410. */
import { endpoint, type Endpoint, type Method } from '../../../kernel/api/endpoint.ts';
import { gone } from '../../../kernel/fault.ts';

const REMOVED: readonly (readonly [path: string, ...methods: Method[]])[] = [
  ['/os-agents', 'GET', 'POST'],
  ['/os-agents/{id}', 'PUT', 'DELETE'],
  ['/os-cells', 'GET', 'POST'],
  ['/os-cells/capacities', 'GET'],
  ['/os-cells/detail', 'GET'],
  ['/os-cells/info', 'GET'],
  ['/os-cells/sync_instances', 'POST'],
  ['/os-cells/{id}', 'GET', 'PUT', 'DELETE'],
  ['/os-cells/{id}/capacities', 'GET'],
  ['/os-certificates', 'POST'],
  ['/os-certificates/{id}', 'GET'],
  ['/os-cloudpipe', 'GET', 'POST'],
  ['/os-cloudpipe/{id}', 'PUT'],
  ['/os-fixed-ips/{id}', 'GET'],
  ['/os-fixed-ips/{id}/action', 'POST'],
  ['/os-floating-ip-dns', 'GET'],
  ['/os-floating-ip-dns/{id}', 'PUT', 'DELETE'],
  ['/os-floating-ip-dns/{domain_id}/entries/{id}', 'GET', 'PUT', 'DELETE'],
  ['/os-floating-ips-bulk', 'GET', 'POST'],
  ['/os-floating-ips-bulk/{id}', 'GET', 'PUT'],
  ['/os-fping', 'GET'],
  ['/os-fping/{id}', 'GET'],
  ['/os-networks', 'POST'],
  ['/os-networks/add', 'POST'],
  ['/os-networks/{network_id}', 'DELETE'],
  ['/os-networks/{network_id}/action', 'POST'],
  ['/os-security-group-default-rules', 'GET', 'POST'],
  ['/os-security-group-default-rules/{id}', 'GET', 'DELETE'],
  ['/os-tenant-networks', 'POST'],
  ['/os-tenant-networks/{network_id}', 'DELETE'],
  ['/servers/{server_id}/consoles', 'GET', 'POST'],
  ['/servers/{server_id}/consoles/{id}', 'GET', 'DELETE'],
  ['/servers/{server_id}/os-virtual-interfaces', 'GET'],
];

export const removedEndpoints = (): Endpoint[] =>
  REMOVED.flatMap(([path, ...methods]) =>
    methods.map((method) =>
      endpoint({
        id: `removed:${method.toLowerCase()}:${path}`, method, path: `/v2.1${path}`, summary: 'Removed from the Compute API', policy: 'regular_user', status: 410,
        handler() {
          throw gone('compute.removed', 'This resource is no longer available. No forwarding address is given.');
        },
      }),
    ),
  );
