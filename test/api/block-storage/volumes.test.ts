import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type NodeCloud, startNodeCloud } from '../../support/fake-node.ts';

let node: NodeCloud;
before(async () => {
  node = await startNodeCloud(['volume']);
});
after(() => node.stop());

const call = (method: string, path: string, body?: unknown, version = '3.70') =>
  node.cloud.call(method, `/volume/v3${path}`, { ...(body === undefined ? {} : { body }), headers: { 'openstack-api-version': `volume ${version}` } });

async function settled(path: string, name: string, busy: string): Promise<any> {
  for (;;) {
    const now = await call('GET', path);
    if (now.status !== 200 || now.json[name].status !== busy) return now.json[name];
    await delay(5);
  }
}

test('a volume is made on a node, and goes from it', async () => {
  const made = await call('POST', '/volumes', { volume: { size: 2, name: 'data', metadata: { for: 'tests' } } });
  assert.equal(made.status, 202, made.text);
  const { id } = made.json.volume;
  const volume = await settled(`/volumes/${id}`, 'volume', 'creating');
  assert.equal(volume.status, 'available');
  assert.equal(volume['os-vol-host-attr:host'], 'node-1@fake#fake');
  assert.equal(volume.volume_type, '__DEFAULT__');
  assert.deepEqual((await node.agent.volume!.list()).map(({ volume_id, size_bytes }) => [volume_id, size_bytes]), [[id, 2 * 2 ** 30]]);
  assert.deepEqual((await call('GET', '/volumes')).json.volumes.map((one: any) => one.id), [id]);
  assert.equal((await call('PUT', `/volumes/${id}`, { volume: { name: 'other' } })).json.volume.name, 'other');
  assert.equal((await call('GET', '/limits')).json.limits.absolute.totalGigabytesUsed, 2);
  assert.equal((await call('DELETE', `/volumes/${id}`)).status, 202);
  assert.equal(await settled(`/volumes/${id}`, 'volume', 'deleting'), undefined);
  assert.deepEqual(await node.agent.volume!.list(), []);
});

test('a volume of a project is unknown to others', async () => {
  const { id } = (await call('POST', '/volumes', { volume: { size: 1 } })).json.volume;
  const other = await node.cloud.tenant('stranger');
  assert.equal((await node.cloud.call('GET', `/volume/v3/${other.project_id}/volumes/${id}`, { token: other.token })).status, 404);
  assert.equal((await node.cloud.call('DELETE', `/volume/v3/volumes/${id}`, { token: other.token })).status, 404);
  assert.deepEqual((await node.cloud.call('GET', '/volume/v3/volumes', { token: other.token })).json.volumes, []);
  await settled(`/volumes/${id}`, 'volume', 'creating');
  await call('DELETE', `/volumes/${id}`);
});

test('faults are worded as cinder does', async () => {
  const missing = await call('GET', '/volumes/1b4e2a0e-0000-4000-8000-000000000000');
  assert.deepEqual(missing.json, { itemNotFound: { code: 404, message: 'Volume 1b4e2a0e-0000-4000-8000-000000000000 could not be found.' } });
  assert.equal((await call('POST', '/volumes', { volume: { size: 0 } })).status, 400);
  assert.equal((await call('POST', '/volumes', { volume: { size: 1, volume_type: 'none' } })).status, 404);
  assert.equal((await node.cloud.call('GET', '/volume/')).status, 300);
});

test('what no backend can hold is in error, and a message says why', async () => {
  const { id } = (await call('POST', '/volumes', { volume: { size: 900 }, 'OS-SCH-HNT:scheduler_hints': {} })).json.volume;
  await settled(`/volumes/${id}`, 'volume', 'creating');
  const type = (await call('POST', '/types', { volume_type: { name: 'elsewhere', extra_specs: { volume_backend_name: 'nowhere' } } })).json.volume_type;
  const lost = (await call('POST', '/volumes', { volume: { size: 1, volume_type: type.id } })).json.volume;
  assert.equal((await settled(`/volumes/${lost.id}`, 'volume', 'creating')).status, 'error');
  for (const one of [id, lost.id]) await call('DELETE', `/volumes/${one}`);
});

test('a page that is full names the next one, which may be empty', async () => {
  const { id } = (await call('POST', '/volumes', { volume: { size: 1, name: 'only' } })).json.volume;
  await settled(`/volumes/${id}`, 'volume', 'creating');
  const page = (await call('GET', '/volumes?name=only&limit=1')).json;
  assert.deepEqual(page.volumes.map((one: any) => one.id), [id]);
  assert.match(page.volumes_links[0].href, new RegExp(`marker=${id}`));
  assert.deepEqual((await call('GET', `/volumes?name=only&limit=1&marker=${id}`)).json, { volumes: [] });
  await call('DELETE', `/volumes/${id}`);
});

test('a volume that is not encrypted has no key; there are no clusters', async () => {
  const { id } = (await call('POST', '/volumes', { volume: { size: 1 } })).json.volume;
  await settled(`/volumes/${id}`, 'volume', 'creating');
  assert.deepEqual((await call('GET', `/volumes/${id}/encryption`)).json, { encryption_key_id: null });
  assert.equal((await call('GET', '/volumes/1b4e2a0e-0000-4000-8000-000000000000/encryption')).status, 404);
  assert.deepEqual((await call('GET', '/clusters')).json, { clusters: [] });
  assert.equal((await call('GET', '/clusters', undefined, '3.6')).status, 404);
  assert.equal((await call('PUT', '/clusters/enable', { name: 'one' })).status, 404);
  await call('DELETE', `/volumes/${id}`);
});
