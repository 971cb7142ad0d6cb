import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { password, startIdentity, type TestIdentity } from './cloud.ts';

let cloud: TestIdentity;
before(async () => {
  cloud = await startIdentity();
});
after(() => cloud.close());

let count = 0;
const unique = (what: string): string => `${what}-${(count += 1)}`;
const v3 = (method: string, path: string, body?: unknown, token?: string): Promise<TestResponse> =>
  cloud.call(method, `/identity/v3/${path}`, { ...(body === undefined ? {} : { body }), ...(token === undefined ? {} : { token }) });

async function made(kind: string, fields: Record<string, unknown> = {}): Promise<any> {
  const got = await v3('POST', `${kind}s`, { [kind]: { name: unique(kind), ...fields } });
  assert.equal(got.status, 201, got.text);
  return got.json[kind];
}

const roleId = async (name: string): Promise<string> => (await v3('GET', `roles?name=${name}`)).json.roles[0].id;
const ids = (list: { id: string }[]): string[] => list.map((one) => one.id);

function refused(got: TestResponse, status: number, words: RegExp): void {
  assert.equal(got.status, status, got.text);
  assert.match(got.json.error.message, words);
  assert.equal(got.json.error.code, status);
}

test('a project keeps what it was given, unknown fields too, and can be changed', async () => {
  const project = await made('project', { description: 'one', tags: ['b', 'a'], colour: 'blue' });
  const { links, ...rest } = project;
  assert.equal(links.self, `${cloud.url}/identity/v3/projects/${project.id}`);
  assert.deepEqual(rest, {
    colour: 'blue', id: project.id, name: project.name, domain_id: 'default', description: 'one', enabled: true, parent_id: 'default', is_domain: false, tags: ['b', 'a'], options: {},
  });
  const changed = await v3('PATCH', `projects/${project.id}`, { project: { description: null, colour: 'red' } });
  assert.equal(changed.json.project.colour, 'red');
  assert.equal(changed.json.project.description, '');
  assert.deepEqual((await v3('GET', `projects/${project.id}`)).json.project.tags, ['a', 'b']);
  assert.equal((await v3('DELETE', `projects/${project.id}`)).status, 204);
  refused(await v3('GET', `projects/${project.id}`), 404, /^Could not find project: /);
});

test('bad projects are refused and leave nothing behind', async () => {
  const one = await made('project');
  const before_ = (await v3('GET', 'projects')).json.projects.length;
  refused(await v3('POST', 'projects', { project: { name: one.name } }), 409, /Conflict/);
  refused(await v3('POST', 'projects', { project: { name: '' } }), 400, /name/);
  refused(await v3('POST', 'projects', { project: { name: ' ' } }), 400, /name/);
  refused(await v3('POST', 'projects', { project: { name: 'x'.repeat(65) } }), 400, /name/);
  refused(await v3('POST', 'projects', { project: {} }), 400, /'name' is a required property/);
  refused(await v3('POST', 'projects', { other: {} }), 400, /./);
  refused(await v3('POST', 'projects', { project: { name: 'x', enabled: 'yes' } }), 400, /enabled/);
  refused(await v3('POST', 'projects', { project: { name: 'x', tags: ['a,b'] } }), 400, /tags/);
  refused(await v3('POST', 'projects', { project: { name: 'x', options: { nonsense: true } } }), 400, /options/);
  refused(await v3('POST', 'projects', { project: { name: 'x', parent_id: 'f'.repeat(32) } }), 404, /project/);
  refused(await v3('POST', 'projects', { project: { name: 'x', domain_id: 'f'.repeat(32) } }), 404, /domain/);
  refused(await v3('PATCH', `projects/${one.id}`, { project: { parent_id: 'f'.repeat(32) } }), 403, /parent_id/);
  refused(await v3('PATCH', `projects/${one.id}`, { project: { domain_id: 'other' } }), 400, /Domain/);
  refused(await v3('PATCH', `projects/${one.id}`, { project: { is_domain: true } }), 400, /is_domain/);
  assert.equal((await v3('GET', 'projects')).json.projects.length, before_);
});

