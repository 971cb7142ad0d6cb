import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import { booleanFrom } from '../../../../kernel/api/schema.ts';
import { badRequest } from '../../../../kernel/fault.ts';
import type { ImageDeps } from '../../deps.ts';
import { tagBody, tagsBody } from '../../model/metadefs/bodies.ts';
import { addItem, deleteItem, getItem, listItems, replaceItem, setTags } from '../../model/metadefs/items.ts';
import { tagView } from '../../model/metadefs/views.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';
import { listingQuery, readItemListing } from './listing.ts';

const ALL = '/v2/metadefs/namespaces/{namespace}/tags';
const ONE = `${ALL}/{name}` as const;

const tagReply = Type.Object({ name: Type.String(), created_at: Type.String(), updated_at: Type.String() });
const tagsReply = Type.Object({ tags: Type.Array(Type.Object({ name: Type.String() })) });

export const metadefTagEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-tags:list', method: 'GET', path: ALL, summary: 'List the tags of a namespace', policy: 'get_metadef_tags', status: 200,
    target: namespaceTarget(deps), query: Type.Object(listingQuery), reply: tagsReply,
    async handler(call) {
      const rows = await listItems(deps, await namespaceOf(deps, call), 'tag', readItemListing(call.query));
      return { tags: rows.map(({ name }) => ({ name })) };
    },
  }),
  endpoint({
    id: 'metadef-tags:replace', method: 'POST', path: ALL, summary: 'Define the tags of a namespace anew, or more of them (X-Openstack-Append)', policy: 'add_metadef_tags', status: 201,
    target: namespaceTarget(deps), body: tagsBody, reply: tagsReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      const tags = (call.body.tags ?? []).map(({ name }) => ({ name }));
      const append = booleanFrom(String(call.headers['x-openstack-append'] ?? '')) === true;
      await setTags(deps, await namespaceOf(deps, call), tags.map(({ name }) => name), append);
      return { tags };
    },
  }),
  endpoint({
    id: 'metadef-tags:create', method: 'POST', path: ONE, summary: 'Define a tag', policy: 'add_metadef_tag', status: 201,
    target: namespaceTarget(deps), reply: tagReply,
    async handler(call) {
      const { name } = call.params;
      if (name.length > 80) throw badRequest('image.metadef-tag-name', 'The name of a tag has at most 80 characters.');
      return tagView(await addItem(deps, await namespaceOf(deps, call), 'tag', name, {})) as never;
    },
  }),
  endpoint({
    id: 'metadef-tags:show', method: 'GET', path: ONE, summary: 'Show a tag', policy: 'get_metadef_tag', status: 200,
    target: namespaceTarget(deps), reply: tagReply,
    handler: async (call) => tagView(await getItem(deps, await namespaceOf(deps, call), 'tag', call.params.name)) as never,
  }),
  endpoint({
    id: 'metadef-tags:update', method: 'PUT', path: ONE, summary: 'Rename a tag', policy: 'modify_metadef_tag', status: 200,
    target: namespaceTarget(deps), body: tagBody, reply: tagReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      const namespace = await namespaceOf(deps, call);
      return tagView(await replaceItem(deps, namespace, await getItem(deps, namespace, 'tag', call.params.name), call.body.name, {})) as never;
    },
  }),
  endpoint({
    id: 'metadef-tags:delete', method: 'DELETE', path: ONE, summary: 'Delete a tag', policy: 'delete_metadef_tag', status: 204,
    target: namespaceTarget(deps),
    async handler(call) {
      await deleteItem(deps, await namespaceOf(deps, call), 'tag', call.params.name);
      return undefined;
    },
  }),
];
