import assert from 'node:assert/strict';
import { CHUNK_BYTES } from '../../../src/agents/volume/protocol.ts';
import { backups } from '../../../src/services/block-storage/store/rows.ts';
import { testTask } from '../harness.ts';
import { addBackupRow, BACKUP, firstBytes, GIB, onNode, there, VOLUME, volumeWorld } from './world.ts';

testTask('block-storage.create-backup', {
  steps: ['clone', 'copy', 'drop clone'],
  setup: () => volumeWorld({
    kind: 'create-backup', input: { backup_id: BACKUP, volume_id: VOLUME }, volume: { status: 'backing-up', previous_status: 'available', ...there },
    async prepare(world) {
      await onNode(world);
      await addBackupRow(world);
    },
    async expectDone({ driver, deps, volume }) {
      assert.deepEqual((await driver.list()).map(({ volume_id }) => volume_id), [VOLUME]);
      const row = await backups.find(deps.db.read, BACKUP);
      const chunks = JSON.parse(row!.chunks_json) as { digest: string; size: number }[];
      assert.equal(row?.status, 'available');
      assert.deepEqual([chunks.length, chunks.filter(({ digest }) => digest !== '').length], [GIB / CHUNK_BYTES, 1]);
      assert.equal((await volume())?.status, 'available');
    },
  }),
});

testTask('block-storage.restore-backup', {
  steps: ['write'],
  setup: () => volumeWorld({
    kind: 'restore-backup', input: { backup_id: BACKUP, volume_id: VOLUME }, volume: { status: 'restoring-backup', previous_status: 'available', ...there },
    async prepare(world) {
      await onNode(world);
      world.driver.write(VOLUME, 0, Buffer.from('what came after'));
      await addBackupRow(world, { status: 'restoring', chunks_json: JSON.stringify([{ digest: '', size: CHUNK_BYTES }]) });
    },
    async expectDone({ driver, deps, volume }) {
      assert.equal(await firstBytes(driver, 4), '\0\0\0\0');
      assert.equal((await volume())?.status, 'available');
      assert.equal((await backups.find(deps.db.read, BACKUP))?.status, 'available');
    },
  }),
});

testTask('block-storage.delete-backup', {
  steps: ['drop chunks'],
  setup: () => volumeWorld({
    kind: 'delete-backup', input: { backup_id: BACKUP }, volume: there,
    prepare: async (world) => await addBackupRow(world, { status: 'deleting' }),
    expectDone: async ({ deps }) => assert.equal(await backups.find(deps.db.read, BACKUP), undefined),
  }),
});
