/** Volumes and snapshots through the Compute API, over the real block storage. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type NodeCloud, startNodeCloud } from '../../support/fake-node.ts';

let node: NodeCloud;
before(async () => {
  node = await startNodeCloud(['volume']);
});
after(() => node.stop());

const call = (method: string, path: string, body?: unknown, version = '2.35') =>
  node.cloud.call(method, `/compute/v2.1${path}`, { ...(body === undefined ? {} : { body }), headers: { 'openstack-api-version': `compute ${version}` } });

async function settled(path: string, name: string): Promise<string> {
  for (;;) {
    const now = await call('GET', path);
    const status = now.status === 200 ? now.json[name].status : 'gone';
    if (status !== 'creating' && status !== 'deleting') return status;
    await delay(5);
  }
}

test('they are made, shown, listed and deleted in their old shape, and are not there from 2.36 on', async () => {
  const made = await call('POST', '/os-volumes', { volume: { size: 1, display_name: 'data', display_description: 'of tests', metadata: { for: 'tests' } } });
  assert.equal(made.status, 200, made.text);
  const { id } = made.json.volume;
  assert.equal(await settled(`/os-volumes/${id}`, 'volume'), 'available');
  const { createdAt, ...shown } = (await call('GET', `/os-volumes/${id}`)).json.volume;
  assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  assert.deepEqual(shown, {
    id, status: 'available', size: 1, metadata: { for: 'tests' }, attachments: [{}], availabilityZone: 'nova', displayName: 'data', displayDescription: 'of tests', volumeType: '__DEFAULT__', snapshotId: null,
  });
  for (const path of ['/os-volumes', '/os-volumes/detail']) assert.deepEqual((await call('GET', path)).json.volumes.map((one: any) => one.id), [id]);
  assert.deepEqual((await call('GET', '/os-volumes?offset=1')).json.volumes, []);
  const snapshot = await call('POST', '/os-snapshots', { snapshot: { volume_id: id, display_name: 'then' } });
  assert.equal(snapshot.status, 200, snapshot.text);
  const path = `/os-snapshots/${snapshot.json.snapshot.id}`;
  assert.equal(await settled(path, 'snapshot'), 'available');
  assert.deepEqual((await call('GET', '/os-snapshots/detail')).json.snapshots.map((one: any) => [one.volumeId, one.displayName, one.size]), [[id, 'then', 1]]);
  assert.equal((await call('DELETE', path)).status, 202);
  assert.equal(await settled(path, 'snapshot'), 'gone');
  assert.equal((await call('DELETE', `/os-volumes/${id}`)).status, 202);
  assert.equal(await settled(`/os-volumes/${id}`, 'volume'), 'gone');
  assert.equal((await call('GET', '/os-volumes', undefined, '2.36')).status, 404);
  assert.equal((await call('POST', '/os-volumes', { volume: { size: '0' } })).status, 400);
  assert.equal((await call('GET', `/os-volumes/${id}`)).json.itemNotFound.message, `Volume ${id} could not be found.`);
});
