import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { password, startIdentity, type TestIdentity } from './cloud.ts';

type V3 = (method: string, path: string, body?: unknown, as?: string | null) => Promise<TestResponse>;
const v3Of = (cloud: TestIdentity): V3 => (method, path, body, as) =>
  cloud.call(method, `/identity/v3/${path}`, { ...(body === undefined ? {} : { body }), ...(as === undefined ? {} : { token: as }) });

async function make(v3: V3, kind: string, fields: object): Promise<string> {
  const got = await v3('POST', `${kind}s`, { [kind]: fields });
  assert.equal(got.status, 201, got.text);
  return got.json[kind].id;
}

async function created(v3: V3, kind: 'limits' | 'registered_limits', fields: object): Promise<any> {
  const got = await v3('POST', kind, { [kind]: [fields] });
  assert.equal(got.status, 201, got.text);
  return got.json[kind][0];
}

describe('the flat model', () => {
  let cloud: TestIdentity;
  let v3: V3;
  let service: string;
  let project: string;
  let member: string;

  before(async () => {
    cloud = await startIdentity();
    v3 = v3Of(cloud);
    service = await make(v3, 'service', { type: 'image', name: 'glance' });
    project = await make(v3, 'project', { name: 'p' });
    const user = await make(v3, 'user', { name: 'alice', password: 'pw' });
    const role = (await v3('GET', 'roles?name=member')).json.roles[0].id;
    await v3('PUT', `projects/${project}/users/${user}/roles/${role}`);
    member = await cloud.login(password({ id: user, password: 'pw' }, { project: { id: project } }));
  });
  after(() => cloud.close());

  const limitOf = (resource_name: string, project_id = project) => cloud.identity.client.limitOf({ service: 'image', resource_name, project_id });

  test('a project has what is registered until it has a limit of its own, and other services hear of it at once', async () => {
    assert.equal(await limitOf('image_count_total'), undefined);
    const registered = await created(v3, 'registered_limits', { service_id: service, resource_name: 'image_count_total', default_limit: 10 });
    assert.deepEqual([registered.region_id, registered.description, registered.default_limit], [null, null, 10]);
    assert.equal(await limitOf('image_count_total'), 10);
    const limit = await created(v3, 'limits', { service_id: service, resource_name: 'image_count_total', resource_limit: 3, project_id: project });
    assert.deepEqual([limit.project_id, limit.domain_id, limit.resource_limit], [project, null, 3]);
    assert.equal(await limitOf('image_count_total'), 3);
    assert.equal(await limitOf('image_count_total', 'another'), 10);
    const changed = await v3('PATCH', `limits/${limit.id}`, { limit: { resource_limit: 0, description: 'none' } });
    assert.deepEqual([changed.json.limit.resource_limit, changed.json.limit.description], [0, 'none']);
    assert.equal(await limitOf('image_count_total'), 0);
    assert.equal((await v3('PATCH', `registered_limits/${registered.id}`, { registered_limit: { default_limit: 1 } })).status, 403, 'a limit refers to it');
    assert.equal((await v3('DELETE', `registered_limits/${registered.id}`)).status, 403);
    assert.equal((await v3('DELETE', `limits/${limit.id}`)).status, 204);
    assert.equal(await limitOf('image_count_total'), 10);
    assert.equal((await v3('PATCH', `registered_limits/${registered.id}`, { registered_limit: { default_limit: -1 } })).status, 200);
    assert.equal(await limitOf('image_count_total'), undefined, 'unlimited');
    assert.equal((await v3('DELETE', `registered_limits/${registered.id}`)).status, 204);
    assert.equal((await v3('GET', `registered_limits/${registered.id}`)).json.error.message, `Could not find registered limit for ${registered.id}.`);
  });

  test('what is registered for the region of the cloud goes before what is for all, and others do not count', async () => {
    await v3('POST', 'regions', { region: { id: 'Elsewhere' } });
    await created(v3, 'registered_limits', { service_id: service, resource_name: 'image_size_total', default_limit: 7, region_id: 'Elsewhere' });
    assert.equal(await limitOf('image_size_total'), undefined);
    await created(v3, 'registered_limits', { service_id: service, resource_name: 'image_size_total', default_limit: 8 });
    assert.equal(await limitOf('image_size_total'), 8);
    await created(v3, 'registered_limits', { service_id: service, resource_name: 'image_size_total', default_limit: 9, region_id: 'RegionOne' });
    assert.equal(await limitOf('image_size_total'), 9);
    const there = (await v3('GET', 'registered_limits?region_id=Elsewhere')).json.registered_limits;
    assert.deepEqual(there.map((one: any) => one.default_limit), [7]);
    await v3('DELETE', 'regions/Elsewhere');
    assert.deepEqual((await v3('GET', 'registered_limits?region_id=Elsewhere')).json.registered_limits, []);
  });

  test('of several limits in one request all are made or none', async () => {
    const fields = { service_id: service, resource_name: 'twice', default_limit: 1 };
    const twice = await v3('POST', 'registered_limits', { registered_limits: [fields, fields] });
    assert.equal(twice.status, 409, twice.text);
    assert.deepEqual((await v3('GET', 'registered_limits?resource_name=twice')).json.registered_limits, []);
    await created(v3, 'registered_limits', fields);
    const limit = { service_id: service, resource_name: 'twice', resource_limit: 1, project_id: project };
    assert.equal((await v3('POST', 'limits', { limits: [limit, limit] })).status, 409);
    assert.equal((await v3('POST', 'limits', { limits: [limit, { ...limit, resource_name: 'unregistered' }] })).status, 403);
    assert.deepEqual((await v3('GET', 'limits?resource_name=twice')).json.limits, []);
  });

  test('members see the limits of their project and change none', async () => {
    await created(v3, 'registered_limits', { service_id: service, resource_name: 'seen', default_limit: 1 });
    const other = await make(v3, 'project', { name: 'other' });
    const own = await created(v3, 'limits', { service_id: service, resource_name: 'seen', resource_limit: 2, project_id: project });
    const foreign = await created(v3, 'limits', { service_id: service, resource_name: 'seen', resource_limit: 2, project_id: other });
    assert.deepEqual((await v3('GET', 'limits?resource_name=seen', undefined, member)).json.limits.map((one: any) => one.id), [own.id]);
    assert.equal((await v3('GET', `limits/${own.id}`, undefined, member)).status, 200);
    assert.equal((await v3('GET', `limits/${foreign.id}`, undefined, member)).status, 403);
    assert.equal((await v3('PATCH', `limits/${own.id}`, { limit: { resource_limit: 99 } }, member)).status, 403);
    assert.equal((await v3('POST', 'limits', { limits: [] }, member)).status, 403);
    assert.equal((await v3('GET', 'registered_limits', undefined, member)).status, 200);
    assert.deepEqual((await v3('GET', 'limits/model', undefined, member)).json.model.name, 'flat');
    await v3('DELETE', `projects/${other}`);
    assert.equal((await v3('GET', `limits/${foreign.id}`)).status, 404, 'it goes with its project');
  });

  test('bad requests change nothing', async () => {
    const registered = { service_id: service, resource_name: 'bad', default_limit: 1 };
    const refused: [object, RegExp][] = [
      [{ ...registered, default_limit: -2 }, /default_limit/], [{ ...registered, default_limit: '5' }, /default_limit/], [{ ...registered, default_limit: 2 ** 31 }, /default_limit/],
      [{ ...registered, service_id: 'f'.repeat(32) }, /service_id/], [{ ...registered, region_id: 'Nowhere' }, /region_id/], [{ ...registered, resource_name: '' }, /resource_name/],
      [{ ...registered, more: 1 }, /more/], [{ resource_name: 'bad', default_limit: 1 }, /service_id/],
    ];
    for (const [body, words] of refused) {
      const got = await v3('POST', 'registered_limits', { registered_limits: [body] });
      assert.equal(got.status, 400, got.text);
      assert.match(got.json.error.message, words);
    }
    assert.equal((await v3('POST', 'registered_limits', { registered_limits: [] })).status, 400);
    assert.deepEqual((await v3('GET', 'registered_limits?resource_name=bad')).json.registered_limits, []);
    const limit = { service_id: service, resource_name: 'image_size_total', resource_limit: 1 };
    for (const owner of [{}, { project_id: project, domain_id: 'default' }, { project_id: 'f'.repeat(32) }, { domain_id: project }, { project_id: null }]) {
      const got = await v3('POST', 'limits', { limits: [{ ...limit, ...owner }] });
      assert.equal(got.status, 400, got.text);
    }
    assert.deepEqual((await v3('GET', 'limits?resource_name=image_size_total')).json.limits, []);
  });
});

