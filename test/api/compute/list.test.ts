import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
let ids: string[];

before(async () => {
  world = await serveCompute();
  ids = [await world.boot({ name: 'alpha-1', tags: ['red', 'big'] }), await world.boot({ name: 'alpha-2', flavorRef: '2', tags: ['red'] }), await world.boot({ name: 'beta' })];
  await world.boot({ name: 'foreign' }, 'other');
  await world.call('POST', `/servers/${ids[2]}/action`, { body: { 'os-stop': null } });
  await world.settled(ids[2]!);
});
after(() => world.close());

async function names(query: string, options: { token?: string; version?: string } = {}): Promise<string[]> {
  const reply = await world.call('GET', `/servers${query}`, options);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.servers.map((server: any) => server.name);
}
const status = async (query: string, options: { token?: string; version?: string } = {}) => (await world.call('GET', `/servers${query}`, options)).status;

test('a list has the own project\'s servers, newest first; administrators may ask for all', async () => {
  assert.deepEqual(await names(''), ['beta', 'alpha-2', 'alpha-1']);
  assert.deepEqual(await names('?all_tenants=1', { token: ADMIN_TOKEN }), ['foreign', 'beta', 'alpha-2', 'alpha-1']);
  assert.deepEqual(await names(`?all_tenants=True&project_id=${'e'.repeat(32)}`, { token: ADMIN_TOKEN }), ['foreign']);
  assert.deepEqual(await names('', { token: ADMIN_TOKEN }), []);
  assert.equal(await status('?all_tenants=1'), 403);
  assert.equal(await status('?all_tenants=maybe', { token: ADMIN_TOKEN }), 400);
});

test('filters', async () => {
  assert.deepEqual(await names('?name=alpha'), ['alpha-2', 'alpha-1']);
  assert.deepEqual(await names('?name=%5Ealpha-%5B0-9%5D%2B%24'), ['alpha-2', 'alpha-1']);
  assert.deepEqual(await names('?name=%5Ebeta'), ['beta']);
  assert.equal(await status('?name=%5B'), 400);
  assert.equal(await status(`?name=${encodeURIComponent('^(a+)+$')}&host=x`), 200);
  assert.deepEqual(await names('?status=SHUTOFF'), ['beta']);
  assert.deepEqual(await names('?status=active&status=shutoff'), ['beta', 'alpha-2', 'alpha-1']);
  assert.equal(await status('?status=WHAT'), 400);
  assert.deepEqual(await names('?status=WHAT', { version: '2.37' }), []);
  assert.deepEqual(await names('?flavor=2'), ['alpha-2']);
  assert.deepEqual(await names(`?image=${world.image.id}`), ['beta', 'alpha-2', 'alpha-1']);
  assert.deepEqual(await names('?tags=red,big'), ['alpha-1']);
  assert.deepEqual(await names('?tags-any=big,blue'), ['alpha-1']);
  assert.deepEqual(await names('?not-tags=red,big'), ['beta', 'alpha-2']);
  assert.deepEqual(await names('?not-tags-any=red'), ['beta']);
  assert.deepEqual(await names('?locked=true'), []);
  assert.deepEqual(await names('?power_state=4'), ['beta']);
  assert.deepEqual(await names('?changes-since=2999-01-01T00:00:00Z'), []);
  assert.deepEqual(await names('?changes-before=2999-01-01T00:00:00Z&changes-since=2000-01-01T00:00:00Z'), ['beta', 'alpha-2', 'alpha-1']);
  assert.equal(await status('?changes-since=yesterday'), 400);
  assert.equal(await status('?changes-since=2999-01-01T00:00:00Z&changes-before=2000-01-01T00:00:00Z'), 400);
  const address = (await world.show(ids[0]!)).addresses.private[0].addr;
  assert.deepEqual(await names(`?ip=${address}`), ['alpha-1']);
  assert.deepEqual(await names('?ip=10.0.0.'), ['beta', 'alpha-2', 'alpha-1']);
});

