import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { addTag, removeTag } from '../model/images.ts';
import { imageTarget } from './eyes.ts';

export const imageTagEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'image-tags:add', method: 'PUT', path: '/v2/images/{image_id}/tags/{tag}', summary: 'Add a tag to an image', policy: 'modify_image', status: 204,
    target: (call) => imageTarget(deps, call),
    async handler(call) {
      if (call.params.tag.length > 255) throw badRequest('image.tag', 'A tag has at most 255 characters.');
      await addTag(deps, call.params.image_id, call.params.tag);
      return undefined;
    },
  }),
  endpoint({
    id: 'image-tags:remove', method: 'DELETE', path: '/v2/images/{image_id}/tags/{tag}', summary: 'Remove a tag from an image', policy: 'modify_image', status: 204,
    target: (call) => imageTarget(deps, call),
    async handler(call) {
      await removeTag(deps, call.params.image_id, call.params.tag);
      return undefined;
    },
  }),
];
