import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rotateKeys } from '../../../src/services/identity/index.ts';
import { request } from '../../support/surface.ts';
import { ADMIN_PASSWORD, adminProject, adminUser, password, startIdentity, type TestIdentity } from './cloud.ts';

const TOKENS = '/identity/v3/auth/tokens';
let cloud: TestIdentity;
before(async () => {
  cloud = await startIdentity();
});
after(() => cloud.close());

let count = 0;
async function makeUser(extra: Record<string, unknown> = {}): Promise<{ id: string; name: string; password: string }> {
  const name = `user-${(count += 1)}`;
  const made = await cloud.call('POST', '/identity/v3/users', { body: { user: { name, password: 'pw', ...extra } } });
  assert.equal(made.status, 201, made.text);
  return { id: made.json.user.id, name, password: 'pw' };
}

async function makeProject(extra: Record<string, unknown> = {}): Promise<string> {
  const made = await cloud.call('POST', '/identity/v3/projects', { body: { project: { name: `project-${(count += 1)}`, ...extra } } });
  assert.equal(made.status, 201, made.text);
  return made.json.project.id;
}

async function roleId(name: string): Promise<string> {
  return (await cloud.call('GET', `/identity/v3/roles?name=${name}`)).json.roles[0].id;
}

async function grant(user_id: string, project_id: string, role: string): Promise<void> {
  const done = await cloud.call('PUT', `/identity/v3/projects/${project_id}/users/${user_id}/roles/${await roleId(role)}`);
  assert.equal(done.status, 204, done.text);
}

const isValid = async (token: string): Promise<boolean> => {
  const { status } = await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': token } });
  assert.ok(status === 200 || status === 404, `${status}`);
  return status === 200;
};

test('discovery answers with links to the host that was asked', async () => {
  const versions = await request(cloud.url, undefined, 'GET', '/identity/');
  assert.equal(versions.status, 300);
  assert.equal(versions.headers.get('location'), `${cloud.url}/identity/v3/`);
  assert.equal(versions.json.versions.values[0].id, 'v3.14');
  const forwarded = await request(cloud.url, undefined, 'GET', '/identity/v3', { headers: { 'x-forwarded-host': 'cloud.example', 'x-forwarded-proto': 'https' } });
  assert.equal(forwarded.status, 200);
  assert.equal(forwarded.json.version.links[0].href, 'https://cloud.example/identity/v3/');
  const home = await request(cloud.url, undefined, 'GET', '/identity/v3', { headers: { accept: 'application/json-home' } });
  assert.equal(home.headers.get('content-type')?.split(';')[0], 'application/json-home');
  const rel = 'https://docs.openstack.org/api/openstack-identity/3';
  assert.equal(home.json.resources[`${rel}/rel/domain_config`]['href-template'], '/domains/{domain_id}/config');
  assert.equal(home.json.resources[`${rel}/rel/domain_config_option`]['href-template'], '/domains/{domain_id}/config/{group}/{option}');
  assert.equal(home.json.resources[`${rel}/ext/OS-OAUTH1/1.0/rel/request_tokens`].href, '/OS-OAUTH1/request_token');
  assert.equal(home.json.resources['https://docs.openstack.org/api/openstack-identity/3/rel/user']['href-template'], '/users/{user_id}');
  assert.equal((await request(cloud.url, undefined, 'GET', '/identity/healthcheck')).text, 'OK');
});

test('a password gives a token for a project, with roles, chain and catalog', async () => {
  const got = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(adminUser, adminProject) });
  assert.equal(got.status, 201);
  assert.ok((got.headers.get('x-subject-token') as string).length < 255);
  const { token } = got.json;
  assert.deepEqual(token.methods, ['password']);
  assert.equal(token.project.name, 'admin');
  assert.equal(token.project.domain.id, 'default');
  assert.deepEqual(token.roles.map((role: { name: string }) => role.name), ['admin', 'manager', 'member', 'reader']);
  assert.equal(token.audit_ids.length, 1);
  assert.match(token.audit_ids[0], /^[\w-]{22}$/);
  assert.match(token.issued_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z$/);
  assert.equal(Date.parse(token.expires_at) - Date.parse(token.issued_at), 3_600_000);
  const compute = token.catalog.find((service: { type: string }) => service.type === 'compute');
  assert.deepEqual(compute.endpoints.map((one: { interface: string }) => one.interface).sort(), ['admin', 'internal', 'public']);
  for (const one of compute.endpoints) {
    assert.equal(one.url, `${cloud.url}/compute/v2.1`);
    assert.equal(one.region, 'RegionOne');
    assert.equal(one.region_id, 'RegionOne');
  }
  const swift = token.catalog.find((service: { type: string }) => service.type === 'object-store');
  assert.equal(swift.endpoints[0].url, `${cloud.url}/object-store/v1/AUTH_${token.project.id}`);
});

