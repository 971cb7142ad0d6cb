/** Interoperable import: what may be asked of which image, and the start of the work. */
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/fault.ts';
import type { ImageDeps, ImportInput, ImportMethod, RequestIds } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { insertImageTask } from '../store/image-tasks.ts';
import { lockImage, updateImage } from '../store/images.ts';
import type { ImageRow } from '../store/tables.ts';
import { storesOf, storesText } from './image-data.ts';
import { type Asker, newImageTask } from './image-tasks.ts';
import { checkQuota } from './quotas.ts';

export const IMPORT_METHODS: ImportMethod[] = ['glance-direct', 'web-download', 'copy-image'];

/** A request to import, read but not yet compared with the image. */
export interface ImportRequest {
  method: ImportMethod;
  uri: string | undefined;
  /** As named; undefined: the one of the header, or the default. */
  stores: string[] | undefined;
  all_stores: boolean;
  all_stores_must_succeed: boolean;
  /** As sent, for the task's record. */
  body: object;
}

/** @param header `X-Image-Meta-Store`. Faults: 400 */
export function readImport(body: unknown, header: string | undefined): ImportRequest {
  if (!isRecord(body) || !isRecord(body['method'])) throw bad("Import request requires a 'method' field.");
  const { name, uri } = body['method'];
  if (name === undefined) throw bad("Import request requires a 'name' field.");
  const method = IMPORT_METHODS.find((one) => one === name);
  if (!method) throw bad(`Unknown import method name '${String(name)}'.`);
  const { stores, all_stores = false, all_stores_must_succeed = true } = body;
  if (typeof all_stores_must_succeed !== 'boolean') throw bad("'all_stores_must_succeed' must be boolean value only");
  if (typeof all_stores !== 'boolean') throw bad("'all_stores' must be boolean value only");
  if (stores !== undefined && !isNames(stores)) throw bad("'stores' must be a list of store ids");
  if (all_stores && (stores !== undefined || header !== undefined)) throw bad("All_stores parameter can't be used with x-image-meta-store header or stores parameter");
  if (stores !== undefined && header !== undefined) throw bad("Stores parameter and x-image-meta-store header can't be both specified");
  if (uri !== undefined && typeof uri !== 'string') throw bad("'uri' must be a string");
  return { method, uri, stores: stores ?? (header === undefined ? undefined : [header]), all_stores, all_stores_must_succeed, body };
}

const bad = (message: string) => badRequest('image.import-body', message);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string');

/** Faults: 409 for an image that is in no state for this method. */
export async function checkImportable(deps: ImageDeps, row: ImageRow, method: ImportMethod): Promise<void> {
  const wrong = wrongFor(row, method);
  if (wrong !== undefined) throw conflict('image.import-state', wrong);
  if (method === 'glance-direct' && (await deps.staging.size(row.id)) === undefined) throw conflict('image.import-state', NOT_STAGED);
  if (row.container_format === null) throw conflict('image.import-format', "'container_format' needs to be set before import");
  if (row.disk_format === null) throw conflict('image.import-format', "'disk_format' needs to be set before import");
  if (row.import_task !== null) throw conflict('image.import-busy', 'Image has active task');
}

const NOT_STAGED = "Image needs to be staged before 'glance-direct' method can be used";

function wrongFor(row: ImageRow, method: ImportMethod): string | undefined {
  if (method === 'copy-image') return row.status === 'active' ? undefined : 'Only images with status active can be targeted for copying';
  if (row.status === 'active') return 'Image with status active cannot be target for import';
  if (method === 'web-download') return row.status === 'queued' ? undefined : `Image needs to be in 'queued' state to use '${method}' method`;
  return row.status === 'uploading' ? undefined : NOT_STAGED;
}

/** Where the data are to go. Faults: 409 no such store, 400 they are there already. */
function destinations(deps: ImageDeps, row: ImageRow, request: ImportRequest): string[] {
  const asked = request.all_stores ? [...deps.stores.ids] : (request.stores ?? [deps.stores.default_id]);
  const unknown = asked.find((id) => !deps.stores.has(id));
  if (unknown !== undefined) throw conflict('image.store-unknown', `There is no store ${unknown} at this site.`);
  if (request.method !== 'copy-image') return [...new Set(asked)];
  const there = storesOf(deps, row);
  const double = request.all_stores ? undefined : asked.find((id) => there.includes(id));
  if (double !== undefined) throw badRequest('image.in-store', `Image is already present at store '${double}'`);
  return asked.filter((id) => !there.includes(id));
}

/**
 * Begins to fill, or copy, an image. Its data source has been checked.
 * Faults: 400, 409 wrong state or busy, 413 over quota.
 */
export async function startImport(deps: ImageDeps, row: ImageRow, request: ImportRequest, asker: Asker, ids: RequestIds): Promise<void> {
  const stores = destinations(deps, row, request);
  const input = { image_id: row.id, import_req: request.body, backend: stores };
  const task = newImageTask(deps, asker, 'api_image_import', row.id, input);
  await checkQuota(deps, row.owner, { image_size_total: request.method === 'glance-direct' ? Math.floor((row.size ?? 0) / 2 ** 20) : 0 });
  if (request.method !== 'glance-direct') await checkQuota(deps, row.owner, { image_count_uploading: 1, image_stage_total: 0 });
  await deps.db.transaction(async (tx) => {
    const locked = await lockImage(tx, row.id, isoMicros(deps.clock.now()));
    if (!locked) throw imageNotFound(row.id);
    if (locked.status !== row.status || locked.import_task !== null) throw conflict('image.import-busy', 'Image has active task');
    if (stores.length === 0) return updateImage(tx, { ...locked, importing_to: '', failed_import: '' });
    const status = request.method === 'copy-image' ? locked.status : 'importing';
    const failed_import = storesText((locked.failed_import ?? '').split(',').filter((id) => id !== '' && !stores.includes(id)));
    await updateImage(tx, { ...locked, status, import_task: task.id, importing_to: storesText(stores), failed_import });
    await insertImageTask(tx, task);
    await deps.tasks.import(tx, { ...importInput(task.id, row.id, request, stores), create: null }, ids);
  });
}

const importInput = (task_id: string, image_id: string, request: ImportRequest, stores: string[]): Omit<ImportInput, 'create'> => ({
  task_id, image_id, method: request.method, uri: request.uri ?? null, stores, all_stores_must_succeed: request.all_stores_must_succeed,
});

/** Removes an image's data from one of several stores. Faults: 404 not there, 409 not active or no such store, 403 the last one. */
export async function removeFromStore(deps: ImageDeps, id: string, store_id: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockImage(tx, id, isoMicros(deps.clock.now()));
    if (!row) throw imageNotFound(id);
    if (row.status !== 'active') throw conflict('image.wrong-state', "It's not allowed to remove image data from store if image status is not 'active'");
    const stores = storesOf(deps, row);
    if (stores.length === 1) throw forbidden('image.last-store', 'Cannot delete image data from the only store containing it. Consider deleting the image instead.');
    if (!stores.includes(store_id)) throw notFound('image.not-in-store', `Image ${id} is not stored in store ${store_id}.`);
    if (row.digest === null) throw conflict('image.unhashed', `The data of image ${id} are still being read. Try again in a while.`);
    // the layers are in the default store only
    const parts = store_id === deps.stores.default_id ? { recipe_id: null, manifest_digest: null } : {};
    await updateImage(tx, { ...row, ...parts, stores: storesText(stores.filter((one) => one !== store_id)) });
  });
}
