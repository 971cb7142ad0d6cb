import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PlacementDeps } from '../deps.ts';
import { getProvider, setTraits } from '../model/resource-providers.ts';
import { traitsOf } from '../store/provider-lists.ts';
import { TRAITS } from '../versions.ts';
import { knownTraits } from './traits.ts';

const PATH = '/resource_providers/{uuid}/traits';

async function view(deps: PlacementDeps, id: string) {
  const provider = await getProvider(deps, id);
  return { resource_provider_generation: provider.generation, traits: await traitsOf(deps.db.read, provider.id) };
}

export const providerTraitEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({ id: 'provider-traits:list', method: 'GET', path: PATH, summary: 'Traits of a provider', policy: 'placement:resource_providers:traits:list', status: 200, since: TRAITS, handler: (call) => view(deps, call.params.uuid) }),
  endpoint({
    id: 'provider-traits:replace', method: 'PUT', path: PATH, summary: 'Replace the traits of a provider', policy: 'placement:resource_providers:traits:update', status: 200, since: TRAITS,
    body: Type.Object({ traits: Type.Array(Type.String({ maxLength: 255 })), resource_provider_generation: Type.Integer({ minimum: 0 }) }, { additionalProperties: false }),
    async handler(call) {
      await setTraits(deps, call.params.uuid, call.body.resource_provider_generation, call.body.traits, await knownTraits(deps));
      return view(deps, call.params.uuid);
    },
  }),
  endpoint({
    id: 'provider-traits:delete', method: 'DELETE', path: PATH, summary: 'Take all traits from a provider', policy: 'placement:resource_providers:traits:delete', status: 204, since: TRAITS,
    async handler(call) {
      await setTraits(deps, call.params.uuid, (await getProvider(deps, call.params.uuid)).generation, [], []);
      return undefined;
    },
  }),
];