test('projects form a tree: depth, enabled and deletion follow it', async () => {
  const top = await made('project');
  const middle = await made('project', { parent_id: top.id });
  const leaf = await made('project', { parent_id: middle.id });
  const tree = await v3('GET', `projects/${top.id}?subtree_as_ids`);
  assert.deepEqual(tree.json.project.subtree, { [middle.id]: { [leaf.id]: null } });
  const above = await v3('GET', `projects/${leaf.id}?parents_as_ids`);
  assert.deepEqual(above.json.project.parents, { [middle.id]: { [top.id]: { default: null } } });
  refused(await v3('PATCH', `projects/${top.id}`, { project: { enabled: false } }), 403, /subtree contains enabled/);
  refused(await v3('DELETE', `projects/${middle.id}`), 403, /not a leaf/);
  for (const id of [leaf.id, middle.id, top.id]) assert.equal((await v3('PATCH', `projects/${id}`, { project: { enabled: false } })).status, 200);
  refused(await v3('PATCH', `projects/${leaf.id}`, { project: { enabled: true } }), 403, /disabled parents/);
  refused(await v3('POST', 'projects', { project: { name: unique('p'), parent_id: leaf.id } }), 400, /disabled/);
  let parent = (await made('project')).id;
  for (let depth = 2; depth <= 5; depth += 1) parent = (await made('project', { parent_id: parent })).id;
  refused(await v3('POST', 'projects', { project: { name: unique('p'), parent_id: parent } }), 403, /depth/);
});

test('tags: set, add, ask, remove, filter', async () => {
  const a = await made('project', { tags: ['red', 'big'] });
  const b = await made('project', { tags: ['red'] });
  assert.equal((await v3('PUT', `projects/${b.id}/tags/small`)).status, 201);
  assert.equal((await v3('GET', `projects/${b.id}/tags/small`)).status, 204);
  assert.equal((await v3('HEAD', `projects/${b.id}/tags/nothing`)).status, 404);
  const listed = async (query: string): Promise<string[]> => ids((await v3('GET', `projects?${query}`)).json.projects).filter((id) => id === a.id || id === b.id).sort();
  assert.deepEqual(await listed('tags=red'), [a.id, b.id].sort());
  assert.deepEqual(await listed('tags=red,big'), [a.id]);
  assert.deepEqual(await listed('tags-any=big,small'), [a.id, b.id].sort());
  assert.deepEqual(await listed('not-tags-any=big'), [b.id]);
  assert.deepEqual((await v3('PUT', `projects/${b.id}/tags`, { tags: ['new'] })).json.tags, ['new']);
  assert.equal((await v3('DELETE', `projects/${b.id}/tags/new`)).status, 204);
  assert.equal((await v3('DELETE', `projects/${b.id}/tags/new`)).status, 404);
});

test('lists filter exactly and inexactly, page by page', async () => {
  const names = ['Alpha_one', 'alphaXone', 'beta'].map((name) => unique(name));
  for (const name of names) await made('user', { name, enabled: name.startsWith('b') });
  const listed = async (query: string): Promise<string[]> => (await v3('GET', `users?${query}`)).json.users.map((user: { name: string }) => user.name).filter((name: string) => names.includes(name));
  assert.deepEqual(await listed(`name=${names[2]}`), [names[2]]);
  assert.deepEqual(await listed('name__contains=lpha'), [names[0], names[1]]);
  assert.deepEqual(await listed('name__startswith=Alpha'), [names[0]], 'case counts');
  assert.deepEqual(await listed('name__istartswith=ALPHA'), [names[0], names[1]]);
  assert.deepEqual(await listed('name__contains=a_o'), [names[0]], 'an underscore is no wildcard');
  assert.deepEqual(await listed('enabled=true'), [names[2]]);
  assert.deepEqual(await listed('domain_id=nothing'), []);
  const seen: string[] = [];
  let path: string | null = '/identity/v3/users?limit=2';
  while (path !== null) {
    const page: TestResponse = await cloud.call('GET', path);
    assert.ok(page.json.users.length <= 2);
    seen.push(...ids(page.json.users));
    path = page.json.links.next === null ? null : new URL(page.json.links.next).pathname + new URL(page.json.links.next).search;
  }
  assert.deepEqual(seen, ids((await v3('GET', 'users')).json.users));
  assert.equal(new Set(seen).size, seen.length);
});

