import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ADMIN_PASSWORD, startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { dockerArchive, tar } from '../../support/docker-archive.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
let other: Awaited<ReturnType<TestCloud['tenant']>>;
before(async () => {
  cloud = await startTestCloud();
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
});
after(() => cloud.stop());

const bytes = { 'content-type': 'application/octet-stream' };
const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };

async function create(body: object, token = mine.token) {
  const answer = await cloud.call('POST', '/image/v2/images', { token, body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

const upload = (id: string, body: Uint8Array, token = mine.token) => cloud.call('PUT', `/image/v2/images/${id}/file`, { token, body, headers: bytes });

test('an image is created, filled, read back byte for byte, and deleted', async () => {
  const image = await create({ name: 'one', container_format: 'bare', disk_format: 'raw', colour: 'blue', tags: ['b', 'a'] });
  assert.equal(image.status, 'queued');
  assert.equal(image.colour, 'blue');
  assert.deepEqual(image.tags, ['a', 'b']);
  const data = Buffer.alloc(3_000_000, 'gantry');
  assert.equal((await upload(image.id, data)).status, 204);
  const shown = (await cloud.call('GET', `/image/v2/images/${image.id}`, { token: mine.token })).json;
  assert.equal(shown.status, 'active');
  assert.equal(shown.size, data.length);
  assert.equal(shown.checksum, createHash('md5').update(data).digest('hex'));
  assert.equal(shown.os_hash_algo, 'sha512');
  assert.equal(shown.os_hash_value, createHash('sha512').update(data).digest('hex'));
  const file = await fetch(`${cloud.url}/image/v2/images/${image.id}/file`, { headers: { 'x-auth-token': mine.token } });
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), data);
  const part = await fetch(`${cloud.url}/image/v2/images/${image.id}/file`, { headers: { 'x-auth-token': mine.token, range: 'bytes=6-11' } });
  assert.equal(part.status, 206);
  assert.equal(await part.text(), 'gantry');
  assert.equal((await upload(image.id, data)).status, 409, 'data are written once');
  assert.equal((await cloud.call('DELETE', `/image/v2/images/${image.id}`, { token: mine.token })).status, 204);
  assert.equal((await cloud.call('GET', `/image/v2/images/${image.id}`, { token: mine.token })).status, 404);
});

test('a docker image is checked on upload, and a bad one changes nothing', async () => {
  const good = await create({ name: 'good', container_format: 'docker', disk_format: 'raw' });
  assert.equal((await upload(good.id, dockerArchive())).status, 204);
  const bad: [string, Uint8Array, RegExp][] = [
    ['not a tar', Buffer.alloc(10_000, 'x'), /damaged/],
    ['empty', Buffer.alloc(0), /no members/],
    ['no manifest', tar({ 'hello.txt': 'hi' }), /neither manifest/],
    ['traversal', tar({ '../evil': 'x', 'manifest.json': '[]' }), /outside/],
    ['absolute', tar({ '/etc/passwd': 'x' }), /outside/],
    ['missing layer', tar({ 'manifest.json': JSON.stringify([{ Config: 'c.json', Layers: ['l/layer.tar'] }]), 'c.json': JSON.stringify({ rootfs: { diff_ids: ['sha256:1'] } }) }), /layer l\/layer.tar is missing/],
    ['truncated', dockerArchive().subarray(0, 1500), /ends within|no members|neither/],
  ];
  for (const [name, data, why] of bad) {
    const image = await create({ name, container_format: 'docker', disk_format: 'raw' });
    const answer = await cloud.call('PUT', `/image/v2/images/${image.id}/file`, { token: mine.token, body: data, headers: { ...bytes, accept: 'application/json' } });
    assert.equal(answer.status, 400, name);
    assert.match(answer.json.message, why, name);
    const after = (await cloud.call('GET', `/image/v2/images/${image.id}`, { token: mine.token })).json;
    assert.equal(after.status, 'queued');
    assert.equal(after.size, null);
  }
});

test('an image is private to its project until it is shared', async () => {
  const image = await create({ name: 'secret', visibility: 'shared' });
  const path = `/image/v2/images/${image.id}`;
  const asOther = { token: other.token };
  for (const [method, tail] of [['GET', ''], ['GET', '/file'], ['DELETE', ''], ['PUT', '/tags/x'], ['GET', '/members']] as const) {
    assert.equal((await cloud.call(method, path + tail, asOther)).status, 404, `${method} ${tail}`);
  }
  assert.equal((await cloud.call('PATCH', path, { ...asOther, headers: PATCH, body: [{ op: 'replace', path: '/name', value: 'x' }] })).status, 404);
  const shared = await cloud.call('POST', `${path}/members`, { token: mine.token, body: { member: other.project_id } });
  assert.equal(shared.json.status, 'pending');
  assert.equal((await cloud.call('GET', path, asOther)).status, 200);
  assert.equal((await cloud.call('DELETE', path, asOther)).status, 403);
  const visible = async () => (await cloud.call('GET', '/image/v2/images?name=secret', asOther)).json.images.length;
  assert.equal(await visible(), 0);
  assert.equal((await cloud.call('PUT', `${path}/members/${other.project_id}`, { ...asOther, body: { status: 'accepted' } })).json.status, 'accepted');
  assert.equal(await visible(), 1);
  assert.equal((await cloud.call('POST', `${path}/members`, { token: mine.token, body: { member: other.project_id } })).status, 409);
  assert.equal((await cloud.call('POST', '/image/v2/images', { token: mine.token, body: { name: 'x', visibility: 'public' } })).status, 403);
});

test('a JSON patch is all or nothing', async () => {
  const image = await create({ name: 'patched', size_hint: 'small' });
  const patch = (body: unknown, headers = PATCH) => cloud.call('PATCH', `/image/v2/images/${image.id}`, { token: mine.token, headers, body });
  const done = await patch([{ op: 'replace', path: '/name', value: 'renamed' }, { op: 'add', path: '/os_distro', value: 'none' }, { op: 'remove', path: '/size_hint' }]);
  assert.equal(done.json.name, 'renamed');
  assert.equal(done.json.os_distro, 'none');
  assert.ok(!('size_hint' in done.json));
  const failures: [unknown, number][] = [
    [[{ op: 'replace', path: '/name', value: 'no' }, { op: 'replace', path: '/status', value: 'active' }], 403],
    [[{ op: 'remove', path: '/nothing' }], 409],
    [[{ op: 'add', path: '/os_glance_x', value: '1' }], 403],
    [[{ op: 'add', path: 'name', value: '1' }], 400],
    [[{ op: 'replace', path: '/min_ram', value: 'many' }], 400],
    [{ op: 'replace' }, 400],
  ];
  for (const [body, status] of failures) assert.equal((await patch(body)).status, status, JSON.stringify(body));
  assert.equal((await cloud.call('GET', `/image/v2/images/${image.id}`, { token: mine.token })).json.name, 'renamed');
  const old = await patch([{ replace: '/name', value: 'older' }], { 'content-type': 'application/openstack-images-v2.0-json-patch' });
  assert.equal(old.json.name, 'older');
});

test('lists page, sort and filter', async () => {
  for (let i = 0; i < 5; i++) await create({ name: `page-${i}`, series: 'p', tags: ['paged'], ...(i < 2 ? { container_format: 'bare' } : {}) });
  const names = async (query: string) => (await cloud.call('GET', `/image/v2/images?${query}`, { token: mine.token })).json.images.map((image: { name: string }) => image.name);
  assert.deepEqual(await names('series=p&sort=name:asc'), ['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  assert.deepEqual(await names('tag=paged&sort_key=name&sort_dir=desc&limit=2'), ['page-4', 'page-3']);
  assert.deepEqual((await names('series=p&container_format=bare')).sort(), ['page-0', 'page-1']);
  assert.deepEqual((await names('name=in:page-1,page-3')).sort(), ['page-1', 'page-3']);
  const first = (await cloud.call('GET', '/image/v2/images?series=p&sort=name&limit=3', { token: mine.token })).json;
  const second = (await cloud.call('GET', `/image${first.next}`, { token: mine.token })).json;
  assert.deepEqual([...first.images, ...second.images].map((image) => image.name), ['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  assert.equal(second.next, undefined);
  for (const query of ['limit=x', 'sort_key=nothing', 'marker=00000000-0000-0000-0000-000000000000', 'visibility=odd', 'created_at=never']) {
    assert.equal((await cloud.call('GET', `/image/v2/images?${query}`, { token: mine.token })).status, 400, query);
  }
});

test('faults come in the media type that is asked for', async () => {
  const get = (accept?: string) => fetch(`${cloud.url}/image/v2/images/none`, { headers: { 'x-auth-token': mine.token, ...(accept ? { accept } : {}) } });
  assert.match((await get('application/json')).headers.get('content-type')!, /json/);
  assert.match((await get('*/*')).headers.get('content-type')!, /html/);
});

test('a protected image stays; who may not is told so', async () => {
  const image = await create({ name: 'kept', protected: true });
  assert.equal((await cloud.call('DELETE', `/image/v2/images/${image.id}`, { token: mine.token })).status, 403);
  const reader = await cloud.tenant('reading', ['reader']);
  assert.equal((await cloud.call('POST', '/image/v2/images', { token: reader.token, body: { name: 'x' } })).status, 403);
  assert.equal((await cloud.call('POST', '/image/v2/images', { token: mine.token, body: { name: 'x', owner: other.project_id } })).status, 403);
});

test('a token of the system knows no image; a project without a role knows none of others', async () => {
  const image = await create({ name: 'unseen', container_format: 'bare', disk_format: 'raw', visibility: 'shared' });
  const path = `/image/v2/images/${image.id}`;
  const system = await cloud.token({ name: 'admin', password: ADMIN_PASSWORD, system: true });
  const calls: [string, string, object?][] = [
    ['GET', ''], ['DELETE', ''], ['GET', '/file'], ['PUT', '/tags/x'], ['POST', '/actions/deactivate'], ['GET', '/members'], ['POST', '/members', { member: other.project_id }],
    ['GET', `/members/${other.project_id}`], ['PUT', `/members/${other.project_id}`, { status: 'accepted' }], ['DELETE', `/members/${other.project_id}`],
  ];
  for (const [method, tail, body] of calls) assert.equal((await cloud.call(method, path + tail, { token: system, ...(body ? { body } : {}) })).status, 404, `${method} ${tail}`);
  assert.equal((await cloud.call('GET', '/image/v2/images', { token: system })).status, 403);
  assert.equal((await cloud.call('GET', path, { token: mine.token })).json.name, 'unseen');
});
