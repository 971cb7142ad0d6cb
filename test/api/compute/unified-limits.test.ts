/** Compute with the limits that identity keeps. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { PUBLIC_KEY } from './microversions/world.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
let service_id: string;

before(async () => {
  cloud = await startTestCloud({ toml: '[compute]\nquota_driver = "unified"\n' });
  mine = await cloud.tenant('mine');
  service_id = (await cloud.call('GET', '/identity/v3/services?type=compute')).json.services[0].id;
});
after(() => cloud.stop());

const compute = (method: string, path: string, body?: unknown, token?: string) =>
  cloud.call(method, `/compute/v2.1${path}`, { ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) });

async function register(resource_name: string, default_limit: number): Promise<void> {
  const answer = await cloud.call('POST', '/identity/v3/registered_limits', { body: { registered_limits: [{ service_id, resource_name, default_limit, region_id: 'RegionOne' }] } });
  assert.equal(answer.status, 201, answer.text);
}

async function limit(resource_name: string, resource_limit: number): Promise<void> {
  const answer = await cloud.call('POST', '/identity/v3/limits', { body: { limits: [{ project_id: mine.project_id, service_id, resource_name, resource_limit, region_id: 'RegionOne' }] } });
  assert.equal(answer.status, 201, answer.text);
}

test('what is registered is the default, a limit is a project\'s own, and what is neither is not limited', async () => {
  await register('class:VCPU', 8);
  await register('servers', 5);
  await limit('servers', 3);
  const { quota_set } = (await compute('GET', `/os-quota-sets/${mine.project_id}`)).json;
  assert.deepEqual([quota_set.instances, quota_set.cores, quota_set.ram], [3, 8, -1]);
  const { quota_set: defaults } = (await compute('GET', `/os-quota-sets/${mine.project_id}/defaults`)).json;
  assert.deepEqual([defaults.instances, defaults.cores, defaults.ram], [5, 8, -1]);
  const { limits } = (await compute('GET', '/limits', undefined, mine.token)).json;
  assert.deepEqual([limits.absolute.maxTotalInstances, limits.absolute.maxTotalCores], [3, 8]);
});

test('a limit holds', async () => {
  await register('server_key_pairs', 1);
  const make = (name: string) => compute('POST', '/os-keypairs', { keypair: { name, public_key: PUBLIC_KEY } }, mine.token);
  assert.equal((await make('first')).status, 200);
  assert.equal((await make('second')).json.forbidden.message, 'Quota exceeded, too many key pairs.');
});

test('the Compute API says where limits are set instead of keeping some that limit nothing', async () => {
  for (const [method, path, body] of [
    ['PUT', `/os-quota-sets/${mine.project_id}`, { quota_set: { instances: 9 } }],
    ['DELETE', `/os-quota-sets/${mine.project_id}`],
    ['PUT', '/os-quota-class-sets/default', { quota_class_set: { instances: 9 } }],
  ] as const) {
    const answer = await compute(method, path, body);
    assert.equal(answer.status, 400);
    assert.match(answer.json.badRequest.message, /kept by the identity service as unified limits/);
  }
});
