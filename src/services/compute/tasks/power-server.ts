/** Start, stop, reboot, pause, unpause, suspend and resume: one call to the node, and what it answers becomes the server's state. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport, type PowerAction } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { PowerTask, ServerTaskInput } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { settingsOf } from '../model/guest-settings.ts';
import { startEvent } from '../model/server-actions.ts';
import { findBoot, findServer, type ServerChange } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { settleServer } from './settle.ts';
import { spawnOn } from './spawn-on.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

export type PowerInput = ServerTaskInput & { what: PowerTask };

const EVENTS: Record<PowerTask, string> = {
  start: 'compute_start_instance',
  stop: 'compute_stop_instance',
  reboot: 'compute_reboot_instance',
  'reboot-hard': 'compute_reboot_instance',
  pause: 'compute_pause_instance',
  unpause: 'compute_unpause_instance',
  suspend: 'compute_suspend_instance',
  resume: 'compute_resume_instance',
  restore: 'compute_restore_instance',
};

/** A failure of these leaves a guest that may not run: the server is in ERROR then. */
const FATAL: ReadonlySet<PowerTask> = new Set(['start', 'reboot', 'reboot-hard']);

export function powerServerTask(deps: TaskDeps): TaskDefinition<PowerInput> {
  return defineTask<PowerInput>('compute.power-server')
    .step('power', { do: (ctx, input) => power(deps, ctx, input) })
    .build({
      concurrency: 64,
      onDone: (_ctx, input, done) => finish(deps, input, done.power),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<PowerInput>;
}

async function power(deps: TaskDeps, ctx: StepContext, { server_id, action_id, what }: PowerInput): Promise<GuestReport> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1 || row.node_id === null) throw conflict('compute.no-node', `Instance ${server_id} is not ready`);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENTS[what], row.host));
  const action = await powerAction(deps, row, what);
  const slack = 60_000 + 1000 * ('timeout_seconds' in action ? action.timeout_seconds : 0);
  const report = await deps.nodes.call<GuestReport>(row.node_id, computeMethods.power, { server_id, action }, { timeout_ms: slack, signal: ctx.signal }).catch(async (error: unknown) => {
    if (!REBUILDS.has(what) || !isFault(error) || error.code !== 'compute.server-unknown') throw error;
    return await makeAnew(deps, ctx, row);
  });
  if (what === 'start' || what === 'stop' || what === 'restore') await deps.network.setPlugged(server_id, what !== 'stop');
  return report;
}

/** These bring back a server whose container somebody has removed from its node. */
const REBUILDS: ReadonlySet<PowerTask> = new Set(['start', 'reboot-hard', 'restore']);

/** As it was first made, on the node where it was: its name, addresses and image are the same, what it wrote went with its container. */
async function makeAnew(deps: TaskDeps, ctx: StepContext, row: ServerRow): Promise<GuestReport> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  if (boot === undefined) throw conflict('compute.server-lost', `The container of instance ${row.id} is gone, and it is not known any more how it was made.`);
  ctx.log.warn({ server_id: row.id, host: row.host }, 'the container of a server was removed behind our back; it is made anew');
  return await spawnOn(deps, ctx, row, boot);
}

async function powerAction(deps: TaskDeps, row: ServerRow, what: PowerTask): Promise<PowerAction> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  const own = boot === undefined ? undefined : settingsOf(boot).options?.stop_timeout;
  const timeout_seconds = own ?? deps.config.shutdown_timeout;
  switch (what) {
    case 'start':
    case 'restore':
      return { action: 'start', network: await deps.network.sliceFor(row.id) };
    case 'stop':
      return { action: 'stop', timeout_seconds };
    case 'reboot':
    case 'reboot-hard':
      return { action: 'reboot', hard: what === 'reboot-hard', timeout_seconds, network: await deps.network.sliceFor(row.id) };
    case 'pause':
    case 'unpause':
    case 'suspend':
      return { action: what };
    case 'resume':
      return { action: what, network: await deps.network.sliceFor(row.id) };
  }
}

function stateAfter(what: PowerTask, report: GuestReport, now: string): ServerChange {
  const power_state = powerStateNumber(report.power_state);
  if (what === 'stop') return { vm_state: 'stopped', power_state, fault_json: null };
  if (report.power_state === 'running') return { vm_state: 'active', power_state, fault_json: null, ...(FATAL.has(what) ? { launched_at: now } : {}) };
  if (report.power_state === 'suspended') return { vm_state: 'suspended', power_state, fault_json: null };
  if (report.power_state === 'paused') return { vm_state: 'paused', power_state, fault_json: null };
  if (endedBadly(report)) return { vm_state: 'error', power_state, fault_json: JSON.stringify(exitFault(report, now)) };
  return { vm_state: 'stopped', power_state, fault_json: null };
}

async function finish(deps: TaskDeps, input: PowerInput, report: GuestReport): Promise<void> {
  const { what } = input;
  const bad = what !== 'stop' && endedBadly(report);
  const change = { ...stateAfter(what, report, isoMicros(deps.clock.now())), ...(what === 'restore' ? { deleted_at: null } : {}) };
  await settleServer(deps, input, { event: EVENTS[what], change, failure: bad ? exitMessage(report) : undefined });
}

async function giveUp(deps: TaskDeps, input: PowerInput, error: TaskError): Promise<void> {
  const { what } = input;
  const fault = taskFault(error, `The server could not be changed (${what})`, isoMicros(deps.clock.now()));
  const change = FATAL.has(what) ? { vm_state: 'error', fault_json: JSON.stringify(fault) } : {};
  await settleServer(deps, input, { event: EVENTS[what], change, failure: fault.message });
}
