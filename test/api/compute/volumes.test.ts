/** Volumes of servers over HTTP, on simulated nodes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2, config: { quota_instances: 100, quota_cores: 200 } });
});
after(() => world.close());

const attachments = (id: string): string => `/servers/${id}/os-volume_attachments`;
const attach = (id: string, body: Record<string, unknown>, version = 'latest') => world.call('POST', attachments(id), { body: { volumeAttachment: body }, version });
const guestVolumes = (id: string) => world.nodes.drivers.flatMap((driver) => driver.specOf(id)?.volumes ?? []);
const statusOf = (id: string) => world.volumes.volumes.get(id)!.status;
const messageOf = (reply: { json: any }): string => (Object.values(reply.json)[0] as { message: string }).message;

describe('a volume is attached', () => {
  test('to a running server, and shows at every version as nova shows it', async () => {
    const id = await world.boot();
    const volume = world.volumes.add();
    const made = await attach(id, { volumeId: volume.id, tag: 'data', delete_on_termination: true });
    assert.equal(made.status, 200, made.text);
    assert.deepEqual(made.json.volumeAttachment, { id: volume.id, volumeId: volume.id, serverId: id, device: '/dev/vdb', tag: 'data', delete_on_termination: true });
    assert.equal(statusOf(volume.id), 'in-use');
    assert.deepEqual(guestVolumes(id).map(({ volume_id, device }) => [volume_id, device]), [[volume.id, '/dev/vdb']]);
    const one = async (version: string) => (await world.call('GET', `${attachments(id)}/${volume.id}`, { version })).json.volumeAttachment;
    const plain = { id: volume.id, volumeId: volume.id, serverId: id, device: '/dev/vdb' };
    assert.deepEqual(await one('2.1'), plain);
    assert.deepEqual(await one('2.70'), { ...plain, tag: 'data' });
    assert.deepEqual(await one('2.79'), { ...plain, tag: 'data', delete_on_termination: true });
    const newest = await one('2.89');
    assert.deepEqual([newest.id, newest.attachment_id], [undefined, volume.attachments[0]!.id]);
    assert.deepEqual((await world.show(id))['os-extended-volumes:volumes_attached'], [{ id: volume.id, delete_on_termination: true }]);
    const listed = await world.call('GET', attachments(id), { version: '2.1' });
    assert.deepEqual(listed.json, { volumeAttachments: [plain] });
  });

  test('where it is wanted: under a name, or mounted at a path', async () => {
    const id = await world.boot();
    const [first, second, third] = [world.volumes.add(), world.volumes.add(), world.volumes.add()];
    assert.equal((await attach(id, { volumeId: first.id, device: '/dev/sdc' })).json.volumeAttachment.device, '/dev/vdc');
    assert.equal((await attach(id, { volumeId: second.id, device: '/srv/data' })).json.volumeAttachment.device, '/dev/vdb');
    assert.deepEqual(guestVolumes(id).map(({ device, mount_path }) => [device, mount_path]), [['/dev/vdc', null], ['/dev/vdb', '/srv/data']]);
    const taken = await attach(id, { volumeId: third.id, device: '/dev/vdc' });
    assert.deepEqual([taken.status, messageOf(taken)], [409, 'The supplied device path (/dev/vdc) is in use.']);
    assert.equal((await attach(id, { volumeId: third.id, device: '/proc/data' })).status, 400);
    assert.equal(statusOf(third.id), 'available');
  });

  test('and is refused in nova\'s words', async () => {
    const [id, other] = [await world.boot(), await world.boot()];
    const volume = world.volumes.add();
    assert.equal((await attach(id, { volumeId: volume.id })).status, 200);
    const again = await attach(other, { volumeId: volume.id });
    assert.deepEqual([again.status, messageOf(again)], [400, `Invalid volume: volume ${volume.id} is already attached to instances: ${id}`]);
    const missing = '99999999-9999-4999-8999-999999999999';
    const unknown = await attach(id, { volumeId: missing });
    assert.deepEqual([unknown.status, messageOf(unknown)], [404, `Volume ${missing} could not be found.`]);
    const busy = await attach(id, { volumeId: world.volumes.add({ status: 'error' }).id });
    assert.equal(busy.status, 400);
    assert.match(messageOf(busy), /^Invalid volume: /);
    const shared = world.volumes.add({ multiattach: true });
    const old = await attach(id, { volumeId: shared.id }, '2.59');
    assert.deepEqual([old.status, messageOf(old)], [400, 'Multiattach volumes are only supported starting with compute API version 2.60.']);
    assert.equal((await attach(id, { volumeId: shared.id }, '2.60')).status, 200);
    assert.equal((await attach(other, { volumeId: shared.id }, '2.60')).status, 200);
    assert.equal((await attach(id, { volumeId: world.volumes.add().id, tag: 'x' }, '2.48')).status, 400);
    const there = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
    const elsewhere = world.volumes.add({ node_id: world.nodes.ids[there === 'fake-0001' ? 1 : 0]! });
    assert.match(messageOf(await attach(id, { volumeId: elsewhere.id })), /is there for servers of that host only/);
  });

  test('and a node that cannot leaves nothing behind', async () => {
    const id = await world.boot({ metadata: { 'fail:attach': 'no such device' } });
    const volume = world.volumes.add();
    const failed = await attach(id, { volumeId: volume.id });
    assert.deepEqual([failed.status, messageOf(failed)], [500, 'no such device']);
    assert.deepEqual([statusOf(volume.id), volume.attachments], ['available', []]);
    assert.deepEqual((await world.call('GET', attachments(id))).json.volumeAttachments, []);
  });
});

describe('a volume is detached', () => {
  test('and free again', async () => {
    const id = await world.boot();
    const volume = world.volumes.add();
    await attach(id, { volumeId: volume.id });
    const gone = await world.call('DELETE', `${attachments(id)}/${volume.id}`);
    assert.equal(gone.status, 202, gone.text);
    await world.settled(id);
    assert.deepEqual([statusOf(volume.id), guestVolumes(id)], ['available', []]);
    const twice = await world.call('DELETE', `${attachments(id)}/${volume.id}`);
    assert.deepEqual([twice.status, messageOf(twice)], [404, `Instance ${id} is not attached to volume ${volume.id}`]);
  });

  test('not while the guest uses it', async () => {
    const id = await world.boot({ metadata: { 'fail:detach': 'a program has files open on it' } });
    const volume = world.volumes.add();
    await attach(id, { volumeId: volume.id });
    assert.equal((await world.call('DELETE', `${attachments(id)}/${volume.id}`)).status, 202);
    await world.settled(id);
    assert.equal(statusOf(volume.id), 'in-use');
    assert.equal(guestVolumes(id).length, 1);
  });
});

test('an attachment says whether its volume goes with the server, and the volume does', async () => {
  const id = await world.boot();
  const [stays, goes] = [world.volumes.add(), world.volumes.add()];
  await attach(id, { volumeId: stays.id });
  await attach(id, { volumeId: goes.id });
  const put = (body: object, version = 'latest') => world.call('PUT', `${attachments(id)}/${goes.id}`, { body: { volumeAttachment: body }, token: 'admin', version });
  assert.equal((await put({ volumeId: goes.id, delete_on_termination: true })).status, 202);
  const fixed = await put({ volumeId: goes.id, tag: 'other' });
  assert.deepEqual([fixed.status, messageOf(fixed)], [400, 'The tag property is not mutable']);
  const swap = await put({ volumeId: stays.id }, '2.84');
  assert.deepEqual([swap.status, messageOf(swap)], [409, `volume ${goes.id} is not migrating; this API should only be called by Cinder`]);
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204);
  await world.settled(id);
  assert.deepEqual([statusOf(stays.id), world.volumes.volumes.has(goes.id)], ['available', false]);
});

describe('a server is made with volumes', () => {
  const boot = (over: object) => world.call('POST', '/servers', { body: { server: { name: 'one', flavorRef: '1', networks: 'auto', ...over } } });
  const image = () => ({ source_type: 'image', destination_type: 'local', uuid: world.image.id, boot_index: 0 });
  const made = async (over: object): Promise<string> => {
    const reply = await boot(over);
    assert.equal(reply.status, 202, reply.text);
    await world.settled(reply.json.server.id);
    return reply.json.server.id;
  };

  test('that are there, and that are made for it, mounted where they are to be', async () => {
    const there = world.volumes.add();
    const id = await made({
      imageRef: world.image.id,
      block_device_mapping_v2: [
        image(),
        { source_type: 'volume', destination_type: 'volume', uuid: there.id, device_name: '/srv/data', tag: 'data' },
        { source_type: 'blank', destination_type: 'volume', volume_size: 2, delete_on_termination: true },
      ],
    });
    const guest = guestVolumes(id);
    assert.deepEqual(guest.map(({ device, mount_path, boot_index }) => [device, mount_path, boot_index]), [['/dev/vdb', '/srv/data', null], ['/dev/vdc', null, null]]);
    assert.deepEqual([statusOf(there.id), statusOf(guest[1]!.volume_id)], ['in-use', 'in-use']);
    assert.equal(world.volumes.volumes.get(guest[1]!.volume_id)!.size, 2);
    assert.equal((await world.show(id)).status, 'ACTIVE');
    await world.call('DELETE', `/servers/${id}`);
    await world.settled(id);
    assert.deepEqual([statusOf(there.id), world.volumes.volumes.has(guest[1]!.volume_id)], ['available', false]);
  });

  test('and boots from one: of an image, or made of one before', async () => {
    const id = await made({ block_device_mapping_v2: [{ source_type: 'image', destination_type: 'volume', uuid: world.image.id, boot_index: 0, volume_size: 1 }] });
    const server = await world.show(id);
    assert.deepEqual([server.status, server.image], ['ACTIVE', '']);
    assert.deepEqual(guestVolumes(id).map(({ device, boot_index }) => [device, boot_index]), [['/dev/vda', 0]]);
    const root = await world.call('DELETE', `${attachments(id)}/${guestVolumes(id)[0]!.volume_id}`);
    assert.deepEqual([root.status, messageOf(root)], [400, 'Cannot detach a root device volume']);
    const bootable = world.volumes.add({ bootable: true, image_metadata: { image_id: world.image.id } });
    const legacy = await made({ block_device_mapping: [{ volume_id: bootable.id, device_name: 'vda' }] });
    assert.equal(statusOf(bootable.id), 'in-use');
    assert.equal((await world.show(legacy)).status, 'ACTIVE');
  });

  test('or is refused in nova\'s words', async () => {
    const refused = async (over: object, message: RegExp): Promise<void> => {
      const reply = await boot(over);
      assert.equal(reply.status, 400, reply.text);
      assert.match(messageOf(reply), message);
    };
    const v2 = (...mappings: object[]) => ({ imageRef: world.image.id, block_device_mapping_v2: mappings });
    const volume = (id: string, over = {}) => ({ source_type: 'volume', destination_type: 'volume', uuid: id, ...over });
    const free = world.volumes.add();
    await refused(v2(volume(free.id)), /^Block Device Mapping is Invalid: Boot sequence for the instance/);
    await refused({ block_device_mapping_v2: [volume(free.id, { boot_index: 0 })] }, /^Block Device .* is not bootable\.$/);
    await refused(v2(image(), volume('99999999-9999-4999-8999-999999999999')), /failed to get volume/);
    await refused(v2(image(), volume(world.volumes.add({ status: 'error' }).id)), /^Invalid volume: volume '.*' status must be 'available'/);
    await refused(v2(image(), { source_type: 'blank', destination_type: 'volume' }), /non-zero size/);
    await refused(v2(image(), { source_type: 'blank', destination_type: 'local', volume_size: 1 }), /give it a volume/);
    await refused({ ...v2(image(), volume(free.id)), min_count: 2 }, /multiple instances/);
    await refused({ ...v2(image()), block_device_mapping: [{ volume_id: free.id }] }, /different block_device_mapping syntaxes/);
    assert.equal(statusOf(free.id), 'available');
  });

  test('and a volume that cannot be made leaves an error that says so', async () => {
    world.volumes.failMaking = true;
    const id = await made({ imageRef: world.image.id, block_device_mapping_v2: [image(), { source_type: 'blank', destination_type: 'volume', volume_size: 1 }] });
    world.volumes.failMaking = false;
    const server = await world.show(id);
    assert.equal(server.status, 'ERROR');
    assert.match(server.fault.message, /could not be made: its status is error/);
  });

  test('that lie on one node, and goes there', async () => {
    const node = world.nodes.ids[1]!;
    const id = await made({ imageRef: world.image.id, block_device_mapping_v2: [image(), { source_type: 'volume', destination_type: 'volume', uuid: world.volumes.add({ node_id: node }).id }] });
    assert.equal((await world.show(id))['OS-EXT-SRV-ATTR:host'], 'fake-0002');
  });
});

test('volumes stay with a server that leaves its node, come with it to another one, and are attached meanwhile', async () => {
  const id = await world.boot();
  const [first, second, tagged] = [world.volumes.add(), world.volumes.add(), world.volumes.add()];
  await attach(id, { volumeId: first.id });
  const act = async (body: object): Promise<void> => {
    const reply = await world.call('POST', `/servers/${id}/action`, { body, token: 'admin' });
    assert.equal(reply.status, 202, reply.text);
    await world.settled(id);
  };
  await act({ shelve: null });
  // Shelved first, and offloaded at once by work of its own.
  while ((await world.show(id)).status !== 'SHELVED_OFFLOADED') await world.settled(id);
  assert.deepEqual([(await world.show(id)).status, statusOf(first.id), guestVolumes(id)], ['SHELVED_OFFLOADED', 'in-use', []]);
  const old = await attach(id, { volumeId: second.id }, '2.19');
  assert.deepEqual([old.status, messageOf(old)], [409, `Cannot 'attach_volume' instance ${id} while it is in vm_state shelved_offloaded`]);
  assert.equal((await attach(id, { volumeId: tagged.id, tag: 'x' })).status, 400);
  assert.equal((await attach(id, { volumeId: second.id }, '2.20')).status, 200);
  assert.equal(statusOf(second.id), 'in-use');
  await act({ unshelve: null });
  assert.deepEqual(guestVolumes(id).map(({ device }) => device), ['/dev/vdb', '/dev/vdc']);
  const there = world.nodes.ids[(await world.show(id))['OS-EXT-SRV-ATTR:host'] === 'fake-0001' ? 0 : 1];
  assert.deepEqual([first, second].map(({ attachments: [one] }) => world.volumes.connections.get(one!.id)!.node_id), [there, there]);
  await act({ migrate: null });
  const now = world.nodes.ids[(await world.show(id))['OS-EXT-SRV-ATTR:host'] === 'fake-0001' ? 0 : 1];
  assert.notEqual(now, there);
  assert.equal(world.volumes.connections.get(first.attachments[0]!.id)!.node_id, now);
  await act({ revertResize: null });
  assert.equal(world.volumes.connections.get(first.attachments[0]!.id)!.node_id, there);
  await act({ rebuild: { imageRef: world.image.id } });
  assert.deepEqual([guestVolumes(id).length, statusOf(first.id)], [2, 'in-use']);
});

test('a volume that has grown is known to its guest', async () => {
  const id = await world.boot();
  const [volume, other] = [world.volumes.add(), world.volumes.add()];
  await attach(id, { volumeId: volume.id });
  const tell = (tag: string) => world.call('POST', '/os-server-external-events', { token: 'admin', body: { events: [{ name: 'volume-extended', server_uuid: id, tag }] } });
  const calls = () => world.nodes.calls.filter(({ method }) => method === 'compute.volume-extended').length;
  const before = calls();
  const told = await tell(volume.id);
  assert.deepEqual([told.status, told.json.events[0].code, calls() - before], [200, 200, 1], told.text);
  const unknown = await tell(other.id);
  assert.deepEqual([unknown.status, unknown.json.events[0].code, calls() - before], [207, 422, 1]);
});
