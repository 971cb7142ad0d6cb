/** Floating IPs through the Compute API: a proxy of networking, up to 2.35; their two actions up to 2.43. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { addressToTie, allocateFloatingIp, floatingIpView, floatingIpWork, tieFloatingIp, untieFloatingIp } from '../model/floating-ips.ts';
import { versions } from '../versions.ts';
import { ipText } from './parameters.ts';
import { MEMBER, READER, rule } from './rules.ts';
import { serverOf, serverTarget } from './server-target.ts';

const UNTIL = versions.NO_PROXIES - 1;
const ACTIONS_UNTIL = versions.NO_ADDRESS_ACTIONS - 1;
const PATH = '/v2.1/os-floating-ips';
const ACTION = '/v2.1/servers/{server_id}/action';
const closed = { additionalProperties: false } as const;

export const floatingIpPolicies: PolicyRule[] = [
  rule('os-floating-ips:list', READER, 'List floating IPs.', 'GET /os-floating-ips'),
  rule('os-floating-ips:show', READER, 'Show a floating IP.', 'GET /os-floating-ips/{floating_ip_id}'),
  rule('os-floating-ips:create', MEMBER, 'Create a floating IP.', 'POST /os-floating-ips'),
  rule('os-floating-ips:delete', MEMBER, 'Delete a floating IP.', 'DELETE /os-floating-ips/{floating_ip_id}'),
  rule('os-floating-ips:add', MEMBER, 'Tie a floating IP to a server.', 'POST /servers/{server_id}/action'),
  rule('os-floating-ips:remove', MEMBER, 'Untie a floating IP from a server.', 'POST /servers/{server_id}/action'),
];

const shown = Type.Object({ id: Type.String(), ip: Type.String(), fixed_ip: nullable(Type.String()), instance_id: nullable(Type.String()), pool: Type.String() }, closed);
const oneReply = Type.Object({ floating_ip: shown }, closed);

const resources = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'floating-ips:list', method: 'GET', path: PATH, summary: 'List the floating IPs of the project', policy: 'os_compute_api:os-floating-ips:list', status: 200, until: UNTIL,
    reply: Type.Object({ floating_ips: Type.Array(shown) }, closed),
    handler: async (call) => ({ floating_ips: (await deps.network.api.listFloatingIps(call)).map(floatingIpView) }),
  }),
  endpoint({
    id: 'floating-ips:show', method: 'GET', path: `${PATH}/{floating_ip_id}`, summary: 'Show a floating IP', policy: 'os_compute_api:os-floating-ips:show', status: 200, until: UNTIL,
    reply: oneReply,
    async handler(call) {
      const { floating_ip_id } = call.params;
      return { floating_ip: floatingIpView(await floatingIpWork(floating_ip_id, deps.network.api.showFloatingIp(call, floating_ip_id))) };
    },
  }),
  endpoint({
    id: 'floating-ips:create', method: 'POST', path: PATH, summary: 'Create a floating IP in a pool', policy: 'os_compute_api:os-floating-ips:create', status: 200, until: UNTIL,
    body: nullable(Type.Object({ pool: Type.Optional(nullable(Type.String())) })),
    reply: oneReply,
    handler: async (call) => ({ floating_ip: floatingIpView(await allocateFloatingIp(deps.network.api, call, call.body?.pool || undefined)) }),
  }),
  endpoint({
    id: 'floating-ips:delete', method: 'DELETE', path: `${PATH}/{floating_ip_id}`, summary: 'Delete a floating IP', policy: 'os_compute_api:os-floating-ips:delete', status: 202, until: UNTIL,
    async handler(call) {
      const { floating_ip_id } = call.params;
      await floatingIpWork(floating_ip_id, deps.network.api.deleteFloatingIp(call, floating_ip_id));
      return undefined;
    },
  }),
];

const actions = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'servers:action:addFloatingIp', method: 'POST', path: ACTION, action: 'addFloatingIp', summary: 'Tie a floating IP to a server',
    policy: 'os_compute_api:os-floating-ips:add', status: 202, until: ACTIONS_UNTIL,
    target: serverTarget(deps),
    body: Type.Object({ addFloatingIp: Type.Object({ address: ipText, fixed_address: Type.Optional(ipText) }, closed) }, closed),
    async handler(call) {
      const { id } = serverOf(call);
      const { address, fixed_address } = call.body.addFloatingIp;
      const nics = (await deps.network.nicsOf([id])).get(id) ?? [];
      await tieFloatingIp(deps.network.api, call, id, address, addressToTie(id, nics, address, fixed_address));
      return undefined;
    },
  }),
  endpoint({
    id: 'servers:action:removeFloatingIp', method: 'POST', path: ACTION, action: 'removeFloatingIp', summary: 'Untie a floating IP from a server',
    policy: 'os_compute_api:os-floating-ips:remove', status: 202, until: ACTIONS_UNTIL,
    target: serverTarget(deps),
    body: Type.Object({ removeFloatingIp: Type.Object({ address: ipText }, closed) }, closed),
    async handler(call) {
      await untieFloatingIp(deps.network.api, call, serverOf(call).id, call.body.removeFloatingIp.address);
      return undefined;
    },
  }),
];

export const floatingIpEndpoints = (deps: ComputeDeps): Endpoint[] => [...resources(deps), ...actions(deps)];
