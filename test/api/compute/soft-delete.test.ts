import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 1, config: { reclaim_instance_interval: 3600, quota_instances: 2 } });
});
after(() => world.close());

const act = (id: string, body: object, token = 'member') => world.call('POST', `/servers/${id}/action`, { body, token });
const driver = () => world.nodes.drivers[0]!;

async function softDeleted(): Promise<string> {
  const id = await world.boot();
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204);
  await world.tasks.whenSettled((await world.tasks.listOf(`server:${id}:soft-delete`, 1))[0]!.id);
  return id;
}

async function purge(id: string): Promise<void> {
  assert.equal((await act(id, { forceDelete: null })).status, 202);
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
}

test('a deleted server is stopped, kept with all that is its own, and brought back', async () => {
  const id = await softDeleted();
  let server = await world.show(id, 'member');
  assert.deepEqual([server.status, server['OS-EXT-STS:vm_state'], server['OS-EXT-STS:power_state']], ['SOFT_DELETED', 'soft-delete', 4]);
  assert.equal((await driver().inspect(id))!.power_state, 'shutdown');
  assert.ok(world.network.ports.has(id));
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204, 'once more is nothing more');
  assert.equal((await act(id, { 'os-start': null })).json.conflictingRequest.message, `Cannot 'start' instance ${id} while it is in vm_state soft-delete`);
  assert.equal((await act(id, { restore: null })).status, 202);
  await world.settled(id);
  server = await world.show(id);
  assert.equal(server.status, 'ACTIVE');
  assert.equal((await act(id, { restore: null })).status, 409);
  const actions = (await world.call('GET', `/servers/${id}/os-instance-actions`)).json.instanceActions.map((one: any) => one.action);
  assert.deepEqual(actions, ['restore', 'delete', 'create']);
  await purge(id);
});

test('what is deleted is on no list unless it is asked for, and counts against no quota until it is back', async () => {
  const id = await softDeleted();
  const ids = async (query: string, token = 'member'): Promise<string[]> => (await world.call('GET', `/servers?${query}`, { token })).json.servers.map((one: any) => one.id);
  assert.deepEqual(await ids(''), []);
  assert.deepEqual(await ids('all_tenants=1', ADMIN_TOKEN), []);
  assert.deepEqual(await ids('status=SOFT_DELETED'), [id]);
  assert.deepEqual(await ids('all_tenants=1&status=soft_deleted', ADMIN_TOKEN), [id]);
  const others = [await world.boot(), await world.boot()];
  const refused = await act(id, { restore: null });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.forbidden.message, /Quota exceeded for instances/);
  for (const one of [id, ...others]) await purge(one);
});

test('a server that works on something, or is frozen, is deleted as well', async () => {
  const slow = await world.boot({ metadata: { 'slow:power': '50ms' } });
  assert.equal((await act(slow, { pause: null })).status, 202);
  assert.equal((await world.call('DELETE', `/servers/${slow}`)).status, 204);
  await world.tasks.whenSettled((await world.tasks.listOf(`server:${slow}:soft-delete`, 1))[0]!.id);
  assert.equal((await world.show(slow)).status, 'SOFT_DELETED');
  assert.equal((await driver().inspect(slow))!.power_state, 'shutdown');
  await purge(slow);
});

test('the job takes those whose time is over, and only those', async () => {
  const id = await softDeleted();
  const job = world.compute.service.jobs!.find(({ name }) => name === 'compute.reclaim-servers')!;
  const run = () => job.run({ log: world.deps.log, signal: new AbortController().signal } as never);
  assert.deepEqual(await run(), { reclaimed: 0 });
  world.config.reclaim_instance_interval = 0;
  assert.deepEqual(await run(), { reclaimed: 1 });
  await world.settled(id);
  world.config.reclaim_instance_interval = 3600;
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
  assert.equal(await driver().inspect(id), undefined);
  assert.equal(world.network.ports.has(id), false);
});

test('one that never ran is deleted at once', async () => {
  const id = await world.boot({ metadata: { 'fail:spawn': 'no' } });
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204);
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
});
