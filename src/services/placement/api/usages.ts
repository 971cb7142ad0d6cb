import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PlacementDeps } from '../deps.ts';
import { usage } from '../model/placement.ts';
import { getProvider } from '../model/resource-providers.ts';
import { allocationsOfProvider, projectUsage } from '../store/provider-lists.ts';
import { PROJECT_USAGES } from '../versions.ts';

export const usageEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'provider-usages:show', method: 'GET', path: '/resource_providers/{uuid}/usages', summary: 'Usage of a provider', policy: 'placement:resource_providers:usages', status: 200,
    async handler(call) {
      const provider = await getProvider(deps, call.params.uuid);
      return { resource_provider_generation: provider.generation, usages: (await usage(deps, provider.id)).used };
    },
  }),
  endpoint({
    id: 'provider-allocations:list', method: 'GET', path: '/resource_providers/{uuid}/allocations', summary: 'Who holds what of a provider', policy: 'placement:resource_providers:allocations:list', status: 200,
    async handler(call) {
      const provider = await getProvider(deps, call.params.uuid);
      const allocations: Record<string, { resources: Record<string, number> }> = {};
      for (const row of await allocationsOfProvider(deps.db.read, provider.id)) {
        (allocations[row.consumer_id] ??= { resources: {} }).resources[row.resource_class] = row.used;
      }
      return { resource_provider_generation: provider.generation, allocations };
    },
  }),
  endpoint({
    id: 'usages:show', method: 'GET', path: '/usages', summary: 'Usage of a project', policy: 'placement:usages', status: 200, since: PROJECT_USAGES,
    target: (call) => ({ project_id: call.query.project_id }),
    query: Type.Object({ project_id: Type.String({ minLength: 1, maxLength: 255 }), user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, { additionalProperties: false }),
    handler: async (call) => ({ usages: await projectUsage(deps.db.read, call.query.project_id, call.query.user_id) }),
  }),
];
