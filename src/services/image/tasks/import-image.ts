/** Fills an image from its staged data, from the web or a registry, or copies it to further stores. */
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, gone } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ImageTasks, ImportInput, TaskDeps } from '../deps.ts';
import { imageNotFound } from '../faults.ts';
import { beginConversion, planConversion } from '../model/conversions.ts';
import { openImageData, storesOf, storesText, takeData } from '../model/image-data.ts';
import { endImageTask } from '../model/image-tasks.ts';
import { newImage } from '../model/images.ts';
import { isDocker } from '../model/import-source.ts';
import { checkQuota, sizeLimit } from '../model/quotas.ts';
import { touchContent } from '../model/content.ts';
import type { DataFacts } from '../model/receive-data.ts';
import { findImageTask, updateImageTask } from '../store/image-tasks.ts';
import { deleteImage, findImage, insertImage, lockImage, updateImage } from '../store/images.ts';
import type { ImageRow, ImageTables } from '../store/tables.ts';
import { pullImage } from './docker-pull.ts';
import { download } from './download.ts';

export const imageResource = (id: string): string => `image:${id}`;

const isCopy = (input: ImportInput): boolean => input.method === 'copy-image';
const split = (text: string | null): string[] => (text ?? '').split(',').filter((id) => id !== '');

/** @param convert begins the conversion of a disk image. */
export const importImageTask = (deps: TaskDeps, convert: ImageTasks['convert']): TaskDefinition =>
  defineTask<ImportInput>('image.import')
    .step('create', { do: (_ctx, input) => begin(deps, input), undo: (_ctx, input) => uncreate(deps, input) })
    .step('fetch', { do: (ctx, input) => fetchData(deps, ctx, input) })
    .step('store', { do: (_ctx, input) => storeData(deps, input), undo: async (_ctx, input) => (isCopy(input) ? uncopy(deps, input) : undefined) })
    .step('finish', { do: (ctx, input, done) => finish(deps, ctx, input, done.store, convert), undo: (_ctx, input) => unfinish(deps, input) })
    .build({
      concurrency: 32,
      onDone: async (_ctx, input) => (isCopy(input) ? undefined : deps.staging.remove(input.image_id)),
      onFailed: (ctx, input, error) => fail(deps, ctx, input, error),
    });

/** Changes the image while it is still this task's. Undefined: it is not, or not there. */
async function changeOwn(deps: TaskDeps, tx: Transaction<ImageTables>, input: ImportInput, edit: (row: ImageRow) => Partial<ImageRow>): Promise<ImageRow | undefined> {
  const row = await lockImage(tx, input.image_id, isoMicros(deps.clock.now()));
  if (row?.import_task !== input.task_id) return undefined;
  const next = { ...row, ...edit(row) };
  await updateImage(tx, next);
  return next;
}

async function begin(deps: TaskDeps, input: ImportInput): Promise<void> {
  const { create } = input;
  if (input.method === 'web-download') await deps.staging.remove(input.image_id);
  if (create !== null && !(await findImage(deps.db.read, input.image_id))) await checkQuota(deps, create.owner, { image_count_total: 1, image_count_uploading: 1 });
  await deps.db.transaction(async (tx) => {
    await updateImageTask(tx, input.task_id, { status: 'processing', updated_at: isoMicros(deps.clock.now()) });
    if (create === null || (await findImage(tx, input.image_id))) return;
    const row = newImage(deps, create.owner, { ...create.fields, id: input.image_id });
    await insertImage(tx, { ...row, status: 'importing', import_task: input.task_id, importing_to: storesText(input.stores), failed_import: '' });
    await updateImageTask(tx, input.task_id, { image_id: row.id });
  });
}

/** Staged data belong to the import once that has begun, and the image of the older task API does; what reached a store is the collector's. */
async function uncreate(deps: TaskDeps, input: ImportInput): Promise<void> {
  if (!isCopy(input)) await deps.staging.remove(input.image_id);
  if (input.create === null) return;
  await deps.db.transaction(async (tx) => {
    const row = await findImage(tx, input.image_id);
    if (row?.import_task === input.task_id) await deleteImage(tx, row.id);
    await updateImageTask(tx, input.task_id, { image_id: null });
  });
}

async function fetchData(deps: TaskDeps, ctx: StepContext, input: ImportInput): Promise<number | null> {
  if (isCopy(input)) return null;
  const { owner } = await ownImage(deps, input);
  const staged = await deps.staging.size(input.image_id);
  if (staged === undefined && input.method === 'glance-direct') throw conflict('image.not-staged', 'The staged data are not there: stage them again.');
  // an earlier run got as far as this
  if (staged !== undefined) return staged;
  const deadline = AbortSignal.timeout(deps.config.import_minutes * 60_000);
  const options = { limit: await sizeLimit(deps, owner, 'image_size_total'), signal: AbortSignal.any([ctx.signal, deadline]), onBytes: progress(deps, input.task_id) };
  const uri = input.uri ?? '';
  try {
    return await (isDocker(uri) ? pullImage : download)(deps, input.image_id, uri, options);
  } catch (error) {
    if (!deadline.aborted) throw error;
    throw badRequest('image.import-slow', `The download took longer than ${deps.config.import_minutes} minutes.`, { cause: error });
  }
}

async function needImage(deps: TaskDeps, input: ImportInput): Promise<ImageRow> {
  const row = await findImage(deps.db.read, input.image_id);
  if (!row) throw imageNotFound(input.image_id);
  return row;
}

