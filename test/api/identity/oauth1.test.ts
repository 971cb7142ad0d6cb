import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { isSigned, readAuthorization } from '../../../src/services/identity/model/oauth1-signature.ts';
import type { TestResponse } from '../../support/surface.ts';
import { adminProject, adminUser, password, startIdentity, type TestIdentity } from './cloud.ts';

let cloud: TestIdentity;
let project: string;
let admin: string;
let roles: { id: string; name: string }[];

const v3 = (method: string, path: string, body?: unknown, as?: string | null, headers: Record<string, string> = {}): Promise<TestResponse> =>
  cloud.call(method, `/identity/v3/${path}`, { headers, ...(body === undefined ? {} : { body }), ...(as === undefined ? {} : { token: as }) });

before(async () => {
  cloud = await startIdentity();
  project = (await v3('GET', 'projects?name=admin')).json.projects[0].id;
  admin = (await v3('GET', 'users?name=admin')).json.users[0].id;
  roles = (await v3('GET', 'roles')).json.roles;
});
after(() => cloud.close());

const roleId = (name: string): string => roles.find((role) => role.name === name)?.id as string;
const escaped = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

interface Pair { id: string; secret: string }

/** A signer of its own, after the RFC, so that the checks are not held against themselves. */
function header(path: string, consumer: Pair, token: Pair | undefined, over: Record<string, string> = {}): Record<string, string> {
  const fields: Record<string, string> = {
    oauth_consumer_key: consumer.id, oauth_nonce: randomBytes(8).toString('hex'), oauth_signature_method: 'HMAC-SHA1', oauth_timestamp: String(Math.floor(Date.now() / 1000)), oauth_version: '1.0',
    ...(token === undefined ? {} : { oauth_token: token.id }), ...over,
  };
  const sorted = Object.keys(fields).sort().map((name) => `${escaped(name)}=${escaped(fields[name] as string)}`).join('&');
  const base = ['POST', `${cloud.url}/identity/v3/${path}`, sorted].map(escaped).join('&');
  const signature = createHmac('sha1', `${escaped(consumer.secret)}&${escaped(token?.secret ?? '')}`).update(base).digest('base64');
  const list = Object.entries({ realm: '', ...fields, oauth_signature: signature }).map(([name, value]) => `${escaped(name)}="${escaped(value)}"`);
  return { authorization: `OAuth ${list.join(', ')}` };
}

async function makeConsumer(): Promise<Pair> {
  const got = await v3('POST', 'OS-OAUTH1/consumers', { consumer: { description: 'a program' } });
  assert.equal(got.status, 201, got.text);
  return got.json.consumer;
}

function form(got: TestResponse): Pair {
  assert.equal(got.status, 201, got.text);
  assert.equal(got.headers.get('content-type'), 'application/x-www-form-urlencoded');
  const fields = new URLSearchParams(got.text);
  return { id: fields.get('oauth_token') as string, secret: fields.get('oauth_token_secret') as string };
}

const askRequest = (consumer: Pair, over: Record<string, string> = {}, wanted = project): Promise<TestResponse> =>
  v3('POST', 'OS-OAUTH1/request_token', undefined, null, { 'requested-project-id': wanted, ...header('OS-OAUTH1/request_token', consumer, undefined, { oauth_callback: 'oob', ...over }) });
const authorize = (request: Pair, asked: object[] = [{ name: 'member' }], as?: string): Promise<TestResponse> => v3('PUT', `OS-OAUTH1/authorize/${request.id}`, { roles: asked }, as);
const askAccess = (consumer: Pair, request: Pair, verifier: string): Promise<TestResponse> =>
  v3('POST', 'OS-OAUTH1/access_token', undefined, null, header('OS-OAUTH1/access_token', consumer, request, { oauth_verifier: verifier }));
const login = (consumer: Pair, access: Pair, over: Record<string, string> = {}): Promise<TestResponse> =>
  v3('POST', 'auth/tokens', { auth: { identity: { methods: ['oauth1'], oauth1: {} } } }, null, header('auth/tokens', consumer, access, over));

async function makeAccess(consumer: Pair, asked?: object[]): Promise<Pair> {
  const request = form(await askRequest(consumer));
  return form(await askAccess(consumer, request, (await authorize(request, asked)).json.token.oauth_verifier));
}

