import { isoMicros } from '../../../kernel/clock.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/fault.ts';
import { isUuid, uuid } from '../../../kernel/ids.ts';
import type { ImageDeps, TaskDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { deleteImage as deleteRow, findImage, insertImage, lockImage, moveImage, updateImage as updateRow } from '../store/images.ts';
import { publishedBy } from '../store/registry/repositories.ts';
import { findMember } from '../store/image-members.ts';
import type { ImageRow } from '../store/tables.ts';
import { checkLimits, checkWritable, setAttribute } from './attributes.ts';
import { applyPatch, type PatchStep, stepsToProperties } from './image-patch.ts';
import { quotaCheck } from './quotas.ts';
import { dropUnused } from './registry/unused.ts';

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

/** An image as it would be created from the body of a request. Faults: 400, 403 reserved, 413 limits. */
export function newImage(deps: TaskDeps, owner: string, fields: Record<string, unknown>): ImageRow {
  const { id, ...rest } = fields;
  if (id !== undefined && (typeof id !== 'string' || !isUuid(id))) throw badRequest('image.id', 'The id of an image must be a UUID.');
  const now = isoMicros(deps.clock.now());
  const row: ImageRow = {
    id: (id as string | undefined) ?? uuid(), name: null, status: 'queued', visibility: 'shared', owner,
    container_format: null, disk_format: null, min_disk: 0, min_ram: 0, size: null, virtual_size: null, checksum: null,
    os_hash_value: null, digest: null, manifest_digest: null, recipe_id: null, stores: null, import_task: null, importing_to: null, failed_import: null, conversion_state: null, conversion_message: null, system: null, protected: 0, os_hidden: 0, properties: '{}', tags: '[]', created_at: now, updated_at: now,
  };
  for (const [name, value] of Object.entries(rest)) {
    checkWritable(name);
    setAttribute(row, name, value);
  }
  checkLimits(row, deps.config);
  return row;
}

/** @param fields the body as sent: attributes and properties. Faults: 400, 403 reserved, 409 id taken, 413 limits or quota. */
export async function createImage(deps: ImageDeps, owner: string, fields: Record<string, unknown>): Promise<ImageRow> {
  const row = newImage(deps, owner, fields);
  const withinQuota = await quotaCheck(deps, row.owner, { image_count_total: 1 });
  try {
    await deps.db.transaction(async (tx) => {
      await withinQuota(tx);
      await insertImage(tx, row);
    });
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
  await deps.db.transaction(async (tx) => {
    await deps.tasks.cancel(tx, row.id);
    const covered = await publishedBy(tx, row.id);
    await deleteRow(tx, row.id);
    await dropUnused(tx, covered);
  });
  // A task that is still at it takes its own data along.
  if (row.status === 'uploading') await deps.staging.remove(row.id);
}

/** deactivate and reactivate. */
export async function setActive(deps: ImageDeps, row: ImageRow, active: boolean): Promise<void> {
  const [from, to] = active ? (['deactivated', 'active'] as const) : (['active', 'deactivated'] as const);
  const moved = await deps.db.transaction((tx) => moveImage(tx, row.id, [from, to], { status: to, updated_at: isoMicros(deps.clock.now()) }));
  if (!moved) throw forbidden('image.wrong-state', `Not allowed to ${active ? 'reactivate' : 'deactivate'} image in status '${row.status}'`);
}
