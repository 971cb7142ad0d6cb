/** Images through the Compute API: a proxy of the image service, up to 2.35. */
import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { IMAGE_PREFIX, type ImageInfo, type ImageQuery } from '../../image/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { imageFields, inNovaWords } from '../model/images.ts';
import { versions } from '../versions.ts';
import { pageLimit, pagingQuery, resourceLinks } from './common.ts';
import { link } from './parameters.ts';

const UNTIL = versions.NO_PROXIES - 1;
const PATH = '/v2.1/images';
const PROPERTY = 'property-';

const brief = { id: Type.String(), name: nullable(Type.String()), links: Type.Array(link, { minItems: 3, maxItems: 3 }) };
const imageReply = Type.Object(
  {
    ...brief,
    status: Type.String(),
    progress: Type.Integer(),
    minRam: Type.Integer(),
    minDisk: Type.Integer(),
    created: Type.String(),
    updated: Type.String(),
    metadata: Type.Record(Type.String(), Type.Unknown()),
    'OS-EXT-IMG-SIZE:size': Type.Integer(),
    'OS-DCF:diskConfig': Type.Optional(Type.String()),
    server: Type.Optional(Type.Object({ id: Type.String(), links: Type.Array(link) }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);
const nextPage = { images_links: Type.Optional(Type.Array(link)) };

const natural = Type.Optional(Type.Integer({ minimum: 0 }));
const text = Type.Optional(Type.String());
const listQuery = Type.Object({
  ...pagingQuery, page_size: natural, offset: natural,
  name: text, status: text, 'changes-since': text, server: text, type: text, minRam: natural, minDisk: natural,
});

type ListCall = Call<unknown, Static<typeof listQuery>>;

/** The last link leads to the image service itself. */
function linksOf(call: Pick<Call, 'base'>, id: string) {
  const alternate = `${new URL(call.base).origin}${IMAGE_PREFIX}/v2/images/${encodeURIComponent(id)}`;
  return [...resourceLinks(call.base, 'images', id), { rel: 'alternate', type: 'application/vnd.openstack.image', href: alternate }];
}

const briefView = (call: Pick<Call, 'base'>, image: ImageInfo) => ({ id: image.id, name: image.name, links: linksOf(call, image.id) });

/** A snapshot knows its server by a property. */
function imageView(call: Pick<Call, 'base'>, image: ImageInfo): Static<typeof imageReply> {
  const server_id = image.properties['instance_uuid'];
  const server = server_id === undefined ? {} : { server: { id: server_id, links: resourceLinks(call.base, 'servers', server_id) } };
  return { ...imageFields(image), links: linksOf(call, image.id), ...server };
}

/** `server` may be the link of one. */
function propertyFilters({ query }: ListCall): Record<string, string> {
  const named = Object.entries(query).filter(([name]) => name.startsWith(PROPERTY)).map(([name, value]) => [name.slice(PROPERTY.length), String(value)]);
  return {
    ...(Object.fromEntries(named) as Record<string, string>),
    ...(query.server === undefined ? {} : { instance_uuid: query.server.slice(query.server.lastIndexOf('/') + 1) }),
    ...(query.type === undefined ? {} : { image_type: query.type }),
  };
}

/** Nova takes a limit of 0 for none. */
function imageQuery(deps: ComputeDeps, call: ListCall): ImageQuery {
  const { query } = call;
  const filters = { name: query.name, status: query.status?.toLowerCase(), min_ram: query.minRam, min_disk: query.minDisk, updated_since: query['changes-since'], marker: query.marker };
  const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)) as Partial<ImageQuery>;
  return { ...given, properties: propertyFilters(call), limit: pageLimit(deps.config, query.limit === 0 ? undefined : query.limit) };
}

async function list<View>(deps: ComputeDeps, call: ListCall, view: (call: ListCall, image: ImageInfo) => View) {
  const { images, more } = await deps.image.listImages(call, imageQuery(deps, call));
  const links = nextLinks(call, more, images.at(-1)?.id);
  return { images: images.map((image) => view(call, image)), ...(links === undefined ? {} : { images_links: links }) };
}

export const imageEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'images:list', method: 'GET', path: PATH, summary: 'List images', policy: 'regular_user', status: 200, until: UNTIL,
    query: listQuery,
    reply: Type.Object({ images: Type.Array(Type.Object(brief, { additionalProperties: false })), ...nextPage }, { additionalProperties: false }),
    handler: (call) => list(deps, call, briefView),
  }),
  endpoint({
    id: 'images:detail', method: 'GET', path: `${PATH}/detail`, summary: 'List images with all they have', policy: 'regular_user', status: 200, until: UNTIL,
    query: listQuery,
    reply: Type.Object({ images: Type.Array(imageReply), ...nextPage }, { additionalProperties: false }),
    handler: (call) => list(deps, call, imageView),
  }),
  endpoint({
    id: 'images:show', method: 'GET', path: `${PATH}/{image_id}`, summary: 'Show an image', policy: 'regular_user', status: 200, until: UNTIL,
    reply: Type.Object({ image: imageReply }, { additionalProperties: false }),
    async handler(call) {
      const { image_id } = call.params;
      return { image: imageView(call, await inNovaWords(image_id, deps.image.showImage(call, image_id))) };
    },
  }),
  endpoint({
    id: 'images:delete', method: 'DELETE', path: `${PATH}/{image_id}`, summary: 'Delete an image', policy: 'regular_user', status: 204, until: UNTIL,
    async handler(call) {
      const { image_id } = call.params;
      await inNovaWords(image_id, deps.image.deleteImage(call, image_id), 'You are not allowed to delete the image.');
      return undefined;
    },
  }),
];
