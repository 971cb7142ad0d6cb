/** What is done to servers beside making them: every write of their rows that an API call asks for. */
import { isoMicros } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { ComputeDeps, PowerTask } from '../deps.ts';
import { findServer, type ServerChange, setTags, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { startAction } from './server-actions.ts';
import { checkAction, type ServerAction } from './server-state.ts';

/** Who asks, and whether locks bind them. */
export interface Actor {
  ctx: Context;
  is_admin: boolean;
}

/** Changes a row whatever the server is doing. @throws Fault 409 when it is gone. */
export async function changeServer(deps: ComputeDeps, id: string, change: ServerChange, tags?: readonly string[]): Promise<ServerRow> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const row = await updateServer(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) });
    if (row === undefined) throw gone(id);
    if (tags !== undefined) await setTags(tx, id, tags);
    return row;
  });
}

const gone = (id: string): Error => conflict('compute.server-gone', `Instance ${id} was deleted meanwhile.`);

interface PowerChange {
  action: ServerAction;
  what: PowerTask;
  task_state: string;
  /** The name in os-instance-actions. */
  recorded: string;
}

const powerChanges: Record<PowerTask, PowerChange> = {
  start: { action: 'start', what: 'start', task_state: 'powering-on', recorded: 'start' },
  stop: { action: 'stop', what: 'stop', task_state: 'powering-off', recorded: 'stop' },
  reboot: { action: 'reboot', what: 'reboot', task_state: 'rebooting', recorded: 'reboot' },
  'reboot-hard': { action: 'reboot-hard', what: 'reboot-hard', task_state: 'rebooting_hard', recorded: 'reboot' },
  pause: { action: 'pause', what: 'pause', task_state: 'pausing', recorded: 'pause' },
  unpause: { action: 'unpause', what: 'unpause', task_state: 'unpausing', recorded: 'unpause' },
};

/** Checks the state, marks the server busy and starts the work, all at once. @throws Fault 409 in nova's words. */
export async function powerServer(deps: ComputeDeps, actor: Actor, row: ServerRow, what: PowerTask): Promise<void> {
  const change = powerChanges[what];
  checkAction(change.action, row, actor.is_admin);
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const guard = { task_state: null, vm_states: [row.vm_state] };
    const taken = await updateServer(tx, row.id, { task_state: change.task_state, updated_at: isoMicros(deps.clock.now()) }, guard);
    if (taken === undefined) {
      const now = await findServer(tx, row.id);
      if (now === undefined || now.deleted === 1) throw gone(row.id);
      checkAction(change.action, now, actor.is_admin);
      throw conflict('compute.server-changed', `Instance ${row.id} changed meanwhile. Try again.`);
    }
    const action_id = await startAction(tx, actor.ctx, row.id, change.recorded);
    await deps.tasks.power(raw, row.id, action_id, what, actor.ctx);
  });
}

/** A second call while the first one works changes nothing. @throws Fault 409 when it is locked. */
export async function deleteServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  checkAction('delete', row, actor.is_admin);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const change = { task_state: 'deleting', progress: 0, updated_at: isoMicros(deps.clock.now()) };
    if ((await updateServer(tx, row.id, change, { not_task_state: 'deleting' })) === undefined) return;
    const action_id = await startAction(tx, actor.ctx, row.id, 'delete');
    await deps.tasks.remove(raw, row.id, action_id, actor.ctx);
  });
}

/** @param locked_by the owner's lock is not overridden by another one of the owner. */
export async function lockServer(deps: ComputeDeps, actor: Actor, row: ServerRow, reason: string | null): Promise<void> {
  const is_owner = row.project_id === actor.ctx.auth?.project_id;
  if (row.locked_by !== null && is_owner) return;
  await recordedChange(deps, actor, row.id, 'lock', { locked_by: is_owner ? 'owner' : 'admin', locked_reason: reason });
}

export async function unlockServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  await recordedChange(deps, actor, row.id, 'unlock', { locked_by: null, locked_reason: null });
}

/** Whether the caller has locked it, as far as nova tells them apart. */
export function lockedByCaller(row: ServerRow, project_id: string | undefined): boolean {
  return row.locked_by === null || row.locked_by === (row.project_id === project_id ? 'owner' : 'admin');
}

async function recordedChange(deps: ComputeDeps, actor: Actor, id: string, action: string, change: ServerChange): Promise<void> {
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if ((await updateServer(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) })) === undefined) throw gone(id);
    await startAction(tx, actor.ctx, id, action);
  });
}

export async function resetState(deps: ComputeDeps, actor: Actor, row: ServerRow, vm_state: 'active' | 'error'): Promise<void> {
  // What deletes the server goes on: only its own task ends that.
  await recordedChange(deps, actor, row.id, 'resetState', { vm_state, task_state: row.task_state === 'deleting' ? 'deleting' : null });
}
