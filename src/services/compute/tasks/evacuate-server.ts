/** A server of a host that is down, made anew on another one: of its image, with the ports and addresses that it had. */
import type { GuestReport } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { startEvent } from '../model/server-actions.ts';
import { LEFT_BEHIND, newFlavor } from '../model/server-migrations.ts';
import { updateMigration } from '../store/server-migrations.ts';
import type { ComputeTables } from '../store/tables.ts';
import { bindToNode } from './bind-to-node.ts';
import { leaveNode } from './leave-node.ts';
import { advanceMove, destinationOf, findMove, heldBefore, heldWhileMoving, loadMove, sourceOf } from './move-state.ts';
import { claimPlace } from './place-server.ts';
import { settleServer } from './settle.ts';
import { spawnOn } from './spawn-on.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type Input = ServerTaskInput & ServerTasks['evacuate'];

const EVENT = 'rebuild_server';

export function evacuateServerTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.evacuate-server')
    .step('place', {
      do: (_ctx, input) => place(deps, input),
      undo: (_ctx, input) => unplace(deps, input),
    })
    .step('network', {
      do: (_ctx, input) => rebind(deps, input, destinationOf),
      undo: (_ctx, input) => rebind(deps, input, sourceOf),
    })
    .step('spawn', {
      do: (ctx, input) => spawn(deps, ctx, input),
      undo: async (ctx, input) => {
        const move = await findMove(deps, input);
        if (move?.migration.dest_node_id != null) await leaveNode(deps, ctx.log, move.migration.dest_node_id, input.server_id);
      },
    })
    .build({
      concurrency: 32,
      onDone: (ctx, input, done) => finish(deps, ctx, input, done.spawn),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<Input>;
}

async function place(deps: TaskDeps, input: Input): Promise<void> {
  const move = await loadMove(deps, input);
  const { row, boot, migration } = move;
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, EVENT, row.host));
  if (migration.dest_node_id !== null) return;
  const { node_id, host } = await claimPlace(deps, {
    row,
    boot,
    excluded: [migration.source_node_id!],
    forced: input.forced,
    ...(input.host === null ? {} : { host: input.host }),
    claim: (there, wanted) => deps.placement.hold(heldWhileMoving(move, there, wanted)),
  });
  const node = (await deps.nodes.nodes()).find(({ id }) => id === node_id);
  await advanceMove(deps, input, { status: 'pre-migrating', dest_node_id: node_id, dest_compute: host, dest_host: node?.host_ip ?? null });
}

async function unplace(deps: TaskDeps, input: Input): Promise<void> {
  const move = await findMove(deps, input);
  if (move === undefined) return;
  await deps.placement.hold(heldBefore(move), true);
  await advanceMove(deps, input, { dest_node_id: null, dest_compute: null, dest_host: null });
}

async function rebind(deps: TaskDeps, input: Input, to: typeof sourceOf): Promise<void> {
  const move = to === destinationOf ? await loadMove(deps, input) : await findMove(deps, input);
  if (move === undefined || move.migration.dest_node_id === null) return;
  await bindToNode(deps, move.row, move.boot, await to(deps, move));
}

async function spawn(deps: TaskDeps, ctx: StepContext, input: Input): Promise<GuestReport> {
  await advanceMove(deps, input, {}, { task_state: 'rebuild_spawning' });
  const move = await loadMove(deps, input);
  const there = { ...move.row, ...(await destinationOf(deps, move)) };
  return await spawnOn(deps, ctx, there, move.boot, { flavor: newFlavor(move.migration), ...(input.stopped ? { off: true as const } : {}) });
}

async function finish(deps: TaskDeps, ctx: StepContext, input: Input, report: GuestReport): Promise<void> {
  const move = await loadMove(deps, input);
  const now = isoMicros(deps.clock.now());
  const bad = !input.stopped && endedBadly(report);
  const vm_state = report.power_state === 'running' ? 'active' : bad ? 'error' : 'stopped';
  const fault_json = bad ? JSON.stringify(exitFault(report, now)) : null;
  await settleServer(deps, input, {
    event: EVENT,
    change: { ...(await destinationOf(deps, move)), vm_state, power_state: powerStateNumber(report.power_state), launched_at: now, fault_json },
    failure: bad ? exitMessage(report) : undefined,
    also: (tx) => updateMigration(tx, input.migration, { status: LEFT_BEHIND, updated_at: now }),
  });
  // A host that was declared down and is there all the same still runs the old guest.
  const source = move.migration.source_node_id!;
  if (deps.nodes.isConnected(source)) await leaveNode(deps, ctx.log, source, input.server_id).catch((error: unknown) => ctx.log.warn({ err: error, server_id: input.server_id }, 'the guest of an evacuated server stays on its node for now'));
}

async function giveUp(deps: TaskDeps, input: Input, error: TaskError): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  const fault = taskFault(error, 'The server could not be evacuated', updated_at);
  await settleServer(deps, input, {
    event: EVENT,
    change: { fault_json: JSON.stringify(fault) },
    failure: fault.message,
    also: (tx) => updateMigration(tx, input.migration, { status: 'error', updated_at }),
  });
}
