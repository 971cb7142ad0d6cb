/** `[identity] administrators = "system"`: to be admin of some project or domain does not reach beyond it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rulesFor } from '../../../src/services/identity/api/administrators.ts';
import { identityRules } from '../../../src/services/identity/api/index.ts';
import type { TestResponse } from '../../support/surface.ts';
import { adminUser, password, startIdentity, type TestIdentity } from './cloud.ts';

let cloud: TestIdentity;
let system: string;
/** Tokens by role for the domain `one`, and for a project in it. */
const inDomain: Record<string, string> = {};
const inProject: Record<string, string> = {};
const ids: Record<string, string> = {};

const v3 = (token: string, method: string, path: string, body?: unknown): Promise<TestResponse> =>
  cloud.call(method, `/identity/v3/${path}`, { token, ...(body === undefined ? {} : { body }) });

async function status(token: string, method: string, path: string, body?: unknown): Promise<number> {
  return (await v3(token, method, path, body)).status;
}

async function made(kind: string, fields: Record<string, unknown>): Promise<string> {
  const got = await v3(system, 'POST', `${kind}s`, { [kind]: fields });
  assert.equal(got.status, 201, got.text);
  return got.json[kind].id;
}

async function loginAs(role: string, place: 'domain' | 'project'): Promise<string> {
  const name = `${place}-${role}`;
  const user_id = (ids[name] = await made('user', { name, domain_id: ids['one'], password: 'secret' }));
  const target = place === 'domain' ? ids['one'] : ids['project'];
  assert.equal(await status(system, 'PUT', `${place}s/${target}/users/${user_id}/roles/${ids[role]}`), 204);
  return await cloud.login(password({ id: user_id, password: 'secret' }, { [place]: { id: target } }));
}

before(async () => {
  cloud = await startIdentity({ config: { administrators: 'system' } });
  system = await cloud.login(password(adminUser, { system: { all: true } }));
  for (const name of ['one', 'two']) ids[name] = await made('domain', { name });
  ids['project'] = await made('project', { name: 'project', domain_id: ids['one'] });
  ids['elsewhere'] = await made('project', { name: 'elsewhere', domain_id: ids['two'] });
  ids['stranger'] = await made('user', { name: 'stranger', domain_id: ids['two'], password: 'secret' });
  for (const role of (await v3(system, 'GET', 'roles')).json.roles) ids[role.name] = role.id;
  for (const role of ['admin', 'manager', 'member', 'reader']) {
    inDomain[role] = await loginAs(role, 'domain');
    inProject[role] = await loginAs(role, 'project');
  }
});
after(() => cloud.close());

const OF_THE_CLOUD = [
  ['GET', 'users'], ['GET', 'projects'], ['GET', 'domains'], ['GET', 'roles'], ['GET', 'services'], ['GET', 'role_assignments'],
  ['POST', 'domains', { domain: { name: 'three' } }], ['POST', 'roles', { role: { name: 'cook' } }], ['POST', 'users', { user: { name: 'someone' } }],
] as const;

test('the admin of a project, even the bootstrapped one, is no administrator of the cloud; on the system they are', async () => {
  for (const [method, path, body] of OF_THE_CLOUD) {
    for (const token of [cloud.admin, inProject['admin'] as string]) assert.equal(await status(token, method, path, body), 403, `${method} ${path}`);
    assert.ok([200, 201].includes(await status(system, method, path, body)), `${method} ${path}`);
  }
});

test('the admin of a project does there what any user of it does, and its tags', async () => {
  const token = inProject['admin'] as string;
  assert.equal(await status(token, 'GET', `projects/${ids['project']}`), 200);
  assert.equal(await status(token, 'GET', `users/${ids['project-admin']}`), 200);
  assert.equal(await status(token, 'GET', `users/${ids['project-reader']}`), 403);
  assert.equal(await status(token, 'PATCH', `projects/${ids['project']}`, { project: { description: 'mine' } }), 403);
  assert.equal(await status(token, 'PUT', `projects/${ids['project']}/users/${ids['project-reader']}/roles/${ids['member']}`), 403);
  assert.equal(await status(token, 'PUT', `projects/${ids['project']}/tags/red`), 201);
  assert.equal(await status(token, 'PUT', `projects/${ids['elsewhere']}/tags/red`), 403);
  assert.equal(await status(inProject['manager'] as string, 'PUT', `projects/${ids['project']}/tags/blue`), 403);
  const tree = `role_assignments?include_subtree&scope.project.id=`;
  assert.equal(await status(token, 'GET', tree + ids['project']), 200);
  assert.equal(await status(token, 'GET', tree + ids['elsewhere']), 403);
});

