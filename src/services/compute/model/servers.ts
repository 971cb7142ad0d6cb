/** What is done to servers beside making them: every write of their rows that an API call asks for. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import type { ComputeDeps, PowerTask } from '../deps.ts';
import { deleteConsoleTokensOf } from '../store/console-tokens.ts';
import { type ServerChange, setTags, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { claimServerQuota } from './quota-sets.ts';
import { startAction } from './server-actions.ts';
import { checkAction, type ServerAction } from './server-state.ts';
import { type Actor, beginTask, serverGone } from './server-tasks.ts';

/** Changes a row whatever the server is doing. @throws Fault 409 when it is gone. */
export async function changeServer(deps: ComputeDeps, id: string, change: ServerChange, tags?: readonly string[]): Promise<ServerRow> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const row = await updateServer(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) });
    if (row === undefined) throw serverGone(id);
    if (tags !== undefined) await setTags(tx, id, tags);
    return row;
  });
}

interface PowerChange {
  action: ServerAction;
  task_state: string;
  /** The name in os-instance-actions. */
  recorded: string;
}

const powerChanges: Record<PowerTask, PowerChange> = {
  start: { action: 'start', task_state: 'powering-on', recorded: 'start' },
  stop: { action: 'stop', task_state: 'powering-off', recorded: 'stop' },
  reboot: { action: 'reboot', task_state: 'rebooting', recorded: 'reboot' },
  'reboot-hard': { action: 'reboot-hard', task_state: 'rebooting_hard', recorded: 'reboot' },
  pause: { action: 'pause', task_state: 'pausing', recorded: 'pause' },
  unpause: { action: 'unpause', task_state: 'unpausing', recorded: 'unpause' },
  suspend: { action: 'suspend', task_state: 'suspending', recorded: 'suspend' },
  resume: { action: 'resume', task_state: 'resuming', recorded: 'resume' },
  restore: { action: 'restore', task_state: 'restoring', recorded: 'restore' },
};

/** @throws Fault 409 in nova's words. */
export async function powerServer(deps: ComputeDeps, actor: Actor, row: ServerRow, what: PowerTask): Promise<void> {
  const { action, task_state, recorded } = powerChanges[what];
  checkAction(action, row, actor.is_admin);
  if (row.node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  await beginTask(deps, actor, row, { action, task_state, recorded, kind: 'power', input: { what }, ...(what === 'restore' ? { also: (tx) => claimAgain(tx, deps, row) } : {}) });
}

/** What is restored counts again. @throws Fault 403 */
async function claimAgain(tx: Kysely<ComputeTables>, deps: ComputeDeps, row: ServerRow): Promise<void> {
  await claimServerQuota(tx, deps, row.project_id, row, { min: 1, max: 1 }, row.user_id);
}

/** A second call while the first one works changes nothing. @throws Fault 409 when it is locked. */
export async function deleteServer(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  checkAction('delete', row, actor.is_admin);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const change = { task_state: 'deleting', progress: 0, updated_at: isoMicros(deps.clock.now()) };
    if ((await updateServer(tx, row.id, change, { not_task_state: 'deleting' })) === undefined) return;
    await deleteConsoleTokensOf(tx, row.id);
    const action_id = await startAction(tx, actor.ctx, row.id, 'delete');
    await deps.tasks.remove(raw, { server_id: row.id, action_id }, actor.ctx);
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
    if ((await updateServer(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) })) === undefined) throw serverGone(id);
    await startAction(tx, actor.ctx, id, action);
  });
}

export async function resetState(deps: ComputeDeps, actor: Actor, row: ServerRow, vm_state: 'active' | 'error'): Promise<void> {
  // What deletes the server goes on: only its own task ends that.
  await recordedChange(deps, actor, row.id, 'resetState', { vm_state, task_state: row.task_state === 'deleting' ? 'deleting' : null });
}
