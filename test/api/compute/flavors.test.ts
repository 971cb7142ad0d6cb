import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, callers, type ServedWorld, serveCompute } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

const admin = { token: ADMIN_TOKEN };
const sizes = { ram: 64, vcpus: 1, disk: 1 };

async function make(flavor: Record<string, unknown>): Promise<any> {
  const made = await world.call('POST', '/flavors', { ...admin, body: { flavor: { ...sizes, ...flavor } } });
  assert.equal(made.status, 200, made.text);
  return made.json.flavor;
}

test('a flavor can be made, seen, described and deleted', async () => {
  const made = await make({ id: 'c1.tiny', name: 'tiny', swap: '8', rxtx_factor: '2.5', 'OS-FLV-EXT-DATA:ephemeral': 2, description: 'small' });
  assert.equal(made.id, 'c1.tiny');
  assert.equal(made.swap, 8);
  assert.equal(made.rxtx_factor, 2.5);
  assert.equal(made['OS-FLV-EXT-DATA:ephemeral'], 2);
  assert.deepEqual(made.extra_specs, {});
  assert.equal(made.links[0].href, `${world.http.url}/compute/v2.1/flavors/c1.tiny`);
  assert.equal(made.links[1].href, `${world.http.url}/compute/flavors/c1.tiny`);
  const described = await world.call('PUT', '/flavors/c1.tiny', { ...admin, body: { flavor: { description: null } } });
  assert.equal(described.status, 200);
  assert.equal(described.json.flavor.description, null);
  assert.equal((await world.call('PUT', '/flavors/c1.tiny', { ...admin, version: '2.54', body: { flavor: { description: null } } })).status, 404);
  assert.equal((await world.call('DELETE', '/flavors/c1.tiny', admin)).status, 202);
  const gone = await world.call('GET', '/flavors/c1.tiny');
  assert.equal(gone.status, 404);
  assert.equal(gone.json.itemNotFound.message, 'Flavor c1.tiny could not be found.');
  assert.equal((await world.call('DELETE', '/flavors/c1.tiny', admin)).status, 404);
});

test('the shape follows the microversion', async () => {
  await make({ id: 'shape', name: 'shape' });
  const at = async (version: string) => (await world.call('GET', '/flavors/shape', { version })).json.flavor;
  const oldest = await at('2.1');
  assert.equal(oldest.swap, '');
  assert.equal('description' in oldest, false);
  assert.equal('description' in (await at('2.55')), true);
  assert.equal('extra_specs' in (await at('2.60')), false);
  assert.deepEqual((await at('2.61')).extra_specs, {});
  assert.equal((await at('2.74')).swap, '');
  assert.equal((await at('2.75')).swap, 0);
  const brief = (await world.call('GET', '/flavors', { version: '2.54' })).json.flavors.find(({ id }: any) => id === 'shape');
  assert.deepEqual(Object.keys(brief).sort(), ['id', 'links', 'name']);
});

test('without an id a UUID is made, ids and names are taken once', async () => {
  const first = await make({ name: 'auto' });
  assert.match(first.id, /^[0-9a-f-]{36}$/);
  const same = await world.call('POST', '/flavors', { ...admin, body: { flavor: { ...sizes, name: 'auto' } } });
  assert.equal(same.status, 409);
  assert.match(same.json.conflictingRequest.message, /with name auto already exists/);
  const sameId = await world.call('POST', '/flavors', { ...admin, body: { flavor: { ...sizes, name: 'auto2', id: first.id } } });
  assert.match(sameId.json.conflictingRequest.message, /with ID .* already exists/);
  assert.equal((await make({ name: 'number', id: 12345 })).id, '12345');
});

