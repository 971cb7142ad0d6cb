import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { uuid } from '../../../src/kernel/ids.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld, type ServerWorld } from './world.ts';

const KIND = 'compute.snapshot-server';

function queued(world: ServerWorld, properties: Record<string, string> = {}, created_at = ''): string {
  return world.images.add({ id: uuid(), status: 'queued', owner: 'p', manifest_digest: null, digest: null, size: null, created_at, properties: { image_type: 'backup', backup_type: 'daily', instance_uuid: world.server_id, ...properties } }).id;
}

async function setup(): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  const action_id = await booted(world, 'createImage');
  const { server_id } = world;
  const definition = world.definitionOf(KIND);
  let image_id = '';
  const nothingKept = async (): Promise<void> => {
    await assert.rejects(world.nodes.drivers[0]!.sendCapture(image_id), { code: 'compute.capture-gone' });
  };
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      image_id = queued(world);
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'image_snapshot_pending' });
      return await tasks.start(tx, definition, { resource: `server:${server_id}`, input: { server_id, action_id, image_id }, request_id: ctx.request_id });
    },
    async snapshot() {
      const { node_id, host, vm_state, power_state, task_state, deleted } = await world.row();
      return { node_id, host, vm_state, power_state, task_state, deleted, outside: await world.outside(), images: [...world.images.images.keys()], holds: [...world.images.holds] };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state], ['active', null]);
      const image = world.images.images.get(image_id)!;
      assert.equal(image.status, 'active');
      assert.deepEqual((await world.events())[0], { event: 'compute_snapshot_instance', result: 'Success' });
      await nothingKept();
    },
    expectFailed: nothingKept,
    close: world.close,
  };
}

testTask('snapshot-server', { setup, steps: ['capture', 'upload', 'publish'] });

test('backups are rotated: the oldest of their kind and server go, others stay', async () => {
  const world = await serverWorld({ nodes: 1 });
  const { server_id } = world;
  const action_id = await booted(world, 'createBackup');
  const old = ['1', '2', '3'].map((at) => queued(world, {}, at));
  const others = [queued(world, { backup_type: 'weekly' }, '0'), queued(world, { instance_uuid: uuid() }, '0'), queued(world, { image_type: 'snapshot' }, '0')];
  const image_id = queued(world, {}, '4');
  await runTask(world, KIND, `server:${server_id}`, { server_id, action_id, image_id, backup: { type: 'daily', rotation: 2 } });
  const left = new Set(world.images.images.keys());
  assert.deepEqual([...old, image_id].map((id) => left.has(id)), [false, false, true, true]);
  for (const id of others) assert.ok(left.has(id));
  assert.deepEqual((await world.events())[0], { event: 'compute_backup_instance', result: 'Success' });
  await world.close();
});

test('an image that is deleted meanwhile ends the work, and the server stays as it was', async () => {
  const world = await serverWorld({ nodes: 1 });
  const { server_id } = world;
  const action_id = await booted(world, 'createImage');
  await runTask(world, KIND, `server:${server_id}`, { server_id, action_id, image_id: uuid() });
  const row = await world.row();
  assert.deepEqual([row.vm_state, row.task_state, row.fault_json], ['active', null, null]);
  assert.equal((await world.events())[0]?.result, 'Error');
  await world.close();
});
