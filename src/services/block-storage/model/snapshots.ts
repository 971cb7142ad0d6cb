import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { BlockStorageDeps, RequestIds } from '../deps.ts';
import { invalidSnapshot, invalidVolume, volumeNotFound } from '../faults.ts';
import { snapshots, types, volumes } from '../store/rows.ts';
import type { BlockStorageTables, SnapshotRow } from '../store/tables.ts';
import { claim } from './quotas.ts';

export interface SnapshotWanted {
  volume_id: string;
  name: string | null;
  description: string | null;
  metadata: Record<string, string>;
  /** Also of a volume that is in use. */
  force: boolean;
  user_id: string;
  group_snapshot_id?: string;
}

type Deps = Pick<BlockStorageDeps, 'db' | 'clock' | 'config' | 'work'>;

/** In the caller's transaction. @throws Fault 400 the volume is busy, 404, 413 */
export async function addSnapshot(tx: Transaction<BlockStorageTables>, deps: Deps, caller: RequestIds, wanted: SnapshotWanted): Promise<SnapshotRow> {
  const volume = await volumes.find(tx, wanted.volume_id);
  if (volume === undefined) throw volumeNotFound(wanted.volume_id);
  const allowed = wanted.force ? ['available', 'in-use', 'backing-up', 'error'] : ['available'];
  if (volume.node_id === null || !allowed.includes(volume.status)) throw invalidVolume(`Volume ${volume.id} status must be ${allowed.join(' or ')}, but current status is: ${volume.status}.`);
  const type = await types.find(tx, volume.type_id);
  await claim(tx, deps, volume.project_id, { snapshots: 1, ...(deps.config.no_snapshot_gb_quota ? {} : { gigabytes: volume.size }) }, type?.name);
  const { metadata, force: _force, group_snapshot_id = null, ...given } = wanted;
  const row: SnapshotRow = {
    id: uuid(), ...given, project_id: volume.project_id, volume_size: volume.size, status: 'creating', progress: '0%', metadata_json: JSON.stringify(metadata), group_snapshot_id,
    created_at: isoMicros(deps.clock.now()), updated_at: null,
  };
  await snapshots.insert(tx, row);
  await deps.work.start(tx, 'create-snapshot', { snapshot_id: row.id, volume_id: volume.id }, caller);
  return row;
}

const DELETABLE = ['available', 'error', 'error_deleting', 'unmanaging'];

/** @param force whatever state it is in. @throws Fault 400 */
export async function dropSnapshot(tx: Transaction<BlockStorageTables>, deps: Deps, caller: RequestIds, row: SnapshotRow, force = false): Promise<void> {
  const only = force ? [] : [{ column: 'status', op: 'in' as const, value: DELETABLE }];
  const changed = await snapshots.update(tx, row.id, { status: 'deleting', updated_at: isoMicros(deps.clock.now()) }, only);
  if (changed === undefined) throw invalidSnapshot('Snapshot status must be available or error, and it must not be part of a group.');
  await deps.work.start(tx, 'delete-snapshot', { snapshot_id: row.id, volume_id: row.volume_id }, caller);
}
