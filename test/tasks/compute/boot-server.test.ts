import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unavailable } from '../../../src/kernel/fault.ts';
import { testTask, testTasks, type TaskWorld } from '../harness.ts';
import { ctx, runTask, serverWorld } from './world.ts';

const KIND = 'compute.boot-server';

async function setup(): Promise<TaskWorld> {
  const world = await serverWorld({ with_volumes: true });
  const definition = world.definitionOf(KIND);
  const input = { server_id: world.server_id, action_id: world.action_id };
  return {
    db: world.db,
    definition,
    start: (tx, tasks) => tasks.start(tx, definition, { resource: `server:${world.server_id}`, input, request_id: ctx.request_id }),
    async snapshot() {
      const { node_id, host, zone, nics_json } = await world.row();
      return { outside: await world.outside(), volumes: world.volumesNow(), node_id, host, zone, nics_json };
    },
    async expectDone() {
      const row = await world.row();
      assert.equal(row.vm_state, 'active');
      assert.equal(row.task_state, null);
      assert.equal(row.power_state, 1);
      assert.ok(row.launched_at);
      const id = world.server_id;
      assert.deepEqual(await world.outside(), { guests: [id], ports: [id], claims: [id] });
      assert.deepEqual(world.volumesNow(), { volumes: [['in-use', 1], ['in-use', 1]], attached: ['/dev/vdb', '/dev/vdc'] });
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

testTask('boot-server', { setup, steps: ['place', 'network', 'volumes', 'spawn'] });

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

/** Their engines do not answer the first calls. @returns the nodes that were asked, in turn. */
function enginesAway({ nodes }: Awaited<ReturnType<typeof serverWorld>>, calls: number): () => string[] {
  let left = calls;
  for (const driver of nodes.drivers) {
    const spawn = driver.spawn.bind(driver);
    driver.spawn = async (spec) => {
      if (left-- > 0) throw unavailable('compute.engine-unavailable', 'Could not create the container: the Docker engine of the node does not answer.');
      return await spawn(spec);
    };
  }
  return () => nodes.calls.filter(({ method }) => method === 'compute.spawn').map(({ node_id }) => node_id);
}

test('an engine that restarts is waited for, and the server stays where it was placed', async () => {
  const world = await serverWorld();
  const asked = enginesAway(world, 2);
  await boot(world);
  assert.equal((await world.row()).vm_state, 'active');
  assert.equal(asked().length, 3);
  assert.deepEqual(new Set(asked()), new Set([(await world.row()).node_id]));
  await world.close();
});

test('an agent that restarts is waited for', async () => {
  const world = await serverWorld({ nodes: 1 });
  const [driver] = world.nodes.drivers;
  const spawn = driver!.spawn.bind(driver);
  let first = true;
  driver!.spawn = async (spec) => {
    if (!first) return await spawn(spec);
    first = false;
    world.nodes.setConnected(0, false);
    setTimeout(() => world.nodes.setConnected(0, true), 300);
    throw unavailable('bus.node-unavailable', 'The node fake-0001 is not connected.', { retryable: true });
  };
  await boot(world);
  assert.equal((await world.row()).vm_state, 'active');
  await world.close();
});

test('an engine that stays away is left for the next host, also when nothing can be removed there', async () => {
  const world = await serverWorld({ config: { node_wait: 0 } });
  const asked = enginesAway(world, 1);
  for (const driver of world.nodes.drivers) driver.destroy = async () => Promise.reject(unavailable('compute.engine-unavailable', 'Could not stop the server: the Docker engine of the node does not answer.'));
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'active');
  assert.equal(new Set(asked()).size, 2);
  assert.equal(row.node_id, asked()[1]);
  await world.close();
});

test('where every engine stays away the server ends in error, with what was waited for', async () => {
  const world = await serverWorld({ config: { node_wait: 1 } });
  const asked = enginesAway(world, Number.POSITIVE_INFINITY);
  await boot(world);
  const row = await world.row();
  assert.equal(row.vm_state, 'error');
  assert.deepEqual(new Set(asked()), new Set(world.nodes.ids));
  const { code, message } = JSON.parse(row.fault_json!);
  assert.equal(code, 500);
  assert.equal(message, 'Could not create the container: the Docker engine of the node does not answer. It stayed away for 1 s.');
  assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
  await world.close();
});

test('a deletion ends the wait for an engine', async () => {
  const world = await serverWorld();
  const asked = enginesAway(world, Number.POSITIVE_INFINITY);
  const definition = world.definitionOf(KIND);
  const tasks = testTasks({ db: world.db, definition });
  await tasks.run();
  const id = await world.db.transaction((tx) =>
    tasks.start(tx, definition, { resource: `server:${world.server_id}`, input: { server_id: world.server_id, action_id: world.action_id }, request_id: ctx.request_id }));
  while (asked().length < 2) await new Promise(setImmediate);
  await world.db.transaction((tx) => tasks.cancel(tx, `server:${world.server_id}`));
  await tasks.whenSettled(id);
  assert.equal(new Set(asked()).size, 1);
  assert.deepEqual(await world.outside(), { guests: [], ports: [], claims: [] });
  await tasks.stop();
  await world.close();
});
