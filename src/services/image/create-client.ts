/** What other services may ask of this one, under the rules that hold for its own API. */
import { conflict, forbidden } from '../../kernel/fault.ts';
import { eyesOf, targetOf } from './api/eyes.ts';
import { readListing } from './api/image-listing.ts';
import type { ImageCaller, ImageClient, ImageQuery } from './client.ts';
import type { ImageDeps } from './deps.ts';
import { imageNotFound, markerNotFound } from './faults.ts';
import { hasData, openImageData } from './model/image-data.ts';
import { openBlob, openManifest } from './model/manifests.ts';
import { changeProperties, deleteImage, getImage } from './model/images.ts';
import { imageInfo } from './model/view.ts';
import { findImage, type ImageListing, listImages } from './store/images.ts';
import type { ImageRow } from './store/tables.ts';

type Target = Record<string, unknown>;

function enforce(caller: ImageCaller, rule: string, target?: Target): void {
  if (!caller.allows(rule, target)) throw forbidden('policy.forbidden', `Policy doesn't allow ${rule} to be performed.`, { type: 'PolicyNotAuthorized' });
}

/** The image, if the caller sees it and the rule allows this of it. Faults: 403, 404. */
async function imageFor(deps: ImageDeps, caller: ImageCaller, rule: string, id: string): Promise<ImageRow> {
  const row = await getImage(deps, eyesOf(caller), id);
  enforce(caller, rule, targetOf(row, caller.auth.project_id));
  return row;
}

function listingOf(deps: ImageDeps, caller: ImageCaller, asked: ImageQuery): ImageListing {
  const { properties, updated_since, ...rest } = asked;
  const query = { ...rest, ...(updated_since === undefined ? {} : { updated_at: `gte:${updated_since}` }) };
  return { ...readListing({ query, auth: caller.auth }, eyesOf(caller), deps.config), properties };
}

export function createImageClient(deps: ImageDeps): ImageClient {
  return {
    async getImage(auth, id) {
      const eyes = { project_id: auth.project_id, is_admin: auth.roles.includes('admin') };
      return imageInfo(await getImage(deps, eyes, id));
    },
    async listImages(caller, query) {
      enforce(caller, 'get_images', { project_id: caller.auth.project_id });
      const page = await listImages(deps.db.read, listingOf(deps, caller, query));
      if (!page) throw markerNotFound(query.marker);
      return { images: page.rows.map(imageInfo), more: page.more };
    },
    async showImage(caller, id) {
      return imageInfo(await imageFor(deps, caller, 'get_image', id));
    },
    async changeProperties(caller, id, change) {
      const row = await imageFor(deps, caller, 'modify_image', id);
      return imageInfo(await changeProperties(deps, row.id, change));
    },
    async deleteImage(caller, id) {
      await deleteImage(deps, await imageFor(deps, caller, 'delete_image', id));
    },
    async openData(id) {
      const row = await findImage(deps.db.read, id);
      if (!row) throw imageNotFound(id);
      if (!hasData(row) || row.size === null) throw conflict('image.no-data', `Image ${id} has no data yet.`);
      return { stream: await openImageData(deps, row), size: row.size, digest: row.digest };
    },
    openManifest: (id) => openManifest(deps, id),
    openBlob: (id, digest) => openBlob(deps, id, digest),
  };
}