test('validation shows the same token, without catalog on demand', async () => {
  const made = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(adminUser, adminProject) });
  const id = made.headers.get('x-subject-token') as string;
  const shown = await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': id } });
  assert.deepEqual(shown.json, made.json);
  assert.equal(shown.headers.get('x-subject-token'), id);
  const short = await cloud.call('GET', `${TOKENS}?nocatalog`, { headers: { 'x-subject-token': id } });
  assert.equal(short.json.token.catalog, undefined);
  const head = await cloud.call('HEAD', TOKENS, { headers: { 'x-subject-token': id } });
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
});

test('scopes: domain, system, unscoped; a user without a default project gets an unscoped token', async () => {
  const login = async (scope?: unknown) => (await request(cloud.url, undefined, 'POST', TOKENS, { body: password(adminUser, scope) }));
  const system = await login({ system: { all: true } });
  assert.deepEqual(system.json.token.system, { all: true });
  assert.ok(system.json.token.catalog.length > 0);
  assert.equal(system.json.token.catalog.find((one: { type: string }) => one.type === 'object-store').endpoints.length, 0, 'its URL needs a project');
  for (const scope of [undefined, 'unscoped', { unscoped: {} }]) {
    const plain = await login(scope);
    assert.equal(plain.status, 201);
    assert.equal(plain.json.token.catalog, undefined);
    assert.equal(plain.json.token.roles, undefined);
  }
  assert.equal((await login({ domain: { id: 'default' } })).status, 401, 'no role there yet');
  const me = (await cloud.call('GET', '/identity/v3/users?name=admin')).json.users[0].id;
  await cloud.call('PUT', `/identity/v3/domains/default/users/${me}/roles/${await roleId('reader')}`);
  const domain = await login({ domain: { name: 'Default' } });
  assert.equal(domain.json.token.domain.id, 'default');
  assert.deepEqual(domain.json.token.roles.map((role: { name: string }) => role.name), ['reader']);
});

test('a default project is the scope when it can be, and quietly is not when it cannot', async () => {
  const project = await makeProject();
  const user = await makeUser({ default_project_id: project });
  const who = { id: user.id, password: 'pw' };
  const before_ = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(who) });
  assert.equal(before_.json.token.project, undefined);
  await grant(user.id, project, 'member');
  const then = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(who) });
  assert.equal(then.json.token.project.id, project);
  const explicit = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(who, 'unscoped') });
  assert.equal(explicit.json.token.project, undefined);
});

