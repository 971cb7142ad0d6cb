import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { PowerTask } from '../../../src/services/compute/deps.ts';
import { test } from 'node:test';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const KIND = 'compute.power-server';

interface Case {
  what: PowerTask;
  /** What has to be done first. */
  after: PowerTask[];
  vm_state: string;
  power_state: number;
  event: string;
}

const cases: Case[] = [
  { what: 'stop', after: [], vm_state: 'stopped', power_state: 4, event: 'compute_stop_instance' },
  { what: 'start', after: ['stop'], vm_state: 'active', power_state: 1, event: 'compute_start_instance' },
  { what: 'reboot', after: [], vm_state: 'active', power_state: 1, event: 'compute_reboot_instance' },
  { what: 'reboot-hard', after: ['stop'], vm_state: 'active', power_state: 1, event: 'compute_reboot_instance' },
  { what: 'pause', after: [], vm_state: 'paused', power_state: 3, event: 'compute_pause_instance' },
  { what: 'suspend', after: [], vm_state: 'suspended', power_state: 7, event: 'compute_suspend_instance' },
  { what: 'resume', after: ['suspend'], vm_state: 'active', power_state: 1, event: 'compute_resume_instance' },
  { what: 'restore', after: ['stop'], vm_state: 'active', power_state: 1, event: 'compute_restore_instance' },
  { what: 'unpause', after: ['pause'], vm_state: 'active', power_state: 1, event: 'compute_unpause_instance' },
];

async function setup({ what, after, vm_state, power_state, event }: Case): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  let action_id = await booted(world, what);
  const { server_id } = world;
  const resource = `server:${server_id}`;
  for (const first of after) {
    await runTask(world, KIND, resource, { server_id, action_id, what: first });
    action_id = `${action_id}+`;
  }
  const definition = world.definitionOf(KIND);
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'busy' });
      return await tasks.start(tx, definition, { resource, input: { server_id, action_id, what }, request_id: ctx.request_id });
    },
    // What the node has done stays done: the server is where it was, idle, and can be asked again.
    async snapshot() {
      const { node_id, host, task_state, deleted } = await world.row();
      return { node_id, host, task_state, deleted, outside: await world.outside() };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.power_state, row.task_state], [vm_state, power_state, null]);
      const report = await world.nodes.drivers[0]!.inspect(server_id);
      assert.equal(report!.power_state, power_state === 4 ? 'shutdown' : power_state === 3 ? 'paused' : power_state === 7 ? 'suspended' : 'running');
      if (after.length === 0) assert.deepEqual((await world.events())[0], { event, result: 'Success' });
    },
    close: world.close,
  };
}

for (const each of cases) testTask(`power-server ${each.what}`, { setup: () => setup(each), steps: ['power'] });

for (const what of ['reboot-hard', 'start'] as const) {
  test(`${what} makes a server anew whose container somebody has removed`, async () => {
    const world = await serverWorld({ nodes: 1, metadata: { 'env.KEPT': 'yes' } });
    const action_id = await booted(world, what);
    const { server_id } = world;
    const [driver] = world.nodes.drivers;
    const before = driver!.specOf(server_id);
    await driver!.destroy(server_id);
    assert.equal(await driver!.inspect(server_id), undefined);
    await runTask(world, KIND, `server:${server_id}`, { server_id, action_id, what });
    const row = await world.row();
    assert.deepEqual([row.vm_state, row.power_state, row.task_state, row.fault_json], ['active', 1, null, null]);
    assert.deepEqual(driver!.specOf(server_id), before);
    assert.deepEqual(await world.outside(), { guests: [server_id], ports: [server_id], claims: [server_id] });
    assert.equal(world.network.plugged.get(server_id), true);
    await world.close();
  });
}

test('stop and a soft reboot make nothing anew', async () => {
  for (const what of ['stop', 'reboot', 'pause'] as const) {
    const world = await serverWorld({ nodes: 1 });
    const action_id = await booted(world, what);
    await world.nodes.drivers[0]!.destroy(world.server_id);
    await runTask(world, KIND, `server:${world.server_id}`, { server_id: world.server_id, action_id, what });
    assert.deepEqual((await world.outside() as { guests: string[] }).guests, []);
    assert.equal((await world.events())[0]!.result, 'Error');
    await world.close();
  }
});
