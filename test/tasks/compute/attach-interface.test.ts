import assert from 'node:assert/strict';
import type { ServerNic } from '../../../src/services/network/client.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const NEW_PORT = '22222222-2222-4222-8222-222222222222';

async function setup(what: 'attach' | 'detach'): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  const { server_id } = world;
  const resource = `server:${server_id}`;
  const action_id = await booted(world, `${what}_interface`);
  const nic = { network_id: world.network.network_id, port_id: undefined, fixed_ip: undefined, tag: 'second' };
  const attach = { server_id, action_id, nic, new_port_id: NEW_PORT };
  if (what === 'detach') await runTask(world, 'compute.attach-interface', resource, { ...attach, action_id: `${action_id}+` });
  const definition = world.definitionOf(`compute.${what}-interface`);
  const input = what === 'attach' ? attach : { server_id, action_id, port_id: NEW_PORT };
  const portsNow = () => (world.network.ports.get(server_id) ?? []).map(({ port_id, tag }: ServerNic) => (port_id === NEW_PORT ? { port_id, tag } : 'first'));
  return {
    db: world.db,
    definition,
    start: async (tx, tasks) => await tasks.start(tx, definition, { resource, input, request_id: ctx.request_id }),
    async snapshot() {
      const { vm_state, task_state, deleted } = await world.row();
      // What was let go stays let go: asked again, it is still gone.
      return { vm_state, task_state, deleted, ports: what === 'attach' ? portsNow() : [] };
    },
    async expectDone() {
      assert.deepEqual(portsNow(), what === 'attach' ? ['first', { port_id: NEW_PORT, tag: 'second' }] : ['first']);
      const row = await world.row();
      assert.deepEqual([row.vm_state, row.task_state], ['active', null]);
      assert.ok((await world.events()).some(({ event, result }) => event === `compute_${what}_interface` && result === 'Success'));
    },
    close: world.close,
  };
}

testTask('attach-interface', { setup: () => setup('attach'), steps: ['bind'] });
testTask('detach-interface', { setup: () => setup('detach'), steps: ['let-go'] });
