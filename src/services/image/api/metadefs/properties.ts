import { Type } from 'typebox';
import { endpoint, type Endpoint, type PathCall } from '../../../../kernel/api/endpoint.ts';
import { notFound } from '../../../../kernel/fault.ts';
import type { ImageDeps } from '../../deps.ts';
import { propertyBody } from '../../model/metadefs/bodies.ts';
import { listItems, schemaOf } from '../../model/metadefs/items.ts';
import { findPrefix } from '../../model/metadefs/resource-types.ts';
import { propertiesView, propertyView } from '../../model/metadefs/views.ts';
import type { MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import { namespaceOf, namespaceTarget } from './gate.ts';
import { createItem, type ItemShape, pathOf, removeItem, showItem, updateItem } from './items.ts';

const properties: ItemShape<typeof propertyBody> = {
  kind: 'property', plural: 'properties', words: 'a property', deletion: 'remove_metadef_property', body: propertyBody,
  reply: Type.Object({ name: Type.String(), title: Type.String(), type: Type.String() }),
  read_only: ['created_at', 'updated_at'], content: schemaOf, view: (_namespace, row) => propertyView(row),
};
const showQuery = Type.Object({ resource_type: Type.Optional(Type.String()) });

/** Without the prefix that a resource type puts before it. Faults: 404 when it has another or none. */
async function plainName(deps: ImageDeps, call: PathCall, namespace: MetadefNamespaceRow): Promise<string> {
  const name = call.params['name'] as string;
  const { resource_type } = call.query as { resource_type?: string };
  if (resource_type === undefined || resource_type === '') return name;
  call.enforce('get_metadef_resource_type', { project_id: namespace.owner, visibility: namespace.visibility });
  const prefix = await findPrefix(deps, namespace, resource_type);
  if (prefix === '' || !name.startsWith(prefix)) throw notFound('image.metadef-prefix', `Property ${name} does not start with the expected resource type association prefix of '${prefix}'.`);
  return name.slice(prefix.length);
}

export const metadefPropertyEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-properties:list', method: 'GET', path: pathOf('properties'), summary: 'List the properties of a namespace', policy: 'get_metadef_properties', status: 200,
    target: namespaceTarget(deps), reply: Type.Object({ properties: Type.Record(Type.String(), Type.Unknown()) }),
    handler: async (call) => ({ properties: propertiesView(await listItems(deps, await namespaceOf(deps, call), 'property')) }),
  }),
  createItem(deps, properties), showItem(deps, properties, showQuery, (call, namespace) => plainName(deps, call, namespace)), updateItem(deps, properties), removeItem(deps, properties),
];
