import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PlacementDeps } from '../deps.ts';
import { candidates, MOST_CANDIDATES, usage } from '../model/placement.ts';
import { capacityOf } from '../model/capacity.ts';
import { parseResources } from '../model/resource-classes.ts';
import { ALLOCATION_DICT, CANDIDATES } from '../versions.ts';

export const allocationCandidateEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'allocation-candidates:list', method: 'GET', path: '/allocation_candidates', summary: 'Who could hold these resources', policy: 'placement:allocation_candidates:list', status: 200, since: CANDIDATES,
    query: Type.Object({ resources: Type.String() }, { additionalProperties: false }),
    async handler(call) {
      const resources = parseResources(call.query.resources);
      const found = await candidates(deps, resources, MOST_CANDIDATES);
      const summaries: Record<string, { resources: Record<string, { capacity: number; used: number }> }> = {};
      for (const candidate of found) {
        const { used, inventory } = await usage(deps, candidate.provider_id);
        const entries = Object.keys(resources).map((name) => [name, { capacity: capacityOf(inventory[name]!), used: used[name] ?? 0 }]);
        summaries[candidate.provider_id] = { resources: Object.fromEntries(entries) };
      }
      const request = (id: string) => (call.version >= ALLOCATION_DICT ? { allocations: { [id]: { resources } } } : { allocations: [{ resource_provider: { uuid: id }, resources }] });
      return { allocation_requests: found.map((candidate) => request(candidate.provider_id)), provider_summaries: summaries };
    },
  }),
];
