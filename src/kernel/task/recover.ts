import { as, type Database } from '../db/database.ts';
import type { Clock } from '../clock.ts';
import { dropOwners, endLease, lockOwners, renewLease, takeOrphans, type TaskRow, type TaskTables } from './store.ts';

export interface OwnershipOptions {
  db: Database;
  clock: Clock;
  /** Of this process, new at each start. */
  owner: string;
  /** How long a process may be silent before others take its tasks. */
  lease_ms: number;
}

/** Says that this process lives, and returns the live tasks whose process does not, now its own; oldest first. */
export async function takeOver(options: OwnershipOptions, everyone: boolean): Promise<TaskRow[]> {
  const now = options.clock.now();
  return await as<TaskTables>(options.db).transaction(async (tx) => {
    if (options.db.dialect === 'postgres') await lockOwners(tx);
    await renewLease(tx, options.owner, new Date(now.getTime() + options.lease_ms));
    await dropOwners(tx, options.owner, now, everyone);
    return await takeOrphans(tx, options.owner, now);
  });
}

/** Lets the others take what is left at once. */
export async function letGo(options: OwnershipOptions): Promise<void> {
  await as<TaskTables>(options.db).transaction((tx) => endLease(tx, options.owner));
}
