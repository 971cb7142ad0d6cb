/** A volume that is there is to become another: larger, of another type, what it was. */
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import type { BlockStorageDeps, RequestIds } from '../deps.ts';
import { invalidInputOf, invalidVolume } from '../faults.ts';
import { snapshots, types, volumes } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';
import { listBackends } from './backends.ts';
import { checkVolumeSize, claim } from './quotas.ts';
import { candidates } from './scheduler.ts';
import { extraSpecs, isTrueSpec, resolveType, type Eyes } from './types.ts';
import { changeVolume } from './volume-state.ts';

/** @param online also while it is in use. @throws Fault 400, 413 */
export async function extendVolume(deps: BlockStorageDeps, caller: RequestIds, row: VolumeRow, new_size: number, online: boolean): Promise<void> {
  if (new_size <= row.size) throw invalidInputOf(`New size for extend must be greater than current size. (current: ${row.size}, extended: ${new_size}).`);
  await checkVolumeSize(deps.db.read, deps, row.project_id, new_size);
  await deps.db.transaction(async (tx) => {
    const type = await types.find(tx, row.type_id);
    await claim(tx, deps, row.project_id, { gigabytes: new_size - row.size }, type?.name);
    await changeVolume(tx, deps, row.id, online ? ['available', 'in-use'] : ['available'], { status: 'extending', previous_status: row.status });
    await deps.work.start(tx, 'extend-volume', { volume_id: row.id, old_size: row.size, new_size }, caller);
  });
}

/** @throws Fault 400, 404 */
export async function retypeVolume(deps: BlockStorageDeps, eyes: Eyes, row: VolumeRow, new_type: string, _migration: string): Promise<void> {
  const type = await resolveType(deps.db.read, eyes, new_type).catch(() => {
    throw badRequest('block-storage.type-invalid', `Invalid volume_type passed: ${new_type}.`);
  });
  if (type.id === row.type_id) throw invalidInputOf(`New volume_type same as original: ${type.name}.`);
  if ((type.encryption_json !== null) !== (row.encrypted === 1)) throw invalidInputOf('Retype requires migration, as the new type is encrypted where the volume is not, or the other way about.');
  const multiattach = isTrueSpec(extraSpecs(type)['multiattach']) ? 1 : 0;
  if (multiattach !== row.multiattach && row.status === 'in-use') throw invalidInputOf('Changing multiattach status on an in-use volume is not allowed.');
  const [where] = candidates(await listBackends(deps), { size: 0, availability_zone: null, extra_specs: extraSpecs(type), node_id: row.node_id }, deps.config);
  if (where === undefined) throw badRequest('block-storage.no-valid-backend', `No valid host was found that the volume could have type ${type.name} on: its backend keeps its volumes to itself.`);
  await deps.db.transaction(async (tx) => {
    await claim(tx, deps, row.project_id, { [`volumes_${type.name}`]: 1, [`gigabytes_${type.name}`]: row.size });
    await changeVolume(tx, deps, row.id, ['available', 'in-use'], { type_id: type.id, multiattach });
  });
}

/** @throws Fault 400 it is not the latest, 409 one of them is busy */
export async function revertVolume(deps: BlockStorageDeps, caller: RequestIds, row: VolumeRow, snapshot_id: string | null): Promise<void> {
  const [latest] = await snapshots.all(deps.db.read, [{ column: 'volume_id', op: 'eq', value: row.id }], [{ column: 'created_at', direction: 'desc' }]);
  if (latest === undefined) throw badRequest('block-storage.no-snapshot', `Volume ${row.id} doesn't have any snapshots.`);
  if (snapshot_id !== latest.id) throw badRequest('block-storage.not-latest', `Specified snapshot ${snapshot_id ?? 'None'} is None or not the latest one of volume ${row.id}.`);
  if (latest.volume_size !== row.size) throw badRequest('block-storage.size-changed', `Can't revert volume ${row.id} to its latest snapshot ${latest.id}. The volume size must be equal to the snapshot size.`);
  await deps.db.transaction(async (tx) => {
    const volume = await volumes.update(tx, row.id, { status: 'reverting', previous_status: row.status, updated_at: isoMicros(deps.clock.now()) }, [{ column: 'status', op: 'in', value: ['available'] }]);
    if (volume === undefined) throw conflict('block-storage.volume-busy', invalidVolume(`Volume ${row.id} must be available to be reverted.`).message);
    const snapshot = await snapshots.update(tx, latest.id, { status: 'restoring' }, [{ column: 'status', op: 'eq', value: 'available' }]);
    if (snapshot === undefined) throw conflict('block-storage.snapshot-busy', `Invalid snapshot: Snapshot ${latest.id} must be available.`);
    await deps.work.start(tx, 'revert-volume', { volume_id: row.id, snapshot_id: latest.id }, caller);
  });
}
