import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { CLIENT, startProvider, type TestProvider } from '../../support/oidc.ts';
import { request } from '../../support/surface.ts';
import { startIdentity, type TestIdentity } from './cloud.ts';

const BASE = '/identity/v3/OS-FEDERATION';
const AUTH = `${BASE}/identity_providers/firm/protocols/openid/auth`;
const TOKENS = '/identity/v3/auth/tokens';

let provider: TestProvider;
let cloud: TestIdentity;
let group: string;
let project: string;

before(async () => {
  provider = await startProvider({
    alice: { name: 'Alice Example', email: 'alice@firm.example', groups: ['staff', 'chess'] },
    bob: { name: 'Bob', groups: ['chess'], projects: '[{"name": "bobs", "roles": [{"name": "member"}]}]' },
    eve: { name: 'Eve', groups: ['banned', 'staff'] },
  });
  cloud = await startIdentity({
    config: { oidc: [{ identity_provider: 'firm', protocol: 'openid', issuer: provider.issuer, audiences: [CLIENT.client_id], ...CLIENT, userinfo: true }] },
  });
  await made('PUT', `${BASE}/mappings/people`, { mapping: { schema_version: '3.0', rules: RULES } });
  await made('PUT', `${BASE}/identity_providers/firm`, { identity_provider: { enabled: true, remote_ids: [provider.issuer] } });
  await made('PUT', `${BASE}/identity_providers/firm/protocols/openid`, { protocol: { mapping_id: 'people' } });
  group = (await made('POST', '/identity/v3/groups', { group: { name: 'staff' } })).group.id;
  project = (await made('POST', '/identity/v3/projects', { project: { name: 'work' } })).project.id;
  assert.equal((await cloud.call('PUT', `/identity/v3/projects/${project}/groups/${group}/roles/${await roleId('member')}`)).status, 204);
});
after(async () => {
  await cloud?.close();
  await provider?.close();
});

