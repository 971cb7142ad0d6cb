import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { uuidString } from '../../../kernel/api/schema.ts';
import type { PlacementDeps } from '../deps.ts';
import { getProvider, setAggregates } from '../model/resource-providers.ts';
import { aggregatesOf } from '../store/provider-lists.ts';
import { AGGREGATES } from '../versions.ts';

const PATH = '/resource_providers/{uuid}/aggregates';

const view = async (deps: PlacementDeps, id: string) => ({ aggregates: await aggregatesOf(deps.db.read, (await getProvider(deps, id)).id) });

export const providerAggregateEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({ id: 'provider-aggregates:list', method: 'GET', path: PATH, summary: 'Aggregates of a provider', policy: 'placement:resource_providers:aggregates:list', status: 200, since: AGGREGATES, handler: (call) => view(deps, call.params.uuid) }),
  endpoint({
    id: 'provider-aggregates:replace', method: 'PUT', path: PATH, summary: 'Replace the aggregates of a provider', policy: 'placement:resource_providers:aggregates:update', status: 200, since: AGGREGATES,
    body: Type.Array(uuidString),
    async handler(call) {
      await setAggregates(deps, call.params.uuid, call.body);
      return view(deps, call.params.uuid);
    },
  }),
];
