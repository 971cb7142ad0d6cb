/** What other services may ask of this one, under the rules that hold for its own API. */
import { conflict, forbidden } from '../../kernel/fault.ts';
import { eyesOf, targetOf } from './api/eyes.ts';
import { readListing } from './api/image-listing.ts';
import { asTransaction } from '../../kernel/db/database.ts';
import type { ImageCaller, ImageClient, ImageQuery, SnapshotClient } from './client.ts';
import type { ImageDeps } from './deps.ts';
import { imageNotFound, markerNotFound } from './faults.ts';
import { hasData, openImageData } from './model/image-data.ts';
import { openBlob, openManifest } from './model/manifests.ts';
import { changeProperties, deleteImage, getImage } from './model/images.ts';
import { holdImage } from './model/holds.ts';
import { beginSnapshot, discardImage, finishSnapshot, newSnapshot, siblingsOf } from './model/snapshots.ts';
import { imageInfo } from './model/view.ts';
import { adoptHold, deleteHold } from './store/holds.ts';
import { findImage, type ImageListing, listImages } from './store/images.ts';
import type { ImageRow, ImageTables } from './store/tables.ts';

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

/** @param hash begins to find the checksums of an image that was not uploaded as a whole. */
export function createImageClient(deps: ImageDeps, hash: () => void): ImageClient {
  return {
    snapshots: snapshotClient(deps, hash),
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

function snapshotClient(deps: ImageDeps, hash: () => void): SnapshotClient {
  return {
    hold: (tx, holder, id) => holdImage(deps, asTransaction<ImageTables>(tx), holder, id),
    release: (tx, holder) => deleteHold(asTransaction<ImageTables>(tx), holder),
    adopt: (tx, holder, from) => adoptHold(asTransaction<ImageTables>(tx), holder, from),
    async create(caller, { properties, member, ...attributes }) {
      const owner = caller.auth.project_id;
      if (owner === undefined) throw forbidden('image.project-needed', 'An image needs a project: use a token that is scoped to one.');
      enforce(caller, 'add_image', { project_id: owner, owner });
      const { row, insert } = await newSnapshot(deps, owner, { ...properties, ...attributes }, member);
      return { image: imageInfo(row), insert: (tx) => insert(asTransaction<ImageTables>(tx)) };
    },
    begin: (id) => beginSnapshot(deps, id),
    async finish(id, parts) {
      const row = await finishSnapshot(deps, id, parts);
      hash();
      return imageInfo(row);
    },
    discard: (id) => discardImage(deps, id),
    siblings: (id, properties) => siblingsOf(deps, id, properties),
  };
}
