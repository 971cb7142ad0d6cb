import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { settingsOf } from '../../../src/services/compute/model/guest-settings.ts';
import { findBoot, updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, serverWorld } from './world.ts';

const passwords = [{ user: 'root', hash: '$6$x$y' }];

async function setup(): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  const action_id = await booted(world, 'changePassword');
  const { server_id } = world;
  const definition = world.definitionOf('compute.change-password');
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      await updateServer(asTransaction<ComputeTables>(tx), server_id, { task_state: 'updating_password' });
      return await tasks.start(tx, definition, { resource: `server:${server_id}`, input: { server_id, action_id, passwords }, request_id: ctx.request_id });
    },
    async snapshot() {
      const { vm_state, task_state, node_id, fault_json } = await world.row();
      return { vm_state, task_state, node_id, fault_json, outside: await world.outside(), settings: settingsOf((await findBoot(world.read, server_id))!) };
    },
    async expectDone() {
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state], ['active', null]);
      assert.deepEqual(world.nodes.drivers[0]!.given.at(-1), { server_id, passwords });
      assert.deepEqual(settingsOf((await findBoot(world.read, server_id))!).passwords, passwords);
      assert.deepEqual((await world.events())[0], { event: 'compute_set_admin_password', result: 'Success' });
    },
    close: world.close,
  };
}

testTask('change-password', { setup, steps: ['set'] });
