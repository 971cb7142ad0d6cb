/** Writes down what a guest did by itself, and what went with it. */
import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { requestId } from '../../../kernel/ids.ts';
import type { JobDeps } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { endEvent, startAction, startEvent } from '../model/server-actions.ts';
import { afterPowerSeen, powerStates } from '../model/server-state.ts';
import { hasAction, insertAction } from '../store/server-actions.ts';
import { type ServerChange, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';

const EVENT = 'compute__sync_instance_power_state';
const RESTART_EVENT = 'compute_restart_guest';

/** @returns whether the server is another than before. */
export async function heal(deps: JobDeps, row: ServerRow, report: GuestReport): Promise<boolean> {
  await noteRestart(deps, row, report);
  const power_state = powerStateNumber(report.power_state);
  const next = afterPowerSeen(row.vm_state, power_state);
  if (next === undefined && power_state === row.power_state) return false;
  // What is stopped and runs is stopped again by whoever asked; it is not shown as running meanwhile.
  if (next === undefined && (row.vm_state === 'stopped' || row.vm_state === 'soft-delete') && report.power_state === 'running') return false;
  const now = isoMicros(deps.clock.now());
  const bad = next === 'stopped' && endedBadly(report);
  const change: ServerChange = { power_state, updated_at: now };
  if (next !== undefined) change.vm_state = bad ? 'error' : next;
  if (bad) change.fault_json = JSON.stringify(exitFault(report, now));
  return await write(deps, row, change, next === 'stopped' ? { text: exitMessage(report), bad } : undefined);
}

/** A guest in a frenzy is not written down each time: the first ones, and then ever fewer. */
const isTold = (count: number): boolean => count <= 10 || (count & (count - 1)) === 0;

/** An action for each restart, told once however often it is heard. */
async function noteRestart(deps: JobDeps, row: ServerRow, { container_id, restarts }: GuestReport): Promise<void> {
  if (restarts === undefined || !isTold(restarts.count)) return;
  const id = `restart:${row.id}:${container_id?.slice(0, 12) ?? ''}:${restarts.count}`;
  const at = isoMicros(deps.clock.now());
  const why = restarts.oom_killed ? 'ran out of memory and was killed' : `exited with code ${restarts.exit_code}`;
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if (await hasAction(tx, id)) return;
    const action = { id, server_id: row.id, action: 'restart', request_id: requestId(), project_id: null, user_id: null };
    await insertAction(tx, { ...action, start_time: at, updated_at: at, message: `Container ${why} and was started again (${restarts.count})` });
    await startEvent(tx, deps.clock, id, RESTART_EVENT, row.host);
    await endEvent(tx, deps.clock, id, RESTART_EVENT);
  });
}

/** The node has no guest for this server any more. */
export async function lost(deps: JobDeps, row: ServerRow): Promise<boolean> {
  // What is deleted is not missed: a restore makes it anew.
  if (row.vm_state === 'soft-delete' || (row.vm_state === 'error' && row.power_state === powerStates.nostate)) return false;
  const now = isoMicros(deps.clock.now());
  const message = 'The container of this server is gone from its node.';
  const fault = { code: 500, message, created: now, details: null };
  const change = { vm_state: 'error', power_state: powerStates.nostate, fault_json: JSON.stringify(fault), updated_at: now };
  return await write(deps, row, change, { text: message, bad: true });
}

async function write(deps: JobDeps, row: ServerRow, change: ServerChange, ended: { text: string; bad: boolean } | undefined): Promise<boolean> {
  const changed = await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const done = await updateServer(tx, row.id, change, { task_state: null, vm_states: [row.vm_state], ...(row.node_id === null ? {} : { node_id: row.node_id }) });
    if (done === undefined || ended === undefined) return done;
    const ctx = { request_id: requestId(), clock: deps.clock, auth: undefined };
    const action_id = await startAction(tx, ctx, row.id, 'stop');
    await startEvent(tx, deps.clock, action_id, EVENT, row.host);
    await endEvent(tx, deps.clock, action_id, EVENT, ended.bad ? ended.text : undefined);
    return done;
  });
  if (changed === undefined) return false;
  deps.log.info({ server_id: row.id, from: row.vm_state, ...change }, 'a server follows its guest');
  if (ended !== undefined) await deps.network.setPlugged(row.id, false);
  return true;
}

/** A stopped server whose guest runs: the guest is wrong. */
export async function stopAgain(deps: JobDeps, row: ServerRow): Promise<void> {
  const action = { action: 'stop', timeout_seconds: deps.config.shutdown_timeout };
  await deps.nodes.call(row.node_id!, computeMethods.power, { server_id: row.id, action });
  deps.log.warn({ server_id: row.id }, 'the guest of a stopped server ran and was stopped');
}
