import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ config: { quota_instances: -1, quota_cores: -1, quota_ram: -1, quota_metadata_items: 3 } });
});
after(() => world.close());

const base = (over: Record<string, unknown> = {}) => ({ name: 'one', imageRef: world.image.id, flavorRef: '1', networks: 'auto', ...over });
const create = (over: Record<string, unknown>, options: { version?: string; token?: string } = {}) =>
  world.call('POST', '/servers', { body: { server: base(over) }, ...options });

async function refused(over: Record<string, unknown>, status: number, text: RegExp, options: { version?: string; token?: string } = {}): Promise<void> {
  const before = (await world.call('GET', '/servers?all_tenants=1', { token: ADMIN_TOKEN })).json.servers.length;
  const reply = await create(over, options);
  assert.equal(reply.status, status, reply.text);
  const fault = Object.values(reply.json)[0] as { code: number; message: string };
  assert.equal(fault.code, status);
  assert.match(fault.message, text);
  assert.equal((await world.call('GET', '/servers?all_tenants=1', { token: ADMIN_TOKEN })).json.servers.length, before, 'nothing was made');
}

test('what is wrong with a request is said in nova\'s words, and nothing is made', async () => {
  await refused({ flavorRef: '99' }, 400, /Flavor 99 could not be found/);
  await refused({ imageRef: '00000000-0000-4000-8000-00000000dead' }, 400, /Can not find requested image/);
  await refused({ imageRef: undefined }, 400, /Missing imageRef attribute/);
  await refused({ imageRef: 'nonsense' }, 400, /imageRef/);
  await refused({ name: '' }, 400, /name/);
  await refused({ name: ' padded ' }, 400, /name/);
  await refused({ name: 'x'.repeat(256) }, 400, /name/);
  await refused({ unknown: 1 }, 400, /Additional properties are not allowed \('unknown' was unexpected\)/);
  await refused({ networks: undefined }, 400, /'networks' is a required property/);
  await refused({ networks: [{ uuid: '00000000-0000-4000-8000-00000000dead' }] }, 400, /could not be found/);
  await refused({ networks: [{ fixed_ip: '10.0.0.9' }] }, 400, /missing 'uuid'/);
  await refused({ networks: [{ port: world.image.id, fixed_ip: '10.0.0.9' }] }, 400, /cannot be used with port/);
  await refused({ networks: [{ port: world.image.id }, { port: world.image.id }] }, 400, /specified twice/);
  await refused({ security_groups: [{ name: 'nope' }] }, 400, /Security group nope not found/);
  await refused({ key_name: 'nope' }, 400, /Invalid key_name provided/);
  await refused({ min_count: 3, max_count: 2 }, 400, /min_count must be <= max_count/);
  await refused({ min_count: 0 }, 400, /min_count/);
  await refused({ user_data: '***' }, 400, /base 64/);
  await refused({ metadata: { 'a/b': 'c' } }, 400, /metadata/);
  await refused({ metadata: { a: 'x'.repeat(256) } }, 400, /metadata/);
  await refused({ metadata: { a: '1', b: '2', c: '3', d: '4' } }, 403, /Maximum number of metadata items exceeds 3/);
  await refused({ metadata: { 'docker:cmd': 'sleep' } }, 400, /JSON array/);
  await refused({ accessIPv4: '1.2.3' }, 400, /accessIPv4/);
  await refused({ accessIPv6: 'x' }, 400, /accessIPv6/);
  await refused({ availability_zone: 'moon' }, 400, /requested availability zone is not available/);
  await refused({ availability_zone: 'a:b:c:d' }, 400, /Unable to parse/);
  await refused({ tags: ['a,b'] }, 400, /tags/);
  await refused({ hostname: 'h', max_count: 2 }, 400, /hostname/);
  await refused({ hostname: 'host.one', max_count: 2 }, 400, /single hostname/);
});

test('what a container cannot have is refused with a reason', async () => {
  await refused({ block_device_mapping_v2: [{ source_type: 'volume', uuid: world.image.id, boot_index: 0, destination_type: 'volume' }] }, 400, /failed to get volume/);
  await refused({ trusted_image_certificates: ['a'] }, 400, /trusted_image_certificates/);
  await refused({ personality: [] }, 400, /'personality' was unexpected/);
});

test('fields of later versions are unknown to earlier ones', async () => {
  await refused({ networks: [], description: 'd' }, 400, /description/, { version: '2.18' });
  await refused({ tags: ['a'] }, 400, /tags/, { version: '2.51' });
  await refused({ host: 'fake-0001' }, 400, /host/, { version: '2.73', token: ADMIN_TOKEN });
  await refused({ hostname: 'abc' }, 400, /hostname/, { version: '2.89' });
  await refused({ hostname: 'a.example.org' }, 400, /hostname/, { version: '2.93' });
  await refused({ networks: 'auto' }, 400, /networks/, { version: '2.36' });
  await refused({ networks: [{ uuid: world.network.network_id, tag: 't' }] }, 400, /tag|networks/, { version: '2.41' });
});