test('a domain goes with all in it, once it is disabled', async () => {
  const domain = await made('domain');
  const user = await made('user', { domain_id: domain.id });
  const group = await made('group', { domain_id: domain.id });
  const project = await made('project', { domain_id: domain.id });
  const gone: string[] = [];
  cloud.identity.client.onProjectDeleted((id) => gone.push(id));
  refused(await v3('DELETE', `domains/${domain.id}`), 403, /enabled/);
  assert.equal((await v3('PATCH', `domains/${domain.id}`, { domain: { enabled: false } })).status, 200);
  assert.equal((await v3('DELETE', `domains/${domain.id}`)).status, 204);
  for (const path of [`users/${user.id}`, `groups/${group.id}`, `projects/${project.id}`, `domains/${domain.id}`]) assert.equal((await v3('GET', path)).status, 404);
  assert.deepEqual(gone, [project.id]);
  const acting = await made('project', { is_domain: true });
  assert.equal(acting.domain_id, null);
  assert.ok(ids((await v3('GET', 'domains')).json.domains).includes(acting.id));
  assert.ok(!ids((await v3('GET', 'projects')).json.projects).includes(acting.id));
});

test('passwords are never shown, and a user may not read or change another', async () => {
  const user = await made('user', { password: 'pw', email: 'a@b' });
  assert.equal(user.password, undefined);
  assert.equal(user.email, 'a@b');
  assert.doesNotMatch((await v3('GET', `users/${user.id}`)).text, /pw|scrypt/);
  const token = await cloud.login(password({ id: user.id, password: 'pw' }));
  assert.equal((await v3('GET', `users/${user.id}`, undefined, token)).status, 200);
  const other = await made('user');
  refused(await v3('GET', `users/${other.id}`, undefined, token), 403, /^You are not authorized to perform the requested action: identity:get_user\.$/);
  refused(await v3('GET', 'users', undefined, token), 403, /list_users/);
  refused(await v3('PATCH', `users/${user.id}`, { user: { enabled: true } }, token), 403, /update_user/);
  refused(await v3('POST', 'users', { user: { name: 'x' } }, token), 403, /create_user/);
  refused(await v3('POST', 'users', { user: { name: user.name } }), 409, /user/);
});

test('roles reach a user by groups, by inheritance and by implication, and stop with them', async () => {
  const domain = await made('domain');
  const project = await made('project', { domain_id: domain.id });
  const child = await made('project', { domain_id: domain.id, parent_id: project.id });
  const user = await made('user', { domain_id: domain.id, password: 'pw' });
  const group = await made('group', { domain_id: domain.id });
  const rolesIn = async (id: string): Promise<string[] | undefined> => {
    const got = await cloud.call('POST', '/identity/v3/auth/tokens', { token: null, body: password({ id: user.id, password: 'pw' }, { project: { id } }) });
    return got.status === 401 ? undefined : got.json.token.roles.map((role: { name: string }) => role.name);
  };
  assert.equal(await rolesIn(child.id), undefined);
  const member = await roleId('member');
  await v3('PUT', `groups/${group.id}/users/${user.id}`);
  const path = `OS-INHERIT/domains/${domain.id}/groups/${group.id}/roles/${member}/inherited_to_projects`;
  assert.equal((await v3('PUT', path)).status, 204);
  assert.equal((await v3('HEAD', path)).status, 204);
  assert.deepEqual(await rolesIn(child.id), ['member', 'reader']);
  assert.deepEqual(ids((await v3('GET', `users/${user.id}/projects`)).json.projects).sort(), [project.id, child.id].sort());
  const effective = (await v3('GET', `role_assignments?effective&user.id=${user.id}&scope.project.id=${child.id}&include_names`)).json.role_assignments;
  assert.deepEqual(effective.map((one: any) => one.role.name).sort(), ['member', 'reader']);
  for (const one of effective) {
    assert.equal(one.user.domain.name, domain.name);
    assert.equal(one.scope['OS-INHERIT:inherited_to'], 'projects');
    assert.equal(one.links.assignment, `${cloud.url}/identity/v3/OS-INHERIT/domains/${domain.id}/groups/${group.id}/roles/${member}/inherited_to_projects`);
    assert.equal(one.links.membership, `${cloud.url}/identity/v3/groups/${group.id}/users/${user.id}`);
  }
  await v3('DELETE', `groups/${group.id}/users/${user.id}`);
  assert.equal(await rolesIn(child.id), undefined);
  const inherited = `OS-INHERIT/projects/${project.id}/users/${user.id}/roles/${await roleId('reader')}/inherited_to_projects`;
  assert.equal((await v3('PUT', inherited)).status, 204);
  assert.deepEqual(await rolesIn(child.id), ['reader']);
  assert.equal(await rolesIn(project.id), undefined, 'what is for those below is not for itself');
  assert.equal((await v3('DELETE', inherited)).status, 204);
  assert.equal((await v3('DELETE', inherited)).status, 404);
  assert.equal(await rolesIn(child.id), undefined);
});

