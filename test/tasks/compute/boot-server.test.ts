import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testTask, type TaskWorld } from '../harness.ts';
import { ctx, runTask, serverWorld } from './world.ts';

const KIND = 'compute.boot-server';

async function setup(): Promise<TaskWorld> {
  const world = await serverWorld();
  const definition = world.definitionOf(KIND);
  const input = { server_id: world.server_id, action_id: world.action_id };
  return {
    db: world.db,
    definition,
    start: (tx, tasks) => tasks.start(tx, definition, { resource: `server:${world.server_id}`, input, request_id: ctx.request_id }),
    async snapshot() {
      const { node_id, host, zone, nics_json } = await world.row();
      return { outside: await world.outside(), node_id, host, zone, nics_json };
    },
    async expectDone() {
      const row = await world.row();
      assert.equal(row.vm_state, 'active');
      assert.equal(row.task_state, null);
      assert.equal(row.power_state, 1);
      assert.ok(row.launched_at);
      const id = world.server_id;
      assert.deepEqual(await world.outside(), { guests: [id], ports: [id], claims: [id] });
      assert.equal(world.network.plugged.get(id), true);
      assert.deepEqual(await world.events(), [{ event: 'compute__do_build_and_run_instance', result: 'Success' }]);
    },
    async expectFailed(task) {
      const row = await world.row();
      assert.equal(row.vm_state, 'error');
      assert.equal(row.task_state, null);
      const fault = JSON.parse(row.fault_json!);
      assert.equal(fault.code, task.error!.status);
      assert.deepEqual(await world.events(), [{ event: 'compute__do_build_and_run_instance', result: 'Error' }]);
    },
    close: world.close,
  };
}

testTask('boot-server', { setup, steps: ['place', 'network', 'spawn'] });

const boot = (world: Awaited<ReturnType<typeof serverWorld>>) =>
  runTask(world, KIND, `server:${world.server_id}`, { server_id: world.server_id, action_id: world.action_id });

test('a node that fails is left, and the server goes to the next one', async () => {
  const world = await serverWorld({ metadata: { 'fail:spawn': 'the disk is broken' } });
  // Both nodes fail alike: each is tried once, nothing stays on either.
  await boot(world);
  const spawned = world.nodes.calls.filter(({ method }) => method === 'compute.spawn').map(({ node_id }) => node_id);
  assert.deepEqual(new Set(spawned), new Set(world.nodes.ids));
  assert.equal(spawned.length, 2);
  assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
  const row = await world.row();
  assert.equal(row.vm_state, 'error');
  assert.equal(JSON.parse(row.fault_json!).message, 'the disk is broken');
  await world.close();
});

test('without a host that fits the fault has nova\'s words', async () => {
  const world = await serverWorld({ nodes: 1 });
  world.nodes.setConnected(0, false);
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'error');
  const { code, message, details } = JSON.parse(row.fault_json!);
  assert.deepEqual({ code, message }, { code: 500, message: 'No valid host was found. There are not enough hosts available.' });
  assert.equal(details, 'fake-0001: down or disabled');
  await world.close();
});

test('the fault names the resource that ran out', async () => {
  const world = await serverWorld({ nodes: 2 });
  for (const [at, id] of world.nodes.ids.entries()) {
    const { inventory } = await world.placement.usage(id);
    await world.placement.ensureProvider({ id, name: `fake-000${at + 1}`, inventory: { ...inventory, MEMORY_MB: { ...inventory['MEMORY_MB']!, total: 10, reserved: 0, max_unit: 10, allocation_ratio: 1 } } });
  }
  await boot(world);
  const { code, details } = JSON.parse((await world.row()).fault_json!);
  assert.equal(code, 500);
  assert.match(details, /^fake-0001: not enough MEMORY_MB \(\d+ wanted, 10 free\); fake-0002: not enough MEMORY_MB/);
  await world.close();
});

test('an entrypoint that fails at once leaves the container for a look, and a fault with its exit code', async () => {
  const world = await serverWorld({ metadata: { 'exit:code': '127' } });
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'error');
  assert.equal(JSON.parse(row.fault_json!).message, 'Container exited with code 127: exited with 127');
  assert.deepEqual((await world.outside() as { guests: string[] }).guests, [world.server_id]);
  await world.close();
});

test('an entrypoint that ends well at once is a stopped server', async () => {
  const world = await serverWorld({ metadata: { 'exit:code': '0' } });
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'stopped');
  assert.equal(row.power_state, 4);
  assert.equal(row.fault_json, null);
  await world.close();
});

test('no address left is the fault of the server, and nothing is kept', async () => {
  const world = await serverWorld();
  world.network.failClaims = 'No more IP addresses available on network x.';
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'error');
  assert.equal(JSON.parse(row.fault_json!).message, 'No more IP addresses available on network x.');
  assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
  await world.close();
});
