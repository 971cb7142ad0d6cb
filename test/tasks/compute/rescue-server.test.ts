import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import type { BootImage } from '../../../src/services/compute/model/image-checks.ts';
import { findBoot, updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const passwords = [{ user: 'root', hash: '$6$x$y' }];

async function setup(what: 'rescue' | 'unrescue', before: 'stop' | undefined): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  let action_id = await booted(world, what);
  const { server_id } = world;
  const resource = `server:${server_id}`;
  if (before !== undefined) {
    await runTask(world, 'compute.power-server', resource, { server_id, action_id, what: before });
    action_id = `${action_id}+`;
  }
  const image = JSON.parse((await findBoot(world.read, server_id))!.image_json) as BootImage;
  const rescue = { image: { ...image, id: 'rescue-image' }, shell: false, passwords, was_running: before === undefined };
  if (what === 'unrescue') {
    await runTask(world, 'compute.rescue-server', resource, { server_id, action_id, ...rescue });
    action_id = `${action_id}+`;
  }
  const definition = world.definitionOf(`compute.${what}-server`);
  const driver = world.nodes.drivers[0]!;
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: `${what.slice(0, -1)}ing` });
      return await tasks.start(tx, definition, { resource, input: { server_id, action_id, ...(what === 'rescue' ? rescue : {}) }, request_id: ctx.request_id });
    },
    async snapshot() {
      const { vm_state, node_id, task_state, deleted } = await world.row();
      // A way back that was gone half stays gone: it can be asked for again.
      const node = what === 'rescue' ? { power: (await driver.inspect(server_id))!.power_state, rescue: driver.rescueOf(server_id) ?? null } : {};
      return { vm_state, node_id, task_state, deleted, outside: await world.outside(), ...node };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state, row.power_state], [what === 'rescue' ? 'rescued' : 'active', null, 1]);
      const other = driver.rescueOf(server_id);
      assert.equal(other?.image.id, what === 'rescue' ? 'rescue-image' : undefined);
      if (what === 'rescue') assert.deepEqual([other?.passwords, other?.options?.restart?.name, other?.command], [passwords, 'no', null]);
      assert.equal((await driver.inspect(server_id))!.power_state, 'running');
      if (what === 'rescue' && before === undefined) assert.deepEqual((await world.events())[0], { event: `compute_${what}_instance`, result: 'Success' });
    },
    close: world.close,
  };
}

testTask('rescue-server of one that runs', { setup: () => setup('rescue', undefined), steps: ['rescue'] });
testTask('rescue-server of one that is off', { setup: () => setup('rescue', 'stop'), steps: ['rescue'] });
testTask('unrescue-server', { setup: () => setup('unrescue', undefined), steps: ['unrescue'] });
