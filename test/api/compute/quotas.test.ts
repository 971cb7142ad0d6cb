import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, callers, type ServedWorld, serveCompute } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

const admin = { token: ADMIN_TOKEN };
const project = callers['member']!.project_id!;
const other = callers['other']!.project_id!;
const put = (path: string, quota_set: Record<string, unknown>, options = {}) => world.call('PUT', path, { ...admin, body: { quota_set }, ...options });

const ALWAYS = ['cores', 'instances', 'key_pairs', 'metadata_items', 'ram', 'server_group_members', 'server_groups'];
const FILES = ['injected_file_content_bytes', 'injected_file_path_bytes', 'injected_files'];
const NETWORK = ['fixed_ips', 'floating_ips', 'security_group_rules', 'security_groups'];

test('quotas have the fields of their version', async () => {
  const fields = async (path: string, version: string, key = 'quota_set') =>
    Object.keys((await world.call('GET', path, { ...admin, version })).json[key]).filter((name) => name !== 'id').sort();
  const path = `/os-quota-sets/${project}`;
  assert.deepEqual(await fields(path, '2.1'), [...ALWAYS, ...FILES, ...NETWORK].sort());
  assert.deepEqual(await fields(path, '2.36'), [...ALWAYS, ...FILES].sort());
  assert.deepEqual(await fields(path, '2.57'), ALWAYS);
  assert.deepEqual(await fields(`${path}/detail`, '2.1'), [...ALWAYS, ...FILES, ...NETWORK].sort());
  assert.deepEqual(await fields(`${path}/defaults`, '2.57'), ALWAYS);
  const classes = '/os-quota-class-sets/default';
  const withoutGroups = ALWAYS.filter((name) => !name.startsWith('server_group'));
  assert.deepEqual(await fields(classes, '2.49', 'quota_class_set'), [...withoutGroups, ...FILES, ...NETWORK].sort());
  assert.deepEqual(await fields(classes, '2.50', 'quota_class_set'), [...ALWAYS, ...FILES].sort());
  assert.deepEqual(await fields(classes, '2.57', 'quota_class_set'), ALWAYS);
});

test('limits have the fields of their version', async () => {
  const fields = async (version: string) => Object.keys((await world.call('GET', '/limits', { version })).json.limits.absolute);
  const oldest = await fields('2.1');
  for (const name of ['maxImageMeta', 'maxPersonality', 'maxPersonalitySize', 'maxSecurityGroups', 'maxTotalFloatingIps', 'totalSecurityGroupsUsed']) assert.ok(oldest.includes(name), name);
  assert.ok(!(await fields('2.36')).includes('maxSecurityGroups'));
  assert.ok((await fields('2.38')).includes('maxImageMeta'));
  assert.ok(!(await fields('2.39')).includes('maxImageMeta'));
  assert.ok(!(await fields('2.57')).includes('maxPersonality'));
  assert.deepEqual((await world.call('GET', '/limits?reserved=1')).json.limits.rate, []);
  assert.equal((await world.call('GET', '/limits?colour=red')).status, 400);
  assert.equal((await world.call('GET', `/limits?tenant_id=${other}`)).status, 403);
  assert.equal((await world.call('GET', `/limits?tenant_id=${project}`, admin)).status, 200);
});

test('quotas are set, kept apart from other projects, and forgotten', async () => {
  const path = `/os-quota-sets/${other}`;
  const set = await put(path, { instances: 3, cores: '7', ram: -1 });
  assert.equal(set.status, 200, set.text);
  assert.equal('id' in set.json.quota_set, false);
  const shown = (await world.call('GET', path, { token: 'other' })).json.quota_set;
  assert.deepEqual([shown.id, shown.instances, shown.cores, shown.ram], [other, 3, 7, -1]);
  assert.equal((await world.call('GET', `/os-quota-sets/${project}`)).json.quota_set.instances, 10);
  assert.equal((await world.call('GET', `${path}/defaults`, admin)).json.quota_set.instances, 10);
  assert.equal((await world.call('DELETE', path, admin)).status, 202);
  assert.equal((await world.call('GET', path, { token: 'other' })).json.quota_set.instances, 10);
  assert.equal((await put(path, { floating_ips: 5 }, { version: '2.35' })).json.quota_set.floating_ips, 5);
  assert.equal((await put(path, { floating_ips: 5 }, { version: '2.36' })).status, 400);
});

