/** Keeps rows and guests in step: what a node tells or shows becomes the server's state, and what has no row goes. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { requestId } from '../../../kernel/ids.ts';
import { defineJob, type Job, type JobContext } from '../../../kernel/job/reconciler.ts';
import type { ComputeDeps } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { endEvent, startAction, startEvent } from '../model/server-actions.ts';
import { afterPowerSeen, powerStates } from '../model/server-state.ts';
import { findServer, findServers, type ServerChange, serversOfNode, updateServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';

export type SyncDeps = Omit<ComputeDeps, 'tasks'>;

export interface PowerSync {
  /** A node tells that a guest has changed. */
  reported(node_id: string, report: GuestReport): Promise<void>;
  /** A task on this server has ended. */
  settled(server_id: string): void;
  /** Compares all guests of a node with the rows. */
  syncNode(node_id: string): Promise<{ changed: number; removed: number }>;
  job: Job;
}

const EVENT = 'compute__sync_instance_power_state';

export function createPowerSync(deps: SyncDeps): PowerSync {
  const reader = deps.db.read as Kysely<ComputeTables>;
  /** Servers whose guest changed while a task had them. */
  const missed = new Set<string>();
  const strangers = createStrangers(deps);

  async function reported(node_id: string, report: GuestReport): Promise<void> {
    const row = await findServer(reader, report.server_id);
    if (row === undefined || row.deleted === 1 || row.node_id !== node_id) return;
    if (row.task_state === null) return void (await heal(deps, row, report));
    missed.add(row.id);
    // The task may have ended between the look and the note.
    if ((await findServer(reader, row.id))?.task_state === null) settled(row.id);
  }

  function settled(server_id: string): void {
    if (!missed.delete(server_id)) return;
    look(server_id).catch((error: unknown) => deps.log.warn({ err: error, server_id }, 'a server could not be looked at'));
  }

  async function look(server_id: string): Promise<void> {
    const row = await findServer(reader, server_id);
    if (row === undefined || row.deleted === 1 || row.task_state !== null || row.node_id === null) return;
    const report = await deps.nodes.call<GuestReport | null>(row.node_id, computeMethods.inspect, { server_id });
    if (report !== null) await heal(deps, row, report);
  }

  async function syncNode(node_id: string): Promise<{ changed: number; removed: number }> {
    // Rows first: a server that is idle now has its guest in the list that follows.
    const rows = await serversOfNode(reader, node_id);
    const reports = new Map((await deps.nodes.call<GuestReport[]>(node_id, computeMethods.list)).map((report) => [report.server_id, report]));
    let changed = 0;
    for (const row of rows) {
      if (row.task_state !== null || row.launched_at === null) continue;
      const report = reports.get(row.id);
      const did = report === undefined ? await lost(deps, row) : await heal(deps, row, report);
      if (did) changed += 1;
      else if (report?.power_state === 'running' && row.vm_state === 'stopped') await stopAgain(deps, row);
    }
    const known = new Set(rows.map(({ id }) => id));
    const removed = await strangers.remove(node_id, [...reports.keys()].filter((id) => !known.has(id)));
    return { changed, removed };
  }

  return {
    reported,
    settled,
    syncNode,
    job: defineJob({ name: 'compute.sync-power-state', every_seconds: deps.config.sync_interval, run: (ctx) => syncAll(deps, syncNode, ctx) }),
  };
}

async function syncAll(deps: SyncDeps, syncNode: PowerSync['syncNode'], { log, signal }: JobContext): Promise<object> {
  const total = { nodes: 0, changed: 0, removed: 0, failed: 0 };
  for (const node of await deps.nodes.nodes()) {
    if (signal.aborted) break;
    if (!node.roles.includes('compute') || !deps.nodes.isConnected(node.id)) continue;
    try {
      const { changed, removed } = await syncNode(node.id);
      total.nodes += 1;
      total.changed += changed;
      total.removed += removed;
    } catch (error) {
      total.failed += 1;
      log.warn({ err: error, node_id: node.id }, 'a node could not be compared with the rows');
    }
  }
  return total;
}

/** Guests that no server has: they may be someone's who is just being made, hence the grace. */
function createStrangers(deps: SyncDeps): { remove(node_id: string, ids: readonly string[]): Promise<number> } {
  const reader = deps.db.read as Kysely<ComputeTables>;
  /** In ms, by node and guest. */
  const firstSeen = new Map<string, number>();

  async function remove(node_id: string, ids: readonly string[]): Promise<number> {
    const now = deps.clock.now().getTime();
    const rows = new Map((await findServers(reader, ids)).map((row) => [row.id, row]));
    let removed = 0;
    for (const key of firstSeen.keys()) if (key.startsWith(`${node_id}/`) && !ids.includes(key.slice(node_id.length + 1))) firstSeen.delete(key);
    for (const id of ids) {
      const row = rows.get(id);
      if (row?.node_id === node_id && row.deleted === 0) continue;
      const since = firstSeen.get(`${node_id}/${id}`) ?? now;
      firstSeen.set(`${node_id}/${id}`, since);
      if (row?.deleted !== 1 && now - since < deps.config.orphan_grace * 1000) continue;
      await deps.nodes.call(node_id, computeMethods.destroy, { server_id: id });
      deps.log.warn({ node_id, server_id: id }, 'a guest without a server was removed from its node');
      firstSeen.delete(`${node_id}/${id}`);
      removed += 1;
    }
    return removed;
  }

  return { remove };
}

/** @returns whether the server is another than before. */
async function heal(deps: SyncDeps, row: ServerRow, report: GuestReport): Promise<boolean> {
  const power_state = powerStateNumber(report.power_state);
  const next = afterPowerSeen(row.vm_state, power_state);
  if (next === undefined && power_state === row.power_state) return false;
  // What is stopped and runs is stopped again by whoever asked; it is not shown as running meanwhile.
  if (next === undefined && row.vm_state === 'stopped' && report.power_state === 'running') return false;
  const now = isoMicros(deps.clock.now());
  const bad = next === 'stopped' && endedBadly(report);
  const change: ServerChange = { power_state, updated_at: now };
  if (next !== undefined) change.vm_state = bad ? 'error' : next;
  if (bad) change.fault_json = JSON.stringify(exitFault(report, now));
  return await write(deps, row, change, next === 'stopped' ? { text: exitMessage(report), bad } : undefined);
}

/** The node has no guest for this server any more. */
async function lost(deps: SyncDeps, row: ServerRow): Promise<boolean> {
  if (row.vm_state === 'error' && row.power_state === powerStates.nostate) return false;
  const now = isoMicros(deps.clock.now());
  const message = 'The container of this server is gone from its node.';
  const fault = { code: 500, message, created: now, details: null };
  const change = { vm_state: 'error', power_state: powerStates.nostate, fault_json: JSON.stringify(fault), updated_at: now };
  return await write(deps, row, change, { text: message, bad: true });
}

async function write(deps: SyncDeps, row: ServerRow, change: ServerChange, ended: { text: string; bad: boolean } | undefined): Promise<boolean> {
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
async function stopAgain(deps: SyncDeps, row: ServerRow): Promise<void> {
  const action = { action: 'stop', timeout_seconds: deps.config.shutdown_timeout };
  await deps.nodes.call(row.node_id!, computeMethods.power, { server_id: row.id, action });
  deps.log.warn({ server_id: row.id }, 'the guest of a stopped server ran and was stopped');
}
