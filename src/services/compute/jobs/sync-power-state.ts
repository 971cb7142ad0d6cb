/** Keeps rows and guests in step: what a node tells or shows becomes the server's state, and what has no row goes. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { defineJob, type Job, type JobContext } from '../../../kernel/job/reconciler.ts';
import type { JobDeps } from '../deps.ts';
import { findServer, serversOfNode } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { heal, lost, stopAgain } from './follow-guest.ts';
import { createStrangers, type Strangers } from './remove-strangers.ts';
import { completeEvacuations } from './settle-moves.ts';

interface GuestReports {
  /** A node tells that a guest has changed. */
  reported(node_id: string, report: GuestReport): Promise<void>;
  /** A task on this server has ended. */
  settled(server_id: string): void;
}

export interface PowerSync extends GuestReports {
  /** Compares all guests of a node with the rows. */
  syncNode(node_id: string): Promise<Synced>;
  job: Job;
}

interface Synced {
  changed: number;
  removed: number;
}

export function createPowerSync(deps: JobDeps): PowerSync {
  const strangers = createStrangers(deps);
  return {
    ...createGuestReports(deps),
    syncNode: (node_id) => syncNode(deps, strangers, node_id),
    job: defineJob({ name: 'compute.sync-power-state', every_seconds: deps.config.sync_interval, run: (ctx) => syncAll(deps, strangers, ctx) }),
  };
}

function createGuestReports(deps: JobDeps): GuestReports {
  const reader = deps.db.read as Kysely<ComputeTables>;
  /** Servers whose guest changed while a task had them. */
  const missed = new Set<string>();

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

  return { reported, settled };
}

async function syncNode(deps: JobDeps, strangers: Strangers, node_id: string): Promise<Synced> {
  // Rows first: a server that is idle now has its guest in the list that follows.
  const rows = await serversOfNode(deps.db.read as Kysely<ComputeTables>, node_id);
  const reports = new Map((await deps.nodes.call<GuestReport[]>(node_id, computeMethods.list)).map((report) => [report.server_id, report]));
  let changed = 0;
  for (const row of rows) {
    if (row.task_state !== null || row.launched_at === null) continue;
    const report = reports.get(row.id);
    const did = report === undefined ? await lost(deps, row) : await heal(deps, row, report);
    if (did) changed += 1;
    else if (report?.power_state === 'running' && (row.vm_state === 'stopped' || row.vm_state === 'soft-delete')) await stopAgain(deps, row);
  }
  const known = new Set(rows.map(({ id }) => id));
  const removed = await strangers.remove(node_id, [...reports.keys()].filter((id) => !known.has(id)));
  await completeEvacuations(deps, node_id);
  return { changed, removed };
}

async function syncAll(deps: JobDeps, strangers: Strangers, { log, signal }: JobContext): Promise<object> {
  const total = { nodes: 0, changed: 0, removed: 0, failed: 0 };
  for (const node of await deps.nodes.nodes()) {
    if (signal.aborted) break;
    if (!node.roles.includes('compute') || !deps.nodes.isConnected(node.id)) continue;
    try {
      const { changed, removed } = await syncNode(deps, strangers, node.id);
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
