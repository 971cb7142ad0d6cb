import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2, config: { shelved_offload_time: -1, quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
});
after(() => world.close());

const act = (id: string, body: object, options: { version?: string; token?: string } = {}) => world.call('POST', `/servers/${id}/action`, { token: 'member', body, ...options });
async function did(id: string, body: object, options: { version?: string; token?: string } = {}): Promise<any> {
  const reply = await act(id, body, options);
  assert.equal(reply.status, 202, reply.text);
  await world.settled(id);
  return await world.show(id);
}
const imagesNamed = (name: string) => [...world.images.images.values()].filter((image) => image.name === name);

test('to the shelf, off its host, and back with its addresses', async () => {
  const id = await world.boot({ name: 'web' });
  const before = await world.show(id);
  const shelved = await did(id, { shelve: null });
  assert.deepEqual([shelved.status, shelved['OS-EXT-STS:power_state'], shelved['OS-EXT-SRV-ATTR:host']], ['SHELVED', 4, before['OS-EXT-SRV-ATTR:host']]);
  const [image] = imagesNamed('web-shelved');
  assert.deepEqual([image!.status, image!.properties['image_type'], image!.properties['base_image_ref']], ['active', 'snapshot', world.image.id]);
  assert.equal((await act(id, { shelveOffload: null })).status, 403, 'administrators take servers off hosts');
  const off = await did(id, { shelveOffload: null }, { token: 'admin' });
  assert.deepEqual([off.status, off['OS-EXT-SRV-ATTR:host'], off.addresses], ['SHELVED_OFFLOADED', null, before.addresses]);
  assert.deepEqual((await world.placement.consumers()).map((one) => one.id).includes(id), false);
  const back = await did(id, { unshelve: null });
  assert.deepEqual([back.status, back.image.id, back.addresses], ['ACTIVE', world.image.id, before.addresses]);
  assert.deepEqual(imagesNamed('web-shelved'), []);
  const { image_id } = (await act(id, { createImage: { name: 'after' } })).json;
  await world.settled(id);
  assert.equal(world.images.images.get(image_id)!.properties['base_image_ref'], world.image.id);
  assert.deepEqual((await did(id, { rebuild: { imageRef: world.image.id } })).status, 'ACTIVE');
});

test('a server that is deleted on the shelf takes its image along', async () => {
  for (const offload of [false, true]) {
    const id = await world.boot({ name: `gone-${offload}` });
    await did(id, { shelve: null });
    if (offload) await did(id, { shelveOffload: null }, { token: 'admin' });
    assert.equal((await world.call('DELETE', `/servers/${id}`, { token: 'member' })).status, 204);
    await world.settled(id);
    assert.equal((await world.call('GET', `/servers/${id}`, { token: 'member' })).status, 404);
    assert.deepEqual(imagesNamed(`gone-${offload}-shelved`), []);
    assert.equal([...world.images.holds.keys()].some((holder) => holder.includes(id)), false);
  }
});

test('a host or a zone to come back to, by version', async () => {
  const id = await world.boot();
  await did(id, { shelve: null });
  const early = await act(id, { unshelve: { availability_zone: 'nova' } });
  assert.deepEqual([early.status, early.json.conflictingRequest.message], [409, `Specifying an availability zone or a host when unshelving server ${id} with status shelved is not supported. The server status must be SHELVED_OFFLOADED.`]);
  const from = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  await did(id, { shelveOffload: null }, { token: 'admin' });
  const to = ['fake-0001', 'fake-0002'].find((host) => host !== from)!;
  assert.equal((await act(id, { unshelve: { availability_zone: 'nowhere' } })).status, 400);
  assert.equal((await act(id, { unshelve: { host: 'nowhere' } }, { token: 'admin' })).status, 400);
  assert.equal((await act(id, { unshelve: { host: to } })).status, 403);
  assert.equal((await act(id, { unshelve: { host: to } }, { token: 'admin', version: '2.90' })).status, 400);
  assert.equal((await act(id, { unshelve: {} }, { version: '2.77' })).status, 400);
  const back = await did(id, { unshelve: { host: to, availability_zone: 'nova' } }, { token: 'admin' });
  assert.deepEqual([back.status, back['OS-EXT-SRV-ATTR:host'], back.pinned_availability_zone], ['ACTIVE', to, 'nova']);
  await did(id, { shelve: null });
  await did(id, { shelveOffload: null }, { token: 'admin' });
  assert.deepEqual((await did(id, { unshelve: { availability_zone: null } })).pinned_availability_zone, null);
});

test('what cannot be is refused in nova\'s words; what fails leaves the server as it was', async () => {
  const id = await world.boot({ metadata: { 'fail:capture': 'the disk is on fire' } });
  for (const name of ['shelveOffload', 'unshelve']) {
    const reply = await act(id, { [name]: null }, { token: 'admin' });
    assert.deepEqual([reply.status, reply.json.conflictingRequest.message], [409, `Cannot '${name}' instance ${id} while it is in vm_state active`]);
  }
  const failed = await did(id, { shelve: null });
  assert.deepEqual([failed.status, failed['OS-EXT-STS:task_state'], failed['OS-EXT-STS:power_state']], ['ACTIVE', null, 1]);
  const full = await world.boot();
  await did(full, { shelve: null });
  await did(full, { shelveOffload: null }, { token: 'admin' });
  world.network.failClaims = 'no address';
  const still = await did(full, { unshelve: null });
  world.network.failClaims = undefined;
  assert.deepEqual([still.status, still['OS-EXT-STS:task_state'], still['OS-EXT-SRV-ATTR:host']], ['SHELVED_OFFLOADED', null, null]);
  assert.equal((await did(full, { unshelve: null })).status, 'ACTIVE');
});

test('where shelved servers leave their host at once, they do; and in time, where there is one', async () => {
  const now = await serveCompute({ nodes: 1, config: { shelved_offload_time: 0 } });
  const id = await now.boot();
  assert.equal((await now.call('POST', `/servers/${id}/action`, { token: 'member', body: { shelve: null } })).status, 202);
  for (let server = await now.show(id); server.status !== 'SHELVED_OFFLOADED'; server = await now.show(id)) await now.settled(id);
  await now.settled(id);
  await now.close();

  const later = await serveCompute({ nodes: 1, config: { shelved_offload_time: 3600 } });
  const other = await later.boot();
  await later.call('POST', `/servers/${other}/action`, { token: 'member', body: { shelve: null } });
  await later.settled(other);
  const job = later.compute.service.jobs.find(({ name }) => name === 'compute.offload-shelved')!;
  const run = { log: later.deps.log, clock: later.deps.clock, signal: new AbortController().signal };
  assert.deepEqual(await job.run(run), { offloaded: 0 });
  await later.db.transaction((tx) => tx.updateTable('compute_shelved_servers').set({ shelved_at: '2020-01-01T00:00:00.000000Z' }).where('server_id', '=', other).execute());
  assert.deepEqual(await job.run(run), { offloaded: 1 });
  await later.settled(other);
  assert.equal((await later.show(other)).status, 'SHELVED_OFFLOADED');
  await later.close();
});
