/** Fifty servers are deleted while images are made of them, while they are rebuilt, shelved, taken off their hosts and brought back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2, config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
});
after(() => world.close());

const act = async (id: string, body: object): Promise<void> => {
  const reply = await world.call('POST', `/servers/${id}/action`, { token: 'admin', body });
  assert.equal(reply.status, 202, reply.text);
};

/** What is under way when the deletion comes; each begins from a server that is ACTIVE. */
const works: ((id: string) => Promise<void>)[] = [
  (id) => act(id, { createImage: { name: `image-${id}` } }),
  (id) => act(id, { createBackup: { name: `backup-${id}`, backup_type: 'daily', rotation: 1 } }),
  (id) => act(id, { rebuild: { imageRef: world.image.id } }),
  (id) => act(id, { shelve: null }),
  async (id) => {
    await act(id, { shelve: null });
    await world.settled(id);
    for (let { status } = await world.show(id); status !== 'SHELVED_OFFLOADED'; { status } = await world.show(id)) await world.settled(id);
    await act(id, { unshelve: null });
  },
];

test('one wins, and nothing is left', async () => {
  const images = world.images.images.size;
  const ids = await Promise.all(Array.from({ length: 50 }, () => world.boot()));
  await Promise.all(ids.map(async (id, at) => {
    await works[at % works.length]!(id);
    assert.equal((await world.call('DELETE', `/servers/${id}`, { token: 'member' })).status, 204);
  }));
  for (const id of ids) {
    await world.settled(id);
    assert.equal((await world.call('GET', `/servers/${id}`, { token: 'member' })).status, 404, id);
  }
  assert.deepEqual((await Promise.all(world.nodes.drivers.map((driver) => driver.list()))).flat(), []);
  assert.deepEqual([...world.network.ports.keys()], []);
  assert.deepEqual(await world.placement.consumers(), []);
  assert.deepEqual([...world.images.holds], []);
  const left = [...world.images.images.values()].filter(({ status, name }) => status !== 'active' || name?.endsWith('-shelved') === true);
  assert.deepEqual(left, [], 'no image is left half made, and none of the shelf');
  assert.ok(world.images.images.size <= images + 20, 'what was finished before the deletion stays');
});