test('images that cannot be run are refused', async () => {
  const bad = (over: object, text: RegExp, status = 400) => refused({ imageRef: world.images.add(over).id }, status, text);
  await bad({ status: 'queued' }, /is not active/);
  await bad({ container_format: 'ova' }, /must be "docker"/);
  await bad({ container_format: 'bare' }, /no disk image that a server could boot/);
  await bad({ min_ram: 1024 }, /memory is too small/);
  await bad({ min_disk: 20 }, /smaller than the minimum size/);
  await bad({ size: 5 * 1024 ** 3 }, /disk is too small/);
  await bad({ properties: { os_command_line: 'sh -c "open' } }, /quote that is not closed/);
});

test('only an administrator chooses a host', async () => {
  await refused({ host: 'fake-0001' }, 403, /requested_destination/);
  await refused({ availability_zone: 'nova:fake-0001' }, 403, /forced_host/);
  await refused({ host: 'moon' }, 400, /Compute host moon could not be found/, { token: ADMIN_TOKEN });
  await refused({ host: 'fake-0001', availability_zone: 'nova:fake-0001' }, 400, /mutually exclusive/, { token: ADMIN_TOKEN });
  for (const over of [{ host: 'fake-0002' }, { availability_zone: 'nova:fake-0002' }, { availability_zone: 'nova::fake-0002' }, { hypervisor_hostname: 'fake-0002' }]) {
    const id = await world.boot(over, ADMIN_TOKEN);
    assert.equal((await world.show(id))['OS-EXT-SRV-ATTR:host'], 'fake-0002', JSON.stringify(over));
  }
});

test('a reader may not create', async () => refused({}, 403, /servers:create/, { token: 'reader' }));

test('several servers come of one call, numbered and in order', async () => {
  const reply = await create({ name: 'web', min_count: 2, max_count: 3, return_reservation_id: true });
  assert.equal(reply.status, 202, reply.text);
  const { reservation_id } = reply.json;
  assert.match(reservation_id, /^r-[0-9a-f]{8}$/);
  const list = await world.call('GET', `/servers/detail?reservation_id=${reservation_id}&all_tenants=1`, { token: ADMIN_TOKEN });
  assert.deepEqual(list.json.servers.map((server: any) => server.name), ['web-3', 'web-2', 'web-1']);
  assert.deepEqual(list.json.servers.map((server: any) => server['OS-EXT-SRV-ATTR:hostname']), ['web-3', 'web-2', 'web-1']);
  assert.deepEqual(list.json.servers.map((server: any) => server['OS-EXT-SRV-ATTR:launch_index']), [2, 1, 0]);
  await Promise.all(list.json.servers.map(({ id }: any) => world.settled(id)));
});

test('files, user data and the key reach the guest', async () => {
  const content = Buffer.from('hello').toString('base64');
  const reply = await create({ networks: [], personality: [{ path: '/etc/motd', contents: content }], user_data: Buffer.from('#!/bin/sh\n').toString('base64') }, { version: '2.50' });
  assert.equal(reply.status, 202, reply.text);
  await world.settled(reply.json.server.id);
  const spec = world.nodes.drivers.map((driver) => driver.specOf(reply.json.server.id)).find(Boolean)!;
  assert.deepEqual(spec.files.map(({ path }) => path), ['/etc/motd', '/var/lib/cloud/seed/nocloud/user-data', '/var/lib/cloud/seed/nocloud/meta-data']);
  assert.equal(Buffer.from(spec.files[1]!.content, 'base64').toString(), '#!/bin/sh\n');
});

test('the image says the command when metadata does not, and may ask for all metadata as environment', async () => {
  const image = world.images.add({ properties: { os_command_line: "sh -c 'echo hi'", 'docker:metadata_as_env': 'all' } });
  const id = await world.boot({ imageRef: image.id, metadata: { A: '1', 'env.B': '2' } });
  const spec = world.nodes.drivers.map((driver) => driver.specOf(id)).find(Boolean)!;
  assert.deepEqual(spec.command, ['sh', '-c', 'echo hi']);
  assert.deepEqual(spec.environment, { A: '1', B: '2' });
});

test('a hostname may be given, and comes of the name else', async () => {
  assert.equal((await world.show(await world.boot({ name: 'My Web_Server.1 é!' })))['OS-EXT-SRV-ATTR:hostname'], 'my-web-server-1');
  assert.equal((await world.show(await world.boot({ hostname: 'www.example.org' })))['OS-EXT-SRV-ATTR:hostname'], 'www.example.org');
});
