/** A volume goes, and with it what it held: wiped on its node, then forgotten. */
import { volumeMethods } from '../../../agents/volume/protocol.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import { otherWorkEnds } from '../../../kernel/task/other-work.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import type { TaskDeps } from '../deps.ts';
import { settleGroup } from '../model/group-state.ts';
import { tellUser } from '../model/messages.ts';
import { attachments, snapshots, transfers, volumes } from '../store/rows.ts';
import type { WorkInputs } from '../work.ts';
import { ask } from './on-node.ts';

type Input = WorkInputs['delete-volume'];

export function deleteVolumeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('block-storage.delete-volume')
    .step('other work', {
      do: (_ctx, { volume_id }) => otherWorkEnds(deps.engine, `volume:${volume_id}`),
    })
    .step('wipe', {
      async do(_ctx, { volume_id }) {
        const row = await volumes.find(deps.db.read, volume_id);
        if (row?.node_id === undefined || row.node_id === null) return;
        for (const snapshot of await snapshots.all(deps.db.read, [{ column: 'volume_id', op: 'eq', value: volume_id }])) {
          await ask(deps, row.node_id, volumeMethods.removeSnapshot, { volume_id, snapshot_id: snapshot.id });
        }
        await ask(deps, row.node_id, volumeMethods.remove, { volume_id }, deps.config.copy_timeout);
      },
    })
    .build({
      concurrency: 8,
      onDone: (_ctx, input) => forget(deps, input),
      onFailed: (ctx, input, error) => giveUp(deps, ctx, input, error),
    }) as TaskDefinition<Input>;
}

async function forget(deps: TaskDeps, { volume_id }: Input): Promise<void> {
  const ofVolume = [{ column: 'volume_id', op: 'eq' as const, value: volume_id }];
  await deps.db.transaction(async (tx) => {
    const row = await volumes.find(tx, volume_id);
    for (const table of [attachments, snapshots, transfers]) for (const { id } of await table.all(tx, ofVolume)) await table.remove(tx, id);
    await volumes.remove(tx, volume_id);
    if (row !== undefined && row.group_id !== null) await settleGroup(tx, deps, row.group_id);
  });
}

async function giveUp(deps: TaskDeps, ctx: StepContext, { volume_id }: Input, error: TaskError): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await volumes.update(tx, volume_id, { status: 'error_deleting', updated_at: isoMicros(deps.clock.now()) });
    if (row === undefined) return;
    await tellUser(tx, deps, ctx.request_id, 'delete', { project_id: row.project_id, resource_type: 'VOLUME', resource_uuid: row.id }, error.public ? error.message : undefined);
    if (row.group_id !== null) await settleGroup(tx, deps, row.group_id);
  });
}
