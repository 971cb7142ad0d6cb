import { volumeMethods } from '../../../agents/volume/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { TaskDeps } from '../deps.ts';
import { settleGroupSnapshot } from '../model/group-state.ts';
import { tellUser, type MessageEvent } from '../model/messages.ts';
import { snapshots } from '../store/rows.ts';
import type { SnapshotRow } from '../store/tables.ts';
import type { WorkInputs } from '../work.ts';
import { ask, placed } from './on-node.ts';

export function createSnapshotTask(deps: TaskDeps): TaskDefinition<WorkInputs['create-snapshot']> {
  return defineTask<WorkInputs['create-snapshot']>('block-storage.create-snapshot')
    .step('take', {
      async do(_ctx, input) {
        const { node_id } = await placed(deps, input.volume_id);
        await ask(deps, node_id, volumeMethods.createSnapshot, input);
      },
      async undo(_ctx, input) {
        const { node_id } = await placed(deps, input.volume_id);
        // Of a node that is away nothing can be had back: its volume takes the remains along when it is deleted.
        await ask(deps, node_id, volumeMethods.removeSnapshot, input).catch((error: unknown) => {
          if (!isFault(error) || ![503, 504, 404].includes(error.status)) throw error;
        });
      },
    })
    .build({
      onDone: (_ctx, { snapshot_id }) => settle(deps, snapshot_id, { status: 'available', progress: '100%' }),
      onFailed: (ctx, { snapshot_id }, error) => giveUp(deps, ctx, snapshot_id, 'error', 'snapshot', error),
    }) as TaskDefinition<WorkInputs['create-snapshot']>;
}

export function deleteSnapshotTask(deps: TaskDeps): TaskDefinition<WorkInputs['delete-snapshot']> {
  return defineTask<WorkInputs['delete-snapshot']>('block-storage.delete-snapshot')
    .step('drop', {
      async do(_ctx, input) {
        const { node_id } = await placed(deps, input.volume_id);
        await ask(deps, node_id, volumeMethods.removeSnapshot, input);
      },
    })
    .build({
      onDone: (_ctx, { snapshot_id }) => settle(deps, snapshot_id, undefined),
      onFailed: (ctx, { snapshot_id }, error) => giveUp(deps, ctx, snapshot_id, 'error_deleting', 'snapshot_delete', error),
    }) as TaskDefinition<WorkInputs['delete-snapshot']>;
}

/** @param change undefined: it is gone */
async function settle(deps: TaskDeps, id: string, change: Partial<SnapshotRow> | undefined): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await snapshots.find(tx, id);
    if (row === undefined) return;
    if (change === undefined) await snapshots.remove(tx, id);
    else if (row.status === 'creating') await snapshots.update(tx, id, { ...change, updated_at: isoMicros(deps.clock.now()) });
    if (row.group_snapshot_id !== null) await settleGroupSnapshot(tx, deps, row.group_snapshot_id);
  });
}

async function giveUp(deps: TaskDeps, ctx: StepContext, id: string, status: string, event: MessageEvent, error: TaskError): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await snapshots.update(tx, id, { status, updated_at: isoMicros(deps.clock.now()) });
    if (row === undefined) return;
    await tellUser(tx, deps, ctx.request_id, event, { project_id: row.project_id, resource_type: 'VOLUME_SNAPSHOT', resource_uuid: id }, error.public ? error.message : undefined);
    if (row.group_snapshot_id !== null) await settleGroupSnapshot(tx, deps, row.group_snapshot_id);
  });
}
