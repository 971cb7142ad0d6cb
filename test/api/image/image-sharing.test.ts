/** Who sees an image, by its visibility, its members, and whether it is hidden or deactivated. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { importer, type Importer } from '../../support/image-import.ts';

type Tenant = Awaited<ReturnType<TestCloud['tenant']>>;
let cloud: TestCloud;
let owner: Tenant;
let other: Tenant;
let third: Tenant;
let mine: Importer;
const data = Buffer.from('some data');
const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };

before(async () => {
  cloud = await startTestCloud();
  [owner, other, third] = [await cloud.tenant('owner'), await cloud.tenant('other'), await cloud.tenant('third')];
  mine = importer(cloud, owner.token);
});
after(() => cloud.stop());

const call = async (method: string, path: string, { token }: Tenant, body?: unknown, headers: Record<string, string> = {}) =>
  await cloud.call(method, `/image/v2/images${path}`, { token, headers, ...(body === undefined ? {} : { body }) });
const set = (id: string, name: string, value: unknown, who = owner) => call('PATCH', `/${id}`, who, [{ op: 'replace', path: `/${name}`, value }], PATCH);
const listed = async (who: Tenant, id: string, query = ''): Promise<boolean> => (await call('GET', `?limit=100${query}`, who)).json.images.some((image: { id: string }) => image.id === id);

async function filled(fields: object): Promise<string> {
  const id = await mine.create(fields);
  assert.equal(await mine.upload(id, data), 204);
  return id;
}

test('a community image is used by everybody, listed for who asks for such, and changed by its owner', async () => {
  const id = await filled({ visibility: 'community' });
  assert.equal((await call('GET', `/${id}`, other)).status, 200);
  assert.equal((await call('GET', `/${id}/file`, other)).status, 200);
  assert.deepEqual([await listed(other, id), await listed(other, id, '&visibility=community'), await listed(other, id, '&visibility=all'), await listed(owner, id)], [false, true, true, true]);
  for (const [method, tail, body] of [['DELETE', ''], ['PUT', '/tags/x'], ['POST', '/actions/deactivate', {}]] as const) {
    assert.equal((await call(method, `/${id}${tail}`, other, body)).status, 403, `${method} ${tail}`);
  }
  assert.equal((await set(id, 'name', 'theirs', other)).status, 403);
  assert.equal((await call('GET', `/${id}/members`, owner)).status, 403, 'only shared images have members');
});

test('a private image is nobody else’s; publishing is for administrators', async () => {
  const id = await filled({ visibility: 'private' });
  for (const tail of ['', '/file', '/members', '/tasks']) assert.equal((await call('GET', `/${id}${tail}`, other)).status, 404, tail);
  assert.equal((await call('POST', `/${id}/members`, owner, { member: other.project_id })).status, 403);
  assert.equal((await set(id, 'visibility', 'public')).status, 403);
  const admin = { ...owner, token: await cloud.token() };
  assert.equal((await set(id, 'visibility', 'public', admin)).status, 200);
  assert.ok(await listed(third, id));
});

test('members see a shared image, and it is listed for them once they accept', async () => {
  const id = await filled({ visibility: 'shared' });
  const member = `/${id}/members/${other.project_id}`;
  assert.equal((await call('PUT', member, other, { status: 'accepted' })).status, 404, 'not a member yet');
  assert.equal((await call('POST', `/${id}/members`, owner, { member: '' })).status, 400);
  assert.equal((await call('POST', `/${id}/members`, owner, {})).status, 400);
  const shared = await call('POST', `/${id}/members`, owner, { member: other.project_id });
  assert.deepEqual([shared.status, shared.json.status, shared.json.schema], [200, 'pending', '/v2/schemas/member']);
  assert.equal((await call('POST', `/${id}/members`, owner, { member: third.project_id })).status, 200);
  assert.equal((await call('POST', `/${id}/members`, other, { member: third.project_id })).status, 403, 'a member shares no further');
  assert.deepEqual([await listed(other, id), await listed(other, id, '&member_status=pending'), await listed(other, id, '&member_status=all')], [false, true, true]);
  assert.equal((await call('PUT', member, owner, { status: 'accepted' })).status, 403, 'the owner does not accept');
  assert.equal((await call('PUT', member, third, { status: 'accepted' })).status, 404, 'nor does another member');
  assert.equal((await call('PUT', member, other, { status: 'perhaps' })).status, 400);
  assert.equal((await call('PUT', member, other, { status: 'accepted' })).json.status, 'accepted');
  assert.ok(await listed(other, id));
  const members = async (who: Tenant) => (await call('GET', `/${id}/members`, who)).json.members.map((one: { member_id: string }) => one.member_id).sort();
  assert.deepEqual(await members(owner), [other.project_id, third.project_id].sort());
  assert.deepEqual(await members(other), [other.project_id], 'a member sees itself');
  assert.equal((await call('GET', `/${id}/members/${third.project_id}`, other)).status, 404);
  assert.equal((await call('PUT', member, other, { status: 'rejected' })).json.status, 'rejected');
  assert.equal(await listed(other, id), false);
  assert.equal((await call('GET', `/${id}`, other)).status, 200, 'it can still be used by its id');
  assert.equal((await call('DELETE', member, third)).status, 404);
  assert.equal((await set(id, 'visibility', 'private')).status, 200);
  assert.equal((await call('GET', `/${id}`, other)).status, 404, 'members of a private image do not count');
  assert.equal((await call('GET', member, owner)).status, 404, 'only shared images have members');
  assert.equal((await call('DELETE', member, owner)).status, 403);
  assert.equal((await set(id, 'visibility', 'shared')).status, 200);
  assert.equal((await call('DELETE', member, owner)).status, 204);
  assert.equal((await call('DELETE', member, owner)).status, 404);
  assert.equal((await call('GET', `/${id}`, other)).status, 404);
});

test('the data of a deactivated image are for administrators', async () => {
  const queued = await mine.create();
  assert.equal((await call('POST', `/${queued}/actions/deactivate`, owner)).status, 403);
  const id = await filled({ visibility: 'community' });
  for (let twice = 0; twice < 2; twice += 1) assert.equal((await call('POST', `/${id}/actions/deactivate`, owner)).status, 204);
  assert.equal((await mine.show(id)).status, 'deactivated');
  assert.equal((await call('GET', `/${id}/file`, other)).status, 403);
  assert.equal((await call('GET', `/${id}/file`, owner)).status, 403);
  assert.equal((await cloud.call('GET', `/image/v2/images/${id}/file`)).status, 200);
  assert.equal((await mine.import(id, { name: 'web-download', uri: 'http://8.8.8.8/' })).status, 409);
  assert.equal((await call('POST', `/${id}/actions/reactivate`, owner)).status, 204);
  assert.equal((await call('GET', `/${id}/file`, other)).status, 200);
});

test('a hidden image is not listed unless asked for, and used all the same', async () => {
  const id = await filled({ visibility: 'community', os_hidden: true });
  assert.deepEqual([await listed(owner, id), await listed(owner, id, '&os_hidden=true'), await listed(owner, id, '&os_hidden=false')], [false, true, false]);
  assert.equal((await call('GET', '?os_hidden=perhaps', owner)).status, 400);
  assert.equal((await call('GET', `/${id}/file`, other)).status, 200);
  assert.equal((await set(id, 'os_hidden', false)).json.os_hidden, false);
  assert.ok(await listed(owner, id));
});
