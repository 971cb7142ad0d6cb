/** Networks as projects saw them through the Compute API: a proxy of networking, up to 2.35. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { projectNetworkView, networkWork } from '../model/networks.ts';
import { versions } from '../versions.ts';
import { READER, rule } from './rules.ts';

const UNTIL = versions.NO_PROXIES - 1;
const PATH = '/v2.1/os-tenant-networks';

export const tenantNetworkPolicies: PolicyRule[] = [
  rule('os-tenant-networks:list', READER, 'List networks.', 'GET /os-tenant-networks'),
  rule('os-tenant-networks:show', READER, 'Show a network.', 'GET /os-tenant-networks/{network_id}'),
];

const shown = Type.Object({ id: Type.String(), label: Type.String(), cidr: Type.String() }, { additionalProperties: false });

export const tenantNetworkEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'tenant-networks:list', method: 'GET', path: PATH, summary: 'List networks', policy: 'os_compute_api:os-tenant-networks:list', status: 200, until: UNTIL,
    reply: Type.Object({ networks: Type.Array(shown) }, { additionalProperties: false }),
    handler: async (call) => ({ networks: (await deps.network.api.listNetworks(call)).map((one) => projectNetworkView(one)) }),
  }),
  endpoint({
    id: 'tenant-networks:show', method: 'GET', path: `${PATH}/{network_id}`, summary: 'Show a network', policy: 'os_compute_api:os-tenant-networks:show', status: 200, until: UNTIL,
    reply: Type.Object({ network: shown }, { additionalProperties: false }),
    async handler(call) {
      const one = await networkWork(deps.network.api.showNetwork(call, call.params.network_id));
      return { network: projectNetworkView(one) };
    },
  }),
];
