/** What compute may ask of this service. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Auth } from '../../kernel/context.ts';
import { requestId } from '../../kernel/ids.ts';
import { notFound } from '../../kernel/fault.ts';
import type { BlockStorageClient, VolumeInfo } from './client.ts';
import { createBlockStorageProxy } from './create-proxy.ts';
import type { BlockStorageDeps } from './deps.ts';
import { attachmentsOf, changeAttachment, release, reserve } from './model/attachments.ts';
import { addSnapshot } from './model/snapshots.ts';
import { changeVolume } from './model/volume-state.ts';
import { createVolume, mine, removeVolume } from './model/volumes.ts';
import { volumes } from './store/rows.ts';
import type { VolumeRow } from './store/tables.ts';
import { isoMicros } from '../../kernel/clock.ts';

const POLL_MS = 100;

async function infoOf(deps: BlockStorageDeps, row: VolumeRow): Promise<VolumeInfo> {
  const { id, name, status, size, availability_zone, project_id, host, node_id } = row;
  const attached = await attachmentsOf(deps.db.read, id);
  return {
    id, name, status, size, availability_zone, project_id, host, node_id, bootable: row.bootable === 1, multiattach: row.multiattach === 1, encrypted: row.encrypted === 1,
    image_metadata: row.image_metadata_json === null ? {} : (JSON.parse(row.image_metadata_json) as Record<string, string>),
    attachments: attached.map((one) => ({ id: one.id, server_id: one.instance_id, device: one.mountpoint })),
  };
}

export function createBlockStorageClient(deps: BlockStorageDeps): BlockStorageClient {
  const own = async (auth: Auth, id: string): Promise<VolumeRow> => {
    const row = await volumes.find(deps.db.read, id);
    if (row === undefined || !mine(auth, row)) throw notFound('compute.volume-not-found', `Volume ${id} could not be found.`);
    return row;
  };
  const ids = () => ({ request_id: requestId(), global_request_id: undefined });
  const change = (id: string, from: readonly string[], to: Partial<VolumeRow>) => deps.db.transaction((tx) => changeVolume(tx, deps, id, from, to));
  return {
    getVolume: async (auth, id) => await infoOf(deps, await own(auth, id)),
    async createVolume(auth, { id, size, name, image_id, snapshot_id, source_volume_id, volume_type, availability_zone, node_id }) {
      if (id !== undefined && (await volumes.find(deps.db.read, id)) !== undefined) return id;
      const source = { image_id: image_id ?? null, snapshot_id: snapshot_id ?? null, source_volid: source_volume_id ?? null, backup_id: null };
      const wanted = { size: size === 0 ? null : size, name, description: null, type: volume_type ?? null, metadata: {}, availability_zone: availability_zone ?? null, group_id: null, node_id, ...source, ...(id === undefined ? {} : { id }) };
      return (await createVolume(deps, { auth, ...ids() }, wanted)).id;
    },
    async whenReady(id, signal) {
      for (;;) {
        const row = await volumes.find(deps.db.read, id);
        if (row === undefined) throw notFound('compute.volume-not-found', `Volume ${id} could not be found.`);
        if (row.status !== 'creating') return await infoOf(deps, row);
        await delay(POLL_MS, undefined, { signal });
      }
    },
    async reserve(auth, volume_id, server_id) {
      await own(auth, volume_id);
      return { attachment_id: (await reserve(deps, volume_id, server_id)).id };
    },
    async connect(id, { node_id, host, mountpoint, mode }) {
      await changeAttachment(deps, id, { node_id, attached_host: host, mountpoint, attach_mode: mode, attach_status: 'attaching' });
    },
    async complete(id) {
      await changeAttachment(deps, id, { attach_status: 'attached', attached_at: isoMicros(deps.clock.now()) });
    },
    release: async (id) => void (await release(deps, id)),
    beginDetach: async (id) => void (await change(id, ['in-use'], { status: 'detaching' })),
    rollDetach: async (id) => void (await change(id, ['detaching', 'in-use'], { status: 'in-use' })),
    async createSnapshot(auth, volume_id, name, force) {
      await own(auth, volume_id);
      const wanted = { volume_id, name, description: null, metadata: {}, force, user_id: auth.user_id };
      return (await deps.db.transaction((tx) => addSnapshot(tx, deps, ids(), wanted))).id;
    },
    deleteVolume: async (auth, id) => await removeVolume(deps, ids(), await own(auth, id)),
    proxy: createBlockStorageProxy(deps),
  };
}
