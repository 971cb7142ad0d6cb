import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
let id: string;
before(async () => {
  world = await serveCompute();
  id = await world.boot({ metadata: { a: '1' } });
});
after(() => world.close());

test('metadata is read, merged, replaced and deleted', async () => {
  const path = `/servers/${id}/metadata`;
  assert.deepEqual((await world.call('GET', path)).json, { metadata: { a: '1' } });
  assert.deepEqual((await world.call('POST', path, { body: { metadata: { b: '2' } } })).json, { metadata: { a: '1', b: '2' } });
  assert.deepEqual((await world.call('PUT', path, { body: { metadata: { c: '3' } } })).json, { metadata: { c: '3' } });
  assert.deepEqual((await world.call('PUT', `${path}/d`, { body: { meta: { d: '4' } } })).json, { meta: { d: '4' } });
  assert.equal((await world.call('PUT', `${path}/e`, { body: { meta: { d: '4' } } })).status, 400);
  assert.equal((await world.call('PUT', `${path}/e`, { body: { meta: { e: '4', f: '5' } } })).status, 400);
  assert.deepEqual((await world.call('GET', `${path}/d`)).json, { meta: { d: '4' } });
  assert.equal((await world.call('DELETE', `${path}/d`)).status, 204);
  assert.equal((await world.call('DELETE', `${path}/d`)).status, 404);
  assert.equal((await world.call('GET', `${path}/d`)).status, 404);
  assert.equal((await world.call('POST', path, { body: { metadata: { k: 5 } } })).status, 400);
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`k${at}`, 'v']));
  assert.equal((await world.call('POST', path, { body: { metadata: many } })).status, 403);
  assert.deepEqual((await world.show(id)).metadata, { c: '3' });
});

test('writers of metadata at once do not undo each other', async () => {
  const keys = Array.from({ length: 8 }, (_, at) => `p${at}`);
  await Promise.all(keys.map((key) => world.call('PUT', `/servers/${id}/metadata/${key}`, { body: { meta: { [key]: 'x' } } })));
  const { metadata } = (await world.call('GET', `/servers/${id}/metadata`)).json;
  assert.deepEqual(keys.filter((key) => metadata[key] !== 'x'), []);
});

test('tags are added, listed, replaced and deleted', async () => {
  const path = `/servers/${id}/tags`;
  const added = await world.call('PUT', `${path}/one`);
  assert.equal(added.status, 201);
  assert.match(added.headers.get('location')!, /\/tags\/one$/);
  assert.equal((await world.call('PUT', `${path}/one`)).status, 204);
  assert.equal((await world.call('GET', `${path}/one`)).status, 204);
  assert.equal((await world.call('GET', `${path}/two`)).status, 404);
  assert.deepEqual((await world.call('PUT', path, { body: { tags: ['b', 'a', 'b'] } })).json, { tags: ['a', 'b'] });
  assert.equal((await world.call('PUT', `${path}/${'x'.repeat(61)}`)).status, 400);
  assert.equal((await world.call('PUT', path, { body: { tags: Array.from({ length: 51 }, (_, at) => `t${at}`) } })).status, 400);
  assert.equal((await world.call('DELETE', `${path}/a`)).status, 204);
  assert.deepEqual((await world.call('GET', path)).json, { tags: ['b'] });
  assert.equal((await world.call('DELETE', path)).status, 204);
  assert.deepEqual((await world.call('GET', path)).json, { tags: [] });
  assert.equal((await world.call('GET', path, { version: '2.25' })).status, 404);
});

test('addresses and interfaces', async () => {
  const ips = (await world.call('GET', `/servers/${id}/ips`)).json.addresses;
  assert.deepEqual(Object.keys(ips.private[0]), ['version', 'addr']);
  assert.deepEqual((await world.call('GET', `/servers/${id}/ips/private`)).json, ips);
  assert.equal((await world.call('GET', `/servers/${id}/ips/nowhere`)).status, 404);
  const [nic] = (await world.call('GET', `/servers/${id}/os-interface`)).json.interfaceAttachments;
  assert.equal(nic.fixed_ips[0].ip_address, ips.private[0].addr);
  assert.equal((await world.call('GET', `/servers/${id}/os-interface/${nic.port_id}`)).json.interfaceAttachment.mac_addr, nic.mac_addr);
  assert.equal((await world.call('GET', `/servers/${id}/os-interface/${id}`)).status, 404);
});