describe('the strict model', () => {
  let cloud: TestIdentity;
  let v3: V3;
  let service: string;
  let domain: string;
  let project: string;

  before(async () => {
    cloud = await startIdentity({ config: { limit_model: 'strict_two_level' } });
    v3 = v3Of(cloud);
    service = await make(v3, 'service', { type: 'image' });
    domain = await make(v3, 'domain', { name: 'd' });
    project = await make(v3, 'project', { name: 'p', domain_id: domain });
    await created(v3, 'registered_limits', { service_id: service, resource_name: 'n', default_limit: 10 });
  });
  after(() => cloud.close());

  const limit = (fields: object) => ({ service_id: service, resource_name: 'n', ...fields });

  test('a project never has more than its domain, and a domain never less than its projects', async () => {
    assert.equal((await v3('GET', 'limits/model')).json.model.name, 'strict_two_level');
    const over = await v3('POST', 'limits', { limits: [limit({ project_id: project, resource_limit: 11 })] });
    assert.equal(over.status, 403, over.text);
    assert.match(over.json.error.message, /doesn't satisfy current hierarchy model/);
    assert.equal((await v3('POST', 'limits', { limits: [limit({ project_id: project, resource_limit: -1 })] })).status, 403);
    const both = await v3('POST', 'limits', { limits: [limit({ project_id: project, resource_limit: 15 }), limit({ project_id: domain, resource_limit: 20 })] });
    assert.equal(both.status, 201, both.text);
    const [own, above] = both.json.limits;
    assert.deepEqual([above.project_id, above.domain_id], [null, domain], 'a domain is no project');
    assert.equal((await v3('PATCH', `limits/${above.id}`, { limit: { resource_limit: 14 } })).status, 403);
    assert.equal((await v3('GET', `limits/${above.id}`)).json.limit.resource_limit, 20);
    assert.equal((await v3('PATCH', `limits/${own.id}`, { limit: { resource_limit: 21 } })).status, 403);
    assert.equal((await v3('PATCH', `limits/${above.id}`, { limit: { resource_limit: -1 } })).status, 200);
    assert.equal((await v3('PATCH', `limits/${own.id}`, { limit: { resource_limit: -1 } })).status, 200);
    assert.equal((await v3('PATCH', `limits/${above.id}`, { limit: { resource_limit: 1000 } })).status, 403);
    await v3('DELETE', `limits/${own.id}`);
    assert.equal((await v3('PATCH', `limits/${above.id}`, { limit: { resource_limit: 4 } })).status, 200);
    assert.equal(await cloud.identity.client.limitOf({ service: 'image', resource_name: 'n', project_id: project }), 4);
  });

  test('projects are two levels deep at most', async () => {
    const child = await make(v3, 'project', { name: 'child', domain_id: domain, parent_id: project });
    assert.equal((await v3('POST', 'projects', { project: { name: 'grandchild', domain_id: domain, parent_id: child } })).status, 403);
  });
});

test('a cloud whose projects are deeper does not start with the strict model', async () => {
  const cloud = await startIdentity();
  try {
    const v3 = v3Of(cloud);
    let parent = await make(v3, 'project', { name: '1' });
    for (const name of ['2', '3', '4', '5']) parent = await make(v3, 'project', { name, parent_id: parent });
    assert.equal((await v3('POST', 'projects', { project: { name: '6', parent_id: parent } })).status, 403);
    await assert.rejects(startIdentity({ config: { limit_model: 'strict_two_level' }, database: cloud.database }), /levels of projects; these are deeper/);
  } finally {
    await cloud.close();
  }
});
