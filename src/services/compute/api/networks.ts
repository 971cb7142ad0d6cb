/** Networks through the Compute API: a proxy of networking, up to 2.35. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { networkView, networkWork } from '../model/networks.ts';
import { versions } from '../versions.ts';
import { READER, rule } from './rules.ts';
import { isAdmin } from './server-target.ts';

const UNTIL = versions.NO_PROXIES - 1;
const PATH = '/v2.1/os-networks';

export const networkPolicies: PolicyRule[] = [
  rule('os-networks:list', READER, 'List networks.', 'GET /os-networks'),
  rule('os-networks:show', READER, 'Show a network.', 'GET /os-networks/{network_id}'),
];

const shown = Type.Object({ id: Type.String(), label: Type.String() });

export const networkEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'networks:list', method: 'GET', path: PATH, summary: 'List networks', policy: 'os_compute_api:os-networks:list', status: 200, until: UNTIL,
    reply: Type.Object({ networks: Type.Array(shown) }, { additionalProperties: false }),
    handler: async (call) => ({ networks: (await deps.network.api.listNetworks(call)).map((one) => networkView(one, isAdmin(call))) }),
  }),
  endpoint({
    id: 'networks:show', method: 'GET', path: `${PATH}/{network_id}`, summary: 'Show a network', policy: 'os_compute_api:os-networks:show', status: 200, until: UNTIL,
    reply: Type.Object({ network: shown }, { additionalProperties: false }),
    async handler(call) {
      const one = await networkWork(deps.network.api.showNetwork(call, call.params.network_id));
      return { network: networkView(one, isAdmin(call)) };
    },
  }),
];
