import { notFound, unavailable } from '../../../kernel/fault.ts';
import type { BlockStorageClient } from '../../block-storage/client.ts';

const none = async (): Promise<never> => {
  throw unavailable('compute.no-block-storage', 'This cloud has no block storage.', { retryable: false });
};

/** A cloud without block storage has no volume that one could name. */
export const noBlockStorage: BlockStorageClient = {
  async getVolume(_auth, id) {
    throw notFound('compute.volume-not-found', `Volume ${id} could not be found.`);
  },
  createVolume: none, whenReady: none, reserve: none, connect: none, complete: none, release: none, beginDetach: none, rollDetach: none, createSnapshot: none, deleteVolume: none,
  proxy: { volumes: async () => [], volume: none, createVolume: none, snapshots: async () => [], snapshot: none, createSnapshot: none, deleteSnapshot: none },
};
