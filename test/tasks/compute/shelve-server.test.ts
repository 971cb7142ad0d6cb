import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import { findShelved } from '../../../src/services/compute/store/shelved-servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld, type ServerWorld } from './world.ts';

const input = (world: ServerWorld, action_id: string) => ({ server_id: world.server_id, action_id });
const resource = (world: ServerWorld): string => `server:${world.server_id}`;
const newImage = (world: ServerWorld): string => world.images.add({ status: 'queued', digest: null, size: null, owner: 'p' }).id;

/** A server that runs; one on the shelf; one off its node. */
async function prepared(stage: 'running' | 'shelved' | 'offloaded'): Promise<{ world: ServerWorld; action_id: string; base_id: string; image_id: string }> {
  const world = await serverWorld({ nodes: 1 });
  const action_id = await booted(world, stage);
  const base_id = (await world.row()).image_id;
  let image_id = '';
  if (stage !== 'running') {
    image_id = newImage(world);
    await runTask(world, 'compute.shelve-server', resource(world), { ...input(world, `${action_id}-s`), image_id, was: 'active' });
    assert.equal((await world.row()).vm_state, 'shelved');
  }
  if (stage === 'offloaded') {
    await runTask(world, 'compute.offload-server', resource(world), input(world, `${action_id}-o`));
    assert.equal((await world.row()).vm_state, 'shelved_offloaded');
  }
  return { world, action_id, base_id, image_id };
}

interface Case {
  kind: string;
  stage: Parameters<typeof prepared>[0];
  extra(made: Awaited<ReturnType<typeof prepared>>): object;
  /** What a failure leaves of the outside. */
  outside?: false;
  check(made: Awaited<ReturnType<typeof prepared>>): Promise<void>;
  failed?(made: Awaited<ReturnType<typeof prepared>>): Promise<void>;
}

async function setup({ kind, stage, extra, outside, check, failed }: Case): Promise<TaskWorld> {
  const made = await prepared(stage);
  const { world, action_id } = made;
  const definition = world.definitionOf(kind);
  const { server_id } = world;
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'busy' });
      return await tasks.start(tx, definition, { resource: resource(world), input: { ...input(world, action_id), ...extra(made) }, request_id: ctx.request_id });
    },
    async snapshot() {
      const { node_id, host, zone, vm_state, task_state, deleted } = await world.row();
      const seen = { node_id, host, zone, vm_state, task_state, deleted, images: [...world.images.images.keys()], holds: [...world.images.holds], shelved: await findShelved(world.read, server_id) };
      if (outside === false) return seen;
      const powers = (await world.nodes.drivers[0]!.list()).map(({ power_state }) => power_state);
      return { ...seen, powers, outside: await world.outside(), unbound: [...world.network.unbound] };
    },
    expectDone: () => check(made),
    ...(failed === undefined ? {} : { expectFailed: () => failed(made) }),
    close: world.close,
  };
}

const shelve: Case = {
  kind: 'compute.shelve-server', stage: 'running',
  extra: (made) => ({ image_id: (made.image_id = newImage(made.world)), was: 'active' }),
  async check({ world, image_id }) {
    const { server_id } = world;
    const row = await world.row();
    assert.deepEqual([row.vm_state, row.task_state, row.power_state, row.node_id !== null], ['shelved', null, 4, true]);
    assert.equal((await findShelved(world.read, server_id))!.image_id, image_id);
    assert.equal(world.images.holds.get(`shelved:${server_id}`), image_id);
    assert.equal((await world.nodes.drivers[0]!.inspect(server_id))!.power_state, 'shutdown');
    assert.deepEqual((await world.events())[0], { event: 'compute_shelve_instance', result: 'Success' });
  },
};

const offload: Case = {
  kind: 'compute.offload-server', stage: 'shelved', extra: () => ({}), outside: false,
  async check({ world }) {
    const { server_id } = world;
    const row = await world.row();
    assert.deepEqual([row.vm_state, row.task_state, row.node_id, row.host], ['shelved_offloaded', null, null, null]);
    assert.deepEqual(await world.outside(), { guests: [], ports: [server_id], claims: [] });
    assert.ok(world.network.unbound.has(server_id));
  },
  async failed({ world, image_id, action_id }) {
    // Whatever of it is gone: it comes back, from its guest or from its image.
    await runTask(world, 'compute.unshelve-server', resource(world), { ...input(world, `${action_id}-u`), offloaded: false, host: null });
    assert.equal((await world.row()).vm_state, 'active');
    const spec = world.nodes.drivers[0]!.specOf(world.server_id)!;
    assert.ok([image_id, (await world.row()).image_id].includes(spec.image.id));
  },
};

const unshelve = (stage: 'shelved' | 'offloaded'): Case => ({
  kind: 'compute.unshelve-server', stage, extra: () => ({ offloaded: stage === 'offloaded', host: null }),
  async check({ world, base_id, image_id }) {
    const { server_id } = world;
    const row = await world.row();
    assert.deepEqual([row.vm_state, row.task_state, row.power_state, row.image_id, row.fault_json], ['active', null, 1, base_id, null]);
    assert.deepEqual(await world.outside(), { guests: [server_id], ports: [server_id], claims: [server_id] });
    assert.equal(await findShelved(world.read, server_id), undefined);
    assert.equal(world.images.images.has(image_id), false, 'its image goes');
    assert.deepEqual([...world.images.holds], [[server_id, stage === 'offloaded' ? image_id : base_id]], 'what it runs from is held');
    assert.equal(world.nodes.drivers[0]!.specOf(server_id)!.image.id, stage === 'offloaded' ? image_id : base_id);
    assert.equal(world.network.unbound.has(server_id), false);
  },
});

testTask('shelve-server', { setup: () => setup(shelve), steps: ['stop', 'capture', 'upload', 'publish'] });
testTask('offload-server', { setup: () => setup(offload), steps: ['check', 'destroy', 'release'] });
testTask('unshelve-server that is on its node', { setup: () => setup(unshelve('shelved')), steps: ['place', 'network', 'spawn'] });
testTask('unshelve-server that is off its node', { setup: () => setup(unshelve('offloaded')), steps: ['place', 'network', 'spawn'] });

test('a paused server is shelved, and paused again when that fails', async () => {
  const world = await serverWorld({ nodes: 1, metadata: { 'fail:capture': 'no' } });
  const action_id = await booted(world, 'shelve');
  await runTask(world, 'compute.power-server', resource(world), { ...input(world, `${action_id}-p`), what: 'pause' });
  await runTask(world, 'compute.shelve-server', resource(world), { ...input(world, action_id), image_id: newImage(world), was: 'paused' });
  assert.equal((await world.row()).vm_state, 'paused');
  assert.equal((await world.nodes.drivers[0]!.inspect(world.server_id))!.power_state, 'paused');
  await world.close();
});
