import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, test } from 'node:test';
import { isEc2Signed, isS3Signed } from '../../../src/services/identity/model/aws-signatures.ts';
import type { TestResponse } from '../../support/surface.ts';
import { password, startIdentity, startWithMember } from './cloud.ts';

const cloud = await startWithMember();
after(() => cloud.close());
const { project, user, v3 } = cloud;
let { token } = cloud;

interface Keys { access: string; secret: string }

async function makeKeys(as = token, who = user): Promise<Keys> {
  const got = await v3('POST', `users/${who}/credentials/OS-EC2`, { tenant_id: project }, as);
  assert.equal(got.status, 201, got.text);
  return got.json.credential;
}

/** By version 2, put together by hand. */
function signed2({ access, secret }: Keys, at = new Date(), host = 'cloud.example:8788'): Record<string, unknown> {
  const params = { AWSAccessKeyId: access, Action: 'DescribeInstances', SignatureMethod: 'HmacSHA256', SignatureVersion: '2', Timestamp: at.toISOString().slice(0, 19) };
  const query = Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  const signature = createHmac('sha256', secret).update(`GET\n${host}\n/services/Cloud\n${query}`).digest('base64');
  return { access, signature, host: 'cloud.example:8788', verb: 'GET', path: '/services/Cloud', params };
}

const ask = (credentials: object, as?: string): Promise<TestResponse> => v3('POST', 'ec2tokens', { credentials }, as);

