import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import { notFound } from '../../../../kernel/fault.ts';
import type { ImageDeps } from '../../deps.ts';
import { propertyBody } from '../../model/metadefs/bodies.ts';
import { addItem, deleteItem, getItem, listItems, replaceItem, schemaOf } from '../../model/metadefs/items.ts';
import { findPrefix } from '../../model/metadefs/resource-types.ts';
import { propertiesView, propertyView } from '../../model/metadefs/views.ts';
import type { MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';

const ALL = '/v2/metadefs/namespaces/{namespace}/properties';
const ONE = `${ALL}/{name}` as const;

const propertyReply = Type.Object({ name: Type.String(), title: Type.String(), type: Type.String() });

/** Without the prefix that a resource type puts before it. Faults: 404 when it has another or none. */
async function plainName(deps: ImageDeps, call: Pick<Call<any, any, any>, 'params' | 'enforce'>, namespace: MetadefNamespaceRow, resource_type: string | undefined): Promise<string> {
  const { name } = call.params as { name: string };
  if (resource_type === undefined || resource_type === '') return name;
  call.enforce('get_metadef_resource_type', { project_id: namespace.owner, visibility: namespace.visibility });
  const prefix = await findPrefix(deps, namespace, resource_type);
  if (prefix === '' || !name.startsWith(prefix)) throw notFound('image.metadef-prefix', `Property ${name} does not start with the expected resource type association prefix of '${prefix}'.`);
  return name.slice(prefix.length);
}

export const metadefPropertyEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-properties:list', method: 'GET', path: ALL, summary: 'List the properties of a namespace', policy: 'get_metadef_properties', status: 200,
    target: namespaceTarget(deps), reply: Type.Object({ properties: Type.Record(Type.String(), Type.Unknown()) }),
    handler: async (call) => ({ properties: propertiesView(await listItems(deps, await namespaceOf(deps, call), 'property')) }),
  }),
  endpoint({
    id: 'metadef-properties:create', method: 'POST', path: ALL, summary: 'Define a property', policy: 'add_metadef_property', status: 201,
    target: namespaceTarget(deps), body: propertyBody, reply: propertyReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      return propertyView(await addItem(deps, await namespaceOf(deps, call), 'property', call.body.name, schemaOf(call.body))) as never;
    },
  }),
  endpoint({
    id: 'metadef-properties:show', method: 'GET', path: ONE, summary: 'Show a property', policy: 'get_metadef_property', status: 200,
    target: namespaceTarget(deps), query: Type.Object({ resource_type: Type.Optional(Type.String({ pattern: '^[^\\u0000]*$' })) }), reply: propertyReply,
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      return propertyView(await getItem(deps, namespace, 'property', await plainName(deps, call, namespace, call.query.resource_type))) as never;
    },
  }),
  endpoint({
    id: 'metadef-properties:update', method: 'PUT', path: ONE, summary: 'Define a property anew', policy: 'modify_metadef_property', status: 200,
    target: namespaceTarget(deps), body: propertyBody, reply: propertyReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      const namespace = await namespaceOf(deps, call);
      const old = await getItem(deps, namespace, 'property', call.params.name);
      return propertyView(await replaceItem(deps, namespace, old, call.body.name, schemaOf(call.body))) as never;
    },
  }),
  endpoint({
    id: 'metadef-properties:delete', method: 'DELETE', path: ONE, summary: 'Delete a property', policy: 'remove_metadef_property', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await deleteItem(deps, await namespaceOf(deps, call), 'property', call.params.name);
      return undefined;
    },
  }),
];
