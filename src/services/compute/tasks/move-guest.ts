/** What nodes do for a guest that changes its size or its node. */
import { computeMethods, type GuestReport, type MovedLayer, type PowerAction } from '../../../agents/compute/protocol.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import type { FlavorSnapshot } from '../model/flavors.ts';
import type { LayerRelay } from '../model/layer-relay.ts';
import type { ServerBootRow, ServerRow } from '../store/tables.ts';
import { limitsOf } from './guest-spec.ts';
import type { Place } from './place-server.ts';
import { spawnOn } from './spawn-on.ts';
import type { TaskDeps } from './task-deps.ts';

const RESIZE_MS = 300_000;
/** Of a disk of any size: a transfer in which nothing moves ends much earlier. */
const TRANSFER_MS = 6 * 3600_000;

async function power(deps: TaskDeps, ctx: StepContext, node_id: string, server_id: string, action: PowerAction): Promise<GuestReport> {
  const timeout_ms = 60_000 + deps.config.shutdown_timeout * 1000;
  return await deps.nodes.call<GuestReport>(node_id, computeMethods.power, { server_id, action }, { timeout_ms, signal: ctx.signal });
}

export async function stopGuest(deps: TaskDeps, ctx: StepContext, node_id: string, server_id: string): Promise<GuestReport> {
  const report = await power(deps, ctx, node_id, server_id, { action: 'stop', timeout_seconds: deps.config.shutdown_timeout });
  await deps.network.setPlugged(server_id, false);
  return report;
}

/** With the cables that it has by now. */
export async function startGuest(deps: TaskDeps, ctx: StepContext, node_id: string, server_id: string): Promise<GuestReport> {
  const report = await power(deps, ctx, node_id, server_id, { action: 'start', network: await deps.network.sliceFor(server_id) });
  await deps.network.setPlugged(server_id, true);
  return report;
}

export async function resizeGuest(deps: TaskDeps, ctx: StepContext, node_id: string, server_id: string, flavor: FlavorSnapshot): Promise<GuestReport> {
  const limits = limitsOf(flavor, deps.config.pids_limit);
  return await deps.nodes.call<GuestReport>(node_id, computeMethods.resize, { server_id, limits }, { timeout_ms: RESIZE_MS, signal: ctx.signal });
}

export interface Transfer {
  row: ServerRow;
  boot: ServerBootRow;
  from: string;
  to: Place;
  flavor: FlavorSnapshot;
  /** Whether it is not to run there. */
  off: boolean;
}

/** The guest on another node, with what it has written. The one that it comes from is off, and stays as it is. */
export async function transferGuest(deps: TaskDeps & { relay: LayerRelay }, ctx: StepContext, { row, boot, from, to, flavor, off }: Transfer): Promise<GuestReport> {
  const crossing = deps.relay.open(from, to.node_id);
  const there = { ...row, ...to };
  const how = { flavor, layer: crossing.path, ...(off ? { off: true as const } : {}), timeout_ms: TRANSFER_MS };
  const ended = (error: unknown): never => {
    crossing.close();
    throw error;
  };
  try {
    const [made, sent] = await Promise.allSettled([
      spawnOn(deps, ctx, there, boot, how).catch(ended),
      deps.nodes.call<MovedLayer>(from, computeMethods.sendLayer, { server_id: row.id, path: crossing.path }, { timeout_ms: TRANSFER_MS, signal: ctx.signal }).catch(ended),
    ]);
    if (sent.status === 'rejected' && !isOfTheOtherEnd(sent.reason)) throw sent.reason;
    if (made.status === 'rejected') throw made.reason;
    if (sent.status === 'rejected') throw sent.reason;
    if (made.value.layer?.sha256 !== sent.value.sha256) throw new Fault(500, 'compute.move-broken', 'What the server had written did not arrive whole.', { retryable: true });
    ctx.log.info({ server_id: row.id, from, to: to.node_id, bytes: sent.value.bytes }, 'a server was brought to another node');
    return made.value;
  } finally {
    crossing.close();
  }
}

/** Sending broke off since nobody received: why that was says more. */
function isOfTheOtherEnd(error: unknown): boolean {
  return error instanceof Fault && (error.code === 'bus.send-failed' || error.code === 'bus.controller-unavailable');
}
