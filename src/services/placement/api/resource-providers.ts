import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { uuidString } from '../../../kernel/api/schema.ts';
import type { PlacementDeps } from '../deps.ts';
import { candidates } from '../model/placement.ts';
import { createProvider, deleteProvider, getProvider, renameProvider } from '../model/resource-providers.ts';
import { parseResources } from '../model/resource-classes.ts';
import { listProviders } from '../store/provider-lists.ts';
import type { ProviderRow } from '../store/tables.ts';
import { AGGREGATES, ALLOCATIONS_LINK, MEMBER_OF, RESOURCES_FILTER, TRAITS } from '../versions.ts';
import { since } from '../../../kernel/api/microversion.ts';

const name = Type.String({ minLength: 1, maxLength: 200 });

/** Which links a provider carries, by version. */
function view(row: ProviderRow, version: number) {
  const path = `/placement/resource_providers/${row.id}`;
  const rels = ['inventories', 'usages'];
  if (version >= AGGREGATES) rels.push('aggregates');
  if (version >= TRAITS) rels.push('traits');
  if (version >= ALLOCATIONS_LINK) rels.push('allocations');
  return { uuid: row.id, name: row.name, generation: row.generation, links: [{ rel: 'self', href: path }, ...rels.map((rel) => ({ rel, href: `${path}/${rel}` }))] };
}

export const resourceProviderEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'resource_providers:list', method: 'GET', path: '/resource_providers', summary: 'List providers', policy: 'placement:resource_providers:list', status: 200,
    query: Type.Object(
      {
        name: Type.Optional(Type.String()), uuid: Type.Optional(uuidString),
        member_of: Type.Optional(since(MEMBER_OF, Type.String())), resources: Type.Optional(since(RESOURCES_FILTER, Type.String())),
      },
      { additionalProperties: false },
    ),
    async handler(call) {
      const { query } = call;
      const ids = query.resources === undefined ? undefined : (await candidates(deps, parseResources(query.resources), 10_000)).map((one) => one.provider_id);
      const member_of = query.member_of?.replace(/^in:/, '').split(',');
      const rows = await listProviders(deps.db.read, { name: query.name, id: query.uuid?.toLowerCase(), member_of, ids });
      return { resource_providers: rows.map((row) => view(row, call.version)) };
    },
  }),
  endpoint({
    id: 'resource_providers:create', method: 'POST', path: '/resource_providers', summary: 'Create a provider', policy: 'placement:resource_providers:create', status: 201,
    body: Type.Object({ name, uuid: Type.Optional(uuidString) }, { additionalProperties: false }),
    async handler(call) {
      const row = await createProvider(deps, call.body);
      return reply(undefined, { headers: { location: `${call.base}/resource_providers/${row.id}` } });
    },
  }),
  endpoint({
    id: 'resource_providers:show', method: 'GET', path: '/resource_providers/{uuid}', summary: 'Show a provider', policy: 'placement:resource_providers:show', status: 200,
    handler: async (call) => view(await getProvider(deps, call.params.uuid), call.version),
  }),
  endpoint({
    id: 'resource_providers:update', method: 'PUT', path: '/resource_providers/{uuid}', summary: 'Rename a provider', policy: 'placement:resource_providers:update', status: 200,
    body: Type.Object({ name }, { additionalProperties: false }),
    handler: async (call) => view(await renameProvider(deps, call.params.uuid, call.body.name), call.version),
  }),
  endpoint({
    id: 'resource_providers:delete', method: 'DELETE', path: '/resource_providers/{uuid}', summary: 'Delete a provider', policy: 'placement:resource_providers:delete', status: 204,
    async handler(call) {
      await deleteProvider(deps, call.params.uuid);
      return undefined;
    },
  }),
];
