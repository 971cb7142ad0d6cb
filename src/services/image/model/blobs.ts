/** How bytes become a blob, and stay one: rows first, so that a crash at any point leaves nothing that the collector would not find. */
import { rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { unavailable } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import { blobWritten, claimBlob, touchPresent } from '../store/blob-rows.ts';
import type { ImageTables } from '../store/tables.ts';

export interface NewBlob {
  /** Lower-case hex sha-256 of the file, found by whoever wrote it. */
  digest: string;
  size: number;
  /** A whole, durable file among the staged ones; taken away. */
  path: string;
}

const ATTEMPTS = 100;
const PAUSE_MS = 100;

/** Gives the file its name in the store. From now on it must be named in a row within the grace time. Faults: 413 storage full, 503. */
export async function keepBlob(deps: TaskDeps, blob: NewBlob): Promise<void> {
  const now = (): string => isoMicros(deps.clock.now());
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const state = await deps.db.transaction((tx) => claimBlob(tx, blob.digest, blob.size, now()));
    if (state === 'present') return rm(blob.path, { force: true });
    if (state === 'writing') {
      await deps.blobs.put(blob.digest, blob.path);
      if (await deps.db.transaction((tx) => blobWritten(tx, blob.digest, now()))) return;
      throw gone();
    }
    // the collector is at it: gone in a moment
    await wait(PAUSE_MS);
  }
  throw gone();
}

/** First in the transaction that names them: keeps the collector away. Faults: 503 when one has gone meanwhile. */
export async function touchBlobs(deps: TaskDeps, tx: Transaction<ImageTables>, digests: readonly string[]): Promise<void> {
  const found = await touchPresent(tx, digests, isoMicros(deps.clock.now()));
  if (found.length < new Set(digests).size) throw gone();
}

const gone = () => unavailable('image.blob-collected', 'The data waited too long to be named and have been removed. Please send them again.', { retryable: true });