test('a refusal never says what was wrong', async () => {
  const user = await makeUser();
  const off = await makeUser({ enabled: false });
  const refused = [
    password({ ...adminUser, password: 'wrong' }, adminProject),
    password({ name: 'nobody', domain: { id: 'default' }, password: 'x' }),
    password({ name: 'admin', domain: { id: 'nowhere' }, password: ADMIN_PASSWORD }),
    password({ id: 'f'.repeat(32), password: 'x' }),
    password({ id: off.id, password: 'pw' }),
    password({ id: user.id, password: 'pw' }, adminProject),
    password(adminUser, { project: { id: 'f'.repeat(32) } }),
    password(adminUser, { project: { name: 'nothing', domain: { id: 'default' } } }),
    { auth: { identity: { methods: ['token'], token: { id: 'gAAAAA' } } } },
    { auth: { identity: { methods: ['saml2'], saml2: {} } } },
    { auth: { identity: { methods: [] } } },
  ];
  for (const body of refused) {
    const got = await request(cloud.url, undefined, 'POST', TOKENS, { body });
    assert.equal(got.status, 401, JSON.stringify(body));
    assert.deepEqual(got.json, { error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' } });
    assert.equal(got.headers.get('www-authenticate'), `Keystone uri="${cloud.url}/identity/v3"`);
  }
});

test('malformed requests are told so', async () => {
  const bad = [
    {}, { auth: 1 }, { auth: { identity: { methods: 'password' } } }, { auth: { identity: { methods: ['password'] } } },
    password({ name: 'admin', password: 'x' }), password({ domain: { id: 'default' }, password: 'x' }), password({ id: 'x' }), password({ id: 5, password: 'x' }),
    password(adminUser, {}), password(adminUser, { project: { name: 'admin' } }), password(adminUser, { project: {} }), password(adminUser, { ...adminProject, domain: { id: 'default' } }),
  ];
  for (const body of bad) {
    const got = await request(cloud.url, undefined, 'POST', TOKENS, { body });
    assert.equal(got.status, 400, `${JSON.stringify(body)} ${got.text}`);
    assert.equal(got.json.error.title, 'Bad Request');
  }
  const text = await request(cloud.url, undefined, 'POST', TOKENS, { body: '{', headers: { 'content-type': 'application/json' } });
  assert.equal(text.status, 400);
});

test('a token gives another for another project: it keeps its end and its chain, and outlives its parent', async () => {
  const first = await request(cloud.url, undefined, 'POST', TOKENS, { body: password(adminUser, 'unscoped') });
  const parent = first.headers.get('x-subject-token') as string;
  cloud.advance(10);
  const again = (id: string) => request(cloud.url, undefined, 'POST', TOKENS, { body: { auth: { identity: { methods: ['token'], token: { id } }, scope: adminProject } } });
  const second = await again(parent);
  assert.equal(second.json.token.expires_at, first.json.token.expires_at);
  assert.deepEqual(second.json.token.methods.toSorted(), ['password', 'token']);
  assert.equal(second.json.token.audit_ids.length, 2);
  assert.equal(second.json.token.audit_ids[1], first.json.token.audit_ids[0]);
  const third = await again(second.headers.get('x-subject-token') as string);
  assert.equal(third.json.token.audit_ids[1], first.json.token.audit_ids[0], 'the chain is that of the first');
  const gone = await cloud.call('DELETE', TOKENS, { headers: { 'x-subject-token': parent } });
  assert.equal(gone.status, 204);
  assert.equal(await isValid(parent), false);
  assert.equal(await isValid(second.headers.get('x-subject-token') as string), true);
  assert.equal((await again(parent)).status, 401);
});

test('several methods have to be of one user', async () => {
  const other = await makeUser();
  const token = await cloud.login(password({ id: other.id, password: 'pw' }));
  const both = (user: object) => request(cloud.url, undefined, 'POST', TOKENS, { body: { auth: { identity: { methods: ['password', 'token'], password: { user }, token: { id: token } } } } });
  assert.equal((await both(adminUser)).status, 401);
  const good = await both({ id: other.id, password: 'pw' });
  assert.deepEqual(good.json.token.methods, ['password', 'token']);
});

test('a user may demand that methods come together', async () => {
  const user = await makeUser({ options: { multi_factor_auth_enabled: true, multi_factor_auth_rules: [['password', 'totp']] } });
  assert.equal((await request(cloud.url, undefined, 'POST', TOKENS, { body: password({ id: user.id, password: 'pw' }) })).status, 401);
});

test('who may look at whose token', async () => {
  const user = await makeUser();
  const own = await cloud.login(password({ id: user.id, password: 'pw' }));
  assert.equal((await cloud.call('GET', TOKENS, { token: own, headers: { 'x-subject-token': own } })).status, 200);
  assert.equal((await cloud.call('GET', TOKENS, { token: own, headers: { 'x-subject-token': cloud.admin } })).status, 403);
  assert.equal((await cloud.call('DELETE', TOKENS, { token: own, headers: { 'x-subject-token': cloud.admin } })).status, 403);
  assert.equal((await cloud.call('GET', TOKENS, { token: null, headers: { 'x-subject-token': own } })).status, 401);
  assert.equal((await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': 'rubbish' } })).status, 404);
  assert.equal((await cloud.call('GET', TOKENS)).status, 404);
});

test('a token ends on time, and can be shown for a while after on demand', async () => {
  const token = await cloud.login(password(adminUser, adminProject));
  cloud.advance(3600);
  assert.equal(await cloud.identity.client.authenticate(token), undefined);
  cloud.admin = await cloud.login(password(adminUser, adminProject));
  const call = (query: string) => request(cloud.url, cloud.admin, 'GET', TOKENS + query, { headers: { 'x-subject-token': token } });
  assert.equal((await call('')).status, 404);
  assert.equal((await call('?allow_expired=1')).status, 200);
  assert.equal((await call('')).status, 404, 'having been shown does not revive it');
});

type Change = [what: string, change: (user: { id: string }, project: string) => Promise<unknown>, back?: (user: { id: string }, project: string) => Promise<unknown>];
const patch = (path: string, body: unknown) => cloud.call('PATCH', `/identity/v3/${path}`, { body });
const CHANGES: Change[] = [
  ['the user is disabled, and enabled again', ({ id }) => patch(`users/${id}`, { user: { enabled: false } }), ({ id }) => patch(`users/${id}`, { user: { enabled: true } })],
  ['the password changes', ({ id }) => patch(`users/${id}`, { user: { password: 'other' } })],
  ['the user changes the password', ({ id }) => cloud.call('POST', `/identity/v3/users/${id}/password`, { token: null, body: { user: { original_password: 'pw', password: 'next' } } })],
  ['the user is deleted', ({ id }) => cloud.call('DELETE', `/identity/v3/users/${id}`)],
  ['the project is disabled, and enabled again', (_, id) => patch(`projects/${id}`, { project: { enabled: false } }), (_, id) => patch(`projects/${id}`, { project: { enabled: true } })],
  ['the project is deleted', (_, id) => cloud.call('DELETE', `/identity/v3/projects/${id}`)],
  ['the last role is taken away', async ({ id }, project) => cloud.call('DELETE', `/identity/v3/projects/${project}/users/${id}/roles/${await roleId('member')}`)],
];
for (const [what, apply, back] of CHANGES) {
  test(`a token that was valid a moment ago is not when ${what}`, async () => {
    const project = await makeProject();
    const user = await makeUser();
    await grant(user.id, project, 'member');
    const token = await cloud.login(password({ id: user.id, password: 'pw' }, { project: { id: project } }));
    const bystander = await cloud.login(password(adminUser, adminProject));
    assert.equal((await cloud.identity.client.authenticate(token))?.project_id, project);
    const done = (await apply(user, project)) as { status: number; text: string };
    assert.ok(done.status < 300, done.text);
    assert.equal(await cloud.identity.client.authenticate(token), undefined);
    await back?.(user, project);
    assert.equal(await cloud.identity.client.authenticate(token), undefined);
    assert.notEqual(await cloud.identity.client.authenticate(bystander), undefined);
  });
}

test('a role that comes or goes shows in the same token at once', async () => {
  const project = await makeProject();
  const user = await makeUser();
  await grant(user.id, project, 'reader');
  const token = await cloud.login(password({ id: user.id, password: 'pw' }, { project: { id: project } }));
  assert.deepEqual((await cloud.identity.client.authenticate(token))?.roles, ['reader']);
  await grant(user.id, project, 'member');
  assert.deepEqual((await cloud.identity.client.authenticate(token))?.roles, ['member', 'reader']);
});

test('after a change of password one can log in again within the same second', async () => {
  const user = await makeUser();
  assert.equal((await cloud.call('POST', `/identity/v3/users/${user.id}/password`, { token: null, body: { user: { original_password: 'wrong', password: 'next' } } })).status, 401);
  const changed = await cloud.call('POST', `/identity/v3/users/${user.id}/password`, { token: null, body: { user: { original_password: 'pw', password: 'next' } } });
  assert.equal(changed.status, 204, changed.text);
  const token = await cloud.login(password({ id: user.id, password: 'next' }));
  assert.equal(await isValid(token), true);
});

test('tokens outlive a rotation of the keys', async () => {
  const token = await cloud.login(password(adminUser, adminProject));
  rotateKeys(cloud.keys, 3);
  for (const job of cloud.identity.service.jobs.filter(({ name }) => name === 'identity.rotate-keys')) await job.run({ log: undefined as never, clock: undefined as never, signal: new AbortController().signal });
  const newer = await cloud.login(password(adminUser, adminProject));
  assert.equal(await isValid(token), true);
  assert.equal(await isValid(newer), true);
});

test('what the bearer of a token could do elsewhere', async () => {
  const project = await makeProject();
  const user = await makeUser();
  await grant(user.id, project, 'member');
  const token = await cloud.login(password({ id: user.id, password: 'pw' }));
  const ask = async (what: string) => (await cloud.call('GET', `/identity/v3/auth/${what}`, { token })).json;
  assert.deepEqual((await ask('projects')).projects.map((one: { id: string }) => one.id), [project]);
  assert.deepEqual((await ask('domains')).domains, []);
  assert.deepEqual((await ask('system')).system, []);
  assert.equal((await cloud.call('GET', '/identity/v3/auth/catalog', { token })).status, 403);
  assert.ok((await cloud.call('GET', '/identity/v3/auth/catalog')).json.catalog.length > 0);
});

test('doing the first rows again changes nothing, the password only on demand', async () => {
  const count_ = async () => ['users', 'projects', 'roles', 'services', 'endpoints', 'regions', 'role_assignments'].reduce(
    async (sum, kind) => (await sum) + (await cloud.call('GET', `/identity/v3/${kind}`)).json[kind].length, Promise.resolve(0));
  const before_ = await count_();
  const again = { region: 'RegionOne', services: [{ type: 'identity', name: 'keystone', path: '/identity' }] };
  await cloud.identity.bootstrap({ ...again, admin_password: ADMIN_PASSWORD });
  assert.equal(await count_(), before_);
  assert.equal((await cloud.call('PATCH', `/identity/v3/roles/${await roleId('member')}`, { body: { role: { name: 'x' } } })).status, 403, 'its roles are immutable');
  await cloud.identity.bootstrap({ ...again, admin_password: 'another' });
  await cloud.login(password(adminUser));
  await cloud.identity.bootstrap({ ...again, admin_password: 'another', reset_password: true });
  assert.equal((await request(cloud.url, undefined, 'POST', TOKENS, { body: password(adminUser) })).status, 401);
  await cloud.login(password({ ...adminUser, password: 'another' }));
  await cloud.identity.bootstrap({ ...again, admin_password: ADMIN_PASSWORD, reset_password: true });
});
