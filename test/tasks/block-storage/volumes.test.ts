import assert from 'node:assert/strict';
import { snapshots } from '../../../src/services/block-storage/store/rows.ts';
import { testTask } from '../harness.ts';
import { addSnapshotRow, firstBytes, GIB, onNode, SNAPSHOT, there, VOLUME, volumeWorld } from './world.ts';

testTask('block-storage.create-volume', {
  steps: ['place', 'make'],
  setup: () => volumeWorld({
    kind: 'create-volume', input: { volume_id: VOLUME }, volume: { status: 'creating' }, prepare: async () => {},
    async expectDone({ driver, volume }) {
      assert.deepEqual(await driver.list(), [{ volume_id: VOLUME, snapshots: [], size_bytes: GIB, open: false }]);
      const row = await volume();
      assert.deepEqual([row?.status, row?.host, row?.node_id], ['available', 'node-1@fake#fake', 'n1']);
    },
  }),
});

testTask('block-storage.delete-volume', {
  steps: ['other work', 'wipe'],
  setup: () => volumeWorld({
    kind: 'delete-volume', input: { volume_id: VOLUME }, volume: { status: 'deleting', ...there }, prepare: onNode, withoutBytes: true,
    async expectDone({ driver, volume }) {
      assert.deepEqual(await driver.list(), []);
      assert.equal(await volume(), undefined);
    },
  }),
});

testTask('block-storage.extend-volume', {
  steps: ['grow', 'tell servers'],
  setup: () => volumeWorld({
    kind: 'extend-volume', input: { volume_id: VOLUME, old_size: 1, new_size: 3 }, volume: { status: 'extending', previous_status: 'available', ...there }, prepare: onNode, withoutBytes: true,
    async expectDone({ driver, volume }) {
      assert.equal((await driver.list())[0]?.size_bytes, 3 * GIB);
      assert.deepEqual([(await volume())?.status, (await volume())?.size], ['available', 3]);
      assert.equal(await firstBytes(driver, 16), 'what was written');
    },
  }),
});

testTask('block-storage.create-snapshot', {
  steps: ['take'],
  setup: () => volumeWorld({
    kind: 'create-snapshot', input: { snapshot_id: SNAPSHOT, volume_id: VOLUME }, volume: there,
    async prepare(world) {
      await onNode(world);
      await addSnapshotRow(world);
    },
    async expectDone({ driver, deps }) {
      assert.deepEqual((await driver.list())[0]?.snapshots, [SNAPSHOT]);
      assert.equal((await snapshots.find(deps.db.read, SNAPSHOT))?.status, 'available');
    },
  }),
});

testTask('block-storage.delete-snapshot', {
  steps: ['drop'],
  setup: () => volumeWorld({
    kind: 'delete-snapshot', input: { snapshot_id: SNAPSHOT, volume_id: VOLUME }, volume: there, withoutBytes: true,
    async prepare(world) {
      await onNode(world);
      await addSnapshotRow(world, { status: 'deleting' });
      await world.driver.createSnapshot(VOLUME, SNAPSHOT);
    },
    async expectDone({ driver, deps }) {
      assert.deepEqual((await driver.list())[0]?.snapshots, []);
      assert.equal(await snapshots.find(deps.db.read, SNAPSHOT), undefined);
    },
  }),
});

testTask('block-storage.revert-volume', {
  steps: ['revert'],
  setup: () => volumeWorld({
    kind: 'revert-volume', input: { snapshot_id: SNAPSHOT, volume_id: VOLUME }, volume: { status: 'reverting', previous_status: 'available', ...there },
    async prepare(world) {
      await onNode(world);
      await addSnapshotRow(world, { status: 'restoring' });
      await world.driver.createSnapshot(VOLUME, SNAPSHOT);
      world.driver.write(VOLUME, 0, Buffer.from('what came after'));
    },
    async expectDone({ driver, volume }) {
      assert.equal(await firstBytes(driver, 16), 'what was written');
      assert.equal((await volume())?.status, 'available');
    },
  }),
});
