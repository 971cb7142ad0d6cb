import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { password, startWithMember } from './cloud.ts';

const cloud = await startWithMember();
after(() => cloud.close());
const { makeUser, project, user, v3 } = cloud;
let { token } = cloud;

const login = (identity: object, scope?: object): Promise<TestResponse> => v3('POST', 'auth/tokens', { auth: { identity, ...(scope === undefined ? {} : { scope }) } }, null);
const withCredential = (credential: object): Promise<TestResponse> => login({ methods: ['application_credential'], application_credential: credential });

async function credential(fields: object): Promise<any> {
  const got = await v3('POST', `users/${user}/application_credentials`, { application_credential: fields }, token);
  assert.equal(got.status, 201, got.text);
  return got.json.application_credential;
}

test('an application credential logs in with the roles it was given, by id or by name, until it is deleted', async () => {
  const made = await credential({ name: 'backup', roles: [{ name: 'reader' }] });
  assert.equal((await v3('GET', `users/${user}/application_credentials/${made.id}`, undefined, token)).json.application_credential.secret, undefined);
  const got = await withCredential({ id: made.id, secret: made.secret });
  assert.equal(got.status, 201, got.text);
  assert.equal(got.json.token.project.id, project);
  assert.deepEqual(got.json.token.roles.map((role: { name: string }) => role.name), ['reader']);
  assert.equal(got.json.token.application_credential.restricted, true);
  assert.equal((await withCredential({ name: 'backup', user: { name: 'alice', domain: { id: 'default' } }, secret: made.secret })).status, 201);
  assert.equal((await withCredential({ id: made.id, secret: 'wrong' })).status, 401);
  assert.equal((await login({ methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } }, { project: { id: project } })).status, 401, 'it has its scope');
  const bearer = got.headers.get('x-subject-token') as string;
  assert.equal((await v3('POST', `users/${user}/application_credentials`, { application_credential: { name: 'more' } }, bearer)).status, 403, 'restricted');
  assert.equal((await login({ methods: ['token'], token: { id: bearer } }, { system: { all: true } })).status, 401);
  assert.equal((await v3('DELETE', `users/${user}/application_credentials/${made.id}`, undefined, token)).status, 204);
  assert.equal(await cloud.identity.client.authenticate(bearer), undefined);
  assert.equal((await withCredential({ id: made.id, secret: made.secret })).status, 401);
});

test('nobody delegates what they do not have, or for somebody else', async () => {
  const create = (fields: object, who = user) => v3('POST', `users/${who}/application_credentials`, { application_credential: { name: 'x', ...fields } }, token);
  assert.equal((await create({ roles: [{ name: 'admin' }] })).status, 400);
  assert.equal((await create({ expires_at: '2001-01-01T00:00:00' })).status, 400);
  assert.equal((await create({ expires_at: 'tomorrow' })).status, 400);
  assert.equal((await create({ access_rules: [{ service: 'compute', path: 'no-slash', method: 'GET' }] })).status, 400);
  assert.equal((await create({}, await makeUser('bob'))).status, 403);
  await credential({ name: 'same' });
  assert.equal((await create({ name: 'same' })).status, 409);
});

test('an application credential ends when it says, and its tokens no later', async () => {
  const at = new Date(Date.now() + 600_000).toISOString();
  const made = await credential({ name: 'short', expires_at: at });
  assert.equal(made.expires_at, `${at.slice(0, -1)}000`);
  const got = await withCredential({ id: made.id, secret: made.secret });
  assert.ok(Date.parse(got.json.token.expires_at) <= Date.parse(at));
});

test('access rules hold: what no rule names is refused', async () => {
  const made = await credential({ name: 'narrow', access_rules: [{ service: 'identity', method: 'GET', path: '/v3/users/*' }] });
  assert.equal(made.access_rules[0].path, '/v3/users/*');
  const got = await withCredential({ id: made.id, secret: made.secret });
  const bearer = got.headers.get('x-subject-token') as string;
  assert.equal((await v3('GET', `users/${user}`, undefined, bearer)).status, 200);
  assert.equal((await v3('GET', 'auth/projects', undefined, bearer)).status, 401);
  assert.equal((await cloud.call('GET', '/identity/v3/auth/tokens', { headers: { 'x-subject-token': bearer } })).status, 404, 'who does not know of rules must not trust it');
  const aware = await cloud.call('GET', '/identity/v3/auth/tokens', { headers: { 'x-subject-token': bearer, 'openstack-identity-access-rules': '1.0' } });
  assert.equal(aware.json.token.application_credential.access_rules.length, 1);
  const rule = (await v3('GET', `users/${user}/access_rules`, undefined, token)).json.access_rules[0];
  assert.equal((await v3('DELETE', `users/${user}/access_rules/${rule.id}`, undefined, token)).status, 403, 'in use');
  await v3('DELETE', `users/${user}/application_credentials/${made.id}`, undefined, token);
  assert.equal((await v3('DELETE', `users/${user}/access_rules/${rule.id}`, undefined, token)).status, 204);
});

async function trust(fields: object = {}): Promise<{ id: string; trustee: string }> {
  const trustee = await makeUser(`trustee-${Math.random()}`);
  const body = { trust: { trustor_user_id: user, trustee_user_id: trustee, project_id: project, impersonation: false, roles: [{ name: 'member' }], ...fields } };
  const got = await v3('POST', 'OS-TRUST/trusts', body, token);
  assert.equal(got.status, 201, got.text);
  return { id: got.json.trust.id, trustee };
}

