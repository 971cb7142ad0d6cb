/** Glance's cache of images on its own hosts. There is none: nodes keep images in their container engines. Answered as where it is off. */
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { conflict, notFound } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { getImage } from '../model/images.ts';
import { eyesOf } from './eyes.ts';

const CALLS = [
  ['list', 'GET', '/v2/cache', 'cache_list'],
  ['clear', 'DELETE', '/v2/cache', 'cache_delete'],
  ['queue', 'PUT', '/v2/cache/{image_id}', 'cache_image'],
  ['delete', 'DELETE', '/v2/cache/{image_id}', 'cache_delete'],
  ['clean', 'POST', '/v2/cache/clean', 'cache_clean'],
  ['prune', 'POST', '/v2/cache/prune', 'cache_prune'],
] as const;

export const cacheEndpoints = (deps: ImageDeps): Endpoint[] => [
  ...CALLS.map(([id, method, path, policy]) =>
    endpoint({
      id: `cache:${id}`, method, path, summary: 'There is no cache to be managed', policy, status: 404,
      async handler(call) {
        const { image_id } = call.params as { image_id?: string };
        if (image_id !== undefined) await getImage(deps, eyesOf(call), image_id);
        throw notFound('image.no-cache', 'Caching via API is not supported at this site.');
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
