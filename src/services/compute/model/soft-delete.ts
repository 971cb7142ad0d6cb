import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { deleteConsoleTokensOf } from '../store/console-tokens.ts';
import { updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { startAction } from './server-actions.ts';
import { checkAction } from './server-state.ts';
import { deleteServer } from './servers.ts';
import type { Actor } from './server-tasks.ts';

/**
 * Stops a server and keeps it for `reclaim_instance_interval`; one that never ran, or is on no node, is deleted at once. What is deleted already
 * stays as it is.
 * @throws Fault 409 when it is locked.
 */
export async function softDeleteServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  if (row.launched_at === null || row.node_id === null) return await deleteServer(deps, actor, row);
  checkAction('delete', row, actor.is_admin);
  if (row.vm_state === 'soft-delete' || row.task_state === 'soft-deleting') return;
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const now = isoMicros(deps.clock.now());
    const change = { task_state: 'soft-deleting', progress: 0, updated_at: now, deleted_at: now };
    // Of two at once the other one does it.
    if ((await updateServer(tx, row.id, change, { task_state: row.task_state, vm_states: [row.vm_state], not_task_state: 'deleting' })) === undefined) return;
    await deleteConsoleTokensOf(tx, row.id);
    const action_id = await startAction(tx, actor.ctx, row.id, 'delete');
    await deps.tasks.remove(raw, { server_id: row.id, action_id }, actor.ctx, 'softly');
  });
}
