/** Blobs on their way in: sessions that outlive a broken connection and a restart. */
import { isoMicros } from '../../../../kernel/clock.ts';
import { createDigester, type Digester } from '../../../../kernel/digest/digester.ts';
import { chunksOf, slabsOf } from '../../../../kernel/digest/slabs.ts';
import { badRequest, Fault, isFault, notFound, tooLarge } from '../../../../kernel/fault.ts';
import { uuid } from '../../../../kernel/ids.ts';
import type { TaskDeps } from '../../deps.ts';
import { ensureRepository, findRepository, linkBlobs, unlinkUnnamed } from '../../store/registry/repositories.ts';
import { countUploads, deleteUpload, findUpload, insertUpload, noteUpload } from '../../store/registry/uploads.ts';
import { uploadFault } from '../../store/scratch.ts';
import type { UploadRow } from '../../store/tables.ts';
import { keepBlob, touchBlobs } from '../blobs.ts';
import { checkDeclaredSize, quotaCheck, sizeLimit } from '../quotas.ts';
import { createWriters, type Writers } from './writers.ts';

export interface Uploads {
  /** Faults: 429 too many that nobody ended. */
  begin(repository: { project_id: string; name: string }, user_id: string): Promise<UploadRow>;
  /** Faults: 404. */
  find(id: string, repository: { project_id: string; name: string }): Promise<UploadRow>;
  /** Takes bytes in at the end; those that came before the sender broke off stay. @returns bytes so far. Faults: 409 busy, 413, 416. */
  append(row: UploadRow, source: AsyncIterable<Buffer>, options: Append): Promise<number>;
  /** Makes it a blob of the repository. Faults: 400 another digest, 413 over the quota. */
  finish(row: UploadRow, digest: string, project_id: string): Promise<void>;
  cancel(row: UploadRow): Promise<void>;
  /** Of a session that is gone. */
  forget(id: string): Promise<void>;
}

export interface Append {
  project_id: string;
  /** Where the sender believes that it begins. */
  at: number | undefined;
  /** Bytes, as the request says. */
  declared: number | undefined;
}

interface Open {
  hash: Digester;
  size: number;
}

const unknown = (id: string): Fault => notFound('registry.upload-unknown', 'There is no such upload: it is done, was given up, or has expired.', { type: 'BLOB_UPLOAD_UNKNOWN', detail: { upload: id } });

interface Sessions {
  deps: TaskDeps;
  /** Of sessions that this process goes on with; others are read again. */
  hashes: Map<string, Open>;
  writers: Writers;
}

export function createUploads(deps: TaskDeps): Uploads {
  const sessions: Sessions = { deps, hashes: new Map(), writers: createWriters(deps) };
  const { writers } = sessions;
  return {
    async begin({ project_id, name }, user_id) {
      const now = isoMicros(deps.clock.now());
      return deps.db.transaction(async (tx) => {
        if ((await countUploads(tx, project_id)) >= deps.config.max_blob_uploads) throw tooMany(deps.config.max_blob_uploads);
        const repository = await ensureRepository(tx, project_id, name, now);
        const row = { id: uuid(), repository_id: repository.id, user_id, size: 0, touched_at: now, writer: null, writing_until: null };
        await insertUpload(tx, row);
        return row;
      });
    },
    async find(id, { project_id, name }) {
      const row = await findUpload(deps.db.read, id);
      const repository = row && (await findRepository(deps.db.read, project_id, name));
      if (!row || row.repository_id !== repository?.id || (await deps.scratch.kept(id).size()) < row.size) throw unknown(id);
      return row;
    },
    append: (row, source, options) => orGiveUp(sessions, row, writers.alone(row.id, async (signal) => append(sessions, await current(deps, row.id), source, { ...options, signal }))),
    finish: (row, digest, project_id) => orGiveUp(sessions, row, writers.alone(row.id, async () => finish(sessions, await current(deps, row.id), digest, project_id))),
    cancel: (row) => writers.alone(row.id, async () => {
      await deps.db.transaction((tx) => deleteUpload(tx, row.id));
      await forget(sessions, row.id);
    }),
    forget: (id) => forget(sessions, id),
  };
}

/** An image that is too large does not come: what came of it is not held against the project any longer. */
async function orGiveUp<T>(sessions: Sessions, { id, repository_id }: UploadRow, work: Promise<T>): Promise<T> {
  return work.catch(async (error: unknown) => {
    if (!isFault(error) || error.status !== 413) throw error;
    await sessions.deps.db.transaction(async (tx) => {
      await deleteUpload(tx, id);
      await unlinkUnnamed(tx, repository_id);
    });
    await forget(sessions, id);
    throw error;
  });
}

/** As it is now: another request may have written to it since this one found it. Faults: 404. */
async function current(deps: TaskDeps, id: string): Promise<UploadRow> {
  const row = await findUpload(deps.db.read, id);
  if (row === undefined) throw unknown(id);
  return row;
}

