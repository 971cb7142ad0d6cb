import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { IdentityConfig } from '../../../src/services/identity/index.ts';
import { request } from '../../support/surface.ts';
import { adminProject, adminUser, password, startIdentity, type TestIdentity } from './cloud.ts';

const TOKENS = '/identity/v3/auth/tokens';
const DAY = 86_400;

interface World {
  cloud: TestIdentity;
  user: string;
  login(password: string): Promise<{ status: number; message: string | undefined; token: string; body: any }>;
  change(original: string, password: string): Promise<{ status: number; message: string | undefined }>;
  patch(user: Record<string, unknown>): Promise<any>;
  /** Moves the clock, and logs the admin in again. */
  later(seconds: number): Promise<void>;
}

async function start(t: TestContext, config: Partial<IdentityConfig>, user: Record<string, unknown> = {}): Promise<World> {
  const cloud = await startIdentity({ config: { token_expiration: 60 * DAY, ...config } });
  t.after(() => cloud.close());
  const made = await cloud.call('POST', '/identity/v3/users', { body: { user: { name: 'someone', password: 'first', ...user } } });
  assert.equal(made.status, 201, made.text);
  const id: string = made.json.user.id;
  return {
    cloud,
    user: id,
    async login(secret) {
      const { status, json, headers } = await request(cloud.url, undefined, 'POST', TOKENS, { body: password({ id, password: secret }) });
      return { status, message: json.error?.message, token: headers.get('x-subject-token') ?? '', body: json };
    },
    async change(original_password, new_) {
      const { status, json } = await request(cloud.url, undefined, 'POST', `/identity/v3/users/${id}/password`, { body: { user: { original_password, password: new_ } } });
      return { status, message: json?.error?.message };
    },
    async patch(changes) {
      const answer = await cloud.call('PATCH', `/identity/v3/users/${id}`, { body: { user: changes } });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.user;
    },
    async later(seconds) {
      cloud.advance(seconds);
      cloud.admin = await cloud.login(password(adminUser, adminProject));
    },
  };
}

test('nothing is demanded by default', async (t) => {
  const { cloud, user, login, change, later } = await start(t, {});
  for (let attempt = 0; attempt < 10; attempt += 1) assert.equal((await login('wrong')).status, 401);
  assert.equal((await login('first')).status, 201);
  assert.equal((await change('first', 'second')).status, 204);
  assert.equal((await change('second', 'first')).status, 204);
  await later(1000 * DAY);
  assert.equal((await login('first')).status, 201);
  assert.equal((await cloud.call('GET', `/identity/v3/users/${user}`)).json.user.password_expires_at, null);
});

test('too many wrong passwords lock an account for its time, in the same words as a wrong one', async (t) => {
  const { login, change, later, patch } = await start(t, { lockout_failure_attempts: 3, lockout_duration: 600 });
  for (let attempt = 0; attempt < 2; attempt += 1) await login('wrong');
  assert.equal((await login('first')).status, 201, 'a right one begins the count anew');
  const wrong = [await login('wrong'), await login('wrong'), await login('wrong')];
  const locked = await login('first');
  assert.equal(locked.status, 401);
  assert.equal(locked.message, wrong[0]?.message);
  assert.equal((await change('first', 'second')).status, 401);
  await later(601);
  assert.equal((await login('wrong')).status, 401);
  assert.equal((await login('first')).status, 201, 'after the time a single wrong one does not lock again');
  for (let attempt = 0; attempt < 3; attempt += 1) await login('wrong');
  await patch({ enabled: true });
  assert.equal((await login('first')).status, 201, 'an administrator unlocks');
  await patch({ options: { ignore_lockout_failure_attempts: true } });
  for (let attempt = 0; attempt < 5; attempt += 1) await login('wrong');
  assert.equal((await login('first')).status, 201);
});

test('guesses sent all at once are counted too', async (t) => {
  const { login } = await start(t, { lockout_failure_attempts: 3, lockout_duration: 0 });
  await Promise.all(Array.from({ length: 12 }, () => login('wrong')));
  assert.equal((await login('first')).status, 401);
});

test('the password is looked at before the place that is asked for: who knows none of the two learns of neither', async (t) => {
  const { cloud, user, login } = await start(t, { lockout_failure_attempts: 3, lockout_duration: 600 });
  const nowhere = { project: { id: 'f'.repeat(32) } };
  const guess = (word: string) => cloud.call('POST', '/identity/v3/auth/tokens', { token: null, body: password({ id: user, password: word }, nowhere) });
  const refused = [await guess('first'), await guess('wrong'), await guess('wrong'), await guess('wrong')];
  for (const got of refused) assert.deepEqual([got.status, got.json], [401, refused[0]?.json]);
  assert.equal((await login('first')).status, 401, 'the wrong ones were counted');
});

test('a password ends, says so to who knows it, and can then be changed', async (t) => {
  const { cloud, user, login, change, later, patch } = await start(t, { password_expires_days: 30 });
  const shown = (await cloud.call('GET', `/identity/v3/users/${user}`)).json.user.password_expires_at;
  assert.match(shown, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000$/);
  assert.equal((await login('first')).body.token.user.password_expires_at, shown);
  await later(31 * DAY);
  const late = await login('first');
  assert.equal(late.status, 401);
  assert.equal(late.message, `The password is expired and needs to be changed for user: ${user}.`);
  assert.equal((await login('wrong')).message, 'The request you have made requires authentication.');
  assert.equal((await change('wrong', 'second')).status, 401);
  assert.equal((await change('first', 'second')).status, 204);
  assert.equal((await login('second')).status, 201);
  await later(31 * DAY);
  await patch({ options: { ignore_password_expiry: true } });
  assert.equal((await login('second')).status, 201);
});

