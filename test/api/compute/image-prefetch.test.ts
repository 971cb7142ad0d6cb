import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, type ServedWorld, serveCompute } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 3 });
});
after(() => world.close());

const NOBODY = '99999999-9999-4999-8999-999999999999';
const post = (path: string, body: unknown, token = ADMIN_TOKEN) => world.call('POST', path, { token, body });
const prefetch = (image_id: string, hosts?: string[], token = ADMIN_TOKEN) => post('/os-image-prefetch', { prefetch: { image_id, ...(hosts === undefined ? {} : { hosts }) } }, token);
const asked = () => world.nodes.calls.filter(({ method }) => method === 'compute.prefetch').length;

test('an image is brought to every host once, and each tells', async () => {
  const image = world.images.add();
  const first = await prefetch(image.id);
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.json.hosts.map(({ host, status }: any) => [host, status]), [['fake-0001', 'fetched'], ['fake-0002', 'fetched'], ['fake-0003', 'fetched']]);
  assert.equal(first.json.hosts[0].bytes_fetched, image.size);
  const again = await prefetch(image.id, ['fake-0002']);
  assert.deepEqual(again.json.hosts.map(({ host, status, bytes_fetched }: any) => [host, status, bytes_fetched]), [['fake-0002', 'present', 0]]);
});

test('a host that is away is told as such, the others get it', async () => {
  const image = world.images.add();
  world.nodes.setConnected(1, false);
  const { status, json } = await prefetch(image.id);
  world.nodes.setConnected(1, true);
  assert.equal(status, 200);
  assert.deepEqual(json.hosts.map((one: any) => one.status), ['fetched', 'failed', 'fetched']);
  assert.ok(json.hosts[1].message.length > 0);
});

test('who may not, or asks for what is not there, changes nothing', async () => {
  const image = world.images.add();
  const before = asked();
  assert.equal((await prefetch(image.id, undefined, 'member')).status, 403);
  assert.match((await prefetch(NOBODY)).json.badRequest.message, /Can not find requested image/);
  assert.match((await prefetch(image.id, ['nowhere'])).json.badRequest.message, /Compute host nowhere could not be found/);
  assert.match((await prefetch(world.images.add({ container_format: 'bare' }).id)).json.badRequest.message, /unacceptable/);
  for (const body of [{}, { prefetch: {} }, { prefetch: { image_id: 'x' } }, { prefetch: { image_id: image.id, hosts: [] } }, { prefetch: { image_id: image.id, more: 1 } }]) {
    assert.equal((await post('/os-image-prefetch', body)).status, 400);
  }
  assert.equal(asked(), before);
});

test('without a host there is nothing to do, and that is said', async () => {
  const empty = await serveCompute({ nodes: 0 });
  try {
    const { status, json } = await empty.call('POST', '/os-image-prefetch', { token: ADMIN_TOKEN, body: { prefetch: { image_id: empty.images.add().id } } });
    assert.equal(status, 409);
    assert.match(json.conflictingRequest.message, /no host/);
  } finally {
    await empty.close();
  }
});

test('images are cached on the hosts of an aggregate', async () => {
  const { aggregate } = (await post('/os-aggregates', { aggregate: { name: 'fast' } })).json;
  await post(`/os-aggregates/${aggregate.id}/action`, { add_host: { host: 'fake-0003' } });
  const image = world.images.add();
  const path = `/os-aggregates/${aggregate.id}/images`;
  const before = asked();
  assert.equal((await post(path, { cache: [{ id: image.id }, { id: image.id }] })).status, 400);
  assert.equal((await post(path, { cache: [] })).status, 400);
  assert.equal((await post(path, { cache: [{ id: NOBODY }] })).status, 400);
  assert.equal((await post('/os-aggregates/4711/images', { cache: [{ id: image.id }] })).status, 404);
  assert.equal((await post(path, { cache: [{ id: image.id }] }, 'member')).status, 403);
  assert.equal((await world.call('POST', path, { token: ADMIN_TOKEN, version: '2.80', body: { cache: [{ id: image.id }] } })).status, 404);
  assert.equal(asked(), before);
  assert.equal((await post(path, { cache: [{ id: image.id }] })).status, 202);
  // Answered first, done afterwards.
  while (asked() === before) await new Promise((resolve) => setImmediate(resolve));
  const { json } = await prefetch(image.id, ['fake-0003']);
  assert.equal(json.hosts[0].status, 'present');
  const others = await prefetch(image.id, ['fake-0001']);
  assert.equal(others.json.hosts[0].status, 'fetched');
});