test('roles imply roles, but nothing implies admin', async () => {
  const prior = await made('role');
  const implied = await made('role');
  assert.equal((await v3('PUT', `roles/${prior.id}/implies/${implied.id}`)).status, 201);
  assert.equal((await v3('HEAD', `roles/${prior.id}/implies/${implied.id}`)).status, 204);
  assert.deepEqual(ids((await v3('GET', `roles/${prior.id}/implies`)).json.role_inference.implies), [implied.id]);
  const rules = (await v3('GET', 'role_inferences')).json.role_inferences;
  assert.deepEqual(ids(rules.find((one: any) => one.prior_role.id === prior.id).implies), [implied.id]);
  refused(await v3('PUT', `roles/${prior.id}/implies/${await roleId('admin')}`), 403, /cannot be an implied/);
  assert.equal((await v3('DELETE', `roles/${prior.id}/implies/${implied.id}`)).status, 204);
  assert.equal((await v3('GET', `roles/${prior.id}/implies/${implied.id}`)).status, 404);
});

test('a role of a domain stays in it', async () => {
  const domain = await made('domain');
  const role = await made('role', { domain_id: domain.id });
  const user = await made('user');
  const elsewhere = await made('project');
  refused(await v3('PUT', `projects/${elsewhere.id}/users/${user.id}/roles/${role.id}`), 403, /same domain/);
  const here = await made('project', { domain_id: domain.id });
  assert.equal((await v3('PUT', `projects/${here.id}/users/${user.id}/roles/${role.id}`)).status, 204);
  assert.ok(!ids((await v3('GET', 'roles')).json.roles).includes(role.id));
  assert.deepEqual(ids((await v3('GET', `roles?domain_id=${domain.id}`)).json.roles), [role.id]);
});

test('a manager of a domain manages that domain, with its roles, and nothing else', async () => {
  const domain = await made('domain');
  const manager = await made('user', { domain_id: domain.id, password: 'pw' });
  await v3('PUT', `domains/${domain.id}/users/${manager.id}/roles/${await roleId('manager')}`);
  const token = await cloud.login(password({ id: manager.id, password: 'pw' }, { domain: { id: domain.id } }));
  const project = await v3('POST', 'projects', { project: { name: 'theirs' } }, token);
  assert.equal(project.status, 201, project.text);
  assert.equal(project.json.project.domain_id, domain.id, 'their domain, without being told');
  refused(await v3('POST', 'users', { user: { name: 'theirs' } }, token), 403, /create_user/);
  const user = await v3('POST', 'users', { user: { name: 'theirs', domain_id: domain.id } }, token);
  assert.equal(user.status, 201, user.text);
  const grant = (role: string) => v3('PUT', `projects/${project.json.project.id}/users/${user.json.user.id}/roles/${role}`, undefined, token);
  assert.equal((await grant(await roleId('member'))).status, 204);
  assert.equal((await grant(await roleId('admin'))).status, 403);
  refused(await v3('POST', 'projects', { project: { name: 'x', domain_id: 'default' } }, token), 403, /create_project/);
  refused(await v3('POST', 'users', { user: { name: 'x', domain_id: 'default' } }, token), 403, /create_user/);
  const seen = (await v3('GET', 'users', undefined, token)).json.users;
  assert.ok(seen.every((one: { domain_id: string }) => one.domain_id === domain.id));
  assert.equal(seen.length, 2);
});

