import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

async function setup(before: 'pause' | 'suspend' | undefined): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  let action_id = await booted(world, 'delete');
  const { server_id } = world;
  if (before !== undefined) {
    await runTask(world, 'compute.power-server', `server:${server_id}`, { server_id, action_id, what: before });
    action_id = `${action_id}+`;
  }
  const definition = world.definitionOf('compute.soft-delete-server');
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'soft-deleting', deleted_at: '2026-01-01T00:00:00.000000Z' });
      return await tasks.start(tx, definition, { resource: `server:${server_id}:soft-delete`, input: { server_id, action_id }, request_id: ctx.request_id });
    },
    // A guest that was stopped stays so: the job that compares notes it, and the deletion can be asked for again.
    async snapshot() {
      const { vm_state, node_id, deleted } = await world.row();
      return { vm_state, node_id, deleted, outside: await world.outside() };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state, row.power_state, row.deleted], ['soft-delete', null, 4, 0]);
      assert.ok(row.deleted_at);
      assert.equal((await world.nodes.drivers[0]!.inspect(server_id))!.power_state, 'shutdown');
    },
    async expectFailed() {
      const row = await world.row();
      assert.deepEqual([row.task_state, row.deleted_at], [null, null]);
    },
    close: world.close,
  };
}

testTask('soft-delete-server of one that runs', { setup: () => setup(undefined), steps: ['end-other-work', 'stop'] });
testTask('soft-delete-server of one that is paused', { setup: () => setup('pause'), steps: ['end-other-work', 'stop'] });
testTask('soft-delete-server of one that is suspended', { setup: () => setup('suspend'), steps: ['end-other-work', 'stop'] });
