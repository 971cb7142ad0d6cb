/** Images that servers are made into: what the server ran from, and one layer more. Only that layer comes from the node. */
import { buffer } from 'node:stream/consumers';
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, gone } from '../../../kernel/fault.ts';
import type { ImageDeps, TaskDeps } from '../deps.ts';
import { deleteImage as deleteRow, findImage, insertImage, listImages, lockImage, moveImage, updateImage } from '../store/images.ts';
import { insertMember } from '../store/image-members.ts';
import { insertManifest, listManifestBlobs } from '../store/manifests.ts';
import { insertRecipe } from '../store/recipes.ts';
import type { ImageRow, ImageTables, ManifestBlobRow } from '../store/tables.ts';
import { touchBlobs } from './blobs.ts';
import { GIB, keepBytes, LAYER_TYPE, receiveLayer } from './conversions.ts';
import { heldForm } from './holds.ts';
import { newImage } from './images.ts';
import { composeManifest } from './manifests.ts';
import { quotaCheck, sizeLimit } from './quotas.ts';
import { archiveOf } from './registry/docker-archive.ts';

/** The kernel stacks no more for an overlay. */
const MAX_LAYERS = 127;
const UNFINISHED: ImageRow['status'][] = ['queued', 'saving'];

export interface NewSnapshot {
  row: ImageRow;
  /** In the transaction of whoever makes it. Faults: 413 quota. */
  insert(tx: Transaction<ImageTables>): Promise<void>;
}

/** @param member a project that shall see it beside its owner. Faults: 400, 413. */
export async function newSnapshot(deps: TaskDeps, owner: string, fields: Record<string, unknown>, member?: string): Promise<NewSnapshot> {
  const row = newImage(deps, owner, { ...fields, container_format: 'docker', disk_format: 'raw' });
  const withinQuota = await quotaCheck(deps, owner, { image_count_total: 1 });
  return {
    row,
    async insert(tx) {
      await withinQuota(tx);
      await insertImage(tx, row);
      const { created_at, updated_at } = row;
      if (member !== undefined && member !== owner) await insertMember(tx, { image_id: row.id, member_id: member, status: 'pending', created_at, updated_at });
    },
  };
}

const deleted = (id: string) => gone('image.deleted-during-upload', `Image ${id} could not be found: it was deleted while it was being made.`);

/** Its data are about to come. Faults: 410 deleted meanwhile, 409 somebody else has given it data. */
export async function beginSnapshot(deps: TaskDeps, id: string): Promise<void> {
  const begun = await deps.db.transaction((tx) => moveImage(tx, id, UNFINISHED, { status: 'saving', updated_at: isoMicros(deps.clock.now()) }));
  if (!begun) throw (await findImage(deps.db.read, id)) === undefined ? deleted(id) : conflict('image.has-data', `Image ${id} was given other data while it was being made.`);
}

/** The layer of a snapshot, from the node. Faults: 409 nobody waits for it, 410 deleted meanwhile, 413. */
export async function receiveSnapshot(deps: TaskDeps, id: string, source: AsyncIterable<Buffer>): Promise<{ digest: string; size: number }> {
  const row = await findImage(deps.db.read, id);
  if (row?.status !== 'saving') throw conflict('image.not-saving', `Image ${id} waits for no layer.`);
  const wanted = async (): Promise<void> => {
    if ((await findImage(deps.db.read, id)) === undefined) throw deleted(id);
  };
  const limit = Math.min(deps.config.max_size_gb * GIB, await sizeLimit(deps, row.owner, 'image_size_total'));
  return await receiveLayer(deps, source, limit, wanted);
}

export interface SnapshotParts {
  /** Who ran from what, with an image that it had come from. */
  holder: string;
  base_id: string;
  layer: { digest: string; size: number };
}

