/** Calls of the Compute API that need a service which is not here: each says so, in nova's words where it has some. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1 });
});
after(() => world.close());

const call = (method: string, path: string, body?: unknown, { token = ADMIN_TOKEN, version = '2.35' } = {}) =>
  world.call(method, path, { token, version, ...(body === undefined ? {} : { body }) });

test('machines of a baremetal service cannot be listed, and are not for the Compute API to change', async () => {
  assert.equal((await call('GET', '/os-baremetal-nodes')).status, 501);
  assert.equal((await call('GET', '/os-baremetal-nodes/one')).status, 501);
  assert.equal((await call('GET', '/os-baremetal-nodes', undefined, { token: 'member' })).status, 403);
  assert.equal((await call('GET', '/os-baremetal-nodes', undefined, { version: '2.36' })).status, 404);
  const refused = await call('POST', '/os-baremetal-nodes', { node: {} });
  assert.deepEqual(refused.json.badRequest.message, 'Command not supported. Please use Ironic command node-create to perform this action.');
  assert.match((await call('POST', '/os-baremetal-nodes/one/action', { add_interface: { address: '02:00:00:00:00:01' } })).json.badRequest.message, /port-create/);
  assert.match((await call('DELETE', '/os-baremetal-nodes/one')).json.badRequest.message, /node-delete/);
});

test('no server has a volume whose snapshot a node could make', async () => {
  const path = '/os-assisted-volume-snapshots';
  const snapshot = { volume_id: 'vol', create_info: { snapshot_id: 'snap', type: 'qcow2', new_file: 'new' } };
  assert.equal((await call('POST', path, { snapshot })).json.badRequest.message, 'No volume Block Device Mapping with id vol.');
  assert.equal((await call('POST', path, { snapshot: { volume_id: 'vol' } })).status, 400);
  assert.equal((await call('POST', path, { snapshot }, { token: 'member' })).status, 403);
  const info = encodeURIComponent(JSON.stringify({ volume_id: 'vol' }));
  assert.equal((await call('DELETE', `${path}/snap?delete_info=${info}`)).json.badRequest.message, 'No volume Block Device Mapping with id vol.');
  for (const query of ['', '?delete_info={', '?delete_info={}']) assert.equal((await call('DELETE', `${path}/snap${query}`)).status, 400);
});
