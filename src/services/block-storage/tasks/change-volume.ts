/** Work on a volume that is there: it grows, goes back to a snapshot, is written anew from an image. */
import { volumeMethods } from '../../../agents/volume/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { TaskDeps } from '../deps.ts';
import { tellUser, type MessageEvent } from '../model/messages.ts';
import { restingStatus } from '../model/volume-state.ts';
import { attachments, snapshots, types, volumes } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';
import type { WorkInputs } from '../work.ts';
import { specOf } from './create-volume.ts';
import { ask, GIB, placed } from './on-node.ts';

export function extendVolumeTask(deps: TaskDeps): TaskDefinition<WorkInputs['extend-volume']> {
  return defineTask<WorkInputs['extend-volume']>('block-storage.extend-volume')
    .step('grow', {
      async do(_ctx, { volume_id, new_size }) {
        const row = await placed(deps, volume_id);
        await ask(deps, row.node_id, volumeMethods.extend, { volume_id, size_bytes: new_size * GIB });
      },
    })
    .step('tell servers', {
      async do(_ctx, { volume_id }) {
        const attached = await attachments.all(deps.db.read, [{ column: 'volume_id', op: 'eq', value: volume_id }, { column: 'attach_status', op: 'eq', value: 'attached' }]);
        for (const { instance_id } of attached) if (instance_id !== null) await deps.extended(volume_id, instance_id);
      },
    })
    .build({
      onDone: (_ctx, { volume_id, new_size }) => settle(deps, volume_id, 'extending', { size: new_size }),
      onFailed: (ctx, { volume_id }, error) => giveUp(deps, ctx, volume_id, { from: 'extending', to: 'error_extending', event: 'extend' }, error),
    }) as TaskDefinition<WorkInputs['extend-volume']>;
}

export function revertVolumeTask(deps: TaskDeps): TaskDefinition<WorkInputs['revert-volume']> {
  return defineTask<WorkInputs['revert-volume']>('block-storage.revert-volume')
    .step('revert', {
      async do(_ctx, input) {
        const row = await placed(deps, input.volume_id);
        await ask(deps, row.node_id, volumeMethods.revert, input, deps.config.copy_timeout);
      },
    })
    .build({
      async onDone(_ctx, { volume_id, snapshot_id }) {
        await settle(deps, volume_id, 'reverting', {});
        await deps.db.transaction((tx) => snapshots.update(tx, snapshot_id, { status: 'available', updated_at: isoMicros(deps.clock.now()) }));
      },
      async onFailed(ctx, { volume_id, snapshot_id }, error) {
        await giveUp(deps, ctx, volume_id, { from: 'reverting', to: 'error', event: 'create' }, error);
        await deps.db.transaction((tx) => snapshots.update(tx, snapshot_id, { status: 'available' }));
      },
    }) as TaskDefinition<WorkInputs['revert-volume']>;
}

export function reimageVolumeTask(deps: TaskDeps): TaskDefinition<WorkInputs['reimage-volume']> {
  return defineTask<WorkInputs['reimage-volume']>('block-storage.reimage-volume')
    .step('write', {
      async do(_ctx, { volume_id, image }) {
        const row = await placed(deps, volume_id);
        await replace(deps, row, { kind: 'image', image });
      },
    })
    .build({
      async onDone(_ctx, { volume_id }) {
        await settle(deps, volume_id, 'downloading', { bootable: 1 });
      },
      onFailed: (ctx, { volume_id }, error) => giveUp(deps, ctx, volume_id, { from: 'downloading', to: 'error', event: 'create' }, error),
    }) as TaskDefinition<WorkInputs['reimage-volume']>;
}

/** What was there goes first: a volume is written from its beginning, once. */
export async function replace(deps: TaskDeps, row: VolumeRow & { node_id: string }, source: Parameters<typeof specOf>[3]): Promise<void> {
  const spec = specOf(deps, row, await types.find(deps.db.read, row.type_id), source);
  await ask(deps, row.node_id, volumeMethods.remove, { volume_id: row.id });
  await ask(deps, row.node_id, volumeMethods.create, { spec }, deps.config.copy_timeout);
}

/** The volume rests again. */
export async function settle(deps: TaskDeps, volume_id: string, from: string, change: Partial<VolumeRow>): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await volumes.find(tx, volume_id);
    if (row?.status !== from) return;
    const status = row.previous_status ?? restingStatus(row);
    await volumes.update(tx, volume_id, { ...change, status, previous_status: null, updated_at: isoMicros(deps.clock.now()) });
  });
}

export interface Failure {
  from: string;
  to: string | null;
  event: MessageEvent;
}

/** @param failure `to`: null for what it was before */
export async function giveUp(deps: TaskDeps, ctx: StepContext, volume_id: string, { from, to, event }: Failure, error: TaskError): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await volumes.find(tx, volume_id);
    if (row?.status !== from) return;
    await volumes.update(tx, volume_id, { status: to ?? row.previous_status ?? restingStatus(row), previous_status: null, updated_at: isoMicros(deps.clock.now()) });
    await tellUser(tx, deps, ctx.request_id, event, { project_id: row.project_id, resource_type: 'VOLUME', resource_uuid: row.id }, error.public ? error.message : undefined);
  });
}
