import assert from 'node:assert/strict';
import test from 'node:test';
import { isAllowedByRules } from '../../../src/kernel/http/access-rules.ts';
import { expandUrl, isUrlTemplate } from '../../../src/services/identity/model/catalog.ts';
import { createLoginGuard } from '../../../src/services/identity/model/login-guard.ts';
import { hashSecret, verifySecret } from '../../../src/services/identity/model/passwords.ts';
import { TokenCache } from '../../../src/services/identity/model/token-cache.ts';
import type { ValidToken } from '../../../src/services/identity/model/tokens.ts';

test('a password fits its hash and no other, and hashes are salted', async () => {
  const hash = await hashSecret('secret', 4);
  assert.match(hash, /^\$scrypt\$ln=4,r=8,p=1\$/);
  assert.equal(await verifySecret('secret', hash, 4), true);
  assert.equal(await verifySecret('secret', hash, 10), true, 'the cost is that of the hash');
  assert.equal(await verifySecret('Secret', hash, 4), false);
  assert.notEqual(await hashSecret('secret', 4), hash);
  for (const nothing of [undefined, null, '', 'secret', '$scrypt$']) assert.equal(await verifySecret('secret', nothing, 4), false);
});

test('the catalog fills in what it knows and leaves out what it cannot', () => {
  const caller = { origin: 'http://cloud:5000', user_id: 'u', project_id: 'p' };
  assert.equal(expandUrl('$(public_url)s/v1/AUTH_$(project_id)s', caller), 'http://cloud:5000/v1/AUTH_p');
  assert.equal(expandUrl('http://x/%(tenant_id)s/$(user_id)s', caller), 'http://x/p/u');
  assert.equal(expandUrl('http://x/%(tenant_id)s', { ...caller, project_id: undefined }), undefined);
  assert.equal(expandUrl('http://x/$(secret)s', caller), undefined);
  assert.equal(isUrlTemplate('http://x/$(project_id)s'), true);
  assert.equal(isUrlTemplate('http://x/$(secret)s'), false);
  assert.equal(isUrlTemplate('http://x/$(project_id'), false);
});

test('access rules match as their wildcards say', () => {
  const allowed = (path: string, asked: string, method = 'GET'): boolean =>
    isAllowedByRules([{ service: 'compute', method: 'GET', path }], { service: 'compute', method, path: asked });
  assert.equal(allowed('/v2.1/servers', '/v2.1/servers'), true);
  assert.equal(allowed('/v2.1/servers', '/v2.1/servers/1'), false);
  assert.equal(allowed('/v2.1/servers', '/v2.1/servers', 'POST'), false);
  assert.equal(allowed('/v2.1/servers/*/ips', '/v2.1/servers/1/ips'), true);
  assert.equal(allowed('/v2.1/servers/*/ips', '/v2.1/servers/1/2/ips'), false);
  assert.equal(allowed('/v2.1/servers/{id}', '/v2.1/servers/1'), true);
  assert.equal(allowed('/v2.1/**', '/v2.1/servers/1/ips'), true);
  assert.equal(allowed('/v2.1/servers', '/v2x1/servers'), false, 'a dot is a dot');
  assert.equal(isAllowedByRules([{ service: 'image', method: 'GET', path: '/**' }], { service: 'compute', method: 'GET', path: '/' }), false);
  assert.equal(isAllowedByRules([], { service: 'compute', method: 'GET', path: '/' }), false);
});

const token = (user_id: string, project_id?: string): ValidToken => ({ auth: { user_id, project_id } }) as unknown as ValidToken;

test('the cache forgets exactly what a change touches', () => {
  const cache = new TokenCache();
  cache.keep('a', token('alice', 'p'), cache.epoch);
  cache.keep('b', token('bob', 'p'), cache.epoch);
  cache.keep('c', token('carol', 'q'), cache.epoch);
  cache.forgetUser('alice');
  assert.deepEqual(['a', 'b', 'c'].map((id) => cache.get(id) !== undefined), [false, true, true]);
  cache.forgetProject('p');
  assert.deepEqual(['a', 'b', 'c'].map((id) => cache.get(id) !== undefined), [false, false, true]);
  cache.forgetAll();
  assert.equal(cache.get('c'), undefined);
});

test('a token that was looked up while something changed is not kept', () => {
  const cache = new TokenCache();
  const { epoch } = cache;
  cache.forgetUser('somebody');
  cache.keep('a', token('alice'), epoch);
  assert.equal(cache.get('a'), undefined);
});

test('the cache stays within its limit', () => {
  const cache = new TokenCache(3);
  for (let at = 0; at < 10; at += 1) cache.keep(`t${at}`, token('alice'), cache.epoch);
  assert.deepEqual(['t6', 't7', 't9'].map((id) => cache.get(id) !== undefined), [false, true, true]);
});

test('what another controller changed empties the cache at the next look, what this one changed does not', async () => {
  const cache = new TokenCache();
  await cache.catchUp(0, async () => 5);
  cache.keep('a', token('alice'), cache.epoch);
  cache.reached(6);
  assert.equal(await cache.catchUp(2000, async () => 6), false);
  assert.notEqual(cache.get('a'), undefined);
  assert.equal(await cache.catchUp(2500, async () => 7), false, 'not asked again within a second');
  assert.equal(await cache.catchUp(4000, async () => 7), true);
  assert.equal(cache.get('a'), undefined);
});

test('whoever guesses too often waits, longer each time, and a right password ends it', () => {
  let now = 0;
  const guard = createLoginGuard({ now: () => new Date(now) }, 3);
  for (let at = 0; at < 2; at += 1) guard.failed('alice');
  assert.equal(guard.mayTry('alice'), true);
  guard.failed('alice');
  assert.equal(guard.mayTry('alice'), false);
  assert.equal(guard.mayTry('bob'), true);
  now += 500;
  assert.equal(guard.mayTry('alice'), true);
  guard.failed('alice');
  now += 500;
  assert.equal(guard.mayTry('alice'), false);
  now += 500;
  guard.passed('alice');
  guard.failed('alice');
  assert.equal(guard.mayTry('alice'), true);
});
