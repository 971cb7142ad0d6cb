/** Data come into an image, and leave it. */
import type { Readable } from 'node:stream';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, gone } from '../../../kernel/fault.ts';
import type { ImageDeps, RequestIds, TaskDeps } from '../deps.ts';
import { wrongState } from '../faults.ts';
import { moveImage } from '../store/images.ts';
import { findRecipe } from '../store/recipes.ts';
import type { ImageRow, ImageStatus, RecipeRow } from '../store/tables.ts';
import { signatureOf } from './image-signature.ts';
import { touchContent } from './content.ts';
import { beginConversion, planConversion } from './conversions.ts';
import { type DataFacts, receiveData } from './receive-data.ts';
import { playRecipe } from './recipes.ts';
import { checkDeclaredSize, checkQuota, sizeLimit } from './quotas.ts';

export interface Incoming {
  source: Readable;
  /** Bytes, as the request says; undefined when it does not. */
  declared: number | undefined;
  /** True: the sender swears by it, beside the length of the body. */
  exact: boolean;
}

/**
 * Takes bytes into a store, checked to be what the image says they are. What no image names later, the collector takes.
 * Faults: 400 damaged or falsely signed, 413 over `limit` or disk full.
 */
export async function takeData(deps: TaskDeps, row: ImageRow, source: Readable, limit: number, store_id: string): Promise<DataFacts> {
  const signature = await signatureOf(deps, row);
  return receiveData(deps, { source, limit, signature, is_archive: row.container_format === 'docker' }, store_id);
}

/** Takes the data in. Faults: 409 when the image has some already, 400 when they are not what they should be, 413 too large, 410 deleted meanwhile. */
export async function uploadImage(deps: ImageDeps, row: ImageRow, incoming: Incoming, ids: RequestIds, store_id = deps.stores.default_id): Promise<void> {
  checkFormats(row);
  deps.stores.of(store_id);
  if (row.status !== 'queued') throw wrongState(row.id, row.status, 'saving');
  await checkDeclaredSize(deps, row.owner, 'image_size_total', incoming.declared);
  await signatureOf(deps, row);
  await whileIn(deps, row, 'saving', async () => {
    const facts = await takeData(deps, row, incoming.source, await sizeLimit(deps, row.owner, 'image_size_total'), store_id);
    checkExact(incoming, facts.size);
    const now = isoMicros(deps.clock.now());
    const conversion = await planConversion(deps, row, facts, [store_id]);
    const kept = await deps.db.transaction(async (tx) => {
      await touchContent(deps, tx, facts, [store_id]);
      const moved = await moveImage(tx, row.id, ['saving'], { ...facts, ...conversion, status: 'active', stores: storesText([store_id]), updated_at: now });
      if (moved) await beginConversion(tx, (own, id) => deps.tasks.convert(own, id, ids), row.id, conversion);
      return moved;
    });
    if (!kept) throw goneMeanwhile(row.id);
  });
}

/** Keeps the data aside for an import. Faults: as an upload. */
export async function stageImage(deps: ImageDeps, row: ImageRow, incoming: Incoming): Promise<void> {
  if (row.status !== 'queued') throw wrongState(row.id, row.status, 'uploading');
  await checkDeclaredSize(deps, row.owner, 'image_stage_total', incoming.declared);
  await whileIn(deps, row, 'uploading', async () => {
    try {
      const size = await deps.staging.receive(row.id, incoming.source as AsyncIterable<Buffer>, await sizeLimit(deps, row.owner, 'image_stage_total'));
      checkExact(incoming, size);
      const kept = await deps.db.transaction((tx) => moveImage(tx, row.id, ['uploading'], { size, updated_at: isoMicros(deps.clock.now()) }));
      if (!kept) throw goneMeanwhile(row.id);
    } catch (error) {
      await deps.staging.remove(row.id);
      throw error;
    }
  });
}

/** Puts a queued image into a state while data flow in; queued again when they do not arrive. */
async function whileIn(deps: ImageDeps, row: ImageRow, state: ImageStatus, work: () => Promise<void>): Promise<void> {
  await checkQuota(deps, row.owner, { image_count_uploading: 1 });
  const begun = await deps.db.transaction((tx) => moveImage(tx, row.id, ['queued'], { status: state }));
  if (!begun) throw wrongState(row.id, row.status, state);
  try {
    await work();
  } catch (error) {
    await deps.db.transaction((tx) => moveImage(tx, row.id, [state], { status: 'queued', size: null }));
    throw error;
  }
}

export function checkFormats(row: ImageRow): void {
  if (row.container_format === null || row.disk_format === null) {
    throw badRequest('image.no-format', 'Properties disk_format, container_format must be set prior to saving data.');
  }
}

function checkExact({ declared, exact }: Incoming, size: number): void {
  if (exact && declared !== undefined && declared !== size) throw badRequest('image.size', `The data have ${size} bytes, but ${declared} were announced.`);
}

const goneMeanwhile = (id: string) => gone('image.deleted-during-upload', `Image ${id} could not be found after upload. The image may have been deleted during the upload.`);

export const storesText = (ids: Iterable<string>): string => [...new Set(ids)].sort().join(',');

/** What was just pushed has no digest yet. */
export const hasData = (row: Pick<ImageRow, 'digest' | 'recipe_id'>): boolean => row.digest !== null || row.recipe_id !== null;

/** The stores that keep the data of an image; none while it has no data. */
export function storesOf(deps: Pick<ImageDeps, 'stores'>, row: ImageRow): string[] {
  if (!hasData(row)) return [];
  return row.stores === null ? [deps.stores.default_id] : row.stores.split(',');
}

/**
 * The data, or a part of them, from the first store that has them.
 * @param prefer stores to be asked first
 */
export async function openImageData(deps: TaskDeps, row: ImageRow, range?: { start: number; end: number }, prefer: readonly string[] = []): Promise<Readable> {
  if (!hasData(row)) throw conflict('image.no-data', `Image ${row.id} has no data yet.`);
  const having = storesOf(deps, row);
  const wanted = [...prefer, deps.stores.default_id, ...having].find((id) => having.includes(id) && deps.stores.has(id));
  if (wanted === undefined) throw conflict('image.store-gone', `The stores of image ${row.id} are not there any more: ${having.join(', ')}.`);
  if (wanted === deps.stores.default_id && row.recipe_id !== null) return playRecipe(deps.blobs, await recipeOf(deps, row), range);
  if (row.digest === null) throw conflict('image.no-data', `Image ${row.id} has no data yet.`);
  return deps.stores.of(wanted).open(row.digest, range);
}

async function recipeOf(deps: TaskDeps, row: ImageRow): Promise<RecipeRow> {
  const recipe = await findRecipe(deps.db.read, row.recipe_id ?? '');
  if (!recipe) throw conflict('image.no-data', `Image ${row.id} has no data any more.`);
  return recipe;
}
