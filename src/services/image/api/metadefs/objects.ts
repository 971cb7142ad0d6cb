import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { objectBody } from '../../model/metadefs/bodies.ts';
import { addItem, deleteItem, getItem, listItems, objectContent, replaceItem } from '../../model/metadefs/items.ts';
import { objectView } from '../../model/metadefs/views.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';
import { listingQuery, readItemListing } from './listing.ts';

const ALL = '/v2/metadefs/namespaces/{namespace}/objects';
const ONE = `${ALL}/{name}` as const;
const READ_ONLY = ['self', 'schema', 'created_at', 'updated_at'];

const objectReply = Type.Object({ name: Type.String(), properties: Type.Record(Type.String(), Type.Unknown()), required: Type.Array(Type.String()), created_at: Type.String(), updated_at: Type.String(), self: Type.String(), schema: Type.String() });

export const metadefObjectEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-objects:list', method: 'GET', path: ALL, summary: 'List the objects of a namespace', policy: 'get_metadef_objects', status: 200,
    target: namespaceTarget(deps), query: Type.Object(listingQuery), reply: Type.Object({ objects: Type.Array(objectReply), schema: Type.String() }),
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      const shown = call.allows('get_metadef_object', { project_id: namespace.owner, visibility: namespace.visibility });
      const rows = shown ? await listItems(deps, namespace, 'object', readItemListing(call.query)) : [];
      return { objects: rows.map((row) => objectView(namespace.namespace, row)) as never[], schema: '/v2/schemas/metadefs/objects' };
    },
  }),
  endpoint({
    id: 'metadef-objects:create', method: 'POST', path: ALL, summary: 'Define an object', policy: 'add_metadef_object', status: 201,
    target: namespaceTarget(deps), body: objectBody, reply: objectReply,
    async handler(call) {
      refuseReadOnly(call.body, ...READ_ONLY);
      const namespace = await namespaceOf(deps, call);
      return objectView(namespace.namespace, await addItem(deps, namespace, 'object', call.body.name, objectContent(call.body))) as never;
    },
  }),
  endpoint({
    id: 'metadef-objects:show', method: 'GET', path: ONE, summary: 'Show an object', policy: 'get_metadef_object', status: 200,
    target: namespaceTarget(deps), reply: objectReply,
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      return objectView(namespace.namespace, await getItem(deps, namespace, 'object', call.params.name)) as never;
    },
  }),
  endpoint({
    id: 'metadef-objects:update', method: 'PUT', path: ONE, summary: 'Define an object anew', policy: 'modify_metadef_object', status: 200,
    target: namespaceTarget(deps), body: objectBody, reply: objectReply,
    async handler(call) {
      refuseReadOnly(call.body, ...READ_ONLY);
      const namespace = await namespaceOf(deps, call);
      const old = await getItem(deps, namespace, 'object', call.params.name);
      return objectView(namespace.namespace, await replaceItem(deps, namespace, old, call.body.name, objectContent(call.body))) as never;
    },
  }),
  endpoint({
    id: 'metadef-objects:delete', method: 'DELETE', path: ONE, summary: 'Delete an object', policy: 'delete_metadef_object', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await deleteItem(deps, await namespaceOf(deps, call), 'object', call.params.name);
      return undefined;
    },
  }),
];