test('what is not a flavor is refused', async () => {
  const bad = [
    { name: '' }, { name: ' x' }, { name: 'x'.repeat(256) }, { ram: 0 }, { ram: '0' }, { vcpus: -1 }, { disk: 'big' }, { ram: 2147483648 }, { vcpus: '2147483648' },
    { id: ' a' }, { id: 'a/b' }, { id: '' }, { rxtx_factor: 0 }, { rxtx_factor: '0' }, { 'os-flavor-access:is_public': 'maybe' }, { description: 'a\u0000b' }, { colour: 'red' },
  ];
  for (const flavor of bad) {
    const reply = await world.call('POST', '/flavors', { ...admin, body: { flavor: { ...sizes, name: 'bad', ...flavor } } });
    assert.equal(reply.status, 400, `${JSON.stringify(flavor)}: ${reply.text}`);
  }
  assert.equal((await world.call('POST', '/flavors', { ...admin, version: '2.54', body: { flavor: { ...sizes, name: 'bad', description: 'no' } } })).status, 400);
  assert.equal((await world.call('POST', '/flavors', { body: { flavor: { ...sizes, name: 'bad' } } })).status, 403);
  const all = (await world.call('GET', '/flavors?is_public=none', admin)).json.flavors;
  assert.equal(all.some(({ name }: any) => name === 'bad'), false);
});

test('lists are filtered, sorted and paged', async () => {
  for (const n of [1, 2, 3]) await make({ id: `list-${n}`, name: `list ${4 - n}`, ram: 1000 * n, disk: 100 * n });
  const ids = async (query: string, options = {}) => (await world.call('GET', `/flavors${query}`, options)).json.flavors.map(({ id }: any) => id);
  assert.deepEqual(await ids('?minRam=2000'), ['list-2', 'list-3']);
  assert.deepEqual(await ids('?minDisk=300'), ['list-3']);
  assert.deepEqual(await ids('?minRam=1000&sort_key=name'), ['list-3', 'list-2', 'list-1']);
  assert.deepEqual(await ids('?minRam=1000&sort_key=memory_mb&sort_dir=desc'), ['list-3', 'list-2', 'list-1']);
  const first = await world.call('GET', '/flavors?minRam=1000&limit=2');
  assert.equal(first.json.flavors_links[0].rel, 'next');
  const next = new URL(first.json.flavors_links[0].href);
  assert.deepEqual(await ids(next.search), ['list-3']);
  assert.equal('flavors_links' in (await world.call('GET', '/flavors?minRam=1000')).json, false);
  for (const query of ['?minRam=x', '?minDisk=x', '?marker=nobody', '?limit=-1', '?sort_key=colour', '?sort_dir=up', '?colour=red']) {
    assert.equal((await world.call('GET', `/flavors${query}`)).status, 400, query);
  }
  assert.equal((await world.call('GET', '/flavors?colour=red', { version: '2.74' })).status, 200);
  assert.equal((await world.call('GET', '/flavors?is_public=maybe', admin)).status, 400);
});

test('private flavors are for those who were given access', async () => {
  await make({ id: 'private', name: 'private', 'os-flavor-access:is_public': false });
  const action = (body: unknown, version = 'latest') => world.call('POST', '/flavors/private/action', { ...admin, version, body });
  const seen = async (token: string) => (await world.call('GET', '/flavors', { token })).json.flavors.some(({ id }: any) => id === 'private');
  assert.equal((await world.call('GET', '/flavors/private', { token: 'member' })).status, 404);
  assert.equal(await seen('member'), false);
  assert.equal(await seen(ADMIN_TOKEN), false);
  assert.equal((await world.call('GET', '/flavors?is_public=False', admin)).json.flavors[0].id, 'private');
  const project_id = callers['member']!.project_id!;
  const added = await action({ addTenantAccess: { tenant: project_id } });
  assert.equal(added.status, 200, added.text);
  assert.deepEqual(added.json, { flavor_access: [{ flavor_id: 'private', tenant_id: project_id }] });
  assert.equal((await action({ addTenantAccess: { tenant: project_id } })).status, 409);
  assert.equal((await action({ addTenantAccess: { tenant: 'nobody' } })).status, 400);
  assert.equal(await seen('member'), true);
  assert.equal(await seen('other'), false);
  assert.equal((await world.call('GET', '/flavors/private/os-flavor-access', { token: 'member' })).status, 403);
  assert.equal((await world.call('GET', '/flavors/1/os-flavor-access', admin)).status, 404);
  assert.deepEqual((await world.call('GET', '/flavors/private/os-flavor-access', admin)).json, added.json);
  assert.deepEqual((await action({ removeTenantAccess: { tenant: project_id } })).json, { flavor_access: [] });
  assert.equal((await action({ removeTenantAccess: { tenant: project_id } })).status, 404);
  const onPublic = (version: string) => world.call('POST', '/flavors/1/action', { ...admin, version, body: { addTenantAccess: { tenant: project_id } } });
  assert.equal((await onPublic('2.7')).status, 409);
  assert.equal((await onPublic('2.6')).status, 200);
});

