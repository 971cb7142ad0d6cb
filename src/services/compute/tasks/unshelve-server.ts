/** A server comes back from the shelf: started where its guest still is, else made of its image, where there is room; the image goes then. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { settingsOf } from '../model/guest-settings.ts';
import { startEvent } from '../model/server-actions.ts';
import { shownNics } from '../model/server-row.ts';
import { findBoot, findServer, type ServerChange, updateBoot, updateServer } from '../store/servers.ts';
import { deleteShelved, findShelved } from '../store/shelved-servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow, ShelvedServerRow } from '../store/tables.ts';
import { bindToNode } from './bind-to-node.ts';
import { showTask } from './capture-steps.ts';
import { leaveNode } from './leave-node.ts';
import { claimPlace, type Place } from './place-server.ts';
import { powerOff } from './power-off.ts';
import { settleServer } from './settle.ts';
import { spawnOn } from './spawn-on.ts';
import { shelfOf, taskFault, type TaskDeps } from './task-deps.ts';

export type UnshelveInput = ServerTaskInput & ServerTasks['unshelve'];

const EVENT = 'compute_unshelve_instance';

export function unshelveServerTask(deps: TaskDeps): TaskDefinition<UnshelveInput> {
  return defineTask<UnshelveInput>('compute.unshelve-server')
    .step('place', {
      retries: 7,
      do: (_ctx, input) => place(deps, input),
      undo: (_ctx, input) => unplace(deps, input),
    })
    .step('network', {
      do: (_ctx, input, done) => connect(deps, input, done.place),
      undo: async (_ctx, { server_id, offloaded }) => {
        if (offloaded) await deps.network.unbindNics(server_id);
      },
    })
    .step('spawn', {
      do: (ctx, input) => spawn(deps, ctx, input),
      undo: (ctx, input) => despawn(deps, ctx, input),
    })
    .build({
      concurrency: 64,
      onDone: (_ctx, input, done) => finish(deps, input, done.spawn),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<UnshelveInput>;
}

interface Loaded {
  row: ServerRow;
  boot: ServerBootRow;
  shelved: ShelvedServerRow | undefined;
}

async function load(deps: TaskDeps, server_id: string): Promise<Loaded> {
  const db = deps.db.read as Kysely<ComputeTables>;
  const [row, boot, shelved] = [await findServer(db, server_id), await findBoot(db, server_id), await findShelved(db, server_id)];
  if (row === undefined || boot === undefined || row.deleted === 1) throw conflict('compute.server-deleted', `Instance ${server_id} was deleted meanwhile.`);
  return { row, boot, shelved };
}

async function place(deps: TaskDeps, { server_id, action_id, host }: UnshelveInput): Promise<Place> {
  const { row, boot } = await load(deps, server_id);
  const found = row.node_id !== null && row.host !== null && row.zone !== null ? { node_id: row.node_id, host: row.host, zone: row.zone } : await claimPlace(deps, { row, boot, excluded: [], ...(host === null ? {} : { host }) });
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    if ((await updateServer(tx, server_id, { ...found, updated_at: isoMicros(deps.clock.now()) }, { not_task_state: 'deleting' })) === undefined) throw conflict('compute.server-deleted', `Instance ${server_id} was deleted meanwhile.`);
    await startEvent(tx, deps.clock, action_id, EVENT, found.host);
  });
  return found;
}

async function unplace(deps: TaskDeps, { server_id, offloaded }: UnshelveInput): Promise<void> {
  if (!offloaded) return;
  await deps.placement.release(server_id);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const row = await findServer(tx, server_id);
    if (row !== undefined) await updateServer(tx, server_id, { node_id: null, host: null, zone: row.pinned_zone });
  });
}

async function connect(deps: TaskDeps, { server_id }: UnshelveInput, found: Place): Promise<void> {
  const { row, boot } = await load(deps, server_id);
  const nics = await bindToNode(deps, row, boot, found);
  await deps.db.transaction((tx) => updateServer(asTransaction<ComputeTables>(tx), server_id, shownNics(nics)));
}

interface Back {
  report: GuestReport;
  /** Of the image, and not the guest that was stopped. */
  is_new: boolean;
}