/** Run twice, it is the same image. Faults: 410 deleted meanwhile, 409 the base has no layers, 413 quota, 503 the layer was collected. */
export async function finishSnapshot(deps: TaskDeps, id: string, parts: SnapshotParts): Promise<ImageRow> {
  const row = await findImage(deps.db.read, id);
  if (row === undefined) throw deleted(id);
  const form = await formOf(deps, row, parts);
  const now = isoMicros(deps.clock.now());
  const manifest_digest = form.manifest.row.digest;
  if (row.status === 'active' && row.manifest_digest === manifest_digest) return row;
  const archive = archiveOf(form.manifest, `snapshot:${id}`, now);
  const withinQuota = await quotaCheck(deps, row.owner, { image_size_total: Math.floor(archive.row.size / 2 ** 20) });
  return await deps.db.transaction(async (tx) => {
    await withinQuota(tx);
    const locked = await lockImage(tx, id, now);
    if (locked === undefined) throw deleted(id);
    if (!UNFINISHED.includes(locked.status)) throw conflict('image.has-data', `Image ${id} was given other data while it was being made.`);
    await touchBlobs(deps, tx, form.manifest.links.map(({ digest }) => digest));
    await insertManifest(tx, form.manifest.row, form.manifest.links);
    await insertRecipe(tx, archive.row, archive.digests);
    const active: ImageRow = { ...locked, status: 'active', size: archive.row.size, manifest_digest, recipe_id: archive.row.id, system: form.system };
    await updateImage(tx, active);
    return active;
  });
}

async function formOf(deps: TaskDeps, row: ImageRow, { holder, base_id, layer }: SnapshotParts) {
  const base = await heldForm(deps, holder, base_id);
  const links = base?.manifest_digest == null ? [] : await listManifestBlobs(deps.db.read, base.manifest_digest);
  const config = links.find(({ role }) => role === 'config');
  if (base === undefined || config === undefined) throw conflict('image.no-base', `The layers of image ${base_id} are not in the image service (any more): nothing can be put on top of them.`);
  const layers = links.filter(({ role }) => role === 'layer');
  if (layers.length >= MAX_LAYERS) throw badRequest('image.too-many-layers', `Image ${base_id} has ${layers.length} layers; one more is more than a server can run from.`);
  const own = await keepBytes(deps, withLayer(await buffer(deps.blobs.open(config.digest)), layer.digest, row.created_at));
  const above = { ...layer, diff_id: `sha256:${layer.digest}`, media_type: LAYER_TYPE };
  const manifest = composeManifest({ config: own, layers: [...layers.map(asOci), above] }, isoMicros(deps.clock.now()));
  return { manifest, system: base.system };
}

/** Of a manifest of the OCI's. */
function asOci({ digest, size, diff_id, media_type }: ManifestBlobRow) {
  return { digest, size, diff_id, media_type: media_type.replace('application/vnd.docker.image.rootfs.diff.tar', LAYER_TYPE).replace('.tar.gzip', '.tar+gzip') };
}

interface ImageConfig {
  created?: string;
  rootfs?: { type?: string; diff_ids?: string[] };
  history?: object[];
}

/** The configuration of an image with one layer more, else as it was. Pure. */
export function withLayer(config: Buffer, layer: string, created: string): Buffer {
  const old = JSON.parse(config.toString('utf8')) as ImageConfig;
  const diff_ids = [...(old.rootfs?.diff_ids ?? []), `sha256:${layer}`];
  return Buffer.from(JSON.stringify({ ...old, created, rootfs: { type: 'layers', diff_ids }, history: [...(old.history ?? []), { created, created_by: 'gantry: the changes of a server' }] }));
}

/** Whoever asks, also while it is being made; one that is protected stays. */
export async function discardImage(deps: ImageDeps, id: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await findImage(tx, id);
    if (row === undefined || row.protected === 1) return;
    await deps.tasks.cancel(tx, id);
    await deleteRow(tx, id);
  });
}

/** Ids of the images of the same owner that have all of these properties, newest first; at most 1000. */
export async function siblingsOf(deps: Pick<TaskDeps, 'db'>, id: string, properties: Record<string, string>): Promise<string[]> {
  const { owner } = (await findImage(deps.db.read, id)) ?? {};
  if (owner === undefined) return [];
  const page = await listImages(deps.db.read, {
    project_id: undefined, visibility: undefined, member_status: 'all', filters: [{ column: 'owner', op: 'eq', value: owner }], properties, tags: [],
    sort: [{ column: 'created_at', direction: 'desc' }], marker_id: undefined, limit: 1000,
  });
  return page?.rows.map(({ id }) => id) ?? [];
}
