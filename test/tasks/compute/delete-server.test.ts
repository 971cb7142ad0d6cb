import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const KIND = 'compute.delete-server';

async function setup(): Promise<TaskWorld> {
  const world = await serverWorld({ with_volumes: true });
  const action_id = await booted(world, 'delete');
  const { server_id } = world;
  const definition = world.definitionOf(KIND);
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'deleting' });
      return await tasks.start(tx, definition, { resource: `server:${server_id}:delete`, input: { server_id, action_id }, request_id: ctx.request_id });
    },
    // A deletion does not bring back what it has removed: what must hold is that the server is still there to be deleted again.
    async snapshot() {
      const { deleted, vm_state } = await world.row();
      return { deleted, there: vm_state !== 'deleted' };
    },
    async expectDone() {
      const row = await world.row();
      assert.equal(row.deleted, 1);
      assert.equal(row.vm_state, 'deleted');
      assert.ok(row.terminated_at);
      assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
      // one was made with the server and goes with it
      assert.deepEqual(world.volumesNow(), { volumes: [['available', 0]], attached: [] });
      assert.deepEqual((await world.events())[0], { event: 'compute_terminate_instance', result: 'Success' });
    },
    async expectFailed() {
      const row = await world.row();
      assert.equal(row.vm_state, 'error');
      assert.equal(row.task_state, null);
      assert.ok(row.fault_json);
      await runTask(world, KIND, `server:${server_id}:delete`, { server_id, action_id });
      assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
    },
    close: world.close,
  };
}

testTask('delete-server', { setup, steps: ['end-other-work', 'destroy', 'release'] });

test('a server on a node that is away is deleted without it; the guest goes when the node is back', async () => {
  const world = await serverWorld({ nodes: 1 });
  const action_id = await booted(world, 'delete');
  const { server_id } = world;
  world.nodes.setConnected(0, false);
  await runTask(world, KIND, `server:${server_id}:delete`, { server_id, action_id });
  assert.equal((await world.row()).deleted, 1);
  assert.deepEqual(await world.outside(), { guests: [server_id], ports: [], claims: [] });
  world.nodes.setConnected(0, true);
  const job = world.compute.service.jobs.find(({ name }) => name === 'compute.sync-power-state')!;
  await job.run({ log: world.deps.log, clock: world.deps.clock, signal: new AbortController().signal });
  assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
  await world.close();
});