test('a server is renamed and described; its host keeps the name it has', async () => {
  const body = { server: { name: 'new', description: 'text', accessIPv4: '1.2.3.4', accessIPv6: '::1' } };
  const { server } = (await world.call('PUT', `/servers/${id}`, { body })).json;
  assert.deepEqual([server.name, server.description, server.accessIPv4, server['OS-EXT-SRV-ATTR:hostname']], ['new', 'text', '1.2.3.4', 'one']);
  assert.ok('OS-EXT-STS:vm_state' in server);
  const old = (await world.call('PUT', `/servers/${id}`, { body: { server: { name: 'newer' } }, version: '2.1' })).json.server;
  assert.ok(!('OS-EXT-STS:vm_state' in old));
  assert.equal((await world.call('PUT', `/servers/${id}`, { body: { server: { description: null } } })).json.server.description, null);
  for (const bad of [{ name: '' }, { name: 5 }, { other: 1 }, { accessIPv4: 'x' }]) {
    assert.equal((await world.call('PUT', `/servers/${id}`, { body: { server: bad } })).status, 400, JSON.stringify(bad));
  }
});

test('a foreign server is not there', async () => {
  for (const [method, path, body] of [
    ['GET', '', undefined], ['PUT', '', { server: { name: 'x' } }], ['DELETE', '', undefined], ['GET', '/metadata', undefined], ['GET', '/tags', undefined],
    ['GET', '/ips', undefined], ['GET', '/os-interface', undefined], ['GET', '/os-instance-actions', undefined], ['POST', '/action', { 'os-stop': null }],
  ] as const) {
    const reply = await world.call(method, `/servers/${id}${path}`, { token: 'other', ...(body === undefined ? {} : { body }) });
    assert.equal(reply.status, 404, `${method} ${path}`);
    assert.equal(reply.json.itemNotFound.message, `Instance ${id} could not be found.`);
  }
  assert.equal((await world.call('DELETE', `/servers/${id}`, { token: 'reader' })).status, 403);
});

test('server groups keep servers apart or together', async () => {
  const make = async (policy: string, rules?: object) =>
    (await world.call('POST', '/os-server-groups', { body: { server_group: { name: 'g', policy, ...(rules ? { rules } : {}) } } })).json.server_group;
  const apart = await make('anti-affinity');
  assert.deepEqual([apart.policy, apart.rules, apart.members], ['anti-affinity', {}, []]);
  const boot = async (group: string): Promise<any> => {
    const body = { server: { name: 'm', imageRef: world.image.id, flavorRef: '1', networks: 'none' }, 'os:scheduler_hints': { group } };
    const { id: made } = (await world.call('POST', '/servers', { body })).json.server;
    await world.settled(made);
    return await world.show(made);
  };
  const [one, two, three] = [await boot(apart.id), await boot(apart.id), await boot(apart.id)];
  assert.notEqual(one['OS-EXT-SRV-ATTR:host'], two['OS-EXT-SRV-ATTR:host']);
  assert.equal(three.status, 'ERROR');
  assert.deepEqual(one.server_groups, [apart.id]);
  assert.equal((await world.call('GET', `/os-server-groups/${apart.id}`)).json.server_group.members.length, 3);
  const together = await make('affinity');
  const [four, five] = [await boot(together.id), await boot(together.id)];
  assert.equal(four['OS-EXT-SRV-ATTR:host'], five['OS-EXT-SRV-ATTR:host']);
  const old = await world.call('POST', '/os-server-groups', { body: { server_group: { name: 'old', policies: ['affinity'] } }, version: '2.63' });
  assert.deepEqual(old.json.server_group.policies, ['affinity']);
  assert.equal((await world.call('POST', '/os-server-groups', { body: { server_group: { name: 'g', policies: ['soft-affinity'] } }, version: '2.14' })).status, 400);
  assert.equal((await world.call('POST', '/os-server-groups', { body: { server_group: { name: 'g', policy: 'affinity', rules: { max_server_per_host: 2 } } } })).status, 400);
  assert.equal((await world.call('GET', '/os-server-groups')).json.server_groups.length, 3);
  assert.equal((await world.call('GET', '/os-server-groups?all_projects=1', { token: ADMIN_TOKEN })).json.server_groups.length, 3);
  assert.equal((await world.call('GET', `/os-server-groups/${apart.id}`, { token: 'other' })).status, 404);
  assert.equal((await world.call('DELETE', `/os-server-groups/${apart.id}`)).status, 204);
  assert.equal((await world.call('DELETE', `/os-server-groups/${apart.id}`)).status, 404);
});
