/** What a volume holds is kept elsewhere, and brought back. Copied from a clone, so that it is of one moment. */
import { volumeMethods } from '../../../agents/volume/protocol.ts';
import type { BlobRef } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { TaskDeps } from '../deps.ts';
import { tellUser } from '../model/messages.ts';
import { backups, snapshots } from '../store/rows.ts';
import type { BackupRow } from '../store/tables.ts';
import type { WorkInputs } from '../work.ts';
import { giveUp as giveUpVolume, replace, settle as settleVolume } from './change-volume.ts';
import { backupSource } from './create-volume.ts';
import { ask, GIB, placed, removeOrLeave } from './on-node.ts';

type CreateInput = WorkInputs['create-backup'];

export function createBackupTask(deps: TaskDeps): TaskDefinition<CreateInput> {
  return defineTask<CreateInput>('block-storage.create-backup')
    .step('clone', {
      do: (_ctx, input) => clone(deps, input),
      undo: async (_ctx, input) => await removeOrLeave(deps, (await placed(deps, input.volume_id)).node_id, input.backup_id),
    })
    .step('copy', {
      do: (_ctx, input) => copy(deps, input),
      undo: async (_ctx, input) => await retainOthers(deps, input.backup_id),
    })
    .step('drop clone', {
      do: async (_ctx, input) => await removeOrLeave(deps, (await placed(deps, input.volume_id)).node_id, input.backup_id),
    })
    .build({
      concurrency: 2,
      async onDone(_ctx, { backup_id, volume_id }, { copy: chunks }) {
        const change = { status: 'available', chunks_json: JSON.stringify(chunks), object_count: chunks.length };
        await deps.db.transaction((tx) => backups.update(tx, backup_id, { ...change, updated_at: isoMicros(deps.clock.now()) }));
        await settleVolume(deps, volume_id, 'backing-up', {});
        await settleSnapshot(deps, backup_id);
      },
      async onFailed(ctx, { backup_id, volume_id }, error) {
        await fail(deps, ctx, backup_id, error);
        await settleVolume(deps, volume_id, 'backing-up', {});
        await settleSnapshot(deps, backup_id);
      },
    }) as TaskDefinition<CreateInput>;
}

async function clone(deps: TaskDeps, { backup_id, volume_id }: CreateInput): Promise<void> {
  const row = await placed(deps, volume_id);
  const backup = await backups.find(deps.db.read, backup_id);
  const snapshot_id = backup?.snapshot_id ?? null;
  const source = snapshot_id === null ? { kind: 'volume', volume_id } : { kind: 'snapshot', snapshot_id, volume_id };
  await ask(deps, row.node_id, volumeMethods.create, { spec: { volume_id: backup_id, size_bytes: row.size * GIB, source } }, deps.config.copy_timeout);
}

async function copy(deps: TaskDeps, { backup_id, volume_id }: CreateInput): Promise<BlobRef[]> {
  const { node_id } = await placed(deps, volume_id);
  const backup = await backups.find(deps.db.read, backup_id);
  const parent = backup?.parent_id === null || backup === undefined ? undefined : await backups.find(deps.db.read, backup.parent_id);
  const known = parent === undefined ? [] : digestsOf(parent);
  const chain = backup?.container ?? backup_id;
  return await ask<BlobRef[]>(deps, node_id, volumeMethods.backup, { volume_id: backup_id, chain, known: [...known] }, deps.config.copy_timeout);
}

const digestsOf = (row: BackupRow): Set<string> => new Set((JSON.parse(row.chunks_json) as BlobRef[]).map(({ digest }) => digest).filter((digest) => digest !== ''));

/** What only this backup needed goes. */
async function retainOthers(deps: TaskDeps, backup_id: string): Promise<void> {
  const row = await backups.find(deps.db.read, backup_id);
  if (row === undefined) return;
  const others = await chainOf(deps, row);
  const needed = new Set<string>();
  for (const other of others) if (other.id !== backup_id) for (const digest of digestsOf(other)) needed.add(digest);
  await deps.chunks.retain(row.container, needed);
}

/** The full backup and all that hold what has changed since. */
async function chainOf(deps: TaskDeps, { container }: BackupRow): Promise<BackupRow[]> {
  const found: BackupRow[] = [];
  const root = await backups.find(deps.db.read, container);
  for (let next = root === undefined ? [] : [root]; next.length > 0; ) {
    found.push(...next);
    next = await backups.all(deps.db.read, [{ column: 'parent_id', op: 'in', value: next.map(({ id }) => id) }]);
  }
  return found;
}

export function restoreBackupTask(deps: TaskDeps): TaskDefinition<WorkInputs['restore-backup']> {
  return defineTask<WorkInputs['restore-backup']>('block-storage.restore-backup')
    .step('write', {
      async do(_ctx, { backup_id, volume_id }) {
        await replace(deps, await placed(deps, volume_id), await backupSource(deps, backup_id));
      },
    })
    .build({
      concurrency: 2,
      async onDone(_ctx, { backup_id, volume_id }) {
        await settleVolume(deps, volume_id, 'restoring-backup', {});
        await rest(deps, backup_id);
      },
      async onFailed(ctx, { backup_id, volume_id }, error) {
        await giveUpVolume(deps, ctx, volume_id, { from: 'restoring-backup', to: 'error_restoring', event: 'restore' }, error);
        await rest(deps, backup_id);
      },
    }) as TaskDefinition<WorkInputs['restore-backup']>;
}

export function deleteBackupTask(deps: TaskDeps): TaskDefinition<WorkInputs['delete-backup']> {
  return defineTask<WorkInputs['delete-backup']>('block-storage.delete-backup')
    .step('drop chunks', { do: (_ctx, { backup_id }) => retainOthers(deps, backup_id) })
    .build({
      onDone: async (_ctx, { backup_id }) => void (await deps.db.transaction((tx) => backups.remove(tx, backup_id))),
      onFailed: async (_ctx, { backup_id }) => void (await deps.db.transaction((tx) => backups.update(tx, backup_id, { status: 'error_deleting' }))),
    }) as TaskDefinition<WorkInputs['delete-backup']>;
}

async function rest(deps: TaskDeps, backup_id: string): Promise<void> {
  await deps.db.transaction((tx) => backups.update(tx, backup_id, { status: 'available', updated_at: isoMicros(deps.clock.now()) }, [{ column: 'status', op: 'eq', value: 'restoring' }]));
}

/** A snapshot that was backed up rests again. */
async function settleSnapshot(deps: TaskDeps, backup_id: string): Promise<void> {
  const backup = await backups.find(deps.db.read, backup_id);
  const snapshot_id = backup?.snapshot_id ?? null;
  if (snapshot_id !== null) await deps.db.transaction((tx) => snapshots.update(tx, snapshot_id, { status: 'available' }, [{ column: 'status', op: 'eq', value: 'backing-up' }]));
}

async function fail(deps: TaskDeps, ctx: StepContext, id: string, error: TaskError): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await backups.update(tx, id, { status: 'error', fail_reason: error.public ? error.message.slice(0, 255) : 'An unexpected error.', updated_at: isoMicros(deps.clock.now()) });
    if (row !== undefined) await tellUser(tx, deps, ctx.request_id, 'backup', { project_id: row.project_id, resource_type: 'VOLUME_BACKUP', resource_uuid: id }, error.public ? error.message : undefined);
  });
}
