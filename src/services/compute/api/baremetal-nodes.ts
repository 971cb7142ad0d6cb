/** Machines of a baremetal service, which this cloud has not: a proxy, up to 2.35. */
import { endpoint, type Endpoint, type Method } from '../../../kernel/api/endpoint.ts';
import { badRequest, notImplemented } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { versions } from '../versions.ts';
import { ADMIN, rule } from './rules.ts';

const PATH = '/v2.1/os-baremetal-nodes';
const UNTIL = versions.NO_PROXIES - 1;

const reading = [['list', PATH], ['show', `${PATH}/{node_id}`]] as const;
/** Nova never did these for the other service: it names the command that does. */
const writing: readonly (readonly [id: string, method: Method, path: string, command: string, action?: string])[] = [
  ['create', 'POST', PATH, 'node-create'],
  ['delete', 'DELETE', `${PATH}/{node_id}`, 'node-delete'],
  ['add-interface', 'POST', `${PATH}/{node_id}/action`, 'port-create', 'add_interface'],
  ['remove-interface', 'POST', `${PATH}/{node_id}/action`, 'port-delete', 'remove_interface'],
];

export const baremetalNodeEndpoints = (): Endpoint[] => [
  ...reading.map(([name, path]) =>
    endpoint({
      id: `baremetal-nodes:${name}`, method: 'GET', path, summary: 'Not supported: there is no baremetal service', policy: `os_compute_api:os-baremetal-nodes:${name}`, status: 200, until: UNTIL,
      handler() {
        throw notImplemented('compute.no-baremetal', 'The requested functionality is not supported: there is no baremetal service here.');
      },
    }),
  ),
  ...writing.map(([name, method, path, command, action]) =>
    endpoint({
      id: `baremetal-nodes:${name}`, method, path, ...(action === undefined ? {} : { action }), summary: 'Refused: it is for the baremetal service', policy: 'regular_user', status: 202, until: UNTIL,
      handler() {
        throw badRequest('compute.no-baremetal', `Command not supported. Please use Ironic command ${command} to perform this action.`);
      },
    }),
  ),
];

export const baremetalNodePolicies: PolicyRule[] = [
  rule('os-baremetal-nodes:list', ADMIN, 'List the machines of the baremetal service.', 'GET /os-baremetal-nodes'),
  rule('os-baremetal-nodes:show', ADMIN, 'Show a machine of the baremetal service.', 'GET /os-baremetal-nodes/{node_id}'),
];
