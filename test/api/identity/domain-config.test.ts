import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { password, startIdentity, type TestIdentity } from './cloud.ts';

let cloud: TestIdentity;
let domain: string;
let member: string;

const v3 = (method: string, path: string, body?: unknown, as?: string): Promise<TestResponse> =>
  cloud.call(method, `/identity/v3/${path}`, { ...(body === undefined ? {} : { body }), ...(as === undefined ? {} : { token: as }) });
const config = (method: string, path: string, body?: object): Promise<TestResponse> => v3(method, `domains/${domain}/config${path}`, body === undefined ? undefined : { config: body });
const message = (got: TestResponse): string => got.json.error.message as string;

before(async () => {
  cloud = await startIdentity({ config: { password_regex: '.{4,}', password_regex_description: 'four characters' } });
  domain = (await v3('POST', 'domains', { domain: { name: 'd' } })).json.domain.id;
  const user = (await v3('POST', 'users', { user: { name: 'alice', password: 'word' } })).json.user.id;
  member = await cloud.login(password({ id: user, password: 'word' }));
});
after(() => cloud.close());

test('options are set, shown by whole, group and option, changed and deleted; secrets are kept and never shown', async () => {
  assert.equal((await config('GET', '')).status, 404);
  const set = { identity: { driver: 'ldap' }, ldap: { url: 'ldap://localhost', password: 'secret-of-the-directory', page_size: 5, user_attribute_ignore: ['a'] } };
  const made = await config('PUT', '', set);
  assert.equal(made.status, 201, made.text);
  const { password: _secret, ...ldap } = set.ldap;
  assert.deepEqual(made.json.config, { identity: set.identity, ldap });
  assert.deepEqual((await config('GET', '')).json.config, { identity: set.identity, ldap });
  assert.deepEqual((await config('GET', '/ldap')).json.config, { ldap });
  assert.deepEqual((await config('GET', '/ldap/page_size')).json.config, { page_size: 5 });
  assert.equal((await config('GET', '/ldap/password')).status, 404);
  const rows = await cloud.database.db.read.selectFrom('identity_domain_options').selectAll().limit(100).execute();
  assert.equal(rows.length, 5);
  assert.doesNotMatch(JSON.stringify(rows), /secret-of-the-directory/);

  assert.deepEqual((await config('PATCH', '', { ldap: { user: 'cn=x' } })).json.config, { identity: set.identity, ldap: { ...ldap, user: 'cn=x' } });
  assert.deepEqual((await config('PATCH', '/ldap', { ldap: { url: 'ldap://other' } })).json.config.ldap.url, 'ldap://other');
  assert.deepEqual((await config('PATCH', '/ldap/page_size', { page_size: 6 })).json.config.ldap.page_size, 6);
  assert.equal((await config('DELETE', '/ldap/page_size')).status, 204);
  assert.equal((await config('GET', '/ldap/page_size')).status, 404);
  assert.equal((await config('DELETE', '/ldap/page_size')).status, 404);
  assert.equal((await config('DELETE', '/ldap')).status, 204);
  assert.deepEqual((await config('GET', '')).json.config, { identity: set.identity });
  const again = await config('PUT', '', { ldap: { url: 'ldap://new' } });
  assert.deepEqual([again.status, again.json.config], [200, { ldap: { url: 'ldap://new' } }], 'in place of what was there');
  assert.equal((await config('DELETE', '')).status, 204);
  assert.equal((await config('GET', '')).status, 404);
});

test('what is not to be set is refused, and nothing changes', async () => {
  await config('PUT', '', { ldap: { url: 'ldap://here' } });
  const refused: [string, string, object, number, RegExp][] = [
    ['PUT', '', {}, 403, /No options specified/], ['PUT', '', { ldap: 'x' }, 403, /should be a dictionary/], ['PUT', '', { ldap: {} }, 403, /should be a dictionary/],
    ['PUT', '', { token: { expiration: 1 } }, 403, /Group token is not supported/], ['PUT', '', { ldap: { constructor: 1 } }, 403, /Option constructor in group ldap/],
    ['PATCH', '', { ldap: { nothing: 1 } }, 403, /Option nothing in group ldap/], ['PATCH', '/ldap', { identity: { driver: 'x' } }, 403, /contains group identity instead/],
    ['PATCH', '/ldap', { ldap: { url: 'a' }, identity: { driver: 'x' } }, 403, /only that, group/], ['PATCH', '/ldap/url', { user: 'x' }, 403, /contains option user instead/],
    ['PATCH', '/ldap/url', { url: 'a', user: 'x' }, 403, /only that, option/], ['PATCH', '/ldap/user', { user: 'x' }, 404, /option user in group ldap/],
    ['PATCH', '/identity', { identity: { driver: 'x' } }, 404, /group identity/], ['PATCH', '/__proto__', { __proto__: 'x' }, 403, /./],
  ];
  for (const [method, path, body, status, words] of refused) {
    const got = await config(method, path, body);
    assert.equal(got.status, status, `${method} ${path} ${got.text}`);
    assert.match(message(got), words);
  }
  assert.equal((await v3('PUT', `domains/${domain}/config`, { config: 'x' })).status, 400);
  assert.equal((await v3('PUT', `domains/${'f'.repeat(32)}/config`, { config: { ldap: { url: 'x' } } })).status, 404);
  assert.deepEqual((await config('GET', '')).json.config, { ldap: { url: 'ldap://here' } });
});

test('defaults and the rules for passwords can be read', async () => {
  const whole = (await v3('GET', 'domains/config/default')).json.config;
  assert.equal(whole.identity.driver, 'sql');
  assert.deepEqual((await v3('GET', 'domains/config/ldap/default')).json.config, { ldap: whole.ldap });
  assert.deepEqual((await v3('GET', 'domains/config/ldap/query_scope/default')).json.config, { query_scope: 'one' });
  assert.equal((await v3('GET', 'domains/config/ldap/password/default')).status, 403);
  assert.equal((await v3('GET', 'domains/config/other/default')).status, 403);
  assert.equal((await v3('GET', 'domains/config/default', undefined, member)).status, 403);
  const rules = { password_regex: '.{4,}', password_regex_description: 'four characters' };
  assert.deepEqual((await v3('GET', 'domains/default/config/security_compliance', undefined, member)).json.config, { security_compliance: rules });
  assert.deepEqual((await v3('GET', 'domains/default/config/security_compliance/password_regex', undefined, member)).json.config, { password_regex: '.{4,}' });
  assert.equal((await v3('GET', 'domains/default/config/security_compliance/lockout_duration', undefined, member)).status, 403);
  assert.equal((await v3('GET', `domains/${domain}/config/security_compliance`, undefined, member)).status, 403);
});

test('passwords have to match the rules, wherever they are set', async () => {
  const refused = await v3('POST', 'users', { user: { name: 'short', password: 'abc' } });
  assert.equal(refused.status, 400);
  assert.equal(message(refused), 'The password does not match the requirements: four characters.');
  assert.deepEqual((await v3('GET', 'users?name=short')).json.users, []);
  const user = (await v3('POST', 'users', { user: { name: 'long', password: 'abcd' } })).json.user.id;
  assert.equal((await v3('PATCH', `users/${user}`, { user: { password: 'abc' } })).status, 400);
  assert.equal((await v3('POST', `users/${user}/password`, { user: { original_password: 'abcd', password: 'abc' } })).status, 400);
  assert.ok(await cloud.login(password({ id: user, password: 'abcd' })), 'the old one still counts');
});
