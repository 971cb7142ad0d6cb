import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import type { TestResponse } from '../../support/surface.ts';

type Tenant = Awaited<ReturnType<TestCloud['tenant']>>;

let cloud: TestCloud;
let mine: Tenant;
let other: Tenant;
before(async () => {
  cloud = await startTestCloud();
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
});
after(() => cloud.stop());

interface Options {
  body?: unknown;
  tenant?: Tenant;
  version?: string;
}

/** At 2.38, the last version with image metadata. */
function call(method: string, id: string, key = '', { body, tenant = mine, version = '2.38' }: Options = {}): Promise<TestResponse> {
  const path = `/compute/v2.1/images/${id}/metadata${key === '' ? '' : `/${key}`}`;
  return cloud.call(method, path, { token: tenant.token, headers: { 'openstack-api-version': `compute ${version}` }, ...(body === undefined ? {} : { body }) });
}

async function make(properties: Record<string, string>, more: Record<string, unknown> = {}): Promise<string> {
  const made = await cloud.call('POST', '/image/v2/images', { token: mine.token, body: { name: 'with metadata', ...properties, ...more } });
  assert.equal(made.status, 201, made.text);
  return made.json.id;
}

const metadata = async (id: string): Promise<Record<string, string>> => (await call('GET', id)).json.metadata;
const messageOf = (answer: TestResponse): string => Object.values<{ message: string }>(answer.json)[0]!.message;

test('metadata of an image are read, added, replaced and removed', async () => {
  const id = await make({ os_distro: 'debian', os_version: '12' });
  assert.deepEqual(await metadata(id), { os_distro: 'debian', os_version: '12' });
  assert.deepEqual((await call('GET', id, 'os_distro')).json, { meta: { os_distro: 'debian' } });
  const merged = await call('POST', id, '', { body: { metadata: { os_version: '13', flavour: 'mint' } } });
  assert.equal(merged.status, 200, merged.text);
  assert.deepEqual(merged.json, { metadata: { os_distro: 'debian', os_version: '13', flavour: 'mint' } });
  const one = await call('PUT', id, 'flavour', { body: { meta: { flavour: 'lime' } } });
  assert.deepEqual([one.status, one.json], [200, { meta: { flavour: 'lime' } }]);
  assert.deepEqual(await metadata(id), { os_distro: 'debian', os_version: '13', flavour: 'lime' });
  const whole = await call('PUT', id, '', { body: { metadata: { flavour: 'lime', 'a b.c:d-e_f': '' } } });
  assert.deepEqual([whole.status, whole.json], [200, { metadata: { flavour: 'lime', 'a b.c:d-e_f': '' } }]);
  const removed = await call('DELETE', id, 'flavour');
  assert.deepEqual([removed.status, removed.text], [204, '']);
  assert.deepEqual(await metadata(id), { 'a b.c:d-e_f': '' });
  const glance = (await cloud.call('GET', `/image/v2/images/${id}`, { token: mine.token })).json;
  assert.equal(glance['a b.c:d-e_f'], '', 'the image service has the same');
  assert.equal(glance.name, 'with metadata');
  assert.ok(!('os_distro' in glance));
});

test('a key may have any name that the pattern allows', async () => {
  const id = await make({});
  const odd = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  assert.equal((await call('POST', id, '', { body: { metadata: odd } })).status, 200);
  assert.deepEqual(Object.entries(await metadata(id)).sort(), [['__proto__', 'x'], ['constructor', 'y']]);
  assert.equal((await call('GET', id, 'toString')).status, 404);
  assert.equal((await call('DELETE', id, '__proto__')).status, 204);
  assert.deepEqual(Object.keys(await metadata(id)), ['constructor']);
});

test('what is not there is not found', async () => {
  const id = await make({ here: 'yes' });
  assert.equal((await call('GET', id, 'absent')).status, 404);
  const removal = await call('DELETE', id, 'absent');
  assert.deepEqual([removal.status, messageOf(removal)], [404, 'Invalid metadata key']);
  const nowhere = '11111111-2222-3333-4444-555555555555';
  const body = { metadata: { a: 'b' } };
  for (const [image, tenant] of [[nowhere, mine], ['no-uuid', mine], [id, other]] as const) {
    const answers = [
      await call('GET', image, '', { tenant }), await call('POST', image, '', { tenant, body }), await call('PUT', image, '', { tenant, body }),
      await call('GET', image, 'here', { tenant }), await call('PUT', image, 'here', { tenant, body: { meta: { here: 'no' } } }), await call('DELETE', image, 'here', { tenant }),
    ];
    for (const answer of answers) assert.deepEqual(answer.json, { itemNotFound: { code: 404, message: 'Image not found.' } });
  }
  assert.deepEqual(await metadata(id), { here: 'yes' });
});

