/** Glance's cache of images: here it is what the nodes keep in their container engines. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { type CacheTarget, clearCache, listCache, queueImage, uncacheImage } from '../model/cache.ts';
import { getImage } from '../model/images.ts';
import type { Once } from '../model/once.ts';
import { eyesOf } from './eyes.ts';

const cached = Type.Object({ image_id: Type.String(), hits: Type.Integer(), last_accessed: Type.Number(), last_modified: Type.Number(), size: Type.Integer() });
const TARGETS: readonly string[] = ['cache', 'queue', 'both'] satisfies CacheTarget[];

/** The engines need neither, and what servers were made from may not go. */
const UNKNOWN = [['clean', 'cache_clean'], ['prune', 'cache_prune']] as const;

export const cacheEndpoints = (deps: ImageDeps, filling: Once): Endpoint[] => [
  endpoint({
    id: 'cache:list', method: 'GET', path: '/v2/cache', summary: 'List the images that nodes have, and those that wait to be brought to them', policy: 'cache_list', status: 200,
    reply: Type.Object({ cached_images: Type.Array(cached), queued_images: Type.Array(Type.String()) }),
    handler: () => listCache(deps),
  }),
  endpoint({
    id: 'cache:queue', method: 'PUT', path: '/v2/cache/{image_id}', summary: 'Bring an image to all nodes', policy: 'cache_image', status: 202,
    async handler(call) {
      await queueImage(deps, filling, await getImage(deps, eyesOf(call as Call), (call.params as { image_id: string }).image_id));
      return reply();
    },
  }),
  endpoint({
    id: 'cache:delete', method: 'DELETE', path: '/v2/cache/{image_id}', summary: 'Take an image off all nodes', policy: 'cache_delete', status: 204,
    async handler(call) {
      await uncacheImage(deps, (call.params as { image_id: string }).image_id);
      return undefined;
    },
  }),
  endpoint({
    id: 'cache:clear', method: 'DELETE', path: '/v2/cache', summary: 'Take all images off the nodes that no server was made from', policy: 'cache_delete', status: 204,
    async handler(call) {
      const target = call.headers['x-image-cache-clear-target'] ?? 'both';
      if (typeof target !== 'string' || !TARGETS.includes(target)) throw badRequest('image.cache-target', "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or 'both'.");
      await clearCache(deps, target as CacheTarget);
      return undefined;
    },
  }),
  ...UNKNOWN.map(([id, policy]) =>
    endpoint({
      id: `cache:${id}`, method: 'POST', path: `/v2/cache/${id}`, summary: 'There is nothing to be tidied in the cache', policy, status: 404,
      handler: () => {
        throw notFound('image.no-cache', 'The cache is in the engines of the nodes, which need no tidying.');
      },
    }),
  ),
  endpoint({
    id: 'cache:nodes', method: 'GET', path: '/v2/cache/nodes/{image_id}', summary: 'There is no cache to be listed', policy: 'list_cached_nodes', status: 409,
    handler: () => {
      throw conflict('image.no-cache', 'Centralized caching is not enabled');
    },
  }),
];