const tooMany = (most: number): Fault => new Fault(429, 'registry.uploads-many', `The project has begun to push ${most} blobs without ending any: more may not be begun.`, { type: 'TOOMANYREQUESTS' });

async function forget({ deps, hashes }: Sessions, id: string): Promise<void> {
  hashes.get(id)?.hash.forget();
  hashes.delete(id);
  await deps.scratch.kept(id).remove();
}

/** The hash of what has arrived; the caller's own from now on. */
async function takeHash({ deps, hashes }: Sessions, row: UploadRow): Promise<Digester> {
  const open = hashes.get(row.id);
  hashes.delete(row.id);
  if (open?.size === row.size) return open.hash;
  open?.hash.forget();
  return reread(deps, row);
}

async function append(sessions: Sessions, row: UploadRow, source: AsyncIterable<Buffer>, { at, declared, project_id, signal }: Append & { signal: AbortSignal }): Promise<number> {
  const { deps, hashes } = sessions;
  if (at !== undefined && at !== row.size) throw outOfOrder(row.size);
  await checkDeclaredSize(deps, project_id, 'image_size_total', declared, row.size);
  const limit = await sizeLimit(deps, project_id, 'image_size_total', row.size);
  const hash = await takeHash(sessions, row);
  const { size, failure } = await take(deps, row, source, hash, { limit, signal });
  if (!(await deps.db.transaction((tx) => noteUpload(tx, row.id, row.size, size, isoMicros(deps.clock.now()))))) {
    hash.forget();
    throw unknown(row.id);
  }
  hashes.set(row.id, { hash, size });
  if (failure !== undefined) throw uploadFault(failure);
  return size;
}

async function finish(sessions: Sessions, row: UploadRow, digest: string, project_id: string): Promise<void> {
  const { deps } = sessions;
  const found = await (await takeHash(sessions, row)).digest();
  if (found !== digest) {
    await deps.db.transaction((tx) => deleteUpload(tx, row.id));
    await forget(sessions, row.id);
    throw badRequest('registry.digest-wrong', `What came has the digest sha256:${found}, not sha256:${digest}.`, { type: 'DIGEST_INVALID', detail: { digest: `sha256:${digest}` } });
  }
  const file = await deps.scratch.resume(row.id, row.size);
  await file.finish();
  await keepBlob(deps, { digest, size: row.size, path: file.path });
  const within_quota = await quotaCheck(deps, project_id, { image_size_total: 0 });
  await deps.db.transaction(async (tx) => {
    await touchBlobs(deps, tx, [digest]);
    await linkBlobs(tx, row.repository_id, [digest], isoMicros(deps.clock.now()));
    await deleteUpload(tx, row.id);
    await within_quota(tx);
  });
}

const outOfOrder = (size: number): Fault => new Fault(416, 'registry.upload-range', `The upload goes on at byte ${size}.`, { type: 'BLOB_UPLOAD_INVALID', headers: { range: rangeText(size) } });

/** What has arrived, as the protocol writes it. */
export const rangeText = (size: number): string => `0-${Math.max(0, size - 1)}`;

/** After a restart, or when another controller took the bytes in. */
async function reread(deps: TaskDeps, row: UploadRow): Promise<Digester> {
  const hash = createDigester('sha256');
  if (row.size === 0) return hash;
  const kept = deps.scratch.kept(row.id);
  if ((await kept.size()) < row.size) throw unknown(row.id);
  for await (const slab of slabsOf(kept.read(row.size) as AsyncIterable<Buffer>)) slab.uses(hash.update(slab.bytes));
  return hash;
}

/** @returns how far the file is whole, and what ended it before its time. */
async function take(deps: TaskDeps, row: UploadRow, source: AsyncIterable<Buffer>, hash: Digester, { limit, signal }: { limit: number; signal: AbortSignal }): Promise<{ size: number; failure: unknown }> {
  const file = await deps.scratch.resume(row.id, row.size);
  const at_end: { failure?: unknown } = {};
  /** A sender that breaks off ends the data: what came is kept. */
  async function* until(): AsyncGenerator<Buffer> {
    let size = row.size;
    try {
      for await (const chunk of chunksOf(source)) {
        size += chunk.length;
        if (size > limit) throw tooLarge('image.too-large', `The blob exceeds ${limit} bytes, which are the size limit or what the quota of the project leaves.`);
        yield chunk;
      }
    } catch (error) {
      at_end.failure = error ?? new Error('the sender broke off');
    }
  }
  try {
    for await (const slab of slabsOf(until())) {
      signal.throwIfAborted();
      slab.uses(hash.update(slab.bytes));
      slab.uses(file.write(slab.bytes));
    }
    await file.close();
  } catch (error) {
    hash.forget();
    await file.close();
    // another process goes on with it
    if (signal.aborted) throw error;
    await deps.db.transaction((tx) => deleteUpload(tx, row.id));
    await deps.scratch.kept(row.id).remove();
    throw isFault(error) ? error : uploadFault(error);
  }
  return { size: file.size, failure: at_end.failure };
}