test('bodies that do not fit change nothing', async () => {
  const id = await make({ here: 'yes' });
  const wrong: [string, string, unknown][] = [
    ['POST', '', {}], ['POST', '', { metadata: {}, more: 1 }], ['POST', '', { metadata: { here: 1 } }], ['POST', '', { metadata: { here: 'x'.repeat(256) } }],
    ['POST', '', { metadata: { 'a/b': 'x' } }], ['POST', '', { metadata: { '': 'x' } }], ['PUT', '', { metadata: null }], ['PUT', '', { metadata: [] }],
    ['PUT', 'here', { meta: {} }], ['PUT', 'here', { meta: { here: 'a', there: 'b' } }], ['PUT', 'here', { meta: { there: 'b' } }], ['PUT', 'here', { metadata: { here: 'b' } }],
  ];
  for (const [method, key, body] of wrong) {
    const answer = await call(method, id, key, { body });
    assert.equal(answer.status, 400, `${method} ${JSON.stringify(body)}: ${answer.text}`);
    assert.ok(answer.json.badRequest.message);
  }
  assert.deepEqual(await metadata(id), { here: 'yes' });
});

test('attributes of the image are not metadata, and one who sees it may not write it', async () => {
  const id = await make({ here: 'yes' }, { visibility: 'shared' });
  for (const name of ['visibility', 'owner', 'name', 'protected', 'status', 'id', 'locations', 'os_glance_x']) {
    const answer = await call('POST', id, '', { body: { metadata: { [name]: 'public', new: 'x' } } });
    assert.deepEqual([answer.status, messageOf(answer)], [403, `Not authorized for image ${id}.`], name);
  }
  assert.equal((await cloud.call('POST', `/image/v2/images/${id}/members`, { token: mine.token, body: { member: other.project_id } })).status, 200);
  assert.equal((await call('GET', id, '', { tenant: other })).status, 200);
  for (const [method, key, body] of [['POST', '', { metadata: { a: 'b' } }], ['PUT', '', { metadata: {} }], ['PUT', 'here', { meta: { here: 'no' } }], ['DELETE', 'here', undefined]] as const) {
    const answer = await call(method, id, key, { tenant: other, body });
    assert.deepEqual([answer.status, messageOf(answer)], [403, `Not authorized for image ${id}.`], method);
  }
  assert.deepEqual(await metadata(id), { here: 'yes' });
  assert.equal((await cloud.call('GET', `/image/v2/images/${id}`, { token: mine.token })).json.visibility, 'shared');
});

test('the quota of metadata items holds', async () => {
  const id = await make({ here: 'yes' });
  const quota = await cloud.call('PUT', `/compute/v2.1/os-quota-sets/${mine.project_id}`, { body: { quota_set: { metadata_items: 2 } } });
  assert.equal(quota.status, 200, quota.text);
  assert.equal((await call('POST', id, '', { body: { metadata: { second: 'x' } } })).status, 200);
  for (const [method, key, body] of [['POST', '', { metadata: { third: 'x' } }], ['PUT', '', { metadata: { a: '', b: '', c: '' } }], ['PUT', 'third', { meta: { third: 'x' } }]] as const) {
    const answer = await call(method, id, key, { body });
    assert.deepEqual([answer.status, messageOf(answer)], [403, 'Image metadata limit exceeded'], method);
  }
  assert.deepEqual(await metadata(id), { here: 'yes', second: 'x' });
  assert.equal((await call('DELETE', id, 'here')).status, 204);
  assert.equal((await cloud.call('DELETE', `/compute/v2.1/os-quota-sets/${mine.project_id}`)).status, 202);
});

test('the limit of the image service holds too', async () => {
  const full = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`key${i}`, 'x']));
  const id = await make(full);
  await cloud.call('PUT', `/compute/v2.1/os-quota-sets/${mine.project_id}`, { body: { quota_set: { metadata_items: -1 } } });
  const answer = await call('POST', id, '', { body: { metadata: { more: 'x' } } });
  assert.deepEqual([answer.status, messageOf(answer)], [403, `Quota exceeded or out of space for image ${id} in the image service.`]);
  assert.equal(Object.keys(await metadata(id)).length, 128);
});

test('writers at the same time do not undo each other', async () => {
  const id = await make({});
  const keys = Array.from({ length: 8 }, (_, i) => `key${i}`);
  const answers = await Promise.all(keys.map((key) => call('POST', id, '', { body: { metadata: { [key]: 'x' } } })));
  assert.deepEqual(answers.map(({ status }) => status), keys.map(() => 200));
  assert.deepEqual(Object.keys(await metadata(id)).sort(), keys);
});

test('from 2.39 on there are no image metadata here', async () => {
  const id = await make({ here: 'yes' });
  assert.equal((await call('GET', id, '', { version: '2.36' })).status, 200, 'longer than images themselves');
  for (const version of ['2.39', 'latest']) {
    assert.equal((await call('GET', id, '', { version })).status, 404);
    assert.equal((await call('POST', id, '', { version, body: { metadata: {} } })).status, 404);
    assert.equal((await call('DELETE', id, 'here', { version })).status, 404);
  }
});
