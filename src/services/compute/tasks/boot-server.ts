/** A server from its row to a running guest; undone as a whole when it cannot be. */
import type { Kysely } from 'kysely';
import type { GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerNic } from '../../network/client.ts';
import type { ServerTaskInput } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { endEvent, startEvent } from '../model/server-actions.ts';
import { faultOf, shownNics } from '../model/server-row.ts';
import { findBoot, findServer, type ServerChange, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import { bindToNode } from './bind-to-node.ts';
import { leaveNode } from './leave-node.ts';
import { isNodeAway, waitForNode } from './node-away.ts';
import { claimPlace, type Place } from './place-server.ts';
import { completeVolumes } from './guest-volumes.ts';
import { makeVolumes, unmakeVolumes } from './make-volumes.ts';
import { spawnOn } from './spawn-on.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

/** The event that nova writes for a boot. */
export const BOOT_EVENT = 'compute__do_build_and_run_instance';

export function bootServerTask(deps: TaskDeps): TaskDefinition<ServerTaskInput> {
  return defineTask<ServerTaskInput>('compute.boot-server')
    .step('place', {
      // a node that restarts its agent is back within seconds
      retries: 7,
      do: (_ctx, { server_id, action_id }) => place(deps, server_id, action_id),
      undo: (_ctx, { server_id }) => unplace(deps, server_id),
    })
    .step('network', {
      do: (_ctx, { server_id }) => connect(deps, server_id),
      undo: (_ctx, { server_id }) => deps.network.releaseNics(server_id),
    })
    .step('volumes', {
      async do(ctx, { server_id }) {
        await makeVolumes(deps, ctx, (await load(deps, server_id)).row);
      },
      undo: (ctx, { server_id }) => unmakeVolumes(deps, ctx, server_id),
    })
    .step('spawn', {
      do: (ctx, { server_id }) => spawnSomewhere(deps, ctx, server_id),
      undo: (ctx, { server_id }) => despawn(deps, ctx, server_id),
    })
    .build({
      concurrency: 64,
      onDone: (_ctx, input, done) => finish(deps, input, done.spawn),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<ServerTaskInput>;
}

const reader = (deps: TaskDeps): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/** @throws Fault 409 when the server was deleted meanwhile: the boot is then undone. */
async function load(deps: TaskDeps, server_id: string): Promise<{ row: ServerRow; boot: ServerBootRow }> {
  const row = await findServer(reader(deps), server_id);
  const boot = await findBoot(reader(deps), server_id);
  if (row === undefined || boot === undefined || row.deleted === 1 || row.task_state === 'deleting') throw wasDeleted();
  return { row, boot };
}

const wasDeleted = (): Error => conflict('compute.server-deleted', 'The server was deleted while it was being made.');

async function advance(deps: TaskDeps, server_id: string, change: ServerChange): Promise<void> {
  const changed = await deps.db.transaction((tx) =>
    updateServer(asTransaction<ComputeTables>(tx), server_id, { ...change, updated_at: isoMicros(deps.clock.now()) }, { not_task_state: 'deleting' }),
  );
  if (changed === undefined) throw wasDeleted();
}

/** Members of a group see where those before them went. */
async function place(deps: TaskDeps, server_id: string, action_id: string): Promise<Place> {
  const { row } = await load(deps, server_id);
  const placed = (): Promise<Place> => placeOne(deps, server_id, action_id);
  return row.server_group_id === null ? await placed() : await deps.turns.run(row.server_group_id, placed);
}

async function placeOne(deps: TaskDeps, server_id: string, action_id: string): Promise<Place> {
  const { row, boot } = await load(deps, server_id);
  // A second run stays where the first one went.
  const found = placeOf(row) ?? (await claimPlace(deps, { row, boot, excluded: [] }));
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const change = { ...found, task_state: 'networking', updated_at: isoMicros(deps.clock.now()) };
    if ((await updateServer(tx, server_id, change, { not_task_state: 'deleting' })) === undefined) throw wasDeleted();
    await startEvent(tx, deps.clock, action_id, BOOT_EVENT, found.host);
  });
  return found;
}

function placeOf({ node_id, host, zone }: ServerRow): Place | undefined {
  return node_id === null || host === null || zone === null ? undefined : { node_id, host, zone };
}

async function unplace(deps: TaskDeps, server_id: string): Promise<void> {
  await deps.placement.release(server_id);
  await deps.db.transaction(async (tx) => {
    const row = await findServer(asTransaction<ComputeTables>(tx), server_id);
    if (row === undefined) return;
    await updateServer(asTransaction<ComputeTables>(tx), server_id, { node_id: null, host: null, zone: row.pinned_zone, nics_json: '[]', addresses_json: '{}' });
  });
}

async function connect(deps: TaskDeps, server_id: string): Promise<void> {
  const { row, boot } = await load(deps, server_id);
  const nics = await claimNics(deps, row, boot);
  await advance(deps, server_id, { ...shownNics(nics), task_state: 'spawning' });
}

async function claimNics(deps: TaskDeps, row: ServerRow, boot: ServerBootRow): Promise<ServerNic[]> {
  const { node_id, host } = row;
  if (node_id === null || host === null) throw conflict('compute.no-node', 'The server has no node.');
  return await bindToNode(deps, row, boot, { node_id, host, zone: row.zone ?? deps.config.default_availability_zone });
}

/** Faults of a node which another node need not have. */
export function isNodesFault(error: unknown): boolean {
  return isFault(error) && (error.status >= 500 || error.code === 'compute.name-taken');
}

/** Starts the guest where it was placed; when that node cannot, on the next one. */
async function spawnSomewhere(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<GuestReport> {
  const failed: string[] = [];
  for (;;) {
    const { row, boot } = await load(deps, server_id);
    try {
      const report = await waitForNode(deps, ctx, () => spawnOn(deps, ctx, row, boot));
      if (row.node_id !== null) deps.failures.succeeded(row.node_id);
      return report;
    } catch (error) {
      if (ctx.signal.aborted || !isNodesFault(error) || row.node_id === null) throw error;
      failed.push(row.node_id);
      deps.failures.failed(row.node_id);
      if (failed.length >= deps.config.max_schedule_attempts) throw error;
      ctx.log.warn({ err: error, host: row.host }, 'a node could not start a server; the next one is tried');
      await move(deps, ctx, row, boot, failed, error);
    }
  }
}

/** @throws the fault that made it necessary, when there is no other node. */
async function move(deps: TaskDeps, ctx: StepContext, row: ServerRow, boot: ServerBootRow, failed: readonly string[], cause: unknown): Promise<void> {
  await leaveForNow(deps, ctx, row.node_id!, row.id);
  let next: Place;
  try {
    next = await claimPlace(deps, { row, boot, excluded: failed });
  } catch (error) {
    if (isFault(error) && error.code === 'compute.no-valid-host') throw cause;
    throw error;
  }
  await advance(deps, row.id, { ...next });
  const nics = await claimNics(deps, { ...row, ...next }, boot);
  await advance(deps, row.id, shownNics(nics));
}

async function despawn(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await findServer(reader(deps), server_id);
  if (row?.node_id != null) await leaveForNow(deps, ctx, row.node_id, server_id);
}

/** What cannot be removed since the engine is away is a stranger there when it is back, and is removed then. */
async function leaveForNow(deps: TaskDeps, { log }: StepContext, node_id: string, server_id: string): Promise<void> {
  try {
    await leaveNode(deps, log, node_id, server_id);
  } catch (error) {
    if (!isNodeAway(error)) throw error;
    log.warn({ err: error, node_id, server_id }, 'what was begun of a server stays on a node whose engine is away');
  }
}

async function finish(deps: TaskDeps, { server_id, action_id }: ServerTaskInput, report: GuestReport): Promise<void> {
  await completeVolumes(deps, server_id);
  const now = isoMicros(deps.clock.now());
  const bad = endedBadly(report);
  const vm_state = report.power_state === 'running' ? 'active' : bad ? 'error' : 'stopped';
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const fault_json = bad ? JSON.stringify(exitFault(report, now)) : null;
    const change = { vm_state, task_state: null, power_state: powerStateNumber(report.power_state), launched_at: now, updated_at: now, fault_json };
    await updateServer(tx, server_id, change, { task_state: 'spawning' });
    await endEvent(tx, deps.clock, action_id, BOOT_EVENT, bad ? exitMessage(report) : undefined);
  });
  deps.settled(server_id);
}

async function giveUp(deps: TaskDeps, { server_id, action_id }: ServerTaskInput, error: TaskError): Promise<void> {
  const now = isoMicros(deps.clock.now());
  const failure = taskFault(error, 'The server could not be made', now);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const row = await findServer(tx, server_id);
    if (row === undefined) return;
    const fault = faultOf(row) ?? failure;
    const change = { vm_state: 'error', task_state: null, power_state: 0, fault_json: JSON.stringify(fault), updated_at: now };
    await updateServer(tx, server_id, change, { not_task_state: 'deleting', vm_states: ['building'] });
    await startEvent(tx, deps.clock, action_id, BOOT_EVENT, row.host);
    await endEvent(tx, deps.clock, action_id, BOOT_EVENT, failure.message);
  });
}
