import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
  world.image.properties = { hw_arch: 'x', cache_in_nova: 'yes', img_signature: 's', os_command_line: 'sleep 9' };
  world.image.min_ram = 64;
});
after(() => world.close());

const act = (id: string, body: object, options: { version?: string; token?: string } = {}) => world.call('POST', `/servers/${id}/action`, { token: 'member', body, ...options });

test('createImage: an image with what nova says of it, in the header or in the body', async () => {
  const id = await world.boot();
  const reply = await act(id, { createImage: { name: 'snap', metadata: { color: 'blue' } } });
  assert.equal(reply.status, 202, reply.text);
  const { image_id } = reply.json;
  assert.deepEqual(Object.keys(reply.json), ['image_id']);
  await world.settled(id);
  const image = world.images.images.get(image_id)!;
  assert.equal(image.status, 'active');
  assert.deepEqual([image.name, image.visibility, image.min_disk, image.min_ram], ['snap', 'private', 1, 64]);
  const { boot_roles, owner_user_name, owner_project_name, user_id, owner_id, ...rest } = image.properties;
  assert.deepEqual(rest, {
    hw_arch: 'x', os_command_line: 'sleep 9', base_image_ref: world.image.id, color: 'blue', instance_uuid: id, image_type: 'snapshot', image_location: 'snapshot', image_state: 'available',
  });
  assert.ok(boot_roles?.includes('member') && user_id && owner_id && owner_user_name !== undefined && owner_project_name !== undefined);
  const own = (await act(id, { createImage: { name: 'own', metadata: { image_type: 'mine' } } })).json.image_id;
  await world.settled(id);
  assert.equal(world.images.images.get(own)!.properties['image_type'], 'mine');
  const old = await act(id, { createImage: { name: 'old' } }, { version: '2.44' });
  assert.deepEqual([old.status, old.text], [202, '']);
  assert.match(old.headers.get('location')!, /\/image\/images\/[0-9a-f-]{36}$/);
  await world.settled(id);
  const server = await world.show(id);
  assert.deepEqual([server.status, server['OS-EXT-STS:task_state']], ['ACTIVE', null]);
});

test('an administrator makes an image of another project\'s server, which that project sees', async () => {
  const id = await world.boot();
  const { image_id } = (await act(id, { createImage: { name: 'of-admin' } }, { token: 'admin' })).json;
  await world.settled(id);
  assert.equal(world.images.images.get(image_id)!.visibility, 'shared');
});

test('createImage is refused in nova\'s words', async () => {
  const id = await world.boot();
  for (const body of [{ createImage: {} }, { createImage: { name: '' } }, { createImage: { name: 'a'.repeat(256) } }, { createImage: { name: 'a', metadata: { a: 1 } } }, { createImage: { name: 'a', other: 1 } }]) {
    assert.equal((await act(id, body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await act(id, { createImage: { name: 'a' } }, { token: 'other' })).status, 404);
  assert.equal((await act(id, { createImage: { name: 'a' } }, { token: 'reader' })).status, 403);
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`k${at}`, 'v']));
  const over = await act(id, { createImage: { name: 'a', metadata: many } }, { version: '2.38' });
  assert.deepEqual([over.status, over.json.forbidden.message], [403, 'Image metadata limit exceeded']);
  await world.http.call('POST', `/compute/v2.1/servers/${id}/action`, { token: 'admin', body: { 'os-resetState': { state: 'error' } } });
  const refused = await act(id, { createImage: { name: 'a' } });
  assert.deepEqual([refused.status, refused.json.conflictingRequest.message], [409, `Cannot 'createImage' instance ${id} while it is in vm_state error`]);
});

test('a failure takes the image away and leaves the server as it was; a second one at the same time is refused', async () => {
  const id = await world.boot({ metadata: { 'fail:capture': 'the disk is on fire' } });
  const { image_id } = (await act(id, { createImage: { name: 'bad' } })).json;
  await world.settled(id);
  assert.equal(world.images.images.has(image_id), false);
  const server = await world.show(id);
  assert.deepEqual([server.status, server['OS-EXT-STS:task_state'], server.fault], ['ACTIVE', null, undefined]);
  const [action] = (await world.call('GET', `/servers/${id}/os-instance-actions`, { token: 'member' })).json.instanceActions;
  assert.deepEqual([action.action, action.message], ['createImage', 'Error']);

  const slow = await world.boot({ metadata: { 'slow:capture': '60s' } });
  assert.equal((await act(slow, { createImage: { name: 'one' } })).status, 202);
  const second = await act(slow, { createImage: { name: 'two' } });
  assert.equal(second.status, 409);
  assert.match(second.json.conflictingRequest.message, /^Cannot 'createImage' instance .* while it is in task_state image_/);
  assert.equal([...world.images.images.values()].some(({ name }) => name === 'two'), false, 'nothing is kept of a call that fails');
  assert.equal((await world.call('DELETE', `/servers/${slow}`, { token: 'member' })).status, 204);
  await world.settled(slow);
  assert.equal([...world.images.images.values()].some(({ name }) => name === 'one'), false, 'its image goes with a server that is deleted meanwhile');
});

test('createBackup keeps as many as rotation says', async () => {
  const id = await world.boot();
  const made: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    const reply = await act(id, { createBackup: { name, backup_type: 'daily', rotation: '2', metadata: { k: 'v' } } });
    assert.equal(reply.status, 202, reply.text);
    made.push(reply.json.image_id);
    await world.settled(id);
  }
  assert.deepEqual(made.map((one) => world.images.images.has(one)), [false, true, true]);
  const { image_type, backup_type, k } = world.images.images.get(made[2]!)!.properties;
  assert.deepEqual({ image_type, backup_type, k }, { image_type: 'backup', backup_type: 'daily', k: 'v' });
  const old = await act(id, { createBackup: { name: 'd', backup_type: 'daily', rotation: 1 } }, { version: '2.1' });
  assert.match(old.headers.get('location')!, /\/compute\/images\/[0-9a-f-]{36}$/);
  await world.settled(id);
  const none = await act(id, { createBackup: { name: 'e', backup_type: 'daily', rotation: 0 } }, { version: '2.1' });
  assert.deepEqual([none.status, none.headers.get('location')], [202, null]);
  await world.settled(id);
  assert.equal([...world.images.images.values()].filter(({ properties }) => properties['backup_type'] === 'daily').length, 0);
  for (const body of [{ name: 'a', backup_type: 'd' }, { name: 'a', backup_type: 'd', rotation: -1 }, { backup_type: 'd', rotation: 1 }, { name: 'a', rotation: 1 }]) {
    assert.equal((await act(id, { createBackup: body })).status, 400, JSON.stringify(body));
  }
});
