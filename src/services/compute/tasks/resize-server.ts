/** A server of another size, where it is or on another node; on another node also at the same size. Undone as a whole when it cannot be. */
import type { GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { badRequest, isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { powerStateNumber } from '../model/guest-exit.ts';
import type { LayerRelay } from '../model/layer-relay.ts';
import { startEvent } from '../model/server-actions.ts';
import { beforeOf, flavorFields, isInPlace, newFlavor, oldFlavor } from '../model/server-migrations.ts';
import { updateMigration } from '../store/server-migrations.ts';
import type { ComputeTables, MigrationRow } from '../store/tables.ts';
import { bindToNode } from './bind-to-node.ts';
import { isNodesFault } from './boot-server.ts';
import { leaveNode } from './leave-node.ts';
import { resizeGuest, startGuest, stopGuest, transferGuest } from './move-guest.ts';
import { advanceMove, destinationOf, findMove, heldBefore, heldWhileMoving, isGoing, loadMove, type Move, sourceOf } from './move-state.ts';
import { claimPlace, mayStay, type Place, resourcesOf } from './place-server.ts';
import { settleServer, type Tx } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type Input = ServerTaskInput & ServerTasks['resize'];
type Deps = TaskDeps & { relay: LayerRelay };

/** The event that nova writes for a resize and for a move. */
const EVENT = 'cold_migrate';

export function resizeServerTask(deps: Deps): TaskDefinition<Input> {
  return defineTask<Input>('compute.resize-server')
    .step('place', {
      do: (_ctx, input) => place(deps, input),
      undo: (_ctx, input) => unplace(deps, input),
    })
    .step('stop', {
      do: (ctx, input) => stop(deps, ctx, input),
      undo: (ctx, input) => startAgain(deps, ctx, input),
    })
    .step('network', {
      do: (_ctx, input) => rebind(deps, input, destinationOf),
      undo: (_ctx, input) => rebind(deps, input, sourceOf),
    })
    .step('guest', {
      do: (ctx, input) => changeGuest(deps, ctx, input),
      undo: (ctx, input) => undoGuest(deps, ctx, input),
    })
    .build({
      concurrency: 16,
      onDone: (_ctx, input, done) => finish(deps, input, done.guest),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<Input>;
}

async function place(deps: Deps, input: Input): Promise<void> {
  const move = await loadMove(deps, input);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, EVENT, move.row.host));
  // A second run stays with what the first one chose.
  if (move.migration.dest_node_id !== null) return;
  checkDisks(move.migration);
  const found = (await claimHere(deps, move)) ?? (await claimElsewhere(deps, move, input.host, []));
  await advanceMove(deps, input, await destination(deps, found));
}

/** @throws Fault in nova's words: what was written might not fit. */
function checkDisks(migration: MigrationRow): void {
  const [old, wanted] = [oldFlavor(migration), newFlavor(migration)];
  if (wanted.disk_gb < old.disk_gb && wanted.disk_gb > 0) throw badRequest('compute.resize-disk', 'Resize error: Unable to resize disk down.');
  if (wanted.ephemeral_gb < old.ephemeral_gb) throw badRequest('compute.resize-disk', 'Resize error: Unable to resize disk down.');
}

async function destination(deps: Deps, { node_id, host }: Place): Promise<Partial<MigrationRow>> {
  const node = (await deps.nodes.nodes()).find(({ id }) => id === node_id);
  return { dest_node_id: node_id, dest_compute: host, dest_host: node?.host_ip ?? null };
}

/** A change of size stays on its node when that has the room, and the scheduler has nothing against it. */
async function claimHere(deps: Deps, move: Move): Promise<Place | undefined> {
  const { row, boot, migration } = move;
  if (migration.migration_type !== 'resize') return undefined;
  const flavor = newFlavor(migration);
  if (!(await mayStay(deps, { row, boot, flavor, excluded: [] }))) return undefined;
  const source = await sourceOf(deps, move);
  return (await deps.placement.hold(heldWhileMoving(move, source.node_id, resourcesOf(flavor)))) ? source : undefined;
}

async function claimElsewhere(deps: Deps, move: Move, host: string | null, failed: readonly string[]): Promise<Place> {
  const { row, boot, migration } = move;
  const claim = (node_id: string, wanted: Record<string, number>): Promise<boolean> => deps.placement.hold(heldWhileMoving(move, node_id, wanted));
  return await claimPlace(deps, { row, boot, flavor: newFlavor(migration), excluded: [migration.source_node_id!, ...failed], host, claim });
}

async function unplace(deps: Deps, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move === undefined) return;
  await deps.placement.hold(heldBefore(move), true);
  await advanceMove(deps, input, { dest_node_id: null, dest_compute: null, dest_host: null });
}

async function stop(deps: Deps, ctx: StepContext, input: Input): Promise<void> {
  const move = await loadMove(deps, input);
  await advanceMove(deps, input, { status: 'migrating' }, { task_state: 'resize_migrating' });
  if (!isInPlace(move.migration)) await stopGuest(deps, ctx, move.migration.source_node_id!, input.server_id);
}

async function startAgain(deps: Deps, ctx: StepContext, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move === undefined || isInPlace(move.migration) || beforeOf(move.migration).vm_state !== 'active') return;
  // What is being deleted need not run again.
  if (!isGoing(move.row)) await startGuest(deps, withoutSignal(ctx), move.migration.source_node_id!, input.server_id);
}