async function ownImage(deps: TaskDeps, input: ImportInput): Promise<ImageRow> {
  const row = await needImage(deps, input);
  if (row.import_task !== input.task_id) throw conflict('image.import-busy', 'The image is being filled by another task.');
  return row;
}

const PROGRESS_MS = 2_000;

/** Says now and then, in the task's message, how far it has come. */
function progress(deps: TaskDeps, task_id: string): (bytes: number) => void {
  let last = performance.now();
  return (bytes) => {
    if (performance.now() - last < PROGRESS_MS) return;
    last = performance.now();
    const said = { message: `Copied ${Math.floor(bytes / 2 ** 20)} MiB`, updated_at: isoMicros(deps.clock.now()) };
    deps.db.transaction((tx) => updateImageTask(tx, task_id, said)).catch((error: unknown) => deps.log.warn({ err: error, task_id }, 'the progress of an import could not be noted'));
  };
}

interface Stored {
  facts: DataFacts;
  stores: string[];
}

async function storeData(deps: TaskDeps, input: ImportInput): Promise<Stored> {
  const row = await ownImage(deps, input);
  const limit = await sizeLimit(deps, row.owner, 'image_size_total');
  const stores: string[] = [];
  let facts: DataFacts | undefined;
  let failure: unknown;
  for (const store_id of input.stores) {
    try {
      const source = isCopy(input) ? await openImageData(deps, row) : deps.staging.open(input.image_id);
      const taken = await takeData(deps, row, source, isCopy(input) ? Math.max(limit, row.size ?? 0) : limit, store_id);
      if (isCopy(input) && taken.digest !== row.digest) throw conflict('image.copy-damaged', `The data of image ${row.id} are not what they were: the copy has another digest.`);
      stores.push(store_id);
      // the default store alone knows the layers of the data
      if (facts === undefined || store_id === deps.stores.default_id) facts = taken;
      await noteStore(deps, input, store_id, true, taken);
    } catch (error) {
      failure = error;
      if (input.all_stores_must_succeed) throw error;
      await noteStore(deps, input, store_id, false);
    }
  }
  if (facts === undefined || stores.length === 0) throw failure;
  return { facts, stores };
}

async function noteStore(deps: TaskDeps, input: ImportInput, store_id: string, ok: boolean, facts?: DataFacts): Promise<void> {
  const noted = await deps.db.transaction((tx) =>
    changeOwn(deps, tx, input, (row) => ({
      importing_to: storesText(split(row.importing_to).filter((id) => id !== store_id)),
      failed_import: storesText([...split(row.failed_import).filter((id) => id !== store_id), ...(ok ? [] : [store_id])]),
      ...(ok && isCopy(input) ? { stores: storesText([...storesOf(deps, row), store_id]) } : {}),
      ...(facts && isCopy(input) && store_id === deps.stores.default_id ? { recipe_id: facts.recipe_id, manifest_digest: facts.manifest_digest } : {}),
    })),
  );
  if (!noted) throw gone('image.deleted-during-import', `Image ${input.image_id} was deleted during its import.`);
}

async function uncopy(deps: TaskDeps, input: ImportInput): Promise<void> {
  await deps.db.transaction((tx) => changeOwn(deps, tx, input, (row) => ({ stores: storesText(storesOf(deps, row).filter((id) => !input.stores.includes(id))) })));
}

async function finish(deps: TaskDeps, ctx: StepContext, input: ImportInput, stored: Stored, convert: ImageTasks['convert']): Promise<void> {
  const conversion = isCopy(input) ? undefined : await planConversion(deps, await needImage(deps, input), stored.facts, stored.stores);
  await deps.db.transaction(async (tx) => {
    if ((await findImageTask(tx, input.task_id))?.status === 'success') return;
    await touchContent(deps, tx, stored.facts, stored.stores);
    const data = isCopy(input) ? {} : { ...stored.facts, ...conversion, status: 'active' as const, stores: storesText(stored.stores) };
    const done = await changeOwn(deps, tx, input, () => ({ ...data, import_task: null, importing_to: '' }));
    if (!done) throw gone('image.deleted-during-import', `Image ${input.image_id} was deleted during its import.`);
    if (conversion !== undefined) await beginConversion(tx, (own, id) => convert(own, id, ctx), input.image_id, conversion);
    await endImageTask(deps, tx, input.task_id, { image_id: input.image_id });
  });
}

/** Takes the image back into the task's hands, which then gives it up. */
async function unfinish(deps: TaskDeps, input: ImportInput): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if ((await findImageTask(tx, input.task_id))?.status !== 'success') return;
    const row = await lockImage(tx, input.image_id, isoMicros(deps.clock.now()));
    const back = isCopy(input) ? {} : { status: 'importing' as const, stores: null, digest: null, checksum: null, os_hash_value: null, manifest_digest: null, recipe_id: null, conversion_state: null, conversion_message: null };
    if (row) await updateImage(tx, { ...row, ...back, import_task: input.task_id });
    await updateImageTask(tx, input.task_id, { status: 'processing', expires_at: null, result: null });
  });
}

async function fail(deps: TaskDeps, ctx: StepContext, input: ImportInput, error: TaskError): Promise<void> {
  const message = error.public ? error.message : `The import failed. An administrator finds more in the log at ${ctx.request_id}.`;
  await deps.db.transaction(async (tx) => {
    await changeOwn(deps, tx, input, (row) => ({
      ...(isCopy(input) ? {} : { status: 'queued' as const, size: null }),
      import_task: null,
      importing_to: '',
      failed_import: storesText([...split(row.failed_import), ...input.stores]),
    }));
    await endImageTask(deps, tx, input.task_id, { message });
  });
}
