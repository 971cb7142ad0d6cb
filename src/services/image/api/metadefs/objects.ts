import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { objectBody } from '../../model/metadefs/bodies.ts';
import { listItems, objectContent } from '../../model/metadefs/items.ts';
import { objectView } from '../../model/metadefs/views.ts';
import { namespaceOf, namespaceTarget } from './gate.ts';
import { createItem, type ItemShape, pathOf, removeItem, showItem, updateItem } from './items.ts';
import { listingQuery, readItemListing } from './listing.ts';

const reply = Type.Object({ name: Type.String(), properties: Type.Record(Type.String(), Type.Unknown()), required: Type.Array(Type.String()), created_at: Type.String(), updated_at: Type.String(), self: Type.String(), schema: Type.String() });

const objects: ItemShape<typeof objectBody> = {
  kind: 'object', plural: 'objects', words: 'an object', deletion: 'delete_metadef_object', body: objectBody, reply,
  read_only: ['self', 'schema', 'created_at', 'updated_at'], content: objectContent, view: ({ namespace }, row) => objectView(namespace, row),
};

export const metadefObjectEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-objects:list', method: 'GET', path: pathOf('objects'), summary: 'List the objects of a namespace', policy: 'get_metadef_objects', status: 200,
    target: namespaceTarget(deps), query: Type.Object(listingQuery), reply: Type.Object({ objects: Type.Array(reply), schema: Type.String() }),
    async handler(call) {
      const namespace = await namespaceOf(deps, call);
      const shown = call.allows('get_metadef_object', { project_id: namespace.owner, visibility: namespace.visibility });
      const rows = shown ? await listItems(deps, namespace, 'object', readItemListing(call.query)) : [];
      return { objects: rows.map((row) => objectView(namespace.namespace, row)) as never[], schema: '/v2/schemas/metadefs/objects' };
    },
  }),
  createItem(deps, objects), showItem(deps, objects), updateItem(deps, objects), removeItem(deps, objects),
];