test('the catalog follows services and endpoints at once, and regions guard theirs', async () => {
  const service = (await v3('POST', 'services', { service: { type: unique('type'), name: 'n' } })).json.service;
  const parent = (await v3('POST', 'regions', { region: { id: unique('region') } })).json.region;
  const region = (await v3('PUT', `regions/${unique('region')}`, { region: { parent_region_id: parent.id } })).json.region;
  const endpoint = await v3('POST', 'endpoints', { endpoint: { service_id: service.id, interface: 'public', url: 'http://x/$(project_id)s', region_id: region.id } });
  assert.equal(endpoint.status, 201, endpoint.text);
  const shown = async () => (await v3('GET', 'auth/catalog')).json.catalog.find((one: { id: string }) => one.id === service.id);
  const me = (await cloud.identity.client.authenticate(cloud.admin))?.project_id;
  assert.equal((await shown()).endpoints[0].url, `http://x/${me}`);
  refused(await v3('DELETE', `regions/${parent.id}`), 403, /associated endpoints/);
  refused(await v3('PATCH', `regions/${parent.id}`, { region: { parent_region_id: region.id } }), 400, /circular/);
  refused(await v3('POST', 'endpoints', { endpoint: { service_id: service.id, interface: 'secret', url: 'http://x' } }), 400, /interface/);
  refused(await v3('POST', 'endpoints', { endpoint: { service_id: service.id, interface: 'public', url: 'http://x/$(nonsense)s' } }), 400, /invalid URL/);
  refused(await v3('POST', 'endpoints', { endpoint: { service_id: 'none', interface: 'public', url: 'http://x' } }), 400, /service/);
  await v3('PATCH', `endpoints/${endpoint.json.endpoint.id}`, { endpoint: { enabled: false } });
  assert.equal(await shown(), undefined);
  await v3('DELETE', `services/${service.id}`);
  assert.equal((await v3('GET', `endpoints/${endpoint.json.endpoint.id}`)).status, 404);
  assert.equal((await v3('DELETE', `regions/${parent.id}`)).status, 204);
  assert.equal((await v3('GET', `regions/${region.id}`)).status, 404);
});

test('a project can be shown some endpoints only', async () => {
  const service = (await v3('GET', 'services?type=compute')).json.services[0];
  const me = (await cloud.identity.client.authenticate(cloud.admin))?.project_id;
  const group = await v3('POST', 'OS-EP-FILTER/endpoint_groups', { endpoint_group: { name: 'g', filters: { service_id: service.id, interface: 'public' } } });
  assert.equal(group.status, 201, group.text);
  const path = `OS-EP-FILTER/endpoint_groups/${group.json.endpoint_group.id}/projects/${me}`;
  assert.equal((await v3('PUT', path)).status, 204);
  const catalog = async () => (await v3('GET', 'auth/catalog')).json.catalog;
  assert.deepEqual((await catalog()).map((one: any) => [one.type, one.endpoints.length]), [['compute', 1]]);
  assert.equal((await v3('DELETE', path)).status, 204);
  assert.ok((await catalog()).length > 1);
});

test('without a token, and with paths and methods that are not there, keystone answers in its own words', async () => {
  const none = await cloud.call('GET', '/identity/v3/users', { token: null });
  refused(none, 401, /requires authentication/);
  assert.match(none.headers.get('www-authenticate') ?? '', /^Keystone uri=/);
  refused(await v3('GET', 'nonsense'), 404, /could not be found/);
  refused(await v3('PUT', 'users'), 405, /not allowed/);
  assert.equal((await v3('GET', 'users/')).status, 200);
});