test('quotas are for those who may', async () => {
  assert.equal((await world.call('GET', `/os-quota-sets/${other}`)).status, 403);
  assert.equal((await world.call('GET', `/os-quota-sets/${other}/detail`)).status, 403);
  assert.equal((await put(`/os-quota-sets/${project}`, { cores: 1 }, { token: 'member' })).status, 403);
  assert.equal((await world.call('DELETE', `/os-quota-sets/${project}`)).status, 403);
  assert.equal((await world.call('GET', '/os-quota-class-sets/default')).status, 403);
  for (const bad of [{ instances: -2 }, { instances: '-2' }, { instances: 'many' }, { cores: 2147483648 }, { volumes: 1 }, { force: 'perhaps' }, { cores: null }]) {
    assert.equal((await put(`/os-quota-sets/${other}`, bad)).status, 400, JSON.stringify(bad));
  }
  for (const [method, path] of [['GET', ''], ['GET', '/detail'], ['GET', '/defaults'], ['PUT', '']] as const) {
    const reply = await world.call(method, `/os-quota-sets/nobody${path}`, { ...admin, ...(method === 'PUT' ? { body: { quota_set: {} } } : {}) });
    assert.equal(reply.status, 400, `${method} ${path}`);
    assert.equal(reply.json.badRequest.message, 'Project ID nobody is not a valid project.');
  }
});

test('what is used is counted, and a limit below it needs force', async () => {
  const id = await world.boot({ flavorRef: '2' });
  const detail = (await world.call('GET', `/os-quota-sets/${project}/detail`)).json.quota_set;
  assert.deepEqual(detail.instances, { limit: 10, in_use: 1, reserved: 0 });
  assert.deepEqual(detail.cores, { limit: 20, in_use: 2, reserved: 0 });
  assert.deepEqual(detail.ram, { limit: 51200, in_use: 256, reserved: 0 });
  const { absolute } = (await world.call('GET', '/limits')).json.limits;
  assert.deepEqual([absolute.totalInstancesUsed, absolute.totalCoresUsed, absolute.totalRAMUsed, absolute.maxTotalInstances], [1, 2, 256, 10]);
  const below = await put(`/os-quota-sets/${project}`, { cores: 1, instances: 5 });
  assert.equal(below.status, 400);
  assert.equal(below.json.badRequest.message, 'Quota limit 1 for cores must be greater than or equal to already used and reserved 2.');
  assert.equal((await world.call('GET', `/os-quota-sets/${project}`)).json.quota_set.instances, 10);
  assert.equal((await put(`/os-quota-sets/${project}`, { cores: 1, force: true })).json.quota_set.cores, 1);
  const refused = await world.call('POST', '/servers', { body: { server: { name: 'x', imageRef: world.image.id, flavorRef: '1', networks: 'none' } } });
  assert.equal(refused.status, 403);
  await world.call('DELETE', `/os-quota-sets/${project}`, admin);
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
});

test('a user in a project may have less than the project', async () => {
  const user = callers['member']!.user_id;
  const path = `/os-quota-sets/${project}?user_id=${user}`;
  assert.equal((await put(path, { instances: 11 })).status, 400);
  assert.equal((await put(path, { instances: 0 })).json.quota_set.instances, 0);
  assert.equal((await world.call('GET', path)).json.quota_set.instances, 0);
  assert.equal((await world.call('GET', `/os-quota-sets/${project}`)).json.quota_set.instances, 10);
  const body = { server: { name: 'x', imageRef: world.image.id, flavorRef: '1', networks: 'none' } };
  assert.equal((await world.call('POST', '/servers', { body })).status, 403);
  assert.equal((await world.call('DELETE', path, admin)).status, 202);
  const made = await world.call('POST', '/servers', { body });
  assert.equal(made.status, 202, made.text);
  await world.settled(made.json.server.id);
});

test('the class default is for every project without limits of its own', async () => {
  const set = await world.call('PUT', '/os-quota-class-sets/default', { ...admin, body: { quota_class_set: { instances: 6, key_pairs: '7' } } });
  assert.equal(set.status, 200, set.text);
  assert.deepEqual([set.json.quota_class_set.instances, set.json.quota_class_set.key_pairs], [6, 7]);
  const shown = (await world.call('GET', '/os-quota-class-sets/default', admin)).json.quota_class_set;
  assert.deepEqual([shown.id, shown.instances], ['default', 6]);
  assert.equal((await world.call('GET', `/os-quota-sets/${project}`)).json.quota_set.instances, 6);
  assert.equal((await world.call('GET', `/os-quota-sets/${project}/defaults`)).json.quota_set.instances, 6);
  assert.equal((await world.call('PUT', '/os-quota-class-sets/default', { ...admin, body: { quota_class_set: { volumes: 1 } } })).status, 400);
});
