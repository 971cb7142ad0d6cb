/** A new volume: a backend is chosen, which then makes it. */
import { volumeMethods, type VolumeSource, type VolumeSpec } from '../../../agents/volume/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { Fault, notFound } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { TaskDeps } from '../deps.ts';
import { volumeNotFound } from '../faults.ts';
import { listBackends } from '../model/backends.ts';
import { settleGroup } from '../model/group-state.ts';
import { tellUser } from '../model/messages.ts';
import { candidates } from '../model/scheduler.ts';
import { extraSpecs } from '../model/types.ts';
import { changeVolume } from '../model/volume-state.ts';
import { backups, snapshots, types, volumes } from '../store/rows.ts';
import type { TypeRow, VolumeRow } from '../store/tables.ts';
import type { WorkInputs } from '../work.ts';
import { ask, GIB, placed, removeOrLeave } from './on-node.ts';

type Input = WorkInputs['create-volume'];

export function createVolumeTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('block-storage.create-volume')
    .step('place', {
      do: (_ctx, input) => place(deps, input),
      undo: async (_ctx, input) => void (await deps.db.transaction((tx) => volumes.update(tx, input.volume_id, { host: null, node_id: null }))),
    })
    .step('make', {
      do: (_ctx, input) => make(deps, input),
      undo: (_ctx, input, _output, done) => removeOrLeave(deps, (done as { place: { node_id: string } }).place.node_id, input.volume_id),
    })
    .build({
      concurrency: 8,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (ctx, input, error) => giveUp(deps, ctx, input, error),
    }) as TaskDefinition<Input>;
}

async function place(deps: TaskDeps, { volume_id, node_id }: Input): Promise<{ node_id: string; host: string }> {
  const row = await volumes.find(deps.db.read, volume_id);
  if (row === undefined) throw volumeNotFound(volume_id);
  if (row.node_id !== null && row.host !== null) return { node_id: row.node_id, host: row.host };
  const type = await types.find(deps.db.read, row.type_id);
  const wanted = { size: row.size, availability_zone: row.availability_zone, extra_specs: type === undefined ? {} : extraSpecs(type), node_id: node_id ?? null };
  const [best] = candidates(await listBackends(deps), wanted, deps.config);
  if (best === undefined) throw new Fault(400, 'block-storage.no-valid-backend', 'Could not find any available weighted backend.');
  const where = { node_id: best.node_id, host: best.pool };
  await deps.db.transaction((tx) => volumes.update(tx, volume_id, where));
  return where;
}

async function make(deps: TaskDeps, input: Input): Promise<void> {
  const row = await placed(deps, input.volume_id);
  const type = await types.find(deps.db.read, row.type_id);
  const spec = specOf(deps, row, type, await sourceOf(deps, row, input));
  await ask(deps, row.node_id, volumeMethods.create, { spec }, spec.source.kind === 'blank' ? deps.config.node_timeout : deps.config.copy_timeout);
}

export function specOf(deps: TaskDeps, row: VolumeRow, type: TypeRow | undefined, source: VolumeSource): VolumeSpec {
  const spec: VolumeSpec = { volume_id: row.id, size_bytes: row.size * GIB, source };
  if (row.encryption_key_id === null) return spec;
  const { cipher, key_size } = JSON.parse(type?.encryption_json ?? '{}') as { cipher?: string | null; key_size?: number | null };
  const bits = key_size ?? 256;
  return { ...spec, encryption: { key: deps.keyOf(row.encryption_key_id, bits), cipher: cipher ?? 'aes-xts-plain64', key_size: bits } };
}

async function sourceOf(deps: TaskDeps, row: VolumeRow, { image, backup_id }: Input): Promise<VolumeSource> {
  if (row.snapshot_id !== null) {
    const snapshot = await snapshots.find(deps.db.read, row.snapshot_id);
    if (snapshot === undefined) throw notFound('block-storage.snapshot-not-found', `Snapshot ${row.snapshot_id} could not be found.`);
    return { kind: 'snapshot', snapshot_id: snapshot.id, volume_id: snapshot.volume_id };
  }
  if (row.source_volid !== null) return { kind: 'volume', volume_id: row.source_volid };
  if (image !== null && image !== undefined) return { kind: 'image', image };
  if (backup_id !== null && backup_id !== undefined) return await backupSource(deps, backup_id);
  return { kind: 'blank' };
}

export async function backupSource(deps: TaskDeps, backup_id: string): Promise<VolumeSource> {
  const backup = await backups.find(deps.db.read, backup_id);
  if (backup === undefined) throw notFound('block-storage.backup-not-found', `Backup ${backup_id} could not be found.`);
  return { kind: 'backup', chain: backup.container, chunks: JSON.parse(backup.chunks_json) as { digest: string; size: number }[] };
}

async function finish(deps: TaskDeps, { volume_id }: Input): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await volumes.find(tx, volume_id);
    if (row === undefined || row.status !== 'creating') return;
    const done = await changeVolume(tx, deps, volume_id, ['creating'], { status: 'available', launched_at: isoMicros(deps.clock.now()), ...(row.image_metadata_json === null ? {} : { bootable: 1 }) });
    if (done.group_id !== null) await settleGroup(tx, deps, done.group_id);
  });
}

async function giveUp(deps: TaskDeps, ctx: StepContext, { volume_id }: Input, error: TaskError): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await volumes.update(tx, volume_id, { status: 'error', updated_at: isoMicros(deps.clock.now()) }, [{ column: 'status', op: 'in', value: ['creating'] }]);
    if (row === undefined) return;
    const subject = { project_id: row.project_id, resource_type: 'VOLUME' as const, resource_uuid: row.id };
    const unplaced = error.code === 'block-storage.no-valid-backend';
    await tellUser(tx, deps, ctx.request_id, unplaced ? 'schedule' : 'create', subject, unplaced || !error.public ? undefined : error.message);
    if (row.group_id !== null) await settleGroup(tx, deps, row.group_id);
  });
}