test('admins and managers of a domain keep to it', async () => {
  for (const role of ['admin', 'manager']) {
    const token = inDomain[role] as string;
    const got = await v3(token, 'POST', 'users', { user: { name: `by-${role}`, domain_id: ids['one'] } });
    assert.equal(got.status, 201, got.text);
    assert.equal(await status(token, 'DELETE', `users/${got.json.user.id}`), 204);
    assert.equal(await status(token, 'POST', 'users', { user: { name: `by-${role}`, domain_id: ids['two'] } }), 403);
    assert.equal(await status(token, 'DELETE', `users/${ids['stranger']}`), 403);
    assert.equal(await status(token, 'GET', `projects/${ids['elsewhere']}`), 403);
    const seen = (await v3(token, 'GET', 'users')).json.users as { domain_id: string }[];
    assert.deepEqual([...new Set(seen.map((user) => user.domain_id))], [ids['one']]);
    const grant = `projects/${ids['project']}/users/${ids['domain-reader']}/roles/`;
    assert.equal(await status(token, 'PUT', grant + ids['member']), 204);
    assert.equal(await status(token, 'PUT', grant + ids['admin']), role === 'admin' ? 204 : 403);
    assert.equal(await status(token, 'PUT', `system/users/${ids['domain-admin']}/roles/${ids['admin']}`), 403);
  }
  assert.equal(await status(inDomain['member'] as string, 'POST', 'users', { user: { name: 'no', domain_id: ids['one'] } }), 403);
  assert.equal(await status(inDomain['reader'] as string, 'GET', 'users'), 200);
});

test('to ask for domains, roles and credentials takes another scope than a domain', async () => {
  const mine = { credential: { type: 'cert', blob: 'x', user_id: ids['domain-admin'] } };
  for (const [method, path, body] of [['GET', 'domains'], ['GET', 'roles'], ['GET', 'credentials'], ['POST', 'credentials', mine]] as const) {
    assert.equal(await status(inDomain['admin'] as string, method, path, body), 403, `${method} ${path}`);
  }
  assert.equal(await status(inDomain['reader'] as string, 'GET', `domains/${ids['one']}`), 200);
  assert.equal(await status(inDomain['reader'] as string, 'GET', `domains/${ids['two']}`), 403);
});

test('admins of projects let programs act for themselves, and see nobody else\'s', async () => {
  const token = inProject['admin'] as string;
  const tokens = (user: string): string => `users/${ids[user]}/OS-OAUTH1/access_tokens`;
  assert.equal(await status(token, 'GET', tokens('project-admin')), 200);
  assert.equal(await status(token, 'GET', tokens('project-member')), 403);
  assert.equal(await status(system, 'GET', tokens('project-member')), 200);
  assert.equal(await status(token, 'PUT', 'OS-OAUTH1/authorize/none', { roles: [] }), 404);
});

test('limits of others are not shown to the admin of a project', async () => {
  const service_id = (await v3(system, 'GET', 'services?type=compute')).json.services[0].id;
  const what = { service_id, resource_name: 'servers' };
  assert.equal(await status(system, 'POST', 'registered_limits', { registered_limits: [{ ...what, default_limit: 3 }] }), 201);
  const limits = [ids['project'], ids['elsewhere']].map((project_id) => ({ ...what, project_id, resource_limit: 5 }));
  assert.equal(await status(system, 'POST', 'limits', { limits }), 201);
  const seen = (await v3(inProject['admin'] as string, 'GET', 'limits')).json.limits as { project_id: string }[];
  assert.deepEqual(seen.map((limit) => limit.project_id), [ids['project']]);
});

test('that there is no such endpoint is told to everybody; of one that is there who may not see it learns nothing', async () => {
  const { id } = (await v3(system, 'GET', 'endpoints')).json.endpoints[0];
  for (const token of [inProject['reader'] as string, inDomain['admin'] as string]) {
    assert.equal(await status(token, 'GET', `endpoints/${'f'.repeat(32)}`), 404);
    assert.equal(await status(token, 'DELETE', `endpoints/${'f'.repeat(32)}`), 404);
    assert.equal(await status(token, 'GET', `endpoints/${id}`), 403);
    assert.equal(await status(token, 'DELETE', `endpoints/${id}`), 403);
  }
});

test('a change of a rule that is not declared stops the start; without the option all are as declared', () => {
  assert.throws(() => rulesFor('system', identityRules.slice(1)), /no such rules/);
  assert.deepEqual(rulesFor('any', identityRules), identityRules);
});
