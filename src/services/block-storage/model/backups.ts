import type { Auth } from '../../../kernel/context.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { BlockStorageDeps, RequestIds } from '../deps.ts';
import { invalidBackup, invalidInputOf, invalidSnapshot, invalidVolume, snapshotNotFound, volumeNotFound } from '../faults.ts';
import { backups, snapshots, volumes, type Reader } from '../store/rows.ts';
import type { BackupRow, VolumeRow } from '../store/tables.ts';
import { claim } from './quotas.ts';
import { changeVolume } from './volume-state.ts';
import { createVolume, mine } from './volumes.ts';

export interface BackupWanted {
  volume_id: string;
  snapshot_id: string | null;
  name: string | null;
  description: string | null;
  incremental: boolean;
  force: boolean;
  metadata: Record<string, string>;
  availability_zone: string | null;
}

type Caller = { auth: Auth } & RequestIds;

const inState = (status: readonly string[]) => [{ column: 'status', op: 'in' as const, value: status }];

/** @throws Fault 400, 404, 413 */
export async function createBackup(deps: BlockStorageDeps, caller: Caller, wanted: BackupWanted): Promise<BackupRow> {
  const volume = await volumes.find(deps.db.read, wanted.volume_id);
  if (volume === undefined || !mine(caller.auth, volume)) throw volumeNotFound(wanted.volume_id);
  return await deps.db.transaction(async (tx) => {
    const snapshot = wanted.snapshot_id === null ? undefined : await snapshots.find(tx, wanted.snapshot_id);
    if (wanted.snapshot_id !== null && (snapshot === undefined || snapshot.volume_id !== volume.id)) throw snapshotNotFound(wanted.snapshot_id);
    const parent = wanted.incremental ? await latestOf(tx, volume, snapshot?.created_at) : undefined;
    if (wanted.incremental && parent === undefined) throw invalidBackup('No backups available to do an incremental backup.');
    await claim(tx, deps, volume.project_id, { backups: 1, backup_gigabytes: volume.size });
    const row = newBackup(deps, caller.auth, volume, wanted, parent, snapshot?.created_at);
    await backups.insert(tx, row);
    if (snapshot === undefined) await beginVolume(tx, deps, volume, wanted.force);
    else if ((await snapshots.update(tx, snapshot.id, { status: 'backing-up' }, inState(['available', 'backing-up']))) === undefined) throw invalidSnapshot(`Snapshot to be backed up must be available, but the current status is "${snapshot.status}".`);
    await deps.work.start(tx, 'create-backup', { backup_id: row.id, volume_id: volume.id }, caller);
    return row;
  });
}

async function beginVolume(tx: Reader, deps: BlockStorageDeps, volume: VolumeRow, force: boolean): Promise<void> {
  const reason = `Volume to be backed up must be available${force ? ' or in-use' : ''}, but the current status is "${volume.status}".`;
  await changeVolume(tx, deps, volume.id, force ? ['available', 'in-use'] : ['available'], { status: 'backing-up', previous_status: volume.status }, reason);
}

/** The latest backup that a new one can build on: of this volume, and not of a later moment. */
async function latestOf(tx: Reader, volume: VolumeRow, before: string | undefined): Promise<BackupRow | undefined> {
  const all = await backups.all(tx, [{ column: 'volume_id', op: 'eq', value: volume.id }, { column: 'status', op: 'in', value: ['available', 'restoring'] }], [{ column: 'data_timestamp', direction: 'desc' }]);
  return all.find(({ data_timestamp }) => before === undefined || data_timestamp <= before);
}

function newBackup(deps: BlockStorageDeps, auth: Auth, volume: VolumeRow, wanted: BackupWanted, parent: BackupRow | undefined, taken_at: string | undefined): BackupRow {
  const id = uuid();
  const now = isoMicros(deps.clock.now());
  return {
    id, project_id: volume.project_id, user_id: auth.user_id, name: wanted.name, description: wanted.description, volume_id: volume.id, snapshot_id: wanted.snapshot_id,
    parent_id: parent?.id ?? null, container: parent?.container ?? id, availability_zone: wanted.availability_zone ?? volume.availability_zone, status: 'creating', fail_reason: null, size: volume.size,
    object_count: 0, is_incremental: parent === undefined ? 0 : 1, restore_volume_id: null, data_timestamp: taken_at ?? now, metadata_json: JSON.stringify(wanted.metadata), chunks_json: '[]', created_at: now, updated_at: null,
  };
}

export const childrenOf = (db: Reader, id: string): Promise<number> => backups.count(db, [{ column: 'parent_id', op: 'eq', value: id }]);

/** @param force whatever state it is in. @throws Fault 400 others build on it */
export async function removeBackup(deps: BlockStorageDeps, caller: RequestIds, row: BackupRow, force: boolean): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if ((await childrenOf(tx, row.id)) > 0) throw invalidBackup('Incremental backups exist for this backup.');
    const changed = await backups.update(tx, row.id, { status: 'deleting' }, force ? [] : inState(['available', 'error']));
    if (changed === undefined) throw invalidBackup('Backup status must be available or error');
    if (force) await deps.engine.cancel(tx, `volume-backup:${row.id}`);
    await deps.work.start(tx, 'delete-backup', { backup_id: row.id }, caller);
  });
}

