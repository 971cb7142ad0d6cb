/** How an action of the API becomes long work: the state is checked, the server marked busy, the call recorded and the work started, all at once. */
import { isoMicros } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, type Fault } from '../../../kernel/fault.ts';
import type { ComputeDeps, ServerTaskKind, ServerTasks } from '../deps.ts';
import { findServer, type ServerChange, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { startAction } from './server-actions.ts';
import { checkAction, type ServerAction } from './server-state.ts';

/** Who asks, and whether locks bind them. */
export interface Actor {
  ctx: Context;
  is_admin: boolean;
}

export interface TaskRequest<Kind extends ServerTaskKind> {
  /** Whose states it needs. */
  action: ServerAction;
  /** What the server shows while it works; null: nothing. */
  task_state: string | null;
  /** The name in os-instance-actions. */
  recorded: string;
  kind: Kind;
  input: ServerTasks[Kind];
  /** Of the row, beside its task state. */
  change?: ServerChange;
  /** What else belongs into the transaction: its rows, its quota. */
  also?: (tx: ReturnType<typeof asTransaction<ComputeTables>>) => Promise<void>;
}

export const serverGone = (id: string): Fault => conflict('compute.server-gone', `Instance ${id} was deleted meanwhile.`);

/** @returns the task's id. @throws Fault 409 in nova's words. */
export async function beginTask<Kind extends ServerTaskKind>(deps: ComputeDeps, actor: Actor, row: ServerRow, wanted: TaskRequest<Kind>): Promise<string> {
  checkAction(wanted.action, row, actor.is_admin);
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const guard = { task_state: row.task_state, vm_states: [row.vm_state] };
    const change = { ...wanted.change, task_state: wanted.task_state, updated_at: isoMicros(deps.clock.now()) };
    if ((await updateServer(tx, row.id, change, guard)) === undefined) {
      const now = await findServer(tx, row.id);
      if (now === undefined || now.deleted === 1) throw serverGone(row.id);
      checkAction(wanted.action, now, actor.is_admin);
      throw conflict('compute.server-changed', `Instance ${row.id} changed meanwhile. Try again.`);
    }
    await wanted.also?.(tx);
    const action_id = await startAction(tx, actor.ctx, row.id, wanted.recorded);
    return await deps.tasks.start(raw, wanted.kind, { server_id: row.id, action_id, ...wanted.input }, actor.ctx);
  });
}
