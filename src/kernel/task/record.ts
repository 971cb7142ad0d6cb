import { as, type Database } from '../db/database.ts';
import { isFault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { recordProgress, type Progress, type Recorded, type TaskTables } from './store.ts';

/**
 * Writes progress down before the task goes on. What many tasks report while one transaction is being written goes
 * together into the next. While the database is away it keeps trying; rejects when `signal` aborts.
 */
export type Recorder = (progress: Progress) => Promise<Recorded>;

interface Pending {
  progress: Progress;
  resolve(recorded: Recorded): void;
  reject(error: unknown): void;
}

const MOST_PER_TRANSACTION = 64;
const RETRY_MS = 250;

export function progressRecorder(database: Database, log: Log, signal: AbortSignal): Recorder {
  const db = as<TaskTables>(database);
  const queue: Pending[] = [];
  let writing = false;

  async function drain(): Promise<void> {
    writing = true;
    while (queue.length > 0) await write(queue.splice(0, MOST_PER_TRANSACTION));
    writing = false;
  }

  async function write(batch: Pending[]): Promise<void> {
    try {
      const results = await persist(batch);
      batch.forEach((pending, i) => pending.resolve(results[i] as Recorded));
    } catch (error) {
      // One bad entry must not fail the others.
      if (batch.length > 1) for (const pending of batch) await write([pending]);
      else batch[0]?.reject(error);
    }
  }

  async function persist(batch: Pending[]): Promise<Recorded[]> {
    for (;;) {
      if (signal.aborted) throw signal.reason;
      try {
        return await db.transaction(async (tx) => {
          const results: Recorded[] = [];
          for (const { progress } of batch) results.push(await recordProgress(tx, progress));
          return results;
        });
      } catch (error) {
        if (!isFault(error)) throw error;
        log.warn({ err: error }, 'the progress of tasks could not be recorded; trying again');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  return (progress) =>
    new Promise((resolve, reject) => {
      queue.push({ progress, resolve, reject });
      if (!writing) void drain();
    });
}
