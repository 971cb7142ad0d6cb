import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request } from '../../support/surface.ts';
import { password, startIdentity, type TestIdentity } from './cloud.ts';

const TOKENS = '/identity/v3/auth/tokens';
const EVENTS = '/identity/v3/OS-REVOKE/events';
let cloud: TestIdentity;
let count = 0;
before(async () => {
  cloud = await startIdentity();
});
after(() => cloud.close());

async function made(kind: 'user' | 'project' | 'domain', fields: Record<string, unknown> = {}): Promise<string> {
  const answer = await cloud.call('POST', `/identity/v3/${kind}s`, { body: { [kind]: { name: `${kind}-${(count += 1)}`, ...fields } } });
  assert.equal(answer.status, 201, answer.text);
  return answer.json[kind].id;
}

async function grant(user_id: string, where: string, role = 'member'): Promise<void> {
  const { id } = (await cloud.call('GET', `/identity/v3/roles?name=${role}`)).json.roles[0];
  assert.equal((await cloud.call('PUT', `/identity/v3/${where}/users/${user_id}/roles/${id}`)).status, 204);
}

const tokenOf = (id: string, scope?: unknown) => cloud.login(password({ id, password: 'pw' }, scope));
const works = async (token: string) => (await request(cloud.url, token, 'GET', '/identity/v3/auth/projects')).status === 200;
const patch = (path: string, body: unknown) => cloud.call('PATCH', `/identity/v3/${path}`, { body });
const events = async (since = '') => (await cloud.call('GET', EVENTS + since)).json.events as Record<string, string>[];

test('what is revoked can be followed', async () => {
  const start = new Date().toISOString();
  const user = await made('user', { password: 'pw' });
  const project = await made('project');
  const token = await tokenOf(user);
  const audit = (await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': token } })).json.token.audit_ids[0];
  assert.equal((await cloud.call('DELETE', TOKENS, { headers: { 'x-subject-token': token } })).status, 204);
  await patch(`users/${user}`, { user: { password: 'other' } });
  assert.equal((await cloud.call('DELETE', `/identity/v3/projects/${project}`)).status, 204);
  const seen = await events(`?since=${encodeURIComponent(start)}`);
  for (const [key, value] of [['audit_id', audit], ['user_id', user], ['project_id', project]]) {
    const event = seen.find((one) => one[key] === value);
    assert.ok(event, key);
    assert.match(event['revoked_at'] as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.ok(Date.parse(event['issued_before'] as string) <= Date.now());
  }
  assert.deepEqual(await events('?since=2999-01-01T00:00:00Z'), []);
  assert.equal((await cloud.call('GET', `${EVENTS}?since=yesterday`)).status, 400);
});

test('events are for administrators and services', async () => {
  const user = await made('user', { password: 'pw' });
  const project = await made('project');
  await grant(user, `projects/${project}`);
  assert.equal((await request(cloud.url, await tokenOf(user, { project: { id: project } }), 'GET', EVENTS)).status, 403);
  await grant(user, `projects/${project}`, 'service');
  assert.equal((await request(cloud.url, await tokenOf(user, { project: { id: project } }), 'GET', EVENTS)).status, 200);
});

test('a disabled domain takes the tokens of its users and projects at once', async () => {
  const domain = await made('domain');
  const insider = await made('user', { password: 'pw', domain_id: domain });
  const guest = await made('user', { password: 'pw' });
  const project = await made('project', { domain_id: domain });
  for (const user of [insider, guest]) await grant(user, `projects/${project}`);
  const tokens = [await tokenOf(insider), await tokenOf(insider, { project: { id: project } }), await tokenOf(guest, { project: { id: project } })];
  for (const token of tokens) assert.ok(await works(token));
  assert.equal((await patch(`domains/${domain}`, { domain: { enabled: false } })).status, 200);
  for (const token of tokens) assert.equal(await works(token), false);
  assert.equal((await request(cloud.url, undefined, 'POST', TOKENS, { body: password({ id: insider, password: 'pw' }) })).status, 401);
  assert.equal((await request(cloud.url, undefined, 'POST', TOKENS, { body: password({ id: guest, password: 'pw' }, { project: { id: project } }) })).status, 401);
});

test('a subtree of projects is disabled, enabled and deleted at once, with the tokens for it', async () => {
  const top = await made('project');
  const middle = await made('project', { parent_id: top });
  const leaf = await made('project', { parent_id: middle });
  const user = await made('user', { password: 'pw' });
  await grant(user, `projects/${leaf}`);
  const token = await tokenOf(user, { project: { id: leaf } });
  const enabled = async () => Promise.all([top, middle, leaf].map(async (id) => (await cloud.call('GET', `/identity/v3/projects/${id}`)).json.project?.enabled));
  assert.equal((await patch(`projects/${top}`, { project: { enabled: false } })).status, 403, 'one alone cannot be');
  const off = await patch(`projects/${top}/cascade`, { project: { enabled: false } });
  assert.equal(off.status, 200, off.text);
  assert.equal(off.json.project.enabled, false);
  assert.deepEqual(await enabled(), [false, false, false]);
  assert.equal(await works(token), false);
  assert.equal((await patch(`projects/${middle}/cascade`, { project: { enabled: true } })).status, 403, 'below a disabled one');
  assert.equal((await patch(`projects/${top}/cascade`, { project: { enabled: true } })).status, 200);
  assert.deepEqual(await enabled(), [true, true, true]);
  assert.equal(await works(token), false, 'what ended stays ended');
  const remove = () => cloud.call('DELETE', `/identity/v3/projects/${top}/cascade`);
  assert.equal((await remove()).status, 403, 'not while it is in use');
  assert.deepEqual(await enabled(), [true, true, true]);
  await patch(`projects/${leaf}`, { project: { enabled: false, options: { immutable: true } } });
  await patch(`projects/${middle}`, { project: { enabled: false } });
  assert.equal((await remove()).status, 403, 'nor with an immutable one in it');
  assert.deepEqual(await enabled(), [true, false, false]);
  await patch(`projects/${leaf}`, { project: { options: { immutable: null } } });
  assert.equal((await remove()).status, 204);
  assert.deepEqual(await enabled(), [undefined, undefined, undefined]);
  for (const [method, body] of [['PATCH', { project: { name: 'other' } }], ['PATCH', { project: {} }], ['PATCH', {}]] as const) {
    assert.equal((await cloud.call(method, `/identity/v3/projects/${await made('project')}/cascade`, { body })).status, 400);
  }
  assert.equal((await remove()).status, 404);
});

test('tokens that are cut, changed, padded, too long or no text at all are none', async () => {
  const user = await made('user', { password: 'pw' });
  const token = await tokenOf(user);
  const flipped = [...token].map((letter, at) => `${token.slice(0, at)}${letter === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`).filter((_, at) => at % 7 === 0 && at < token.length - 1);
  const bad = [...flipped, token.slice(0, -4), token.slice(4), `${token}AAAA`, `${token}${token}`, 'a', '-', '%00', '\u00e9', 'gAAAAA', 'A'.repeat(10_000), `${token.slice(0, 20)}${'A'.repeat(8_000)}`];
  for (const one of bad) {
    const answer = await request(cloud.url, one, 'GET', '/identity/v3/auth/projects');
    assert.equal(answer.status, 401, one.slice(0, 50));
    assert.equal(answer.json.error.code, 401);
    assert.equal((await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': one } })).status, 404, one.slice(0, 50));
  }
  const huge = await request(cloud.url, 'A'.repeat(200_000), 'GET', '/identity/v3/auth/projects');
  assert.equal(huge.status, 431);
  assert.ok(await works(token));
});
