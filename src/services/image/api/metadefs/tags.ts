import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../../kernel/api/endpoint.ts';
import { booleanFrom } from '../../../../kernel/api/schema.ts';
import { badRequest } from '../../../../kernel/fault.ts';
import type { ImageDeps } from '../../deps.ts';
import { tagBody, tagsBody } from '../../model/metadefs/bodies.ts';
import { addItem, listItems, setTags } from '../../model/metadefs/items.ts';
import { tagView } from '../../model/metadefs/views.ts';
import { namespaceOf, namespaceTarget, refuseReadOnly } from './gate.ts';
import { type ItemShape, pathOf, removeItem, showItem, updateItem } from './items.ts';
import { listingQuery, readItemListing } from './listing.ts';

const tagReply = Type.Object({ name: Type.String(), created_at: Type.String(), updated_at: Type.String() });
const tagsReply = Type.Object({ tags: Type.Array(Type.Object({ name: Type.String() })) });
const tags: ItemShape<typeof tagBody> = {
  kind: 'tag', plural: 'tags', words: 'a tag', deletion: 'delete_metadef_tag', body: tagBody, reply: tagReply,
  read_only: ['created_at', 'updated_at'], content: () => ({}), view: (_namespace, row) => tagView(row),
};

export const metadefTagEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'metadef-tags:list', method: 'GET', path: pathOf('tags'), summary: 'List the tags of a namespace', policy: 'get_metadef_tags', status: 200,
    target: namespaceTarget(deps), query: Type.Object(listingQuery), reply: tagsReply,
    async handler(call) {
      const rows = await listItems(deps, await namespaceOf(deps, call), 'tag', readItemListing(call.query));
      return { tags: rows.map(({ name }) => ({ name })) };
    },
  }),
  endpoint({
    id: 'metadef-tags:replace', method: 'POST', path: pathOf('tags'), summary: 'Define the tags of a namespace anew, or more of them (X-Openstack-Append)', policy: 'add_metadef_tags', status: 201,
    target: namespaceTarget(deps), body: tagsBody, reply: tagsReply,
    async handler(call) {
      refuseReadOnly(call.body, 'created_at', 'updated_at');
      const names = (call.body.tags ?? []).map(({ name }) => name);
      const append = booleanFrom(String(call.headers['x-openstack-append'] ?? '')) === true;
      await setTags(deps, await namespaceOf(deps, call), names, append);
      return { tags: names.map((name) => ({ name })) };
    },
  }),
  endpoint({
    id: 'metadef-tags:create', method: 'POST', path: `${pathOf('tags')}/{name}` as string, summary: 'Define a tag', policy: 'add_metadef_tag', status: 201,
    target: namespaceTarget(deps), reply: tagReply,
    async handler(call) {
      const name = call.params['name'] as string;
      if (name.length > 80) throw badRequest('image.metadef-tag-name', 'The name of a tag has at most 80 characters.');
      return tagView(await addItem(deps, await namespaceOf(deps, call), 'tag', name, {})) as never;
    },
  }),
  showItem(deps, tags), updateItem(deps, tags), removeItem(deps, tags),
];