test('extra specs are added, changed and removed', async () => {
  await make({ id: 'specs', name: 'specs' });
  const path = '/flavors/specs/os-extra_specs';
  const added = await world.call('POST', path, { ...admin, body: { extra_specs: { 'hw:numa_nodes': 1, 'docker:pids': '100' } } });
  assert.equal(added.status, 200, added.text);
  assert.deepEqual(added.json, { extra_specs: { 'hw:numa_nodes': 1, 'docker:pids': '100' } });
  assert.deepEqual((await world.call('GET', path, { token: 'reader' })).json, { extra_specs: { 'hw:numa_nodes': '1', 'docker:pids': '100' } });
  assert.deepEqual((await world.call('PUT', `${path}/docker:pids`, { ...admin, body: { 'docker:pids': '7' } })).json, { 'docker:pids': '7' });
  assert.equal((await world.call('PUT', `${path}/docker:pids`, { ...admin, body: { other: '7' } })).status, 400);
  assert.equal((await world.call('PUT', `${path}/a`, { ...admin, body: { a: '1', b: '2' } })).status, 400);
  assert.deepEqual((await world.call('GET', `${path}/docker:pids`)).json, { 'docker:pids': '7' });
  assert.equal((await world.call('DELETE', `${path}/docker:pids`, admin)).status, 200);
  const gone = await world.call('GET', `${path}/docker:pids`);
  assert.equal(gone.status, 404);
  assert.equal(gone.json.itemNotFound.message, 'Flavor specs has no extra specs with key docker:pids.');
  assert.equal((await world.call('DELETE', `${path}/docker:pids`, admin)).status, 404);
  assert.equal((await world.call('POST', path, { body: { extra_specs: { a: 'b' } } })).status, 403);
  assert.equal((await world.call('POST', '/flavors/none/os-extra_specs', { ...admin, body: { extra_specs: { a: 'b' } } })).status, 404);
});

test('from 2.86 on the extra specs that nova knows are checked', async () => {
  await make({ id: 'checked', name: 'checked' });
  const set = async (key: string, value: string, version = '2.86') =>
    (await world.call('POST', '/flavors/checked/os-extra_specs', { ...admin, version, body: { extra_specs: { [key]: value } } })).status;
  const bad: [string, string][] = [
    ['hw:numa_nodes', 'foo'], ['hw:numa_nodes', '0'], ['hw:foo', '1'], ['hw:cpu_policy', 'sharrred'], ['hw_rng:allowed', 'perhaps'], ['resources:VCPU', 'many'],
    ['resources1:FOO', '1'], ['trait:CUSTOM_GOLD', 'wanted'], ['quota:cpu_shares', '-1'], ['hw:mem_page_size', '2 MB'], ['group_policy', 'all'], ['os:foo', 'bar'],
  ];
  for (const [key, value] of bad) assert.equal(await set(key, value), 400, `${key}=${value}`);
  const good: [string, string][] = [
    ['hw:numa_nodes', '2'], ['hw:numa_cpus.0', '0-3,^2'], ['trait1:CUSTOM_GOLD', 'required'], ['resources:VCPU', '2'], ['other:pids', 'x'], ['free', 'text'],
    ['quota:vif_inbound_average', '100'], ['capabilities:cpu_info:arch', 'x86'], ['aggregate_instance_extra_specs:ssd', 'true'], ['accel:device_profile', 'fpga'],
  ];
  for (const [key, value] of good) assert.equal(await set(key, value), 200, `${key}=${value}`);
  assert.equal(await set('hw:foo', '1', '2.85'), 200);
});

test('a server keeps its flavor when that is deleted', async () => {
  await make({ id: 'used', name: 'used', disk: 1 });
  const id = await world.boot({ flavorRef: 'used' });
  assert.equal((await world.call('DELETE', '/flavors/used', admin)).status, 202);
  assert.equal((await world.show(id)).flavor.original_name, 'used');
});
