/** Groups of volumes: made together, snapshotted together, deleted together. */
import type { Auth } from '../../../kernel/context.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { BlockStorageDeps, RequestIds } from '../deps.ts';
import { groupNotFound, groupSnapshotNotFound, invalidGroup } from '../faults.ts';
import { groups, groupSnapshots, snapshots, volumes, type Reader } from '../store/rows.ts';
import type { GroupRow, GroupSnapshotRow, SnapshotRow, VolumeRow } from '../store/tables.ts';
import { claim } from './quotas.ts';
import { settleGroupSnapshot } from './group-state.ts';
import { addSnapshot, dropSnapshot } from './snapshots.ts';
import { createVolume, mine, startDeletion } from './volumes.ts';

type Caller = { auth: Auth } & RequestIds;

export const membersOf = (db: Reader, group_id: string): Promise<VolumeRow[]> => volumes.all(db, [{ column: 'group_id', op: 'eq', value: group_id }]);
const partsOf = (db: Reader, id: string): Promise<SnapshotRow[]> => snapshots.all(db, [{ column: 'group_snapshot_id', op: 'eq', value: id }]);

export type GroupGiven = Partial<GroupRow> & Pick<GroupRow, 'project_id' | 'user_id' | 'group_type_id' | 'volume_types_json'>;

/** @throws Fault 413 */
export async function addGroup(deps: BlockStorageDeps, given: GroupGiven): Promise<GroupRow> {
  const row: GroupRow = {
    id: uuid(), name: null, description: null, status: 'available', availability_zone: deps.config.default_availability_zone, group_snapshot_id: null, source_group_id: null, host: null,
    created_at: isoMicros(deps.clock.now()), updated_at: null, ...given,
  };
  await deps.db.transaction(async (tx) => {
    await claim(tx, deps, row.project_id, { groups: 1 });
    await groups.insert(tx, row);
  });
  return row;
}

/** A group of copies: of a group's volumes, or of a group snapshot's snapshots. @throws Fault 400, 404, 413 */
export async function copyGroup(deps: BlockStorageDeps, caller: Caller, from: { group_snapshot_id: string | null; source_group_id: string | null; name: string | null; description: string | null }): Promise<GroupRow> {
  const snapshot = from.group_snapshot_id === null ? undefined : await groupSnapshots.find(deps.db.read, from.group_snapshot_id);
  if (from.group_snapshot_id !== null && (snapshot === undefined || !mine(caller.auth, snapshot))) throw groupSnapshotNotFound(from.group_snapshot_id);
  const source_id = snapshot?.group_id ?? from.source_group_id ?? '';
  const source = await groups.find(deps.db.read, source_id);
  if (source === undefined || !mine(caller.auth, source)) throw groupNotFound(source_id);
  const members = snapshot === undefined ? (await membersOf(deps.db.read, source.id)).map((one) => ({ size: one.size, source_volid: one.id, snapshot_id: null, type: one.type_id })) : await copiesOf(deps, snapshot.id);
  if (members.length === 0) throw invalidGroup('Source Group is empty. No group will be created.');
  const group = await addGroup(deps, { ...from, project_id: caller.auth.project_id ?? source.project_id, user_id: caller.auth.user_id, group_type_id: source.group_type_id, volume_types_json: source.volume_types_json, availability_zone: source.availability_zone, status: 'creating' });
  const nothing = { name: null, description: null, metadata: {}, availability_zone: null, image_id: null, backup_id: null, group_id: group.id };
  for (const member of members) await createVolume(deps, caller, { ...nothing, ...member });
  return group;
}

async function copiesOf(deps: BlockStorageDeps, id: string) {
  const parts = await partsOf(deps.db.read, id);
  const sources = await volumes.all(deps.db.read, [{ column: 'id', op: 'in', value: parts.map(({ volume_id }) => volume_id) }]);
  return parts.map((one) => ({ size: one.volume_size, source_volid: null, snapshot_id: one.id, type: sources.find((row) => row.id === one.volume_id)?.type_id ?? null }));
}

