import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ImageInfo } from '../../../src/services/image/client.ts';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
let other: ImageInfo;
before(async () => {
  world = await serveCompute({ nodes: 1, config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
  other = world.images.add({ name: 'other', digest: 'b'.repeat(64), properties: { os_command_line: 'sleep 7' } });
});
after(() => world.close());

const act = (id: string, rebuild: object, options: { version?: string; token?: string } = {}) => world.call('POST', `/servers/${id}/action`, { token: 'member', body: { rebuild }, ...options });
const specOf = (id: string) => world.nodes.drivers[0]!.specOf(id)!;

test('a rebuilt server keeps its id, place and addresses, and has the rest as it was asked', async () => {
  const id = await world.boot({ metadata: { old: '1' }, user_data: Buffer.from('old').toString('base64') });
  const before = await world.show(id);
  assert.equal((await world.call('POST', '/os-keypairs', { token: 'member', body: { keypair: { name: 'k', type: 'ssh', public_key: `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32)]).toString('base64')}` } } })).status, 201);
  const user_data = Buffer.from('new').toString('base64');
  const reply = await act(id, { imageRef: other.id, name: 'new', description: 'd', hostname: 'new-host', metadata: { new: '2' }, user_data, key_name: 'k', accessIPv4: '1.2.3.4', 'OS-DCF:diskConfig': 'AUTO', adminPass: 'secret', preserve_ephemeral: true });
  assert.equal(reply.status, 202, reply.text);
  const { server } = reply.json;
  assert.deepEqual([server.status, server.image.id, server.name, server.adminPass, server.user_data, server.key_name, server['OS-EXT-STS:task_state'] !== null], ['REBUILD', other.id, 'new', 'secret', user_data, 'k', true]);
  assert.match(reply.headers.get('location')!, new RegExp(`/servers/${id}$`));
  await world.settled(id);
  const now = await world.show(id);
  assert.deepEqual([now.status, now.image.id, now.name, now.description, now.metadata, now.accessIPv4, now['OS-DCF:diskConfig'], now['OS-EXT-SRV-ATTR:hostname']], ['ACTIVE', other.id, 'new', 'd', { new: '2' }, '1.2.3.4', 'AUTO', 'new-host']);
  assert.deepEqual([now.addresses, now['OS-EXT-SRV-ATTR:host'], now.created], [before.addresses, before['OS-EXT-SRV-ATTR:host'], before.created]);
  const spec = specOf(id);
  assert.deepEqual([spec.image.id, spec.command, spec.hostname, spec.ssh_keys.length], [other.id, ['sleep', '7'], 'new-host', 1]);
  assert.equal(world.images.holds.get(id), other.id);
  assert.equal((await act(id, { imageRef: world.image.id, key_name: null, user_data: null })).status, 202);
  await world.settled(id);
  const third = await world.show(id);
  assert.deepEqual([third.key_name, third.name, specOf(id).ssh_keys, third['OS-EXT-SRV-ATTR:user_data']], [null, 'new', [], null]);
});

test('a stopped server is stopped afterwards; one in error works again', async () => {
  const id = await world.boot();
  await world.call('POST', `/servers/${id}/action`, { token: 'member', body: { 'os-stop': null } });
  await world.settled(id);
  assert.equal((await act(id, { imageRef: world.image.id })).status, 202);
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'SHUTOFF');
  assert.equal((await act(id, { imageRef: world.image.id, metadata: { 'fail:spawn': 'no room' } })).status, 202);
  await world.settled(id);
  const broken = await world.show(id);
  assert.deepEqual([broken.status, broken.fault.message, broken['OS-EXT-STS:task_state']], ['ERROR', 'no room', null]);
  assert.equal((await act(id, { imageRef: world.image.id, metadata: {} })).status, 202);
  await world.settled(id);
  assert.deepEqual([(await world.show(id)).status, (await world.show(id)).fault], ['ACTIVE', undefined]);
});

test('each version has its own fields', async () => {
  const id = await world.boot();
  const imageRef = world.image.id;
  const file = { path: '/etc/x', contents: Buffer.from('x').toString('base64') };
  const cases: [string, object, number][] = [
    ['2.1', { imageRef, personality: [file] }, 202], ['2.57', { imageRef, personality: [file] }, 400],
    ['2.18', { imageRef, description: 'd' }, 400], ['2.19', { imageRef, description: 'd' }, 202],
    ['2.53', { imageRef, key_name: null }, 400], ['2.54', { imageRef, key_name: null }, 202],
    ['2.56', { imageRef, user_data: '' }, 400], ['2.57', { imageRef, user_data: 'eA==' }, 202], ['2.57', { imageRef, user_data: '?' }, 400],
    ['2.62', { imageRef, trusted_image_certificates: null }, 400], ['2.63', { imageRef, trusted_image_certificates: null }, 202], ['2.63', { imageRef, trusted_image_certificates: ['c'] }, 400],
    ['2.89', { imageRef, hostname: 'abc' }, 400], ['2.90', { imageRef, hostname: 'abc' }, 202], ['2.93', { imageRef, hostname: 'a.b' }, 400], ['2.94', { imageRef, hostname: 'a.b' }, 202],
    ['2.1', {}, 400], ['2.1', { imageRef: 'x' }, 400], ['2.1', { imageRef, name: '' }, 400], ['2.1', { imageRef, other: 1 }, 400], ['2.1', { imageRef, preserve_ephemeral: 'x' }, 400],
  ];
  for (const [version, rebuild, status] of cases) {
    const reply = await act(id, rebuild, { version });
    assert.equal(reply.status, status, `${version} ${JSON.stringify(rebuild)}: ${reply.text}`);
    await world.settled(id);
  }
  const old = await act(id, { imageRef }, { version: '2.1' });
  assert.deepEqual([old.json.server.adminPass.length, 'user_data' in old.json.server, 'key_name' in old.json.server, 'OS-EXT-STS:task_state' in old.json.server], [12, false, false, false]);
  await world.settled(id);
});

test('rebuild is refused in nova\'s words', async () => {
  const id = await world.boot();
  const message = async (rebuild: object, options = {}): Promise<[number, string]> => {
    const reply = await act(id, rebuild, options);
    return [reply.status, (Object.values(reply.json)[0] as { message: string }).message];
  };
  assert.deepEqual(await message({ imageRef: '00000000-0000-4000-8000-000000000000' }), [400, 'Cannot find image for rebuild']);
  assert.deepEqual(await message({ imageRef: other.id, key_name: 'none' }), [400, 'Invalid key_name provided.']);
  const large = world.images.add({ min_ram: 4096 });
  assert.deepEqual(await message({ imageRef: large.id }), [400, "Flavor's memory is too small for requested image."]);
  const queued = world.images.add({ status: 'queued' });
  assert.deepEqual(await message({ imageRef: queued.id }), [400, `Image ${queued.id} is not active.`]);
  assert.equal((await message({ imageRef: other.id }, { token: 'reader' }))[0], 403);
  await world.call('POST', `/servers/${id}/action`, { token: 'member', body: { pause: null } });
  await world.settled(id);
  assert.deepEqual(await message({ imageRef: other.id }), [409, `Cannot 'rebuild' instance ${id} while it is in vm_state paused`]);
  await world.call('POST', `/servers/${id}/action`, { token: 'member', body: { lock: null } });
  assert.deepEqual(await message({ imageRef: other.id }), [409, `Instance ${id} is locked`]);
});