test('a filter that is for administrators is passed over for others; an unknown one is refused since 2.75', async () => {
  const { 'OS-EXT-SRV-ATTR:host': host } = await world.show(ids[0]!);
  assert.equal((await names(`?host=nowhere`)).length, 3);
  assert.equal((await names(`?host=nowhere&all_tenants=1`, { token: ADMIN_TOKEN })).length, 0);
  assert.ok((await names(`?host=${host}&all_tenants=1`, { token: ADMIN_TOKEN })).includes('alpha-1'));
  assert.equal(await status('?colour=red'), 400);
  assert.equal(await status('?colour=red', { version: '2.74' }), 200);
  assert.equal(await status('?metadata=x', { version: '2.1' }), 400);
  assert.equal(await status('?tags=red', { version: '2.25' }), 200);
});

test('pages follow each other by their links, in the order asked for', async () => {
  const seen: string[] = [];
  let query = '?limit=2&sort_key=display_name&sort_dir=asc';
  for (;;) {
    const { servers, servers_links } = (await world.call('GET', `/servers/detail${query}`)).json;
    seen.push(...servers.map((server: any) => server.name));
    if (servers_links === undefined) break;
    const next = new URL(servers_links[0].href);
    assert.equal(next.pathname, '/compute/v2.1/servers/detail');
    query = next.search;
  }
  assert.deepEqual(seen, ['alpha-1', 'alpha-2', 'beta']);
  assert.equal(await status('?marker=00000000-0000-4000-8000-00000000dead'), 400);
  assert.equal(await status('?limit=-1'), 400);
  assert.equal(await status('?limit=x'), 400);
  assert.equal(await status('?sort_key=nope'), 400);
  assert.equal(await status('?sort_key=host'), 403);
  assert.equal((await names('?sort_key=display_name&sort_dir=desc&sort_key=uuid')).length, 3);
});

test('deleted servers are for administrators, or come with changes-since', async () => {
  const id = await world.boot({ name: 'short' }, 'other');
  await world.call('DELETE', `/servers/${id}`, { token: 'other' });
  await world.settled(id);
  assert.deepEqual(await names('?deleted=true&all_tenants=1', { token: ADMIN_TOKEN }), ['short']);
  assert.deepEqual(await names('?status=deleted&all_tenants=1', { token: ADMIN_TOKEN }), ['short']);
  assert.equal(await status('?status=deleted', { token: 'other' }), 403);
  assert.deepEqual(await names('?changes-since=2000-01-01T00:00:00Z', { token: 'other' }), ['short', 'foreign']);
  const deleted = (await world.call('GET', '/servers/detail?changes-since=2000-01-01T00:00:00Z', { token: 'other' })).json.servers[0];
  assert.equal(deleted.status, 'DELETED');
});

test('a representation has the fields of its version', async () => {
  const get = async (version: string, token = 'member') => (await world.call('GET', `/servers/${ids[0]}`, { version, token })).json.server;
  const first = await get('2.1');
  assert.ok(!('locked' in first || 'description' in first || 'tags' in first || 'OS-EXT-SRV-ATTR:host' in first));
  assert.deepEqual(first.flavor.id, '1');
  assert.equal(first.flavor.links[0].rel, 'bookmark');
  assert.equal((await get('2.9')).locked, false);
  assert.equal((await get('2.19')).description, null);
  assert.deepEqual((await get('2.26')).tags, ['big', 'red']);
  assert.equal((await get('2.47')).flavor.original_name, 'm1');
  assert.equal((await get('2.63')).trusted_image_certificates, null);
  assert.deepEqual((await get('2.71')).server_groups, []);
  assert.equal((await get('2.90'))['OS-EXT-SRV-ATTR:hostname'], 'alpha-1');
  assert.equal((await get('2.96')).pinned_availability_zone, null);
  const admin = await get('2.16', ADMIN_TOKEN);
  assert.equal(admin.host_status, 'UP');
  assert.equal(admin['OS-EXT-SRV-ATTR:reservation_id'].slice(0, 2), 'r-');
  assert.ok(!('OS-EXT-SRV-ATTR:hostname' in (await get('2.2', ADMIN_TOKEN))));
});
