import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { passcode, stepAt } from '../../../src/services/identity/model/totp.ts';
import { request, type TestResponse } from '../../support/surface.ts';
import { startIdentity, type TestIdentity } from './cloud.ts';

const TOKENS = '/identity/v3/auth/tokens';
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

let cloud: TestIdentity;
let user: string;
let shift = 0;
let count = 0;

before(async () => {
  cloud = await startIdentity();
});
after(() => cloud.close());
beforeEach(async () => {
  user = (await made('/identity/v3/users', { user: { name: `two-${(count += 1)}`, password: 'pw', options: { multi_factor_auth_rules: [['password', 'totp']] } } })).user.id;
  await made('/identity/v3/credentials', { credential: { type: 'totp', user_id: user, blob: SECRET } });
});

async function made(path: string, body: unknown): Promise<any> {
  const answer = await cloud.call('POST', path, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

function later(seconds: number): void {
  shift += seconds;
  cloud.advance(seconds);
}

const code = (steps = 0): string => passcode(Buffer.from('12345678901234567890'), stepAt(new Date(Date.now() + shift * 1000)) + steps);
const METHODS = {
  password: () => ({ user: { id: user, password: 'pw' } }),
  totp: (passcode_ = code()) => ({ user: { id: user, passcode: passcode_ } }),
};

function login(identity: Record<string, unknown>, receipt?: string): Promise<TestResponse> {
  const body = { auth: { identity: { methods: Object.keys(identity), ...identity } } };
  return request(cloud.url, undefined, 'POST', TOKENS, { body, ...(receipt === undefined ? {} : { headers: { 'openstack-auth-receipt': receipt } }) });
}

async function receiptOf(answer: Promise<TestResponse>): Promise<string> {
  const { status, headers, text } = await answer;
  assert.equal(status, 401, text);
  const receipt = headers.get('openstack-auth-receipt');
  assert.ok(receipt, text);
  return receipt;
}

const options = (changes: Record<string, unknown>) => cloud.call('PATCH', `/identity/v3/users/${user}`, { body: { user: { options: changes } } });

test('both methods together give a token', async () => {
  const got = await login({ password: METHODS.password(), totp: METHODS.totp() });
  assert.equal(got.status, 201, got.text);
  assert.deepEqual(got.json.token.methods.toSorted(), ['password', 'totp']);
});

test('one of them gives a receipt that says what is missing, and with the other a token', async () => {
  const first = await login({ password: METHODS.password() });
  assert.equal(first.status, 401);
  assert.equal(first.headers.get('x-subject-token'), null);
  assert.deepEqual(first.json.required_auth_methods, [['password', 'totp']]);
  assert.deepEqual(first.json.receipt.methods, ['password']);
  assert.equal(first.json.receipt.user.id, user);
  assert.equal(first.json.receipt.user.domain.id, 'default');
  assert.equal(Date.parse(first.json.receipt.expires_at) - Date.parse(first.json.receipt.issued_at), 300_000);
  const receipt = first.headers.get('openstack-auth-receipt') as string;
  const got = await login({ totp: METHODS.totp() }, receipt);
  assert.equal(got.status, 201, got.text);
  assert.deepEqual(got.json.token.methods.toSorted(), ['password', 'totp']);
  const again = await request(cloud.url, undefined, 'POST', TOKENS, { body: { auth: { identity: { methods: ['token'], token: { id: got.headers.get('x-subject-token') } } } } });
  assert.equal(again.status, 201, 'a token of both methods gives others');
});

test('a wrong method earns no receipt, and a receipt of one method is not the other', async () => {
  const wrong = await login({ password: { user: { id: user, password: 'no' } } });
  assert.equal(wrong.status, 401);
  assert.equal(wrong.headers.get('openstack-auth-receipt'), null);
  const receipt = await receiptOf(login({ password: METHODS.password() }));
  assert.equal((await login({ totp: METHODS.totp('000000') }, receipt)).status, 401);
  assert.ok(await receiptOf(login({ password: METHODS.password() }, receipt)));
});

test('a receipt is for its user, for its time, and no token', async () => {
  const receipt = await receiptOf(login({ password: METHODS.password() }));
  const mine = user;
  const other = (await made('/identity/v3/users', { user: { name: `other-${(count += 1)}`, password: 'pw' } })).user.id;
  user = other;
  assert.equal((await login({ password: METHODS.password() }, receipt)).status, 401);
  user = mine;
  assert.equal((await request(cloud.url, receipt, 'GET', '/identity/v3/auth/projects')).status, 401);
  const tampered = `${receipt.slice(0, -3)}AAA`;
  for (const bad of [tampered, 'nonsense', cloud.admin]) assert.equal((await login({ totp: METHODS.totp() }, bad)).status, 401);
  later(301);
  assert.equal((await login({ totp: METHODS.totp() }, receipt)).status, 401);
  cloud.admin = await cloud.login({ auth: { identity: { methods: ['token'], token: { id: cloud.admin } }, scope: { project: { name: 'admin', domain: { id: 'default' } } } } });
});

test('a change of password ends receipts', async () => {
  const receipt = await receiptOf(login({ password: METHODS.password() }));
  assert.equal((await cloud.call('PATCH', `/identity/v3/users/${user}`, { body: { user: { password: 'new' } } })).status, 200);
  assert.equal((await login({ totp: METHODS.totp() }, receipt)).status, 401);
});

test('a passcode works once, and none before it any more', async () => {
  await options({ multi_factor_auth_rules: null });
  const used = code();
  assert.equal((await login({ totp: METHODS.totp(used) })).status, 201);
  assert.equal((await login({ totp: METHODS.totp(used) })).status, 401);
  assert.equal((await login({ totp: METHODS.totp(code(-1)) })).status, 401);
  later(30);
  assert.equal((await login({ totp: METHODS.totp() })).status, 201);
  assert.equal((await login({ totp: METHODS.totp(code(-3)) })).status, 401);
  assert.equal((await login({ totp: METHODS.totp(code(2)) })).status, 401);
});

test('guessing passcodes is slowed down', async () => {
  await options({ multi_factor_auth_rules: null });
  for (let attempt = 0; attempt < 20; attempt += 1) assert.equal((await login({ totp: METHODS.totp('000000') })).status, 401);
  assert.equal((await login({ totp: METHODS.totp() })).status, 401, 'even the right one has to wait');
  later(60);
  assert.equal((await login({ totp: METHODS.totp() })).status, 201);
});

test('rules are heeded unless they are switched off, or speak of methods that do not exist', async () => {
  assert.equal((await options({ multi_factor_auth_enabled: false })).status, 200);
  assert.equal((await login({ password: METHODS.password() })).status, 201);
  await options({ multi_factor_auth_enabled: null, multi_factor_auth_rules: [['password', 'magic']] });
  assert.equal((await login({ password: METHODS.password() })).status, 201);
  await options({ multi_factor_auth_rules: [['totp'], ['password', 'application_credential']] });
  assert.equal((await login({ password: METHODS.password() })).status, 401);
  assert.equal((await login({ totp: METHODS.totp() })).status, 201);
  for (const bad of [{ multi_factor_auth_rules: 'totp' }, { multi_factor_auth_rules: [[]] }, { multi_factor_auth_rules: [['totp', 'totp']] }, { multi_factor_auth_enabled: 'yes' }]) {
    assert.equal((await options(bad)).status, 400, JSON.stringify(bad));
  }
});
