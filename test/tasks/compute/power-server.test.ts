import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { PowerTask } from '../../../src/services/compute/deps.ts';
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
      assert.equal(report!.power_state, power_state === 4 ? 'shutdown' : power_state === 3 ? 'paused' : 'running');
      if (after.length === 0) assert.deepEqual((await world.events())[0], { event, result: 'Success' });
    },
    close: world.close,
  };
}

for (const each of cases) testTask(`power-server ${each.what}`, { setup: () => setup(each), steps: ['power'] });
