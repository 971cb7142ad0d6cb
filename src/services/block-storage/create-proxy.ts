/** Volumes and snapshots as the Compute API once showed them. */
import type { Auth } from '../../kernel/context.ts';
import { notFound } from '../../kernel/fault.ts';
import { requestId } from '../../kernel/ids.ts';
import type { BlockStorageProxy, ProxiedSnapshot, ProxiedVolume } from './client.ts';
import type { BlockStorageDeps } from './deps.ts';
import { attachmentsOf } from './model/attachments.ts';
import { addSnapshot, dropSnapshot } from './model/snapshots.ts';
import { createVolume, mine } from './model/volumes.ts';
import { snapshots, types, volumes } from './store/rows.ts';
import type { SnapshotRow, VolumeRow } from './store/tables.ts';

const ids = () => ({ request_id: requestId(), global_request_id: undefined });

async function showVolume(deps: BlockStorageDeps, row: VolumeRow): Promise<ProxiedVolume> {
  const { id, name, description, status, size, availability_zone, created_at, snapshot_id } = row;
  const [first] = row.attach_status === 'attached' ? await attachmentsOf(deps.db.read, id) : [];
  return {
    id, name, description, status, size, availability_zone, created_at, snapshot_id, volume_type: (await types.find(deps.db.read, row.type_id))?.name ?? null,
    metadata: JSON.parse(row.metadata_json) as Record<string, string>, attached: first === undefined ? null : { server_id: first.instance_id, device: first.mountpoint },
  };
}

const showSnapshot = ({ id, name, description, volume_id, status, volume_size: size, created_at }: SnapshotRow): ProxiedSnapshot => ({ id, name, description, volume_id, status, size, created_at });

export function createBlockStorageProxy(deps: BlockStorageDeps): BlockStorageProxy {
  const { read } = deps.db;
  const ofProject = ({ project_id = '' }: Auth) => [{ column: 'project_id', op: 'eq' as const, value: project_id }];
  const newest = [{ column: 'created_at', direction: 'desc' as const }];
  const own = async (auth: Auth, id: string): Promise<VolumeRow> => {
    const row = await volumes.find(read, id);
    if (row === undefined || !mine(auth, row)) throw notFound('compute.volume-not-found', `Volume ${id} could not be found.`);
    return row;
  };
  const ownSnapshot = async (auth: Auth, id: string): Promise<SnapshotRow> => {
    const row = await snapshots.find(read, id);
    if (row === undefined || !mine(auth, row)) throw notFound('compute.snapshot-not-found', `Snapshot ${id} could not be found.`);
    return row;
  };
  return {
    volumes: async (auth) => await Promise.all((await volumes.all(read, ofProject(auth), newest)).map((row) => showVolume(deps, row))),
    volume: async (auth, id) => await showVolume(deps, await own(auth, id)),
    async createVolume(auth, { volume_type: type, ...wanted }) {
      if (wanted.snapshot_id !== null) await ownSnapshot(auth, wanted.snapshot_id);
      const row = await createVolume(deps, { auth, ...ids() }, { ...wanted, type, source_volid: null, image_id: null, backup_id: null, group_id: null });
      return await showVolume(deps, row);
    },
    snapshots: async (auth) => (await snapshots.all(read, ofProject(auth), newest)).map(showSnapshot),
    snapshot: async (auth, id) => showSnapshot(await ownSnapshot(auth, id)),
    async createSnapshot(auth, wanted) {
      await own(auth, wanted.volume_id);
      return showSnapshot(await deps.db.transaction((tx) => addSnapshot(tx, deps, ids(), { ...wanted, metadata: {}, user_id: auth.user_id })));
    },
    async deleteSnapshot(auth, id) {
      const row = await ownSnapshot(auth, id);
      await deps.db.transaction((tx) => dropSnapshot(tx, deps, ids(), row));
    },
  };
}
