import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

const act = (id: string, body: object, token = 'member') => world.call('POST', `/servers/${id}/action`, { body, token });
const driver = () => world.nodes.drivers[0]!;

test('a server is rescued by an image, keeps its addresses, and comes back', async () => {
  const image = world.images.add({ name: 'rescue' });
  const id = await world.boot();
  const { addresses } = await world.show(id);
  const reply = await act(id, { rescue: { rescue_image_ref: image.id, adminPass: 'let me in' } });
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, { adminPass: 'let me in' });
  await world.settled(id);
  const server = await world.show(id, 'member');
  assert.deepEqual([server.status, server['OS-EXT-STS:vm_state'], server.image.id], ['RESCUE', 'rescued', world.image.id]);
  assert.deepEqual(server.addresses, addresses);
  const other = driver().rescueOf(id)!;
  assert.deepEqual([other.image.id, other.options!.entrypoint], [image.id, undefined]);
  for (const body of [{ 'os-stop': null }, { reboot: { type: 'HARD' } }, { rescue: null }, { pause: null }]) assert.equal((await act(id, body)).status, 409, JSON.stringify(body));
  assert.equal((await act(id, { unrescue: null })).status, 202);
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'ACTIVE');
  assert.equal(driver().rescueOf(id), undefined);
  assert.equal((await act(id, { unrescue: null })).json.conflictingRequest.message, `Cannot 'unrescue' instance ${id} while it is in vm_state active`);
});

test("without an image it is the server's own, with a shell; or the one that is configured", async () => {
  const id = await world.boot({ metadata: { 'docker:cmd': '["broken"]', 'env.A': 'b' } });
  const reply = await act(id, { rescue: null });
  assert.equal(reply.json.adminPass.length, 12);
  await world.settled(id);
  const other = driver().rescueOf(id)!;
  assert.deepEqual([other.image.id, other.options!.entrypoint, other.command, other.environment, other.options!.tty], [world.image.id, ['/bin/sh'], [], {}, true]);
  const image = world.images.add({ name: 'configured' });
  world.config.rescue_image = image.id;
  const second = await world.boot();
  await act(second, { rescue: {} });
  await world.settled(second);
  assert.equal(driver().rescueOf(second)!.image.id, image.id);
  world.config.rescue_image = '';
});

test('an image that cannot be used is 400 in nova\'s words, and what fails leaves the server as it was', async () => {
  const id = await world.boot({ metadata: { 'fail:rescue': 'no room' } });
  const unknown = '99999999-9999-4999-8999-999999999999';
  const refused = await act(id, { rescue: { rescue_image_ref: unknown } });
  assert.deepEqual([refused.status, refused.json.badRequest.message], [400, `Requested rescue image '${unknown}' is not supported`]);
  assert.equal((await act(id, { rescue: { rescue_image_ref: 'x' } })).status, 400);
  assert.equal((await act(id, { rescue: { other: 1 } })).status, 400);
  assert.equal((await act(id, { rescue: null })).status, 200);
  await world.settled(id);
  const server = await world.show(id);
  assert.deepEqual([server.status, server['OS-EXT-STS:task_state']], ['ACTIVE', null]);
  assert.equal((await driver().inspect(id))!.power_state, 'running');
});

test('a rescued server is deleted', async () => {
  const id = await world.boot();
  await act(id, { rescue: null });
  await world.settled(id);
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204);
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
  assert.equal(await driver().inspect(id), undefined);
});