test('users are found by when their password ends', async (t) => {
  const { cloud } = await start(t, { password_expires_days: 30 });
  const names = async (filter: string) => (await cloud.call('GET', `/identity/v3/users?password_expires_at=${filter}`)).json.users?.map((one: { name: string }) => one.name);
  assert.deepEqual(await names('lt:2999-01-01T00:00:00Z'), ['someone']);
  assert.deepEqual(await names('gt:2999-01-01T00:00:00Z'), []);
  assert.deepEqual(await names('gte:2020-01-01T00:00:00Z'), ['someone']);
  assert.deepEqual(await names('neq:2020-01-01T00:00:00Z'), ['someone']);
  for (const bad of ['lt:never', 'about:2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z']) {
    assert.equal((await cloud.call('GET', `/identity/v3/users?password_expires_at=${bad}`)).status, 400, bad);
  }
});

test('the last passwords are not taken again', async (t) => {
  const { change, login, patch } = await start(t, { unique_last_password_count: 3 });
  const same = await change('first', 'first');
  assert.equal(same.status, 400);
  assert.match(same.message ?? '', /cannot be identical to a previous password/);
  assert.equal((await change('first', 'second')).status, 204);
  assert.equal((await change('second', 'third')).status, 204);
  assert.equal((await change('third', 'first')).status, 400);
  assert.equal((await login('third')).status, 201, 'nothing was changed');
  assert.equal((await change('third', 'fourth')).status, 204);
  assert.equal((await change('fourth', 'first')).status, 204, 'three others came between');
  await patch({ password: 'first' });
  assert.equal((await login('first')).status, 201, 'an administrator may');
});

test('a password that a user chose has to be kept for its time', async (t) => {
  const { change, later, patch } = await start(t, { minimum_password_age: 2 });
  assert.equal((await change('first', 'second')).status, 204, 'the one of the administrator may go at once');
  const early = await change('second', 'third');
  assert.equal(early.status, 400);
  assert.match(early.message ?? '', /minimum password age/);
  await patch({ password: 'reset' });
  assert.equal((await change('reset', 'fourth')).status, 204);
  await later(2 * DAY);
  assert.equal((await change('fourth', 'fifth')).status, 204);
});

test('a password that an administrator gave is good for one change only', async (t) => {
  const { login, change, patch } = await start(t, { change_password_upon_first_use: true });
  assert.match((await login('first')).message ?? '', /expired and needs to be changed/);
  assert.equal((await change('first', 'second')).status, 204);
  assert.equal((await login('second')).status, 201);
  await patch({ password: 'reset' });
  assert.equal((await login('reset')).status, 401);
  await patch({ password: 'reset', options: { ignore_change_password_upon_first_use: true } });
  assert.equal((await login('reset')).status, 201);
});

test('who stays away for too long is disabled', async (t) => {
  const { cloud, user, login, later, patch } = await start(t, { disable_user_account_days_inactive: 10, token_expiration: 3600 });
  const enabled = async () => (await cloud.call('GET', `/identity/v3/users/${user}`)).json.user.enabled;
  await later(9 * DAY);
  assert.equal((await login('first')).status, 201);
  await later(9 * DAY);
  assert.equal((await login('first')).status, 201);
  await later(9 * DAY);
  assert.equal(await enabled(), true);
  await later(2 * DAY);
  assert.equal(await enabled(), false);
  assert.equal((await login('first')).status, 401);
  await patch({ enabled: true });
  assert.equal((await login('first')).status, 201);
  await patch({ options: { ignore_user_inactivity: true } });
  await later(9 * DAY);
  await later(9 * DAY);
  assert.equal((await login('first')).status, 201);
});

test('a locked password stays, and bad input changes nothing', async (t) => {
  const { cloud, user, login, change, patch } = await start(t, { password_regex: '.{4}', password_regex_description: 'four letters' });
  await patch({ options: { lock_password: true } });
  const locked = await change('first', 'second');
  assert.equal(locked.status, 400);
  assert.match(locked.message ?? '', /disallowing password changes/);
  await patch({ options: { lock_password: false } });
  const weak = await change('first', 'abc');
  assert.equal(weak.status, 400);
  assert.match(weak.message ?? '', /does not match the requirements: four letters/);
  for (const body of [{}, { user: {} }, { user: { password: 'second' } }, { user: { original_password: 'first' } }, { user: { original_password: 1, password: 'second' } }, { user: { original_password: 'first', password: null } }]) {
    assert.equal((await request(cloud.url, undefined, 'POST', `/identity/v3/users/${user}/password`, { body })).status, 400, JSON.stringify(body));
  }
  assert.equal((await request(cloud.url, undefined, 'POST', '/identity/v3/users/nobody/password', { body: { user: { original_password: 'a', password: 'bcde' } } })).status, 401);
  assert.equal((await login('first')).status, 201);
});