test('signatures are those that Amazon documents', () => {
  const request = { verb: 'GET', path: '/', headers: {}, body_hash: '' };
  const params = { AWSAccessKeyId: 'AKIAIOSFODNN7EXAMPLE', Action: 'DescribeJobFlows', SignatureVersion: '2', Timestamp: '2011-10-03T15:19:30', Version: '2009-03-31' };
  const two = { ...request, host: 'elasticmapreduce.amazonaws.com', params, signature: 'i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=' };
  assert.equal(isEc2Signed(two, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), true);
  assert.equal(isEc2Signed({ ...two, host: 'elasticmapreduce.amazonaws.com:443' }, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), true);
  assert.equal(isEc2Signed({ ...two, verb: 'POST' }, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), false);
  const headers = {
    Authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=x',
    'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8', Host: 'iam.amazonaws.com', 'X-Amz-Date': '20150830T123600Z',
  };
  const four = {
    ...request, host: 'iam.amazonaws.com', params: { Action: 'ListUsers', Version: '2010-05-08' }, headers,
    body_hash: createHash('sha256').digest('hex'), signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  };
  assert.equal(isEc2Signed(four, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'), true);
  assert.equal(isEc2Signed({ ...four, headers: { ...headers, 'X-Amz-Date': '20150831T123600Z' } }, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'), false);
  assert.equal(isEc2Signed({ ...four, params: {}, headers: {} }, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'), false, 'no version at all');
  const text = 'GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg';
  assert.equal(isS3Signed(text, 'qgk2+6Sv9/oM7G3qLEjTH1a1l1g=', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), true);
});

test('who signed with EC2 keys gets a token of their user, asked for by a service or an administrator', async () => {
  const keys = await makeKeys();
  const got = await ask(signed2(keys));
  assert.equal(got.status, 200, got.text);
  assert.deepEqual([got.json.token.user.id, got.json.token.project.id, got.json.token.methods], [user, project, ['ec2credential']]);
  assert.ok(got.json.token.catalog.length > 0);
  const bearer = got.headers.get('x-subject-token') as string;
  assert.deepEqual((await cloud.identity.client.authenticate(bearer))?.roles, ['member', 'reader']);
  for (const name of ['credential', 'ec2Credentials']) assert.equal((await v3('POST', 'ec2tokens', { [name]: signed2(keys) })).status, 200, name);
  assert.equal((await ask(signed2(keys, new Date(), 'cloud.example'))).status, 200, 'signed without its port');
  assert.equal((await ask(signed2(keys), token)).status, 403, 'not for members');
  assert.equal((await ask({ ...signed2(keys), verb: 'POST' })).status, 401);
  assert.equal((await ask(signed2({ ...keys, secret: 'x' }))).status, 401);
  assert.equal((await ask({ ...signed2(keys), signature: '' })).status, 401);
  assert.equal((await ask({})).status, 401);
  assert.equal((await ask({ access: 5 })).status, 400);
  assert.equal((await ask(signed2({ ...keys, access: 'nobody' }))).json.error.message, 'EC2 access key not found.');
  assert.equal((await ask(signed2(keys, new Date(Date.now() - 1000 * 1000)))).status, 401, 'too long ago');
  assert.equal((await v3('GET', 'ec2tokens')).status, 405);
});

test('keys end with what stands behind them', async () => {
  const keys = await makeKeys();
  await v3('PATCH', `projects/${project}`, { project: { enabled: false } });
  assert.equal((await ask(signed2(keys))).status, 401);
  await v3('PATCH', `projects/${project}`, { project: { enabled: true } });
  assert.equal((await ask(signed2(keys))).status, 200);
  token = await cloud.login(password({ id: user, password: 'pw' }, { project: { id: project } }));
  await v3('DELETE', `users/${user}/credentials/OS-EC2/${keys.access}`, undefined, token);
  assert.equal((await ask(signed2(keys))).status, 404);
});

test('keys made by a delegation give no more than it', async () => {
  const make = async (unrestricted: boolean) => (await v3('POST', `users/${user}/application_credentials`, { application_credential: { name: `app-${unrestricted}`, unrestricted, roles: [{ name: 'reader' }] } }, token)).json.application_credential;
  const bearerOf = (made: { id: string; secret: string }) => cloud.login({ auth: { identity: { methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } } } });
  const restricted = await bearerOf(await make(false));
  assert.equal((await v3('POST', `users/${user}/credentials/OS-EC2`, { tenant_id: project }, restricted)).status, 403);
  const made = await make(true);
  const free = await bearerOf(made);
  // Only members make such keys by this call: the other way is open.
  const blob = JSON.stringify({ access: 'by-program', secret: 'abc' });
  const credential = await v3('POST', 'credentials', { credential: { type: 'ec2', blob, user_id: user, project_id: project } }, free);
  assert.equal(credential.status, 201, credential.text);
  const got = await ask(signed2({ access: 'by-program', secret: 'abc' }));
  assert.equal(got.status, 200, got.text);
  assert.deepEqual(got.json.token.roles.map((role: { name: string }) => role.name), ['reader']);
  assert.equal(got.json.token.application_credential.id, made.id);
  const id = credential.json.credential.id;
  const escape = await v3('PATCH', `credentials/${id}`, { credential: { blob } }, token);
  assert.equal(escape.status, 400, 'it stays known by what it was made');
  assert.equal((await v3('PATCH', `credentials/${id}`, { credential: { blob: JSON.stringify({ access: 'by-program', secret: 'new', app_cred_id: made.id }) } }, token)).status, 200);
  assert.equal((await ask(signed2({ access: 'by-program', secret: 'new' }))).status, 200);
  await v3('DELETE', `users/${user}/application_credentials/${made.id}`, undefined, token);
  assert.equal((await ask(signed2({ access: 'by-program', secret: 'new' }))).status, 401);

  const trustee = await cloud.makeUser('bob', 'member');
  const trust = (await v3('POST', 'OS-TRUST/trusts', { trust: { trustor_user_id: user, trustee_user_id: trustee, project_id: project, impersonation: true, roles: [{ name: 'member' }] } }, token)).json.trust;
  const acting = await cloud.login({ auth: { identity: { methods: ['password'], password: { user: { id: trustee, password: 'pw' } } }, scope: { 'OS-TRUST:trust': { id: trust.id } } } });
  const keys = await makeKeys(acting);
  const trusted = await ask(signed2(keys));
  assert.equal(trusted.status, 200, trusted.text);
  assert.equal(trusted.json.token['OS-TRUST:trust'].id, trust.id);
  await v3('DELETE', `OS-TRUST/trusts/${trust.id}`, undefined, token);
  assert.equal((await ask(signed2(keys))).status, 401);
});

test('only the token by which keys are made says where they come from', async () => {
  const made = async (roles: string[]) => (await v3('POST', `users/${user}/application_credentials`, { application_credential: { name: `of-${roles.join()}`, unrestricted: true, roles: roles.map((name) => ({ name })) } }, token)).json.application_credential;
  const [reader, member] = [await made(['reader']), await made(['member'])];
  const weak = await cloud.login({ auth: { identity: { methods: ['application_credential'], application_credential: { id: reader.id, secret: reader.secret } } } });
  const trustee = await cloud.makeUser('carol', 'member');
  const trust = (await v3('POST', 'OS-TRUST/trusts', { trust: { trustor_user_id: user, trustee_user_id: trustee, project_id: project, impersonation: true, remaining_uses: 1, roles: [{ name: 'member' }] } }, token)).json.trust;
  const create = async (access: string, origin: object, as: string, user_id = user) => (await v3('POST', 'credentials', { credential: { type: 'ec2', blob: JSON.stringify({ access, secret: 's', ...origin }), user_id, project_id: project } }, as)).status;
  assert.equal(await create('by-trust', { trust_id: trust.id }, weak), 400);
  assert.equal(await create('by-other', { app_cred_id: member.id }, weak), 400);
  assert.equal(await create('by-own', { app_cred_id: reader.id }, weak), 201);
  const carol = await cloud.login(password({ id: trustee, password: 'pw' }, { project: { id: project } }));
  assert.equal(await create('by-trustee', { trust_id: trust.id }, carol, trustee), 400, 'uses of a trust are counted');
  assert.deepEqual((await ask(signed2({ access: 'by-own', secret: 's' }))).json.token.roles.map((role: { name: string }) => role.name), ['reader']);
});

test('a delegation neither reads nor changes keys that were made without it', async () => {
  const made = (await v3('POST', `users/${user}/application_credentials`, { application_credential: { name: 'nosy', unrestricted: true, roles: [{ name: 'reader' }] } }, token)).json.application_credential;
  const weak = await cloud.login({ auth: { identity: { methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } } } });
  const blob = (access: string, secret: string): string => JSON.stringify({ access, secret });
  const create = async (access: string, as: string): Promise<string> => (await v3('POST', 'credentials', { credential: { type: 'ec2', blob: blob(access, 's'), user_id: user, project_id: project } }, as)).json.credential.id;
  const [strong, own] = [await create('strong', token), await create('own', weak)];
  assert.equal((await v3('PATCH', `credentials/${strong}`, { credential: { blob: blob('strong', 'known') } }, weak)).status, 403);
  assert.equal((await ask(signed2({ access: 'strong', secret: 'known' }))).status, 401);
  assert.equal((await v3('GET', `credentials/${strong}`, undefined, weak)).status, 403);
  assert.equal((await v3('GET', `users/${user}/credentials/OS-EC2/strong`, undefined, weak)).status, 403);
  for (const [path, id] of [['credentials', strong], [`users/${user}/credentials/OS-EC2`, 'strong']] as const) {
    const seen = (await v3('GET', path, undefined, weak)).json.credentials.map((one: { id: string }) => one.id);
    assert.equal(seen.includes(id), false, path);
    assert.equal(seen.length > 0, true, path);
  }
  assert.equal((await v3('GET', `credentials/${own}`, undefined, weak)).status, 200);
  assert.equal((await v3('GET', `credentials/${strong}`, undefined, token)).status, 200);
});

test('S3 asks for whose request it is, and does not get the token', async () => {
  const { access, secret } = await makeKeys();
  const text = 'GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/bucket/object';
  const one = { access, signature: createHmac('sha1', secret).update(text).digest('base64'), token: Buffer.from(text).toString('base64url') };
  const got = await v3('POST', 's3tokens', { credentials: one });
  assert.equal(got.status, 200, got.text);
  assert.equal(got.json.token.user.id, user);
  assert.equal(got.headers.get('x-subject-token'), null);
  assert.equal((await v3('POST', 's3tokens', { credentials: one }, token)).status, 403);
  assert.equal((await v3('POST', 's3tokens', { credentials: { ...one, token: Buffer.from(`${text}s`).toString('base64url') } })).status, 401);
  const four = (service: string): object => {
    const signedText = `AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/RegionOne/${service}/aws4_request\n${'0'.repeat(64)}`;
    const key = ['20260101', 'RegionOne', service, 'aws4_request'].reduce<Buffer>((before, part) => createHmac('sha256', before).update(part).digest(), Buffer.from(`AWS4${secret}`));
    return { access, signature: createHmac('sha256', key).update(signedText).digest('hex'), token: Buffer.from(signedText).toString('base64url') };
  };
  assert.equal((await v3('POST', 's3tokens', { credentials: four('s3') })).status, 200);
  assert.equal((await v3('POST', 's3tokens', { credentials: four('ec2') })).status, 401, 'another service');
});

test('a user has only so many credentials', async () => {
  const small = await startIdentity({ config: { max_credentials: 2 } });
  try {
    const admin = (await small.call('GET', '/identity/v3/users?name=admin')).json.users[0].id;
    const create = () => small.call('POST', '/identity/v3/credentials', { body: { credential: { type: 'totp', blob: 'x', user_id: admin } } });
    assert.deepEqual([(await create()).status, (await create()).status, (await create()).status], [201, 201, 403]);
  } finally {
    await small.close();
  }
});
