import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { serverOf, serverTarget } from './server-target.ts';
import { shownAddresses } from './server-view.ts';

const address = Type.Object({ version: Type.Integer(), addr: Type.String() });

export const serverIpEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-ips:list',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/ips',
    summary: 'List addresses of a server',
    policy: 'os_compute_api:ips:index',
    target: serverTarget(deps),
    reply: Type.Object({ addresses: Type.Record(Type.String(), Type.Array(address)) }),
    status: 200,
    handler: (call) => ({ addresses: shownAddresses(serverOf(call), false) as never }),
  }),
  endpoint({
    id: 'server-ips:show',
    method: 'GET',
    path: '/v2.1/servers/{server_id}/ips/{network_label}',
    summary: 'List addresses of a server on one network',
    policy: 'os_compute_api:ips:show',
    target: serverTarget(deps),
    reply: Type.Record(Type.String(), Type.Array(address)),
    status: 200,
    handler: (call) => {
      const { network_label } = call.params;
      const found = shownAddresses(serverOf(call), false);
      if (!Object.hasOwn(found, network_label)) throw notFound('compute.network-label-not-found', 'Instance is not a member of specified network');
      return { [network_label]: found[network_label] } as never;
    },
  }),
];