// The first signature is oauthlib's, since the one that the RFC prints for this request is wrong by its errata.
test('signatures are those of RFC 5849', () => {
  const authorization = 'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131200", oauth_nonce="wIjqoxSC", oauth_callback="http%3A%2F%2Fprinter.example.com%2Fready", oauth_signature="pj0%2F0K2AqybRFjDpJ%2FXxjSSAc54%3D"';
  const request = { method: 'POST', urls: ['https://photos.example.net/initiate'], authorization };
  const parameters = readAuthorization(authorization);
  assert.ok(parameters);
  assert.equal(isSigned(request, parameters, 'kd94hf93k423kf44', ''), true);
  assert.equal(isSigned(request, parameters, 'kd94hf93k423kf45', ''), false);
  assert.equal(isSigned({ ...request, method: 'GET' }, parameters, 'kd94hf93k423kf44', ''), false);
  const photo = 'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"';
  const asked = { method: 'GET', urls: ['http://PHOTOS.example.net:80/photos?file=vacation.jpg&size=original'], authorization: photo };
  assert.equal(isSigned(asked, readAuthorization(photo) as Map<string, string>, 'kd94hf93k423kf44', 'pfkkdhi9sl3r4s00'), true, 'query, port and case of the host');
  for (const broken of [undefined, 'Basic abc', 'OAuth a', 'OAuth a="1", a="2"', 'OAuth a="%zz"']) assert.equal(readAuthorization(broken), undefined);
});

test('a consumer is shown without its secret, changed and deleted', async () => {
  const consumer = await makeConsumer();
  assert.match(consumer.secret, /^[0-9a-f]{32}$/);
  const path = `OS-OAUTH1/consumers/${consumer.id}`;
  assert.equal((await v3('GET', path)).json.consumer.secret, undefined);
  const changed = await v3('PATCH', path, { consumer: { description: 'another', more: 1 } });
  assert.deepEqual([changed.json.consumer.description, changed.json.consumer.more], ['another', 1]);
  assert.equal((await v3('PATCH', path, { consumer: { secret: 'mine' } })).status, 400);
  assert.equal((await v3('PATCH', path, { consumer: {} })).status, 400);
  assert.equal((await v3('POST', 'OS-OAUTH1/consumers', { consumer: { description: 5 } })).status, 400);
  assert.ok((await v3('GET', 'OS-OAUTH1/consumers')).json.consumers.some((one: Pair) => one.id === consumer.id));
  const rows = await cloud.database.db.read.selectFrom('identity_consumers').selectAll().limit(100).execute();
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(consumer.secret));
  assert.equal((await v3('DELETE', path)).status, 204);
  assert.equal((await v3('GET', path)).status, 404);
});

test('a program that a user authorised gets tokens with the roles it was given, and no others', async () => {
  const consumer = await makeConsumer();
  const access = await makeAccess(consumer, [{ id: roleId('member') }]);
  const got = await login(consumer, access);
  assert.equal(got.status, 201, got.text);
  const { token } = got.json;
  assert.deepEqual([token.user.id, token.project.id, token.methods], [admin, project, ['oauth1']]);
  assert.deepEqual(token.roles.map((role: { name: string }) => role.name), ['member', 'reader']);
  assert.deepEqual(token['OS-OAUTH1'], { access_token_id: access.id, consumer_id: consumer.id });
  const bearer = got.headers.get('x-subject-token') as string;
  assert.equal((await cloud.identity.client.authenticate(bearer))?.access_token_id, access.id);
  assert.equal((await v3('GET', 'users', undefined, bearer)).status, 403, 'it is no admin');
  assert.equal((await v3('POST', 'auth/tokens', { auth: { identity: { methods: ['token'], token: { id: bearer } } } }, null)).status, 403);
  assert.equal((await v3('POST', `users/${admin}/application_credentials`, { application_credential: { name: 'escape' } }, bearer)).status, 403);
});

test('what a user let act for them is shown, and ends when they say so', async () => {
  const consumer = await makeConsumer();
  const access = await makeAccess(consumer, [{ name: 'reader' }]);
  const bearer = (await login(consumer, access)).headers.get('x-subject-token') as string;
  const list = `users/${admin}/OS-OAUTH1/access_tokens`;
  const one = (await v3('GET', list)).json.access_tokens.find((each: Pair) => each.id === access.id);
  assert.deepEqual([one.consumer_id, one.project_id, one.authorizing_user_id, one.secret], [consumer.id, project, admin, undefined]);
  assert.match(one.links.roles, new RegExp(`${list}/${access.id}/roles$`));
  assert.deepEqual((await v3('GET', `${list}/${access.id}/roles`)).json.roles.map((role: { name: string }) => role.name), ['reader']);
  assert.equal((await v3('GET', `${list}/${access.id}/roles/${roleId('reader')}`)).json.role.name, 'reader');
  assert.equal((await v3('GET', `${list}/${access.id}/roles/${roleId('member')}`)).status, 404);
  assert.equal((await v3('GET', `users/${'f'.repeat(32)}/OS-OAUTH1/access_tokens/${access.id}`)).status, 404);
  assert.equal((await v3('GET', list, undefined, bearer)).status, 403);
  assert.equal((await v3('DELETE', `${list}/${access.id}`)).status, 204);
  assert.equal(await cloud.identity.client.authenticate(bearer), undefined);
  assert.equal((await login(consumer, access)).status, 404);
  const other = await makeAccess(consumer);
  const still = (await login(consumer, other)).headers.get('x-subject-token') as string;
  assert.notEqual(await cloud.identity.client.authenticate(still), undefined);
  await v3('DELETE', `OS-OAUTH1/consumers/${consumer.id}`);
  assert.equal(await cloud.identity.client.authenticate(still), undefined, 'it goes with its consumer');
});