async function spawn(deps: TaskDeps, ctx: StepContext, { server_id, offloaded }: UnshelveInput): Promise<Back> {
  const { row, boot, shelved } = await load(deps, server_id);
  if (!offloaded) {
    const started = await start(deps, ctx, row);
    if (started !== undefined) return { report: started, is_new: false };
  }
  await showTask(deps, server_id, 'spawning');
  return { report: await spawnOn(deps, ctx, row, fromShelf(boot, shelved)), is_new: true };
}

/** What was given to the first guest is in the image, and may have been changed there: it is not given again. */
function fromShelf(boot: ServerBootRow, shelved: ShelvedServerRow | undefined): ServerBootRow {
  if (shelved === undefined) throw conflict('compute.not-shelved', `Instance ${boot.server_id} is not on the shelf any more.`);
  const { passwords: _set, ...settings } = settingsOf(boot);
  return { ...boot, image_json: shelved.image_json, files_json: '[]', public_key: null, guest_json: JSON.stringify(settings) };
}

/** @returns undefined when there is no guest any more. */
async function start(deps: TaskDeps, ctx: StepContext, row: ServerRow): Promise<GuestReport | undefined> {
  const action = { action: 'start', network: await deps.network.sliceFor(row.id) };
  try {
    const report = await deps.nodes.call<GuestReport>(row.node_id!, computeMethods.power, { server_id: row.id, action }, { timeout_ms: deps.config.boot_timeout * 1000, signal: ctx.signal });
    await deps.network.setPlugged(row.id, true);
    return report;
  } catch (error) {
    if (isFault(error) && error.code === 'compute.server-unknown') return undefined;
    throw error;
  }
}

async function despawn(deps: TaskDeps, ctx: StepContext, { server_id, offloaded }: UnshelveInput): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row?.node_id == null) return;
  if (offloaded) await leaveNode(deps, ctx.log, row.node_id, server_id);
  else await powerOff(deps, ctx, server_id);
}

/** The layers that it runs from now are held; its image itself is of no use any more. */
async function finish(deps: TaskDeps, input: UnshelveInput, { report, is_new }: Back): Promise<void> {
  const { server_id } = input;
  const now = isoMicros(deps.clock.now());
  const shelved = await findShelved(deps.db.read as Kysely<ComputeTables>, server_id);
  if (shelved !== undefined) {
    await deps.db.transaction(async (raw) => {
      const tx = asTransaction<ComputeTables>(raw);
      if (is_new) {
        await deps.image.snapshots.adopt(raw, server_id, shelfOf(server_id));
        await updateBoot(tx, server_id, { image_json: shelved.image_json });
      }
    });
    await deps.image.snapshots.discard(shelved.image_id);
    await deps.db.transaction(async (raw) => {
      await deps.image.snapshots.release(raw, shelfOf(server_id));
      await deleteShelved(asTransaction<ComputeTables>(raw), server_id);
    });
  }
  const bad = endedBadly(report);
  const change: ServerChange = {
    vm_state: report.power_state === 'running' ? 'active' : bad ? 'error' : 'stopped',
    power_state: powerStateNumber(report.power_state), launched_at: now, fault_json: bad ? JSON.stringify(exitFault(report, now)) : null,
  };
  await settleServer(deps, input, { event: EVENT, change, failure: bad ? exitMessage(report) : undefined });
}

/** It stays on the shelf, and says why. */
async function giveUp(deps: TaskDeps, input: UnshelveInput, error: TaskError): Promise<void> {
  const fault = taskFault(error, 'The server could not be unshelved', isoMicros(deps.clock.now()));
  await settleServer(deps, input, { event: EVENT, change: { fault_json: JSON.stringify(fault) }, failure: fault.message });
}
