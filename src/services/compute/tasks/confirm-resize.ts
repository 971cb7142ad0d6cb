/** A server stays as it was resized or where it was moved: what was kept for a way back goes. */
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { MoveInput, ServerTaskInput } from '../deps.ts';
import { startEvent } from '../model/server-actions.ts';
import { isInPlace } from '../model/server-migrations.ts';
import { powerStates } from '../model/server-state.ts';
import { updateMigration } from '../store/server-migrations.ts';
import type { ComputeTables } from '../store/tables.ts';
import { leaveNode } from './leave-node.ts';
import { GOING, loadMove } from './move-state.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type Input = ServerTaskInput & MoveInput;

const EVENT = 'compute_confirm_resize';

export function confirmResizeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.confirm-resize')
    .step('leave-source', { do: (ctx, input) => leaveSource(deps, ctx, input) })
    .build({
      concurrency: 32,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<Input>;
}

/** A node that went away meanwhile keeps the guest until it is back: the job that compares nodes with rows removes it then. */
async function leaveSource(deps: TaskDeps, ctx: StepContext, input: Input): Promise<void> {
  const { migration, row } = await loadMove(deps, input);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, EVENT, row.host));
  if (!isInPlace(migration)) await leaveNode(deps, ctx.log, migration.source_node_id!, input.server_id);
}

async function finish(deps: TaskDeps, input: Input): Promise<void> {
  const { row } = await loadMove(deps, input);
  await deps.placement.release(input.migration);
  const updated_at = isoMicros(deps.clock.now());
  const off = row.power_state === powerStates.shutdown || row.power_state === powerStates.crashed;
  await settleServer(deps, input, {
    event: EVENT,
    change: { vm_state: off ? 'stopped' : 'active' },
    guard: { not_task_state: GOING, vm_states: ['resized'] },
    also: (tx) => updateMigration(tx, input.migration, { status: 'confirmed', updated_at }),
  });
}

/** It waits for its user again, who can say it once more. */
async function giveUp(deps: TaskDeps, input: Input, error: TaskError): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  const fault = taskFault(error, 'The resize could not be confirmed', updated_at);
  await settleServer(deps, input, {
    event: EVENT,
    change: { fault_json: JSON.stringify(fault) },
    failure: fault.message,
    also: (tx) => updateMigration(tx, input.migration, { status: 'finished', updated_at }, ['confirming']),
  });
}