test('requests that are not well signed, or come again, are refused', async () => {
  const consumer = await makeConsumer();
  const wrong = { ...consumer, secret: 'f'.repeat(32) };
  assert.equal((await askRequest(wrong)).status, 401);
  assert.equal((await askRequest({ ...consumer, id: 'f'.repeat(32) })).status, 404);
  assert.equal((await askRequest(consumer, {}, 'f'.repeat(32))).status, 404);
  assert.equal((await askRequest(consumer, { oauth_timestamp: String(Math.floor(Date.now() / 1000) - 700) })).status, 400);
  assert.equal((await askRequest(consumer, { oauth_signature_method: 'PLAINTEXT' })).status, 400);
  assert.equal((await askRequest(consumer, { oauth_version: '2.0' })).status, 400);
  assert.equal((await v3('POST', 'OS-OAUTH1/request_token', undefined, null, { 'requested-project-id': project })).status, 400);
  assert.equal((await v3('POST', 'OS-OAUTH1/request_token', undefined, null, header('OS-OAUTH1/request_token', consumer, undefined))).status, 400, 'no project');
  const once = { 'requested-project-id': project, ...header('OS-OAUTH1/request_token', consumer, undefined) };
  assert.equal((await v3('POST', 'OS-OAUTH1/request_token', undefined, null, once)).status, 201);
  assert.equal((await v3('POST', 'OS-OAUTH1/request_token', undefined, null, once)).status, 401, 'seen before');
  assert.equal((await v3('POST', 'OS-OAUTH1/request_token?more=1', undefined, null, { ...once, ...header('OS-OAUTH1/request_token', consumer, undefined) })).status, 401, 'its query was not signed');

  const request = form(await askRequest(consumer));
  assert.equal((await askAccess(consumer, request, 'abcdefgh')).status, 401, 'nobody authorised it');
  const verifier = (await authorize(request)).json.token.oauth_verifier;
  assert.match(verifier, /^[a-zA-Z0-9]{8}$/);
  assert.equal((await askAccess(consumer, request, 'abcdefgh')).status, 401);
  assert.equal((await askAccess(await makeConsumer(), request, verifier)).status, 401);
  assert.equal((await askAccess(consumer, { ...request, secret: 'f'.repeat(32) }, verifier)).status, 401);
  const access = form(await askAccess(consumer, request, verifier));
  assert.equal((await askAccess(consumer, request, verifier)).status, 404, 'it was used');
  assert.equal((await login(consumer, { ...access, secret: 'f'.repeat(32) })).status, 401);
  assert.equal((await login(await makeConsumer(), access)).status, 401);
  assert.equal((await v3('POST', 'auth/tokens', { auth: { identity: { methods: ['oauth1'], oauth1: {} } } }, null)).status, 400);
});

test('nobody authorises what they do not have, or by delegation', async () => {
  const request = form(await askRequest(await makeConsumer()));
  assert.equal((await authorize(request, [{ id: 'f'.repeat(32) }])).status, 401);
  assert.equal((await authorize(request, [{ name: 'nothing' }])).status, 404);
  assert.equal((await authorize(request, [{ name: 'member', id: 'x' }])).status, 400);
  assert.equal((await authorize({ id: 'f'.repeat(32), secret: '' })).status, 404);
  const made = (await v3('POST', `users/${admin}/application_credentials`, { application_credential: { name: 'program', unrestricted: true } })).json.application_credential;
  const program = await cloud.login({ auth: { identity: { methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } } } });
  assert.equal((await authorize(request, [{ name: 'member' }], program)).status, 403);
});

test('tokens of both kinds end in time', async () => {
  const consumer = await makeConsumer();
  const access = await makeAccess(consumer);
  const request = form(await askRequest(consumer));
  cloud.advance(90_000);
  const now = String(Math.floor(Date.now() / 1000) + 90_000);
  assert.equal((await authorize(request, undefined, await cloud.login(password(adminUser, adminProject)))).status, 401);
  assert.equal((await login(consumer, access, { oauth_timestamp: now })).status, 401);
  const job = cloud.identity.service.jobs.find(({ name }) => name === 'identity.purge-oauth-tokens');
  const left = async (table: string): Promise<number> => (await cloud.database.db.read.selectFrom(table).selectAll().limit(100).execute()).length;
  assert.notEqual(await left('identity_request_tokens'), 0);
  await job?.run({ log: silentLog, clock: systemClock, signal: AbortSignal.timeout(60_000) });
  assert.deepEqual([await left('identity_request_tokens'), await left('identity_access_tokens')], [0, 0]);
});
