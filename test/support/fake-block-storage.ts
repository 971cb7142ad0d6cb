/** Block storage in memory: volumes with the states that attaching takes them through, in cinder's words. */
import assert from 'node:assert/strict';
import { badRequest, conflict, notFound } from '../../src/kernel/fault.ts';
import { uuid } from '../../src/kernel/ids.ts';
import type { BlockStorageClient, BlockStorageProxy, VolumeInfo } from '../../src/services/block-storage/client.ts';

interface Connection {
  node_id: string;
  mountpoint: string;
}

export interface FakeBlockStorage extends BlockStorageClient {
  volumes: Map<string, VolumeInfo>;
  /** By attachment. */
  connections: Map<string, Connection>;
  snapshots: Map<string, string>;
  add(over?: Partial<VolumeInfo>): VolumeInfo;
  /** Of the volumes that are made: they end in error. */
  failMaking: boolean;
}

export function fakeBlockStorage(project_id: string): FakeBlockStorage {
  const volumes = new Map<string, VolumeInfo>();
  const connections = new Map<string, Connection>();
  const snapshots = new Map<string, string>();
  const find = (id: string): VolumeInfo => {
    const volume = volumes.get(id);
    if (volume === undefined) throw notFound('block-storage.volume-not-found', `Volume ${id} could not be found.`);
    return volume;
  };
  const ofAttachment = (id: string): VolumeInfo | undefined => [...volumes.values()].find((volume) => volume.attachments.some((one) => one.id === id));
  const need = (id: string): VolumeInfo => {
    const volume = ofAttachment(id);
    if (volume === undefined) throw notFound('block-storage.attachment-not-found', `Volume attachment could not be found with filter: attachment_id = ${id}.`);
    return volume;
  };
  const fake: FakeBlockStorage = {
    volumes,
    connections,
    snapshots,
    failMaking: false,
    add(over = {}) {
      const volume: VolumeInfo = {
        id: uuid(), name: null, status: 'available', size: 1, bootable: false, multiattach: false, encrypted: false, availability_zone: 'nova', project_id, host: 'fake@file#file', node_id: null,
        image_metadata: {}, attachments: [], ...over,
      };
      volumes.set(volume.id, volume);
      return volume;
    },
    getVolume: async (auth, id) => {
      const volume = find(id);
      if (volume.project_id !== auth.project_id && !auth.roles.includes('admin')) throw notFound('block-storage.volume-not-found', `Volume ${id} could not be found.`);
      return structuredClone(volume);
    },
    async createVolume(auth, { id = uuid(), size, name, image_id }) {
      if (!volumes.has(id)) fake.add({ id, size, name, project_id: auth.project_id ?? '', status: fake.failMaking ? 'error' : 'available', ...(image_id === undefined ? {} : { bootable: true, image_metadata: { image_id } }) });
      return id;
    },
    whenReady: async (id) => structuredClone(find(id)),
    async reserve(_auth, volume_id, server_id) {
      const volume = find(volume_id);
      if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use')) {
        throw badRequest('block-storage.volume-invalid', `Invalid volume: Volume ${volume_id} status must be available or downloading to reserve, but the current status is ${volume.status}.`);
      }
      const attachment_id = uuid();
      volume.attachments.push({ id: attachment_id, server_id, device: null });
      if (volume.status === 'available') volume.status = 'reserved';
      return { attachment_id };
    },
    async connect(attachment_id, { node_id, mountpoint }) {
      const volume = need(attachment_id);
      connections.set(attachment_id, { node_id, mountpoint });
      volume.attachments.find(({ id }) => id === attachment_id)!.device = mountpoint;
      volume.status = 'attaching';
    },
    async complete(attachment_id) {
      need(attachment_id).status = 'in-use';
    },
    async release(attachment_id) {
      const volume = ofAttachment(attachment_id);
      connections.delete(attachment_id);
      if (volume === undefined) return;
      volume.attachments = volume.attachments.filter(({ id }) => id !== attachment_id);
      if (volume.attachments.length === 0) volume.status = 'available';
    },
    async beginDetach(volume_id) {
      const volume = find(volume_id);
      if (volume.status !== 'in-use') throw badRequest('block-storage.volume-invalid', `Invalid volume: Unable to detach volume ${volume_id}.`);
      volume.status = 'detaching';
    },
    async rollDetach(volume_id) {
      const volume = find(volume_id);
      if (volume.status === 'detaching') volume.status = 'in-use';
    },
    async createSnapshot(_auth, volume_id) {
      const id = uuid();
      snapshots.set(id, find(volume_id).id);
      return id;
    },
    async deleteVolume(_auth, id) {
      if (find(id).attachments.length > 0) throw conflict('block-storage.volume-in-use', `Volume ${id} is attached.`);
      volumes.delete(id);
    },
    proxy: new Proxy({} as BlockStorageProxy, { get: (_target, name) => assert.fail(`this block storage has no lists: ${String(name)}`) }),
  };
  return fake;
}
