import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testTask, type TaskWorld } from '../harness.ts';
import { moveWorld, movedWorld, type MoveWorld } from './move-world.ts';
import { ctx, runTask } from './world.ts';

const flavorName = async (world: MoveWorld): Promise<string> => JSON.parse((await world.row()).flavor_json).name as string;

function taskWorld(world: MoveWorld, kind: string, over: Pick<TaskWorld, 'expectDone'> & Partial<TaskWorld>): TaskWorld {
  const definition = world.definitionOf(kind);
  return {
    db: world.db,
    definition,
    start: (tx, tasks) => tasks.start(tx, definition, { resource: world.resource, input: world.input, request_id: ctx.request_id }),
    async snapshot() {
      const { node_id, host, zone, vm_state, power_state, flavor_id, disk_config } = await world.row();
      const reports = await Promise.all(world.nodes.drivers.map(async (driver) => (await driver.inspect(world.server_id))?.power_state));
      const memory = world.nodes.drivers.map((driver) => driver.specOf(world.server_id)?.limits.memory_mb);
      const { status, dest_node_id } = await world.move();
      return { node_id, host, zone, vm_state, power_state, flavor_id, disk_config, reports, memory, holds: await world.holds(), plugged: world.network.plugged.get(world.server_id), status: status === 'pre-migrating' || status === 'error' ? 'none' : status, dest_node_id };
    },
    async expectFailed() {
      const row = await world.row();
      assert.equal(row.task_state, null);
      assert.ok(row.fault_json);
      assert.equal((await world.events()).some(({ result }) => result === 'Error'), true);
    },
    close: world.close,
    ...over,
  };
}

for (const type of ['resize', 'migration'] as const) {
  testTask(`resize-server, a ${type}`, {
    async setup() {
      const world = await moveWorld(type);
      const [source] = await world.guests();
      return taskWorld(world, 'compute.resize-server', {
        async expectDone() {
          const row = await world.row();
          assert.deepEqual([row.vm_state, row.task_state, row.power_state], ['resized', null, 1]);
          assert.equal((await world.move()).status, 'finished');
          assert.equal(await flavorName(world), type === 'resize' ? 'm2' : 'm1');
          assert.equal(row.vcpus, type === 'resize' ? 2 : 1);
          const dest = type === 'resize' ? source : 1 - source!;
          assert.equal(row.node_id, world.nodes.ids[dest!]);
          assert.deepEqual(await world.guests(), type === 'resize' ? [source] : [0, 1]);
          assert.equal(world.network.plugged.get(world.server_id), true);
          const holds = await world.holds();
          assert.deepEqual(Object.keys(holds).sort(), type === 'resize' ? [`server@${source}`] : [`move@${source}`, `server@${dest}`]);
          assert.deepEqual((await world.events())[0], { event: 'cold_migrate', result: 'Success' });
        },
      });
    },
    steps: ['place', 'stop', 'network', 'guest'],
  });

  testTask(`confirm-resize of a ${type}`, {
    async setup() {
      const world = await movedWorld(type, 'confirming');
      const dest = world.nodes.ids.indexOf((await world.row()).node_id!);
      return taskWorld(world, 'compute.confirm-resize', {
        // The guest that was kept does not come back.
        async snapshot() {
          const { node_id, vm_state, flavor_id } = await world.row();
          return { node_id, vm_state, flavor_id, holds: await world.holds() };
        },
        async expectDone() {
          const row = await world.row();
          assert.deepEqual([row.vm_state, row.task_state], ['active', null]);
          assert.equal((await world.move()).status, 'confirmed');
          assert.deepEqual(await world.guests(), [dest]);
          assert.deepEqual(Object.keys(await world.holds()), [`server@${dest}`]);
        },
        async expectFailed() {
          assert.equal((await world.move()).status, 'finished', 'it can be asked for again');
        },
      });
    },
    steps: ['leave-source'],
  });

  testTask(`revert-resize of a ${type}`, {
    async setup() {
      const world = await movedWorld(type, 'reverting');
      const source = world.nodes.ids.indexOf((await world.move()).source_node_id!);
      return taskWorld(world, 'compute.revert-resize', {
        async snapshot() {
          const { node_id, vm_state, flavor_id, vcpus } = await world.row();
          const reports = await Promise.all(world.nodes.drivers.map(async (driver) => (await driver.inspect(world.server_id))?.power_state));
          return { node_id, vm_state, flavor_id, vcpus, reports, holds: await world.holds(), plugged: world.network.plugged.get(world.server_id) };
        },
        async expectDone() {
          const row = await world.row();
          assert.deepEqual([row.vm_state, row.task_state, row.power_state], ['active', null, 1]);
          assert.equal(await flavorName(world), 'm1');
          assert.equal((await world.move()).status, 'reverted');
          assert.equal(row.node_id, world.nodes.ids[source]);
          assert.deepEqual(await world.guests(), [source]);
          assert.equal(world.nodes.drivers[source]!.specOf(world.server_id)!.limits.memory_mb, 128);
          assert.deepEqual(Object.keys(await world.holds()), [`server@${source}`]);
          assert.equal(world.network.plugged.get(world.server_id), true);
        },
        async expectFailed() {
          assert.equal((await world.move()).status, 'finished', 'it can be kept, or tried again');
        },
      });
    },
    steps: ['stop', 'network', 'guest', 'place'],
  });
}

testTask('evacuate-server', {
  async setup() {
    const world = await moveWorld('evacuation');
    const [source] = await world.guests();
    world.nodes.setConnected(source!, false);
    return taskWorld(world, 'compute.evacuate-server', {
      async expectDone() {
        const row = await world.row();
        assert.deepEqual([row.vm_state, row.task_state, row.power_state], ['active', null, 1]);
        assert.equal(row.node_id, world.nodes.ids[1 - source!]);
        assert.equal((await world.move()).status, 'done');
        assert.deepEqual(Object.keys(await world.holds()).sort(), [`move@${source}`, `server@${1 - source!}`]);
      },
    });
  },
  steps: ['place', 'network', 'spawn'],
});

test('a node that cannot take a moving server is left, and the server goes to the next one', async () => {
  const world = await moveWorld('migration', { nodes: 3, metadata: { 'fail:move': 'the disk is broken' } });
  await runTask(world, 'compute.resize-server', world.resource, world.input);
  const row = await world.row();
  assert.equal(row.vm_state, 'active', 'where it was');
  assert.equal(JSON.parse(row.fault_json!).message, 'the disk is broken');
  const tried = world.nodes.calls.filter(({ method }) => method === 'compute.spawn').map(({ node_id }) => node_id);
  assert.equal(new Set(tried.slice(1)).size, 2, 'both others were tried');
  assert.equal((await world.guests()).length, 1);
  assert.deepEqual(Object.keys(await world.holds()).length, 1);
  await world.close();
});

test('a change of size goes to another node when its own has no room for it', async () => {
  const world = await moveWorld('resize');
  const [source] = await world.guests();
  const id = world.nodes.ids[source!]!;
  const { inventory } = await world.placement.usage(id);
  await world.placement.ensureProvider({ id, name: `fake-000${source! + 1}`, inventory: { ...inventory, MEMORY_MB: { ...inventory['MEMORY_MB']!, total: 200, reserved: 0, max_unit: 200, allocation_ratio: 1 } } });
  await runTask(world, 'compute.resize-server', world.resource, world.input);
  assert.equal((await world.row()).node_id, world.nodes.ids[1 - source!]);
  assert.deepEqual(await world.guests(), [0, 1]);
  await world.close();
});
