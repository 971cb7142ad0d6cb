import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute();
});
after(() => world.close());

test('a server is made, becomes ACTIVE on a node, and goes without a trace', async () => {
  const body = { server: { name: 'web', imageRef: world.image.id, flavorRef: '1', networks: 'auto', metadata: { 'env.A': 'b', 'docker:cmd': '["sleep","9"]' } } };
  const made = await world.call('POST', '/servers', { body });
  assert.equal(made.status, 202, made.text);
  const { id } = made.json.server;
  assert.equal(made.headers.get('location'), `${world.http.url}/compute/v2.1/servers/${id}`);
  assert.match(made.headers.get('x-compute-request-id')!, /^req-/);
  assert.ok(made.json.server.adminPass);
  await world.settled(id);

  const server = await world.show(id);
  assert.equal(server.status, 'ACTIVE', JSON.stringify(server));
  assert.equal(server['OS-EXT-STS:task_state'], null);
  assert.equal(server['OS-EXT-STS:power_state'], 1);
  assert.equal(server.addresses.private[0].addr, '10.0.0.10');
  assert.match(server['OS-EXT-SRV-ATTR:host'], /^fake-/);
  const spec = world.nodes.drivers.map((driver) => driver.specOf(id)).find(Boolean)!;
  assert.deepEqual(spec.environment, { A: 'b' });
  assert.deepEqual(spec.command, ['sleep', '9']);
  assert.equal(spec.limits.pids, 100);
  assert.equal(spec.hostname, 'web');
  assert.deepEqual(spec.dns.servers, ['10.0.0.2']);
  assert.equal(world.network.plugged.get(id), true);

  const deleted = await world.call('DELETE', `/servers/${id}`);
  assert.equal(deleted.status, 204, deleted.text);
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
  assert.equal(world.network.ports.size, 0);
  assert.deepEqual(await world.placement.consumers(), []);
  for (const driver of world.nodes.drivers) assert.deepEqual(await driver.list(), []);
});

test('a boot waits for a node that is away for a moment only', async () => {
  const indexes = world.nodes.ids.map((_, index) => index);
  for (const index of indexes) world.nodes.setConnected(index, false, new Date().toISOString());
  const made = await world.call('POST', '/servers', { body: { server: { name: 'patient', imageRef: world.image.id, flavorRef: '1', networks: 'none' } } });
  const { id } = made.json.server;
  assert.equal((await world.show(id)).status, 'BUILD');
  for (const index of indexes) world.nodes.setConnected(index, true);
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'ACTIVE');
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
});