/** Into a volume that is there, or a new one. @throws Fault 400, 404, 413 */
export async function restoreBackup(deps: BlockStorageDeps, caller: Caller, row: BackupRow, into: { volume_id: string | null; name: string | null }): Promise<VolumeRow> {
  if (row.status !== 'available') throw invalidBackup('Backup status must be available');
  if (row.size === 0) throw invalidBackup('Backup to be restored has invalid size');
  if (into.volume_id === null) return await restoreNew(deps, caller, row, into.name ?? `restore_backup_${row.id}`);
  const volume = await volumes.find(deps.db.read, into.volume_id);
  if (volume === undefined || !mine(caller.auth, volume)) throw volumeNotFound(into.volume_id);
  if (volume.size < row.size) throw invalidVolume(`volume size ${volume.size} is too small to restore backup of size ${row.size}.`);
  return await deps.db.transaction(async (tx) => {
    if ((await snapshots.count(tx, [{ column: 'volume_id', op: 'eq', value: volume.id }])) > 0) throw invalidVolume(`Volume ${volume.id} has snapshots, which would be of what is no more: delete them first, or restore into a new volume.`);
    if ((await backups.update(tx, row.id, { status: 'restoring', restore_volume_id: volume.id }, inState(['available']))) === undefined) throw invalidBackup('Backup status must be available');
    const changed = await changeVolume(tx, deps, volume.id, ['available'], { status: 'restoring-backup', previous_status: 'available' }, 'Volume to be restored to must be available');
    await deps.work.start(tx, 'restore-backup', { backup_id: row.id, volume_id: volume.id }, caller);
    return changed;
  });
}

async function restoreNew(deps: BlockStorageDeps, caller: Caller, row: BackupRow, name: string): Promise<VolumeRow> {
  const nothing = { type: null, metadata: {}, availability_zone: null, snapshot_id: null, source_volid: null, image_id: null, group_id: null };
  return await createVolume(deps, caller, { ...nothing, name, description: row.description, size: row.size, backup_id: row.id });
}

/** A record says all that another cloud, with the same files, needs. */
export function exportRecord(row: BackupRow): { backup_service: string; backup_url: string } {
  const { id, name, description, size, container, volume_id, object_count, is_incremental, parent_id, data_timestamp, metadata_json, chunks_json, availability_zone } = row;
  const text = JSON.stringify({ id, name, description, size, container, volume_id, object_count, is_incremental, parent_id, data_timestamp, metadata_json, chunks_json, availability_zone });
  return { backup_service: 'gantry.files', backup_url: Buffer.from(text).toString('base64') };
}

/** @throws Fault 400 it is no record, or the backup is there */
export async function importRecord(deps: BlockStorageDeps, auth: Auth, project_id: string, record: { backup_service: string; backup_url: string }): Promise<BackupRow> {
  const known = parseRecord(record.backup_url);
  const row: BackupRow = { ...known, project_id, user_id: auth.user_id, snapshot_id: null, status: 'available', fail_reason: null, restore_volume_id: null, created_at: isoMicros(deps.clock.now()), updated_at: null };
  await deps.db.transaction(async (tx) => {
    if ((await backups.find(tx, row.id)) !== undefined) throw invalidBackup(`Backup ${row.id} already exists in database.`);
    for (const { digest } of (JSON.parse(row.chunks_json) as { digest: string }[]).slice(0, 1)) if (digest !== '' && !/^[0-9a-f]{64}$/.test(digest)) throw invalidInputOf('The record names chunks that cannot be.');
    await claim(tx, deps, project_id, { backups: 1, backup_gigabytes: row.size });
    await backups.insert(tx, row);
  });
  return row;
}

type Known = Pick<BackupRow, 'id' | 'name' | 'description' | 'size' | 'container' | 'volume_id' | 'object_count' | 'is_incremental' | 'parent_id' | 'data_timestamp' | 'metadata_json' | 'chunks_json' | 'availability_zone'>;

function parseRecord(text: string): Known {
  const bad = (): Error => badRequest('block-storage.record-invalid', "Invalid input received: Can't parse backup record.");
  try {
    const known = JSON.parse(Buffer.from(text, 'base64').toString()) as Known;
    const id = /^[0-9a-f-]{36}$/;
    if (!id.test(known.id) || !id.test(known.container) || !Number.isInteger(known.size) || !Array.isArray(JSON.parse(known.chunks_json))) throw bad();
    JSON.parse(known.metadata_json);
    const { name, description, size, container, volume_id, object_count, is_incremental, parent_id, data_timestamp, metadata_json, chunks_json, availability_zone } = known;
    return { id: known.id, name, description, size, container, volume_id, object_count, is_incremental, parent_id, data_timestamp, metadata_json, chunks_json, availability_zone };
  } catch {
    throw bad();
  }
}
