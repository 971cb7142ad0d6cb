import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { updateBoot, updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const KIND = 'compute.rebuild-server';

async function setup(stopped: boolean): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  const action_id = await booted(world, 'rebuild');
  const { server_id } = world;
  const [driver] = world.nodes.drivers;
  if (stopped) await runTask(world, 'compute.power-server', `server:${server_id}`, { server_id, action_id: `${action_id}-stop`, what: 'stop' });
  const definition = world.definitionOf(KIND);
  const image = world.images.add({ digest: 'b'.repeat(64) });
  const image_json = JSON.stringify({ id: image.id, digest: image.digest, size: 1, container_format: 'docker', disk_format: 'raw' });
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'rebuilding', image_id: image.id });
      await updateBoot(asTransaction<ComputeTables>(tx), server_id, { image_json });
      return await tasks.start(tx, definition, { resource: `server:${server_id}`, input: { server_id, action_id, stopped }, request_id: ctx.request_id });
    },
    // What was thrown away is not brought back: its place, ports and claims stay, and it can be rebuilt again.
    async snapshot() {
      const { node_id, host, task_state, deleted } = await world.row();
      return { node_id, host, task_state, deleted, outside: await world.outside() };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state, row.fault_json], [stopped ? 'stopped' : 'active', null, null]);
      const spec = driver!.specOf(server_id)!;
      assert.deepEqual([spec.image.id, spec.incarnation], [image.id, action_id]);
      assert.equal((await driver!.inspect(server_id))!.power_state, stopped ? 'shutdown' : 'running');
      assert.equal(world.network.plugged.get(server_id), !stopped);
      if (!stopped) assert.deepEqual((await world.events())[0], { event: 'compute_rebuild_instance', result: 'Success' });
    },
    async expectFailed() {
      const row = await world.row();
      assert.equal(row.vm_state, 'error');
      assert.ok(row.fault_json);
      await runTask(world, KIND, `server:${server_id}`, { server_id, action_id: `${action_id}-again`, stopped: false });
      assert.equal((await world.row()).vm_state, 'active');
      assert.equal((await driver!.inspect(server_id))!.power_state, 'running');
    },
    close: world.close,
  };
}

for (const stopped of [false, true]) testTask(`rebuild-server ${stopped ? 'that is stopped' : 'that runs'}`, { setup: () => setup(stopped), steps: ['fetch', 'stop', 'replace', 'stop-again'] });
