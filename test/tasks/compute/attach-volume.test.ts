import assert from 'node:assert/strict';
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { devicesOf, insertDevices } from '../../../src/services/compute/store/block-devices.ts';
import type { BlockDeviceRow, ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { testAuth } from '../../support/surface.ts';
import { testTask, type TaskWorld } from '../harness.ts';
import { booted, ctx, runTask, serverWorld } from './world.ts';

const DEVICE = '33333333-3333-4333-8333-333333333333';

async function setup(what: 'attach' | 'detach'): Promise<TaskWorld> {
  const world = await serverWorld({ nodes: 1 });
  const { server_id } = world;
  const volume = world.volumes.add();
  const resource = `server:${server_id}`;
  const action_id = await booted(world, `${what}_volume`);
  const row: BlockDeviceRow = {
    id: DEVICE, server_id, source_type: 'volume', source_id: null, volume_id: volume.id, attachment_id: null, device: '/dev/vdb', mount_path: '/data', boot_index: null, tag: null, volume_type: null,
    volume_name: null, volume_size: 1, node_id: null, delete_on_termination: 0, multiattach: 0, made: 0, created_at: '2026-01-01T00:00:00.000000Z',
  };
  const input = { server_id, action_id, device_id: DEVICE, auth: testAuth() };
  const put = (): Promise<void> => world.db.transaction((tx) => insertDevices(asTransaction<ComputeTables>(tx), [row]));
  if (what === 'detach') {
    await put();
    await runTask(world, 'compute.attach-volume', resource, { ...input, action_id: `${action_id}+` });
  }
  const definition = world.definitionOf(`compute.${what}-volume`);
  const state = async () => {
    const devices = await devicesOf(world.db.read as Kysely<ComputeTables>, server_id);
    const of = world.volumes.volumes.get(volume.id)!;
    return {
      rows: devices.map(({ device, attachment_id }) => [device, attachment_id === null ? null : 'reserved']),
      volume: [of.status, of.attachments.length, world.volumes.connections.size],
      guest: (world.nodes.drivers[0]!.specOf(server_id)?.volumes ?? []).map(({ volume_id, mount_path }) => [volume_id === volume.id, mount_path]),
    };
  };
  return {
    db: world.db,
    definition,
    async start(tx, tasks) {
      if (what === 'attach') await insertDevices(asTransaction<ComputeTables>(tx), [row]);
      return await tasks.start(tx, definition, { resource, input, request_id: ctx.request_id });
    },
    async snapshot() {
      const { vm_state, task_state, deleted } = await world.row();
      return { vm_state, task_state, deleted, ...(await state()) };
    },
    async expectDone() {
      const attached = { rows: [['/dev/vdb', 'reserved']], volume: ['in-use', 1, 1], guest: [[true, '/data']] };
      assert.deepEqual(await state(), what === 'attach' ? attached : { rows: [], volume: ['available', 0, 0], guest: [] });
      const now = await world.row();
      assert.deepEqual([now.vm_state, now.task_state], ['active', null]);
      assert.ok((await world.events()).some(({ event, result }) => event === `compute_${what}_volume` && result === 'Success'));
    },
    close: world.close,
  };
}

testTask('attach-volume', { setup: () => setup('attach'), steps: ['reserve', 'connect', 'attach'] });
testTask('detach-volume', { setup: () => setup('detach'), steps: ['begin', 'detach'] });
