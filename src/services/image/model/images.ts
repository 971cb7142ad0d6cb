import type { Readable } from 'node:stream';
import { isoMicros } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/fault.ts';
import { isUuid, uuid } from '../../../kernel/ids.ts';
import type { ImageDeps } from '../deps.ts';
import { imageNotFound, wrongState } from '../faults.ts';
import { deleteImage as deleteRow, findImage, insertImage, lockImage, moveImage, updateImage as updateRow } from '../store/images.ts';
import { findMember } from '../store/image-members.ts';
import type { ImageRow } from '../store/tables.ts';
import { checkLimits, checkWritable, setAttribute } from './attributes.ts';
import { checkImageArchive } from './image-archive.ts';
import { applyPatch, type PatchStep, stepsToProperties } from './image-patch.ts';

/** Whose eyes: a project's, or an administrator's. */
export interface Eyes {
  project_id: string | undefined;
  is_admin: boolean;
}

/** The image if these eyes may see it. Faults: 404. */
export async function getImage(deps: ImageDeps, eyes: Eyes, id: string): Promise<ImageRow> {
  const row = await findImage(deps.db.read, id);
  if (!row || !(await canSee(deps, eyes, row))) throw imageNotFound(id);
  return row;
}

async function canSee(deps: ImageDeps, eyes: Eyes, row: ImageRow): Promise<boolean> {
  if (eyes.is_admin || row.visibility === 'public' || row.visibility === 'community' || row.owner === eyes.project_id) return true;
  if (row.visibility !== 'shared' || eyes.project_id === undefined) return false;
  return (await findMember(deps.db.read, row.id, eyes.project_id)) !== undefined;
}

/** @param fields the body as sent: attributes and properties. Faults: 400, 403 reserved, 409 id taken, 413 limits. */
export async function createImage(deps: ImageDeps, owner: string, fields: Record<string, unknown>): Promise<ImageRow> {
  const { id, ...rest } = fields;
  if (id !== undefined && (typeof id !== 'string' || !isUuid(id))) throw badRequest('image.id', 'The id of an image must be a UUID.');
  const now = isoMicros(deps.clock.now());
  const row: ImageRow = {
    id: (id as string | undefined) ?? uuid(), name: null, status: 'queued', visibility: 'shared', owner,
    container_format: null, disk_format: null, min_disk: 0, min_ram: 0, size: null, virtual_size: null, checksum: null,
    os_hash_value: null, digest: null, protected: 0, os_hidden: 0, properties: '{}', tags: '[]', created_at: now, updated_at: now,
  };
  for (const [name, value] of Object.entries(rest)) {
    checkWritable(name);
    setAttribute(row, name, value);
  }
  checkLimits(row, deps.config);
  try {
    await deps.db.transaction((tx) => insertImage(tx, row));
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict('image.id-taken', `Image ID ${row.id} already exists!`);
    throw error;
  }
  return row;
}

/** Reads, changes and writes an image in one transaction. */
async function change(deps: ImageDeps, id: string, edit: (row: ImageRow) => ImageRow): Promise<ImageRow> {
  return deps.db.transaction(async (tx) => {
    const row = await lockImage(tx, id, isoMicros(deps.clock.now()));
    if (!row) throw imageNotFound(id);
    const next = edit(row);
    checkLimits(next, deps.config);
    await updateRow(tx, next);
    return next;
  });
}

export async function patchImage(deps: ImageDeps, id: string, steps: readonly PatchStep[]): Promise<ImageRow> {
  return change(deps, id, (row) => applyPatch(row, steps));
}

/** @param edit all properties there are to be, from those there are. Faults: as a patch. */
export async function changeProperties(deps: ImageDeps, id: string, edit: (old: Record<string, string>) => Record<string, string>): Promise<ImageRow> {
  return change(deps, id, (row) => {
    const old = JSON.parse(row.properties) as Record<string, string>;
    return applyPatch(row, stepsToProperties(old, edit(old)));
  });
}

export async function addTag(deps: ImageDeps, id: string, tag: string): Promise<void> {
  await change(deps, id, (row) => {
    const next = { ...row };
    setAttribute(next, 'tags', [...(JSON.parse(row.tags) as string[]), tag]);
    return next;
  });
}

export async function removeTag(deps: ImageDeps, id: string, tag: string): Promise<void> {
  await change(deps, id, (row) => {
    const tags = JSON.parse(row.tags) as string[];
    if (!tags.includes(tag)) throw notFound('image.tag-not-found', `Tag ${tag} not found.`);
    return { ...row, tags: JSON.stringify(tags.filter((one) => one !== tag)) };
  });
}

export async function deleteImage(deps: ImageDeps, row: ImageRow): Promise<void> {
  if (row.protected === 1) throw forbidden('image.protected', `Image ${row.id} is protected and cannot be deleted.`);
  await deps.db.transaction((tx) => deleteRow(tx, row.id));
}

/** Takes the data in. Faults: 409 when the image has some already, 400 when they are not what they should be. */
export async function uploadImage(deps: ImageDeps, row: ImageRow, source: Readable): Promise<void> {
  if (row.container_format === null || row.disk_format === null) {
    throw badRequest('image.no-format', 'Properties disk_format, container_format must be set prior to saving data.');
  }
  const begun = await deps.db.transaction((tx) => moveImage(tx, row.id, ['queued'], { status: 'saving' }));
  if (!begun) throw wrongState(row.id, row.status, 'saving');
  try {
    await store(deps, row, source);
  } catch (error) {
    await deps.db.transaction((tx) => moveImage(tx, row.id, ['saving'], { status: 'queued' }));
    throw error;
  }
}

async function store(deps: ImageDeps, row: ImageRow, source: Readable): Promise<void> {
  const blob = await deps.blobs.receive(source, deps.config.max_size_gb * 2 ** 30);
  try {
    if (row.container_format === 'docker') await checkImageArchive(blob.path);
    await deps.blobs.keep(blob);
  } catch (error) {
    await deps.blobs.discard(blob);
    throw error;
  }
  const facts = { status: 'active' as const, size: blob.size, checksum: blob.md5, os_hash_value: blob.sha512, digest: blob.sha256, updated_at: isoMicros(deps.clock.now()) };
  const kept = await deps.db.transaction((tx) => moveImage(tx, row.id, ['saving'], facts));
  // deleted meanwhile: the bytes are nobody's now, and the collector takes them
  if (!kept) throw notFound('image.deleted-during-upload', `Image ${row.id} could not be found after upload. The image may have been deleted during the upload.`);
}

/** deactivate and reactivate. */
export async function setActive(deps: ImageDeps, row: ImageRow, active: boolean): Promise<void> {
  const [from, to] = active ? (['deactivated', 'active'] as const) : (['active', 'deactivated'] as const);
  const moved = await deps.db.transaction((tx) => moveImage(tx, row.id, [from, to], { status: to, updated_at: isoMicros(deps.clock.now()) }));
  if (!moved) throw forbidden('image.wrong-state', `Not allowed to ${active ? 'reactivate' : 'deactivate'} image in status '${row.status}'`);
}
