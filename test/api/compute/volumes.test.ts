/** Volumes of servers over HTTP, on simulated nodes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2 });
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
