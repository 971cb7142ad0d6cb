/** Moves that nobody ends: resizes that their users never confirm, and hosts that come back after their servers were made anew elsewhere. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { isFault } from '../../../kernel/fault.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ComputeDeps, JobDeps } from '../deps.ts';
import { confirmResize } from '../model/resize-server.ts';
import { LEFT_BEHIND } from '../model/server-migrations.ts';
import { migrationsInState, updateMigration } from '../store/server-migrations.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables, MigrationRow, ServerRow } from '../store/tables.ts';

const AT_ONCE = 500;
const reader = (deps: JobDeps): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/** The guests that a host still had of servers which were evacuated are gone by now: what was kept there for them is free. */
export async function completeEvacuations(deps: JobDeps, node_id: string): Promise<void> {
  const left = (await migrationsInState(reader(deps), [LEFT_BEHIND], AT_ONCE)).filter((one) => one.source_node_id === node_id);
  for (const migration of left) await close(deps, migration, 'completed');
}

async function close(deps: JobDeps, { uuid, status: from }: MigrationRow, status: string): Promise<void> {
  await deps.placement.release(uuid);
  await deps.db.transaction((tx) => updateMigration(asTransaction<ComputeTables>(tx), uuid, { status, updated_at: isoMicros(deps.clock.now()) }, [from]));
}

/** `[compute] resize_confirm_window` after a resize it is as good as confirmed; 0: never. */
export function confirmResizesJob(deps: ComputeDeps): Job {
  async function run(): Promise<object> {
    const window = deps.config.resize_confirm_window;
    const before = isoMicros(new Date(deps.clock.now().getTime() - window * 1000));
    const total = { confirmed: 0, closed: 0 };
    for (const migration of await migrationsInState(reader(deps), ['finished'], AT_ONCE)) {
      const row = await findServer(reader(deps), migration.server_id);
      if (row === undefined || isElsewhere(row)) {
        // An operator has set its state by hand: what is left of the move goes as a stranger.
        await close(deps, migration, 'error');
        total.closed += 1;
      } else if (window > 0 && migration.updated_at <= before && row.task_state === null && (await confirm(deps, row))) total.confirmed += 1;
    }
    return total;
  }
  return defineJob({ name: 'compute.confirm-resizes', every_seconds: 60, run });
}

const isElsewhere = (row: ServerRow): boolean => row.deleted === 1 || (row.vm_state !== 'resized' && row.task_state === null);

/** @returns false when somebody was faster, or the node that it came from is away: another time. */
async function confirm(deps: ComputeDeps, row: ServerRow): Promise<boolean> {
  const ctx = { request_id: requestId(), global_request_id: undefined, clock: deps.clock, log: deps.log, auth: undefined };
  try {
    await confirmResize(deps, { ctx, is_admin: true }, row);
    deps.log.info({ server_id: row.id }, 'a resize was confirmed that nobody had confirmed in time');
    return true;
  } catch (error) {
    if (isFault(error) && error.status < 500) return false;
    throw error;
  }
}
