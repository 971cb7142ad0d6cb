/** Glance's cache, which is what the nodes keep. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Agent, startAgent } from '../../../src/agents/assemble.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { JOIN_TOKEN, startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { dockerArchive } from '../../support/docker-archive.ts';

const NOBODY = '99999999-9999-4999-8999-999999999999';
let cloud: TestCloud;
let agent: Agent;

before(async () => {
  cloud = await startTestCloud();
});
after(async () => {
  await agent?.close();
  await cloud.stop();
});

const call = (method: string, path = '', options = {}) => cloud.call(method, `/image/v2/cache${path}`, options);
const list = async (): Promise<any> => (await call('GET')).json;
const cachedIds = async (): Promise<string[]> => (await list()).cached_images.map(({ image_id }: any) => image_id);

async function image(container_format: string, data: Buffer): Promise<string> {
  const { id } = (await cloud.call('POST', '/image/v2/images', { body: { name: 'cached', container_format, disk_format: 'raw' } })).json;
  assert.equal((await cloud.call('PUT', `/image/v2/images/${id}/file`, { body: data, headers: { 'content-type': 'application/octet-stream' } })).status, 204);
  return id;
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await check()); await delay(10)) assert.ok(Date.now() < end, 'it did not come to pass');
}

test('what is queued waits for nodes and is brought to them when they come', async () => {
  const id = await image('docker', dockerArchive({ one: '1' }));
  assert.deepEqual(await list(), { cached_images: [], queued_images: [] });
  assert.equal((await call('PUT', `/${id}`)).status, 202);
  assert.deepEqual(await list(), { cached_images: [], queued_images: [id] });
  agent = startAgent({
    controller_url: cloud.url.replace('http', 'ws'), identity_file: join(cloud.directory, 'identity.json'), join_token: JOIN_TOKEN, hostname: 'node-1',
    roles: ['compute'], cloud: 'gtest', docker_socket: '', state_dir: join(cloud.directory, 'agent'), drivers: { compute: 'fake', network: 'fake' }, log: silentLog,
  });
  await until(async () => (await call('PUT', `/${id}`)).status === 202 && (await cachedIds()).includes(id));
  await until(async () => (await list()).queued_images.length === 0);
  const [found] = (await list()).cached_images;
  assert.equal(found.image_id, id);
  assert.ok(found.size > 0 && found.last_modified > 1_700_000_000, JSON.stringify(found));
  assert.equal((await call('DELETE', `/${id}`)).status, 204);
  assert.deepEqual(await cachedIds(), []);
  assert.equal((await call('DELETE', `/${id}`)).status, 404);
});

test('the cache is cleared, the queue, or both', async () => {
  const ids = [await image('docker', dockerArchive({ a: 'a' })), await image('docker', dockerArchive({ b: 'b' }))].sort();
  for (const id of ids) assert.equal((await call('PUT', `/${id}`)).status, 202);
  await until(async () => (await cachedIds()).length === 2);
  assert.equal((await call('DELETE', '', { headers: { 'x-image-cache-clear-target': 'queue' } })).status, 204);
  assert.deepEqual(await cachedIds(), ids);
  assert.equal((await call('DELETE', '', { headers: { 'x-image-cache-clear-target': 'all' } })).status, 400);
  assert.equal((await call('DELETE')).status, 204);
  assert.deepEqual(await list(), { cached_images: [], queued_images: [] });
});

test('what nodes cannot keep, is not there or is none of the caller’s is refused', async () => {
  const bare = await image('bare', Buffer.from('no disk'));
  assert.equal((await call('PUT', `/${bare}`)).status, 400);
  const { id: empty } = (await cloud.call('POST', '/image/v2/images', { body: { name: 'empty', container_format: 'docker', disk_format: 'raw' } })).json;
  assert.equal((await call('PUT', `/${empty}`)).status, 400);
  assert.equal((await call('PUT', `/${NOBODY}`)).status, 404);
  assert.equal((await call('DELETE', `/${NOBODY}`)).status, 404);
  const { token } = await cloud.tenant('nobody');
  for (const [method, path] of [['GET', ''], ['DELETE', ''], ['PUT', `/${bare}`], ['DELETE', `/${bare}`]] as const) assert.equal((await call(method, path, { token })).status, 403);
});
