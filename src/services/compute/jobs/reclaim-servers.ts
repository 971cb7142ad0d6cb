/** Deleted servers whose time to be restored is over go for good. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ComputeTasks, JobDeps } from '../deps.ts';
import { startAction } from '../model/server-actions.ts';
import { reclaimable, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';

const AT_ONCE = 200;

export function reclaimServersJob(deps: JobDeps, tasks: ComputeTasks): Job {
  async function reclaim(row: ServerRow): Promise<boolean> {
    return await deps.db.transaction(async (raw) => {
      const tx = asTransaction<ComputeTables>(raw);
      const change = { task_state: 'deleting', updated_at: isoMicros(deps.clock.now()) };
      if ((await updateServer(tx, row.id, change, { task_state: null, vm_states: ['soft-delete'] })) === undefined) return false;
      const ids = { request_id: requestId(), global_request_id: undefined };
      const action_id = await startAction(tx, { ...ids, clock: deps.clock, auth: undefined }, row.id, 'delete');
      await tasks.remove(raw, { server_id: row.id, action_id }, ids);
      return true;
    });
  }

  async function run(): Promise<object> {
    const seconds = deps.config.reclaim_instance_interval;
    const before = isoMicros(new Date(deps.clock.now().getTime() - seconds * 1000));
    let reclaimed = 0;
    // What was deleted when there was such an interval also goes when there is none any more.
    for (const row of await reclaimable(deps.db.read as Kysely<ComputeTables>, before, AT_ONCE)) {
      if (await reclaim(row)) reclaimed += 1;
    }
    return { reclaimed };
  }
  return defineJob({ name: 'compute.reclaim-servers', every_seconds: 60, run });
}