const RULES = [
  { local: [{ user: { id: '{0}', name: '{1}' } }], remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-name' }, { type: 'OIDC-groups', not_any_of: ['^ban'], regex: true }] },
  { local: [{ groups: '{0}', domain: { id: 'default' } }], remote: [{ type: 'HTTP_OIDC_GROUPS', whitelist: ['staff', 'lost'] }] },
  { local: [{ projects_json: '{0}', domain: { id: 'default' } }], remote: [{ type: 'OIDC-projects' }] },
];

async function made(method: string, path: string, body: unknown): Promise<any> {
  const answer = await cloud.call(method, path, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

async function roleId(name: string): Promise<string> {
  return (await cloud.call('GET', `/identity/v3/roles?name=${name}`)).json.roles[0].id;
}

const login = (bearer: string, path = AUTH, method = 'POST') => request(cloud.url, undefined, method, path, { headers: { authorization: `Bearer ${bearer}` } });

async function loggedIn(bearer: string): Promise<{ id: string; token: any }> {
  const got = await login(bearer);
  assert.equal(got.status, 201, got.text);
  return { id: got.headers.get('x-subject-token') as string, token: got.json.token };
}

const rescope = (id: string, scope: unknown) => request(cloud.url, undefined, 'POST', TOKENS, { body: { auth: { identity: { methods: ['token'], token: { id } }, scope } } });

test('an ID token of the provider gives an unscoped token, and that one a scoped one with the roles of its groups', async () => {
  const { id, token } = await loggedIn((await provider.login('alice')).id_token);
  assert.deepEqual(token.methods, ['openid']);
  assert.equal(token.user.name, 'Alice Example');
  assert.deepEqual(token.user['OS-FEDERATION'], { groups: [{ id: group }], identity_provider: { id: 'firm' }, protocol: { id: 'openid' } });
  assert.equal(token.roles, undefined);
  const projects = await request(cloud.url, id, 'GET', '/identity/v3/auth/projects');
  assert.deepEqual(projects.json.projects.map((one: { id: string }) => one.id), [project]);
  const scoped = await rescope(id, { project: { id: project } });
  assert.equal(scoped.status, 201, scoped.text);
  assert.deepEqual(scoped.json.token.roles.map((role: { name: string }) => role.name), ['member', 'reader']);
  assert.deepEqual(scoped.json.token.methods.toSorted(), ['openid', 'token']);
  assert.deepEqual(scoped.json.token.user['OS-FEDERATION'], token.user['OS-FEDERATION']);
  assert.equal(scoped.json.token.expires_at, token.expires_at);
  assert.equal((await rescope(id, { domain: { id: 'default' } })).status, 401);
});

test('the same person is the same user at the next login, by GET too', async () => {
  const first = await loggedIn((await provider.login('alice')).id_token);
  const again = await login((await provider.login('alice')).id_token, AUTH, 'GET');
  assert.equal(again.json.token.user.id, first.token.user.id);
  const users = await cloud.call('GET', `/identity/v3/users?domain_id=${first.token.user.domain.id}`);
  assert.equal(users.json.users.filter((user: { name: string }) => user.name === 'Alice Example').length, 1);
});

test('an access token that says nothing itself is asked about', async () => {
  const { access_token } = await provider.login('alice');
  assert.equal(access_token.split('.').length, 1);
  assert.equal((await loggedIn(access_token)).token.user.name, 'Alice Example');
});

test('projects of a mapping are made, and their roles follow what the provider says', async () => {
  const { id, token } = await loggedIn((await provider.login('bob')).id_token);
  const bobs = (await cloud.call('GET', '/identity/v3/projects?name=bobs')).json.projects[0];
  assert.equal((await rescope(id, { project: { id: bobs.id } })).status, 201);
  assert.equal((await cloud.call('PUT', `/identity/v3/projects/${project}/users/${token.user.id}/roles/${await roleId('reader')}`)).status, 204);
  assert.equal((await rescope(id, { project: { id: project } })).status, 201);
  await loggedIn((await provider.login('bob')).id_token);
  assert.equal((await rescope(id, { project: { id: project } })).status, 401, 'version 3.0 takes back what the provider does not say');
});

test('whom no rule fits does not get in, and leaves no user', async () => {
  const answer = await login((await provider.login('eve')).id_token);
  assert.equal(answer.status, 401, answer.text);
  assert.equal((await cloud.call('GET', '/identity/v3/users?name=Eve')).json.users.length, 0);
});

test('no other key, issuer, audience or algorithm, and no old token opens the door', async () => {
  const { privateKey } = await generateKeyPair('RS256');
  const claims = { sub: 'alice', name: 'Alice Example', groups: ['staff'] };
  const sign = (issuer: string, audience: string) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).setIssuer(issuer).setAudience(audience).setIssuedAt().setExpirationTime('1h').sign(privateKey);
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ ...claims, iss: provider.issuer, aud: CLIENT.client_id, exp: 9_999_999_999 })).toString('base64url')}.`;
  const good = (await provider.login('alice')).id_token;
  const [head, body, signature] = good.split('.') as [string, string, string];
  const forged = `${head}.${Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), sub: 'bob' })).toString('base64url')}.${signature}`;
  for (const bad of [await sign(provider.issuer, CLIENT.client_id), await sign('https://other.example', CLIENT.client_id), await sign(provider.issuer, 'other'), none, forged, 'nonsense', 'x'.repeat(12_000)]) {
    const answer = await login(bad);
    assert.equal(answer.status, 401, bad.slice(0, 60));
    assert.equal(answer.json.error.message, 'The request you have made requires authentication.');
  }
  assert.equal((await request(cloud.url, undefined, 'POST', AUTH)).status, 401);
  assert.equal((await login(good, `${BASE}/identity_providers/other/protocols/openid/auth`)).status, 404);
  assert.equal((await login(good, `${BASE}/identity_providers/firm/protocols/saml2/auth`)).status, 404);
});

test('a provider that is disabled lets nobody in and ends the tokens of its users at once', async () => {
  const bearer = (await provider.login('alice')).id_token;
  const { id } = await loggedIn(bearer);
  const enable = (enabled: boolean) => cloud.call('PATCH', `${BASE}/identity_providers/firm`, { body: { identity_provider: { enabled } } });
  assert.equal((await enable(false)).status, 200);
  assert.equal((await login(bearer)).status, 403);
  assert.equal((await request(cloud.url, id, 'GET', '/identity/v3/auth/projects')).status, 401);
  assert.equal((await enable(true)).status, 200);
  assert.equal((await request(cloud.url, id, 'GET', '/identity/v3/auth/projects')).status, 200);
  assert.equal((await cloud.call('PATCH', `${BASE}/identity_providers/firm`, { body: { identity_provider: { remote_ids: ['https://other.example'] } } })).status, 200);
  assert.equal((await login(bearer)).status, 403);
  assert.equal((await cloud.call('PATCH', `${BASE}/identity_providers/firm`, { body: { identity_provider: { remote_ids: [provider.issuer] } } })).status, 200);
});

test('groups outlive the login for as long as the provider allows, and end on time', async () => {
  const { token } = await loggedIn((await provider.login('alice')).id_token);
  const had = await cloud.call('PATCH', `${BASE}/identity_providers/firm`, { body: { identity_provider: { authorization_ttl: 10 } } });
  assert.equal(had.json.identity_provider.authorization_ttl, 10);
  const { id } = await loggedIn((await provider.login('alice')).id_token);
  const scoped = (await rescope(id, { project: { id: project } })).headers.get('x-subject-token') as string;
  const credential = await request(cloud.url, scoped, 'POST', `/identity/v3/users/${token.user.id}/application_credentials`, { body: { application_credential: { name: 'ci' } } });
  assert.equal(credential.status, 201, credential.text);
  const { id: credential_id, secret } = credential.json.application_credential;
  const byCredential = () => request(cloud.url, undefined, 'POST', TOKENS, { body: { auth: { identity: { methods: ['application_credential'], application_credential: { id: credential_id, secret } } } } });
  const own = await byCredential();
  assert.equal(own.status, 201, own.text);
  const works = async () => (await request(cloud.url, own.headers.get('x-subject-token') as string, 'GET', '/identity/v3/auth/catalog')).status;
  assert.equal(await works(), 200);
  cloud.advance(601);
  assert.equal(await works(), 401);
  assert.equal((await byCredential()).status, 401);
});

test('enabled service providers are named in tokens', async () => {
  const made_ = { auth_url: 'https://far.example/auth', sp_url: 'https://far.example/sp' };
  await made('PUT', `${BASE}/service_providers/far`, { service_provider: { ...made_, enabled: true } });
  await made('PUT', `${BASE}/service_providers/off`, { service_provider: made_ });
  const shown = await cloud.call('GET', TOKENS, { headers: { 'x-subject-token': cloud.admin } });
  assert.deepEqual(shown.json.token.service_providers, [{ id: 'far', ...made_ }]);
  assert.equal((await cloud.call('DELETE', `${BASE}/service_providers/far`)).status, 204);
});

test('bad input is refused in keystone\'s words and changes nothing', async () => {
  const cases: [string, string, unknown, number][] = [
    ['PUT', '/mappings/bad', { mapping: {} }, 400],
    ['PUT', '/mappings/bad', { mapping: { rules: [] } }, 400],
    ['PUT', '/mappings/bad', { mapping: { rules: [{ local: [], remote: [{ type: 'a', whitelist: ['b'], blacklist: ['c'] }] }] } }, 400],
    ['PUT', '/mappings/bad', { mapping: { rules: [{ local: [], remote: [{ type: 'a', any_one_of: ['('], regex: true }] }] } }, 400],
    ['PUT', '/mappings/people', { mapping: { rules: RULES, schema_version: '3.0' } }, 409],
    ['PATCH', '/mappings/none', { mapping: { rules: RULES, schema_version: '3.0' } }, 404],
    ['PUT', '/identity_providers/firm', { identity_provider: {} }, 409],
    ['PUT', '/identity_providers/other', { identity_provider: { remote_ids: [provider.issuer] } }, 409],
    ['PUT', '/identity_providers/other', { identity_provider: { domain_id: 'nowhere' } }, 404],
    ['PUT', '/identity_providers/other', { identity_provider: { colour: 'red' } }, 400],
    ['PATCH', '/identity_providers/firm', { identity_provider: { domain_id: 'default' } }, 400],
    ['PUT', '/identity_providers/firm/protocols/other', { protocol: { mapping_id: 'none' } }, 400],
    ['PUT', '/identity_providers/none/protocols/other', { protocol: { mapping_id: 'people' } }, 404],
    ['PUT', '/service_providers/bad', { service_provider: { auth_url: 'no', sp_url: 'https://far.example' } }, 400],
    ['GET', '/identity_providers/other', undefined, 404],
    ['GET', '/service_providers/bad', undefined, 404],
    ['GET', '/mappings/bad', undefined, 404],
  ];
  for (const [method, path, body, status] of cases) {
    const answer = await cloud.call(method, BASE + path, body === undefined ? {} : { body });
    assert.equal(answer.status, status, `${method} ${path} ${answer.text}`);
    assert.equal(answer.json.error.code, status);
  }
  const domains = (await cloud.call('GET', '/identity/v3/domains')).json.domains;
  assert.equal(domains.length, 2, 'no domain is left of a provider that was refused');
});

test('an administrator names who somebody is elsewhere before their first login', async () => {
  const federated = [{ idp_id: 'firm', protocols: [{ protocol_id: 'openid', unique_id: 'bob' }] }];
  const known = (await cloud.call('GET', '/identity/v3/users?unique_id=bob&idp_id=firm')).json.users;
  for (const { id } of known) assert.equal((await cloud.call('DELETE', `/identity/v3/users/${id}`)).status, 204);
  const user = (await made('POST', '/identity/v3/users', { user: { name: 'robert', federated } })).user;
  assert.deepEqual(user.federated, federated);
  const { token } = await loggedIn((await provider.login('bob')).id_token);
  assert.equal(token.user.id, user.id);
  assert.deepEqual((await cloud.call('GET', `/identity/v3/users/${user.id}`)).json.user.federated, federated);
  assert.deepEqual((await cloud.call('GET', '/identity/v3/users?protocol_id=openid&unique_id=bob')).json.users.map((one: { id: string }) => one.id), [user.id]);
  const set = (list: unknown) => cloud.call('PATCH', `/identity/v3/users/${user.id}`, { body: { user: { federated: list } } });
  for (const [bad, status] of [
    [[{ idp_id: 'none', protocols: [{ protocol_id: 'openid', unique_id: 'x' }] }], 400], [[{ idp_id: 'firm', protocols: [{ protocol_id: 'none', unique_id: 'x' }] }], 400],
    [[{ idp_id: 'firm', protocols: [] }], 400], ['bob', 400], [[{ idp_id: 'firm', protocols: [{ protocol_id: 'openid', unique_id: 'alice' }] }], 409],
  ] as const) assert.equal((await set(bad)).status, status, JSON.stringify(bad));
  assert.deepEqual((await cloud.call('GET', `/identity/v3/users/${user.id}`)).json.user.federated, federated, 'nothing was changed');
  assert.equal((await request(cloud.url, (await loggedIn((await provider.login('alice')).id_token)).id, 'GET', `${BASE}/projects`)).json.projects.length, 1);
});
