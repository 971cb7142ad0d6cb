import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

/** Waits until the server has this status. */
async function becomes(id: string, status: string): Promise<any> {
  for (;;) {
    const server = await world.show(id);
    if (server.status === status) return server;
    await new Promise(setImmediate);
  }
}

const job = (name: string) =>
  world.compute.service.jobs.find((one) => one.name === name)!.run({ log: world.deps.log, clock: world.deps.clock, signal: new AbortController().signal });

test('a guest that ends by itself is a stopped server, one that fails is in ERROR with its exit code', async () => {
  const good = await world.boot();
  world.nodes.drivers[0]!.exit(good, 0);
  assert.equal((await becomes(good, 'SHUTOFF'))['OS-EXT-STS:power_state'], 4);
  const bad = await world.boot();
  world.nodes.drivers[0]!.exit(bad, 137, true);
  const server = await becomes(bad, 'ERROR');
  assert.match(server.fault.message, /ran out of memory/);
  assert.equal(server.fault.code, 500);
  const [action] = (await world.call('GET', `/servers/${bad}/os-instance-actions`)).json.instanceActions;
  assert.equal(action.action, 'stop');
  assert.equal(action.message, 'Error');
});

test('a guest that is gone from its node is seen', async () => {
  const id = await world.boot();
  await world.nodes.drivers[0]!.destroy(id);
  await job('compute.sync-power-state');
  const server = await becomes(id, 'ERROR');
  assert.equal(server.fault.message, 'The container of this server is gone from its node.');
});

test('a guest without a server is removed from its node', async () => {
  const id = await world.boot();
  const spec = world.nodes.drivers[0]!.specOf(id)!;
  const stranger = '99999999-9999-4999-8999-999999999999';
  await world.nodes.drivers[0]!.spawn({ ...spec, server_id: stranger });
  await job('compute.sync-power-state');
  assert.equal(await world.nodes.drivers[0]!.inspect(stranger), undefined);
  assert.ok(await world.nodes.drivers[0]!.inspect(id));
});

test('a stopped server whose guest runs is stopped again', async () => {
  const id = await world.boot();
  await world.call('POST', `/servers/${id}/action`, { body: { 'os-stop': null } });
  await world.settled(id);
  await world.nodes.drivers[0]!.power(id, { action: 'start' });
  await job('compute.sync-power-state');
  assert.equal((await world.nodes.drivers[0]!.inspect(id))!.power_state, 'shutdown');
  assert.equal((await world.show(id)).status, 'SHUTOFF');
});

test('addresses that networking changes are shown', async () => {
  const id = await world.boot();
  const [nic] = world.network.ports.get(id)!;
  nic!.floating_ips.push({ ip_address: '10.10.1.5', fixed_ip_address: nic!.fixed_ips[0]!.ip_address });
  world.network.tell(id);
  for (;;) {
    const { addresses } = await world.show(id);
    if (addresses.private.length === 2) {
      assert.deepEqual([addresses.private[1].addr, addresses.private[1]['OS-EXT-IPS:type']], ['10.10.1.5', 'floating']);
      break;
    }
    await new Promise(setImmediate);
  }
});

test('a claim of a deleted server is given back', async () => {
  const id = await world.boot();
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
  await world.placement.claim({ id, project_id: 'p', user_id: 'u', type: 'INSTANCE' }, world.nodes.ids[0]!, { VCPU: 1, MEMORY_MB: 128, DISK_GB: 1 });
  await job('compute.release-allocations');
  assert.ok(!(await world.placement.consumers()).some((consumer) => consumer.id === id));
});

test('a server that nothing works on any more gets a state that a user can act on', async () => {
  const id = await world.boot();
  const half = await world.boot({ metadata: { 'fail:spawn': 'no' } });
  const old = '2020-01-01T00:00:00.000000Z';
  await world.db.transaction(async (tx) => {
    await tx.updateTable('compute_servers').set({ task_state: 'powering-off', updated_at: old }).where('id', '=', id).execute();
    await tx.updateTable('compute_servers').set({ vm_state: 'building', task_state: 'spawning', updated_at: old }).where('id', '=', half).execute();
  });
  await job('compute.release-stuck-servers');
  assert.equal((await world.show(id))['OS-EXT-STS:task_state'], null);
  assert.equal((await world.show(half)).status, 'ERROR');
  await world.db.transaction((tx) => tx.updateTable('compute_servers').set({ task_state: 'deleting', updated_at: old }).where('id', '=', id).execute());
  await job('compute.release-stuck-servers');
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
});

test('each restart of a guest is an action, told once', async () => {
  const world = await serveCompute({ nodes: 1 });
  const id = await world.boot();
  const [driver] = world.nodes.drivers;
  const actions = async () => (await world.call('GET', `/servers/${id}/os-instance-actions`)).json.instanceActions;
  for (const count of [1, 1, 2]) driver!.restarted(id, count, 3);
  while ((await actions()).length < 3) await new Promise(setImmediate);
  assert.deepEqual((await actions()).map((one: any) => [one.action, one.message]), [
    ['restart', 'Container exited with code 3 and was started again (2)'], ['restart', 'Container exited with code 3 and was started again (1)'], ['create', null],
  ]);
  assert.equal((await world.show(id)).status, 'ACTIVE');
  await world.close();
});
