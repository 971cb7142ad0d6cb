import { Type } from 'typebox';
import { type Call, endpoint, reply } from '../../../kernel/api/endpoint.ts';
import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import { forbidden } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { IMPORT_METHODS } from '../model/image-import.ts';
import { parsePatch } from '../model/image-patch.ts';
import { createImage, deleteImage, getImage, patchImage } from '../model/images.ts';
import { imageView } from '../model/view.ts';
import { listImages } from '../store/images.ts';
import type { ImageRow } from '../store/tables.ts';
import { markerNotFound } from '../faults.ts';
import { eyesOf, imageTarget } from './eyes.ts';
import { readListing } from './image-listing.ts';

const PATCH_TYPES = ['application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch', 'application/json-patch+json'];

export const imageReply = Type.Object({ id: Type.String(), status: Type.String(), visibility: Type.String(), tags: Type.Array(Type.String()), owner: Type.String(), file: Type.String(), schema: Type.String() });

export const imageEndpoints = (deps: ImageDeps): Endpoint[] => [listEndpoint(deps), createEndpoint(deps), showEndpoint(deps), patchEndpoint(deps), deleteEndpoint(deps)];

function listEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'images:list', method: 'GET', path: '/v2/images', summary: 'List images', policy: 'get_images', status: 200,
    query: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 0 })), marker: Type.Optional(Type.String()), tag: Type.Optional(Type.Array(Type.String())),
      sort: Type.Optional(Type.String()), sort_key: Type.Optional(Type.Array(Type.String())), sort_dir: Type.Optional(Type.Array(Type.String())),
      protected: Type.Optional(Type.Boolean()), os_hidden: Type.Optional(Type.Boolean()),
      min_disk: Type.Optional(Type.Integer()), min_ram: Type.Optional(Type.Integer()), size: Type.Optional(Type.Integer({ minimum: 0 })), size_min: Type.Optional(Type.Integer({ minimum: 0 })), size_max: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    reply: Type.Object({ images: Type.Array(imageReply), first: Type.String(), next: Type.Optional(Type.String()), schema: Type.String() }),
    async handler(call) {
      const page = await listImages(deps.db.read, readListing(call, eyesOf(call), deps.config));
      if (!page) throw markerNotFound(call.query.marker);
      const last = page.rows.at(-1);
      return {
        images: page.rows.map((row) => imageView(row, deps)) as never[],
        first: `/v2/images${withMarker(call, undefined)}`,
        ...(page.more && last ? { next: `/v2/images${withMarker(call, last.id)}` } : {}),
        schema: '/v2/schemas/images',
      };
    },
  });
}

function withMarker(call: Pick<Call, 'url'>, marker: string | undefined): string {
  const query = new URLSearchParams(call.url.search);
  query.delete('marker');
  if (marker !== undefined) query.set('marker', marker);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function createEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'images:create', method: 'POST', path: '/v2/images', summary: 'Create an image', policy: 'add_image', status: 201,
    target: (call) => ({ project_id: call.auth.project_id, owner: (call.body as { owner?: unknown } | null)?.owner ?? call.auth.project_id }),
    body: Type.Record(Type.String(), Type.Unknown()), reply: imageReply,
    async handler(call) {
      checkVisibilityRule(call, (call.body as { visibility?: unknown }).visibility, call.auth.project_id);
      const row = await createImage(deps, call.auth.project_id ?? '', call.body as Record<string, unknown>);
      const headers = { location: `${call.base}/v2/images/${row.id}`, 'openstack-image-import-methods': IMPORT_METHODS.join(','), 'openstack-image-store-ids': deps.stores.ids.join(',') };
      return reply(imageView(row, deps) as never, { headers });
    },
  });
}

/** Publishing is a right of its own. */
function checkVisibilityRule(call: Pick<Call<any, any, any>, 'enforce'>, visibility: unknown, owner: string | undefined): void {
  if (visibility === 'public') call.enforce('publicize_image', { project_id: owner });
  if (visibility === 'community') call.enforce('communitize_image', { project_id: owner });
}

function showEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'images:show', method: 'GET', path: '/v2/images/{image_id}', summary: 'Show an image', policy: 'get_image', status: 200,
    target: (call) => imageTarget(deps, call), reply: imageReply,
    handler: async (call) => imageView(await getImage(deps, eyesOf(call), call.params.image_id), deps) as never,
  });
}

function patchEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'images:update', method: 'PATCH', path: '/v2/images/{image_id}', summary: 'Update an image by JSON patch', policy: 'modify_image', status: 200,
    target: (call) => imageTarget(deps, call), mediaTypes: PATCH_TYPES, body: Type.Unknown(), reply: imageReply,
    async handler(call) {
      const row = await getImage(deps, eyesOf(call), call.params.image_id);
      const modern = !String(call.headers['content-type']).startsWith(PATCH_TYPES[1]!);
      const steps = parsePatch(call.body, modern);
      for (const step of steps) {
        if (step.path[0] === 'visibility') checkVisibilityRule(call, step.value, row.owner);
        if (step.path[0] === 'owner' && !eyesOf(call).is_admin) throw forbidden('image.owner', 'You are not permitted to change the owner of an image.');
      }
      return imageView(await patchImage(deps, row.id, steps), deps) as never;
    },
  });
}

function deleteEndpoint(deps: ImageDeps): Endpoint {
  return endpoint({
    id: 'images:delete', method: 'DELETE', path: '/v2/images/{image_id}', summary: 'Delete an image', policy: 'delete_image', status: 204,
    target: (call) => imageTarget(deps, call),
    async handler(call) {
      const row: ImageRow = await getImage(deps, eyesOf(call), call.params.image_id);
      await deleteImage(deps, row);
      return undefined;
    },
  });
}