/** Undoing goes on when the task was cancelled. */
const withoutSignal = (ctx: StepContext): StepContext => ({ ...ctx, signal: new AbortController().signal });

async function rebind(deps: Deps, input: Input, to: typeof sourceOf): Promise<void> {
  const move = to === destinationOf ? await loadMove(deps, input) : await findMove(deps, input);
  if (move === undefined || move.migration.dest_node_id === null || isInPlace(move.migration)) return;
  await bindToNode(deps, move.row, move.boot, await to(deps, move));
}

async function changeGuest(deps: Deps, ctx: StepContext, input: Input): Promise<GuestReport> {
  await advanceMove(deps, input, { status: 'post-migrating' }, { task_state: 'resize_finish' });
  const failed: string[] = [];
  for (;;) {
    const move = await loadMove(deps, input);
    const { row, boot, migration } = move;
    const flavor = newFlavor(migration);
    if (isInPlace(migration)) return await resizeGuest(deps, ctx, migration.source_node_id!, row.id, flavor);
    const to = await destinationOf(deps, move);
    try {
      // What an attempt that was cut off has left there is not known to be whole.
      await leaveNode(deps, ctx.log, to.node_id, row.id);
      return await transferGuest(deps, ctx, { row, boot, from: migration.source_node_id!, to, flavor, off: beforeOf(migration).vm_state === 'stopped' });
    } catch (error) {
      if (ctx.signal.aborted || !isNodesFault(error) || input.host !== null) throw error;
      failed.push(to.node_id);
      if (failed.length >= deps.config.max_schedule_attempts || !(await tryNext(deps, ctx, input, move, failed))) throw error;
    }
  }
}

/** @returns false when there is no other node. */
async function tryNext(deps: Deps, ctx: StepContext, input: Input, move: Move, failed: readonly string[]): Promise<boolean> {
  await leaveNode(deps, ctx.log, move.migration.dest_node_id!, input.server_id);
  try {
    const next = await claimElsewhere(deps, move, null, failed);
    await advanceMove(deps, input, await destination(deps, next));
    await rebind(deps, input, destinationOf);
    ctx.log.warn({ server_id: input.server_id, failed, next: next.host }, 'a node could not take a server; the next one is tried');
    return true;
  } catch (error) {
    if (isFault(error) && error.code === 'compute.no-valid-host') return false;
    throw error;
  }
}

async function undoGuest(deps: Deps, ctx: StepContext, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move?.migration.dest_node_id == null) return;
  const { migration } = move;
  if (isInPlace(migration)) await resizeGuest(deps, withoutSignal(ctx), migration.source_node_id!, input.server_id, oldFlavor(migration));
  else await leaveNode(deps, ctx.log, migration.dest_node_id!, input.server_id);
}

async function finish(deps: Deps, input: Input, report: GuestReport): Promise<void> {
  const move = await loadMove(deps, input);
  const { migration } = move;
  const now = isoMicros(deps.clock.now());
  const change = { ...flavorFields(newFlavor(migration)), ...(await destinationOf(deps, move)), vm_state: 'resized', power_state: powerStateNumber(report.power_state), launched_at: now };
  const also = (tx: Tx): Promise<unknown> => updateMigration(tx, input.migration, { status: 'finished', updated_at: now });
  await settleServer(deps, input, { event: EVENT, change: { ...change, fault_json: null }, also });
}

async function giveUp(deps: Deps, input: Input, error: TaskError): Promise<void> {
  const now = isoMicros(deps.clock.now());
  const fault = taskFault(error, 'The server could not be resized or moved', now);
  const move = await findMove(deps, input);
  const before = move === undefined ? {} : { ...flavorFields(oldFlavor(move.migration)), disk_config: beforeOf(move.migration).disk_config };
  const also = (tx: Tx): Promise<unknown> => updateMigration(tx, input.migration, { status: 'error', updated_at: now });
  await settleServer(deps, input, { event: EVENT, change: { ...before, fault_json: JSON.stringify(fault) }, failure: fault.message, also });
}