const useTrust = (id: string, who: string): Promise<TestResponse> =>
  login({ methods: ['password'], password: { user: { id: who, password: 'pw' } } }, { 'OS-TRUST:trust': { id } } as object);

test('a trustee acts with the roles of the trust, under the own name or that of the trustor', async () => {
  const plain = await trust();
  const got = await useTrust(plain.id, plain.trustee);
  assert.equal(got.status, 201, got.text);
  assert.equal(got.json.token.user.id, plain.trustee);
  assert.equal(got.json.token['OS-TRUST:trust'].trustor_user.id, user);
  assert.deepEqual(got.json.token.roles.map((role: { name: string }) => role.name), ['member', 'reader']);
  const acting = await trust({ impersonation: true });
  const other = await useTrust(acting.id, acting.trustee);
  assert.equal(other.json.token.user.id, user);
  assert.equal((await useTrust(acting.id, plain.trustee)).status, 403, 'not the trustee');
  const bearer = other.headers.get('x-subject-token') as string;
  assert.equal((await login({ methods: ['token'], token: { id: bearer } })).status, 403);
  assert.equal((await v3('POST', `users/${user}/application_credentials`, { application_credential: { name: 'escape' } }, bearer)).status, 403);
});

test('a trust ends with its uses, its deletion and its trustor', async () => {
  const once = await trust({ remaining_uses: 1 });
  assert.equal((await useTrust(once.id, once.trustee)).status, 201);
  assert.equal((await useTrust(once.id, once.trustee)).status, 401);
  const ended = await trust();
  const bearer = (await useTrust(ended.id, ended.trustee)).headers.get('x-subject-token') as string;
  assert.notEqual(await cloud.identity.client.authenticate(bearer), undefined);
  assert.equal((await v3('DELETE', `OS-TRUST/trusts/${ended.id}`, undefined, token)).status, 204);
  assert.equal(await cloud.identity.client.authenticate(bearer), undefined);
  assert.equal((await v3('GET', `OS-TRUST/trusts/${ended.id}`, undefined, token)).status, 404);
  const left = await trust();
  const late = (await useTrust(left.id, left.trustee)).headers.get('x-subject-token') as string;
  await v3('PATCH', `users/${user}`, { user: { enabled: false } });
  assert.equal(await cloud.identity.client.authenticate(late), undefined);
  await v3('PATCH', `users/${user}`, { user: { enabled: true } });
  assert.equal(await cloud.identity.client.authenticate(late), undefined);
  token = await cloud.login(password({ id: user, password: 'pw' }, { project: { id: project } }));
});

test('nobody trusts away what they do not have, or in the name of another', async () => {
  const trustee = await makeUser('eve');
  const create = (fields: object) => v3('POST', 'OS-TRUST/trusts', { trust: { trustor_user_id: user, trustee_user_id: trustee, project_id: project, impersonation: false, roles: [{ name: 'member' }], ...fields } }, token);
  assert.equal((await create({ roles: [{ name: 'admin' }] })).status, 404);
  assert.equal((await create({ roles: [] })).status, 403);
  assert.equal((await create({ trustor_user_id: trustee })).status, 403);
  assert.equal((await create({ remaining_uses: 0 })).status, 400);
  assert.equal((await create({ trustee_user_id: 'f'.repeat(32) })).status, 404);
});

test('EC2 keys and other credentials are kept encrypted and shown to their owner only', async () => {
  const made = await v3('POST', `users/${user}/credentials/OS-EC2`, { tenant_id: project }, token);
  assert.equal(made.status, 201, made.text);
  const { access, secret } = made.json.credential;
  assert.equal((await v3('GET', `users/${user}/credentials/OS-EC2/${access}`, undefined, token)).json.credential.secret, secret);
  const rows = await cloud.database.db.read.selectFrom('identity_credentials').selectAll().limit(100).execute();
  assert.equal(rows.length, 1);
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(secret));
  const stranger = await makeUser('mallory');
  const theirs = await cloud.login(password({ id: stranger, password: 'pw' }));
  assert.equal((await v3('GET', `users/${user}/credentials/OS-EC2/${access}`, undefined, theirs)).status, 403);
  assert.equal((await v3('GET', `users/${stranger}/credentials/OS-EC2/${access}`, undefined, theirs)).status, 403, 'not by another path either');
  assert.equal((await v3('GET', `users/${user}/credentials/OS-EC2/nothing`, undefined, theirs)).status, 404);
  assert.deepEqual((await v3('GET', 'credentials', undefined, theirs)).json.credentials, []);
  assert.equal((await v3('GET', 'credentials')).json.credentials.length, 1);
  const blob = await v3('POST', 'credentials', { credential: { type: 'totp', blob: 'seed', user_id: user } }, token);
  assert.equal(blob.status, 201, blob.text);
  assert.equal((await v3('PATCH', `credentials/${blob.json.credential.id}`, { credential: { user_id: stranger } }, token)).status, 400, 'it stays whose it is');
  assert.equal((await v3('PATCH', `credentials/${blob.json.credential.id}`, { credential: { type: 'totp', user_id: user, project_id: null, blob: 'newer' } }, token)).json.credential.blob, 'newer', 'what stays may be sent along');
  assert.equal((await v3('PATCH', `credentials/${blob.json.credential.id}`, { credential: { blob: 'new' } }, token)).json.credential.blob, 'new');
  assert.equal((await v3('DELETE', `credentials/${blob.json.credential.id}`, undefined, theirs)).status, 403);
  assert.equal((await v3('DELETE', `users/${user}/credentials/OS-EC2/${access}`, undefined, token)).status, 204);
});
