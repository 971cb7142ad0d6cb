/** Servers in the middle of something that nothing works on any more: they get a state that a user can act on. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job } from '../../../kernel/job/reconciler.ts';
import type { ComputeTasks } from '../deps.ts';
import { startAction } from '../model/server-actions.ts';
import { busyServers, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { deletionResource, serverResource, softDeletionResource, type TaskDeps } from '../tasks/task-deps.ts';

const OLD_MS = 30_000;
const AT_ONCE = 200;

export function releaseStuckServersJob(deps: TaskDeps, tasks: ComputeTasks): Job {
  async function hasWork(server_id: string): Promise<boolean> {
    for (const resource of [serverResource(server_id), deletionResource(server_id), softDeletionResource(server_id)]) {
      const [last] = await deps.engine.listOf(resource, 1);
      if (last?.state === 'running' || last?.state === 'undoing') return true;
    }
    return false;
  }

  async function release(row: ServerRow): Promise<void> {
    const now = isoMicros(deps.clock.now());
    await deps.db.transaction(async (raw) => {
      const tx = asTransaction<ComputeTables>(raw);
      if (row.task_state === 'deleting') {
        const ids = { request_id: requestId(), global_request_id: undefined };
        const action_id = await startAction(tx, { ...ids, clock: deps.clock, auth: undefined }, row.id, 'delete');
        return await tasks.remove(raw, { server_id: row.id, action_id }, ids);
      }
      const fault = { code: 500, message: 'The operation on this server was lost.', created: now, details: `task_state ${row.task_state}` };
      const failed = row.vm_state === 'building' ? { vm_state: 'error', fault_json: JSON.stringify(fault) } : {};
      await updateServer(tx, row.id, { ...failed, task_state: null, updated_at: now }, { task_state: row.task_state, vm_states: [row.vm_state] });
    });
    deps.log.warn({ server_id: row.id, vm_state: row.vm_state, task_state: row.task_state }, 'a server that nothing worked on was released');
  }

  async function run(): Promise<object> {
    const before = isoMicros(new Date(deps.clock.now().getTime() - OLD_MS));
    let released = 0;
    for (const row of await busyServers(deps.db.read as Kysely<ComputeTables>, AT_ONCE)) {
      if (row.updated_at > before || (await hasWork(row.id))) continue;
      await release(row);
      released += 1;
    }
    return { released };
  }
  return defineJob({ name: 'compute.release-stuck-servers', every_seconds: 60, run });
}
