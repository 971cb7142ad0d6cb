/** A server goes back to the size and the node that it had. Until it runs there again, it can still be kept as it is. */
import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { MoveInput, ServerTaskInput } from '../deps.ts';
import { powerStateNumber } from '../model/guest-exit.ts';
import { startEvent } from '../model/server-actions.ts';
import { beforeOf, flavorFields, isInPlace, newFlavor, oldFlavor } from '../model/server-migrations.ts';
import { powerStates } from '../model/server-state.ts';
import { updateMigration } from '../store/server-migrations.ts';
import type { ComputeTables } from '../store/tables.ts';
import { bindToNode } from './bind-to-node.ts';
import { leaveNode } from './leave-node.ts';
import { resizeGuest, startGuest, stopGuest } from './move-guest.ts';
import { destinationOf, findMove, heldAfter, heldBefore, isGoing, loadMove, type Move, sourceOf } from './move-state.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type Input = ServerTaskInput & MoveInput;

const EVENT = 'compute_revert_resize';

export function revertResizeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.revert-resize')
    .step('stop', {
      do: (ctx, input) => stop(deps, ctx, input),
      undo: (ctx, input) => stay(deps, ctx, input),
    })
    .step('network', {
      do: async (_ctx, input) => rebind(deps, await loadMove(deps, input), sourceOf),
      undo: async (_ctx, input) => rebind(deps, await findMove(deps, input), destinationOf),
    })
    .step('guest', {
      do: (ctx, input) => goBack(deps, ctx, input),
      undo: (ctx, input) => undoGuest(deps, ctx, input),
    })
    .step('place', {
      do: async (_ctx, input) => void (await deps.placement.hold(heldBefore(await loadMove(deps, input)), true)),
      undo: async (_ctx, input) => {
        const move = await findMove(deps, input);
        if (move !== undefined) await deps.placement.hold(heldAfter(move), true);
      },
    })
    .build({
      concurrency: 16,
      onDone: (ctx, input, done) => finish(deps, ctx, input, done.guest),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<Input>;
}

const isOn = ({ row }: Move): boolean => row.power_state !== powerStates.shutdown && row.power_state !== powerStates.crashed;
const withoutSignal = (ctx: StepContext): StepContext => ({ ...ctx, signal: new AbortController().signal });

async function stop(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const move = await loadMove(deps, input);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, EVENT, move.row.host));
  if (!isInPlace(move.migration)) await stopGuest(deps, ctx, move.migration.dest_node_id!, input.server_id);
  else if (shrinks(move)) await stopGuest(deps, ctx, move.migration.dest_node_id!, input.server_id);
}

/** Only a disk that nobody writes to becomes smaller. */
const shrinks = ({ migration }: Move): boolean => oldFlavor(migration).disk_gb < newFlavor(migration).disk_gb;

async function stay(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move === undefined || isGoing(move.row) || !isOn(move)) return;
  if (!isInPlace(move.migration) || shrinks(move)) await startGuest(deps, withoutSignal(ctx), move.migration.dest_node_id!, input.server_id);
}

async function rebind(deps: TaskDeps, move: Move | undefined, to: typeof sourceOf): Promise<void> {
  if (move === undefined || isInPlace(move.migration)) return;
  await bindToNode(deps, move.row, move.boot, await to(deps, move));
}

async function goBack(deps: TaskDeps, ctx: StepContext, input: Input): Promise<GuestReport | null> {
  const move = await loadMove(deps, input);
  const { migration, row } = move;
  const node_id = migration.source_node_id!;
  const shall_run = beforeOf(migration).vm_state === 'active';
  if (!isInPlace(migration)) return shall_run ? await startGuest(deps, ctx, node_id, row.id) : await look(deps, node_id, row.id);
  const report = await resizeGuest(deps, ctx, node_id, row.id, oldFlavor(migration));
  return shall_run && shrinks(move) && isOn(move) ? await startGuest(deps, ctx, node_id, row.id) : report;
}

const look = (deps: TaskDeps, node_id: string, server_id: string): Promise<GuestReport | null> => deps.nodes.call<GuestReport | null>(node_id, computeMethods.inspect, { server_id });

async function undoGuest(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move === undefined) return;
  const { migration } = move;
  if (isInPlace(migration)) await resizeGuest(deps, withoutSignal(ctx), migration.source_node_id!, input.server_id, newFlavor(migration));
  else await stopGuest(deps, withoutSignal(ctx), migration.source_node_id!, input.server_id);
}

async function finish(deps: TaskDeps, ctx: StepContext, input: Input, report: GuestReport | null): Promise<void> {
  const move = await loadMove(deps, input);
  const { migration } = move;
  const before = beforeOf(migration);
  const updated_at = isoMicros(deps.clock.now());
  const power_state = report === null ? powerStates.nostate : powerStateNumber(report.power_state);
  const vm_state = power_state === powerStates.running ? 'active' : 'stopped';
  const change = { ...flavorFields(oldFlavor(migration)), ...(await sourceOf(deps, move)), vm_state, power_state, disk_config: before.disk_config, fault_json: null };
  await settleServer(deps, input, {
    event: EVENT,
    change,
    also: (tx) => updateMigration(tx, input.migration, { status: 'reverted', updated_at }),
  });
  if (isInPlace(migration)) return;
  // What stays there now has no server, and goes with the next comparison of that node.
  await leaveNode(deps, ctx.log, migration.dest_node_id!, input.server_id).catch((error: unknown) => ctx.log.warn({ err: error, server_id: input.server_id }, 'the guest of a reverted move stays on its node for now'));
}

/** The server is as it was after the move: its user can keep it, or try again. */
async function giveUp(deps: TaskDeps, input: Input, error: TaskError): Promise<void> {
  const move = await findMove(deps, input);
  const updated_at = isoMicros(deps.clock.now());
  const fault = taskFault(error, 'The server could not be put back', updated_at);
  const now = move === undefined ? {} : flavorFields(newFlavor(move.migration));
  await settleServer(deps, input, {
    event: EVENT,
    change: { ...now, fault_json: JSON.stringify(fault) },
    failure: fault.message,
    also: (tx) => updateMigration(tx, input.migration, { status: 'finished', updated_at }, ['reverting']),
  });
}
