import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest, conflict, forbidden } from '../../../kernel/fault.ts';
import type { ImageDeps } from '../deps.ts';
import { storesOf } from '../model/image-data.ts';
import { removeFromStore } from '../model/image-import.ts';
import { getImage } from '../model/images.ts';
import { eyesOf, imageTarget, targetOf } from './eyes.ts';

const locations = Type.Array(Type.Object({ url: Type.String(), metadata: Type.Object({ store: Type.String() }) }));

/** In which stores an image is. No store of ours takes data by their location, so images cannot be given any. */
export const storeEndpoints = (deps: ImageDeps): Endpoint[] => [
  endpoint({
    id: 'stores:delete-image', method: 'DELETE', path: '/v2/stores/{store_id}/{image_id}', summary: "Delete an image's data from one store", policy: 'delete_image_location', status: 204,
    target: (call) => imageTarget(deps, call as Call),
    async handler(call) {
      const { store_id, image_id } = call.params as { store_id: string; image_id: string };
      if (!deps.stores.has(store_id)) throw conflict('image.store-unknown', `The selected store ${store_id} is not available on this node.`);
      call.enforce('get_image_location', targetOf(await getImage(deps, eyesOf(call), image_id), call.auth.project_id));
      await removeFromStore(deps, image_id, store_id);
      return undefined;
    },
  }),
  endpoint({
    id: 'stores:locations', method: 'GET', path: '/v2/images/{image_id}/locations', summary: 'List where the data of an image are', policy: 'fetch_image_location', status: 200,
    target: (call) => imageTarget(deps, call), reply: locations,
    async handler(call) {
      const row = await getImage(deps, eyesOf(call), call.params.image_id);
      return storesOf(deps, row).map((store) => ({ url: `${store}://sha256/${row.digest}`, metadata: { store } }));
    },
  }),
  endpoint({
    id: 'stores:add-location', method: 'POST', path: '/v2/images/{image_id}/locations', summary: 'Add a location to an image: refused', policy: 'add_image_location', status: 202,
    target: (call) => imageTarget(deps, call), body: Type.Object({ url: Type.String({ maxLength: 2048 }), validation_data: Type.Optional(Type.Object({})) }),
    async handler(call) {
      const row = await getImage(deps, eyesOf(call), call.params.image_id);
      if (row.status !== 'queued') throw conflict('image.wrong-state', `It's not allowed to add locations if image status is ${row.status}.`);
      if (!call.auth.roles.includes('service')) throw forbidden('image.locations', 'http store must be enabled to use location API by normal user.');
      throw badRequest('image.locations', `No store of this site takes data from ${call.body.url.slice(0, 200)}: upload or import them.`);
    },
  }),
];