/** @throws Fault 400 it has volumes or snapshots, or is busy */
export async function removeGroup(deps: BlockStorageDeps, caller: RequestIds, row: GroupRow, with_volumes: boolean): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if (!['available', 'error', 'error_deleting'].includes(row.status)) throw invalidGroup(`Group status must be available or error, but current status is: ${row.status}`);
    if ((await groupSnapshots.count(tx, [{ column: 'group_id', op: 'eq', value: row.id }])) > 0) throw invalidGroup(`Group ${row.id} has snapshots.`);
    const members = await membersOf(tx, row.id);
    if (members.length > 0 && !with_volumes) throw invalidGroup('Group is not empty: delete-volumes has to be said.');
    if (members.some(({ attach_status }) => attach_status === 'attached')) throw invalidGroup('Volume in group is attached. Need to detach first.');
    for (const { id } of members) if ((await snapshots.count(tx, [{ column: 'volume_id', op: 'eq', value: id }])) > 0) throw invalidGroup('Volume in group still has dependent snapshots.');
    if (members.length === 0) return void (await groups.remove(tx, row.id));
    await groups.update(tx, row.id, { status: 'deleting' });
    for (const { id } of members) {
      await volumes.update(tx, id, { status: 'deleting' });
      await startDeletion(deps, tx, caller, id);
    }
  });
}

/** @throws Fault 400, 404 */
export async function changeMembers(deps: BlockStorageDeps, row: GroupRow, add: string[], remove: string[]): Promise<void> {
  await deps.db.transaction(async (tx) => {
    for (const id of add) {
      const volume = await volumes.find(tx, id);
      if (volume === undefined || volume.project_id !== row.project_id) throw invalidGroup(`Cannot add volume ${id} to group ${row.id} because volume cannot be found.`);
      if (volume.group_id !== null && volume.group_id !== row.id) throw invalidGroup(`Cannot add volume ${id} to group ${row.id} because it is already in group ${volume.group_id}.`);
      if (!(JSON.parse(row.volume_types_json) as string[]).includes(volume.type_id)) throw invalidGroup(`Cannot add volume ${id} to group ${row.id} because its volume type is not supported by the group.`);
      if (!['available', 'in-use'].includes(volume.status)) throw invalidGroup(`Cannot add volume ${id} to group ${row.id} because volume is in an invalid state: ${volume.status}.`);
      await volumes.update(tx, id, { group_id: row.id });
    }
    for (const id of remove) {
      const volume = await volumes.find(tx, id);
      if (volume?.group_id !== row.id) throw invalidGroup(`Cannot remove volume ${id} from group ${row.id} because it is not in the group.`);
      await volumes.update(tx, id, { group_id: null });
    }
  });
}

/** @throws Fault 400, 413 */
export async function snapshotGroup(deps: BlockStorageDeps, caller: Caller, group: GroupRow, name: string | null, description: string | null): Promise<GroupSnapshotRow> {
  const row: GroupSnapshotRow = {
    id: uuid(), group_id: group.id, group_type_id: group.group_type_id, name, description, status: 'creating', project_id: group.project_id, user_id: caller.auth.user_id, created_at: isoMicros(deps.clock.now()), updated_at: null,
  };
  return await deps.db.transaction(async (tx) => {
    const members = await membersOf(tx, group.id);
    if (members.length === 0) throw invalidGroup('Group is empty. No group snapshot will be created.');
    await groupSnapshots.insert(tx, row);
    for (const { id } of members) await addSnapshot(tx, deps, caller, { volume_id: id, name, description, metadata: {}, force: true, user_id: caller.auth.user_id, group_snapshot_id: row.id });
    return row;
  });
}

export async function dropGroupSnapshot(deps: BlockStorageDeps, caller: RequestIds, row: GroupSnapshotRow): Promise<void> {
  if (!['available', 'error', 'error_deleting'].includes(row.status)) throw invalidGroup(`GroupSnapshot status must be available or error, but current status is: ${row.status}`);
  await deps.db.transaction(async (tx) => {
    await groupSnapshots.update(tx, row.id, { status: 'deleting' });
    for (const part of await partsOf(tx, row.id)) await dropSnapshot(tx, deps, caller, part);
    await settleGroupSnapshot(tx, deps, row.id);
  });
}
