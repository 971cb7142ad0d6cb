/** Gives back what placement still holds for servers that are deleted, and for moves that have ended. */
import type { Kysely } from 'kysely';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { JobDeps } from '../deps.ts';
import { LEFT_BEHIND, OPEN } from '../model/server-migrations.ts';
import { migrationsByUuid } from '../store/server-migrations.ts';
import { findServers } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';

const AT_ONCE = 500;

export function releaseAllocationsJob(deps: JobDeps): Job {
  async function run(): Promise<object> {
    const consumers = await deps.placement.consumers();
    let released = 0;
    for (let from = 0; from < consumers.length; from += AT_ONCE) {
      const ids = consumers.slice(from, from + AT_ONCE).map(({ id }) => id);
      const rows = await findServers(deps.db.read as Kysely<ComputeTables>, ids);
      const moves = await migrationsByUuid(deps.db.read as Kysely<ComputeTables>, ids);
      const ended = moves.filter(({ status }) => status !== LEFT_BEHIND && !OPEN.includes(status)).map(({ uuid }) => uuid);
      // Consumers that were never servers, nor moves of one, are someone else's.
      for (const id of [...rows.filter(({ deleted }) => deleted === 1).map((row) => row.id), ...ended]) {
        await deps.placement.release(id);
        deps.log.warn({ consumer_id: id }, 'the allocation of a deleted server, or of a move that has ended, was released');
        released += 1;
      }
    }
    return { consumers: consumers.length, released };
  }
  return defineJob({ name: 'compute.release-allocations', every_seconds: 600, run });
}
