/** Moves and sizes against deletion, and against each other: one wins, nothing is left over. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 4, config: { quota_instances: -1, quota_cores: -1, quota_ram: -1, quota_server_group_members: -1 } });
});
after(() => world.close());

const act = (id: string, body: object) => world.call('POST', `/servers/${id}/action`, { body, token: ADMIN_TOKEN });
const remove = (id: string) => world.call('DELETE', `/servers/${id}`, { token: ADMIN_TOKEN });

async function nothingLeft(): Promise<void> {
  assert.deepEqual(await world.placement.consumers(), []);
  assert.deepEqual([...world.network.ports.keys()], []);
  for (const driver of world.nodes.drivers) assert.deepEqual(await driver.list(), []);
  const { migrations } = (await world.call('GET', '/os-migrations', { token: ADMIN_TOKEN })).json;
  const ended = ['confirmed', 'reverted', 'error', 'completed'];
  assert.deepEqual(migrations.filter((one: any) => !ended.includes(one.status)), []);
}

for (const [name, body] of [['resize', { resize: { flavorRef: '2' } }], ['migrate', { migrate: null }]] as const) {
  test(`fifty deletes during fifty times ${name}`, async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, (_, at) => world.boot({ metadata: at % 3 === 0 ? { 'slow:resize': '20ms', 'slow:move': '20ms' } : {} })));
    const replies = await Promise.all(ids.flatMap((id) => [act(id, body), remove(id)]));
    assert.deepEqual([...new Set(replies.map(({ status }) => status))].filter((status) => ![202, 204, 404, 409].includes(status)), []);
    await Promise.all(ids.map((id) => world.settled(id)));
    for (const id of ids) assert.equal((await world.call('GET', `/servers/${id}`, { token: ADMIN_TOKEN })).status, 404);
    await nothingLeft();
  });
}

test('a server is deleted while it is confirmed, and while it is put back', async () => {
  for (const body of [{ confirmResize: null }, { revertResize: null }]) {
    const id = await world.boot({ metadata: { 'slow:destroy': '10ms', 'slow:power': '10ms' } });
    await act(id, { migrate: null });
    await world.settled(id);
    const replies = await Promise.all([act(id, body), remove(id)]);
    assert.equal(replies[1].status, 204, replies[1].text);
    await world.settled(id);
    assert.equal((await world.call('GET', `/servers/${id}`, { token: ADMIN_TOKEN })).status, 404);
  }
  await nothingLeft();
});

test('of two words on a finished move one counts', async () => {
  const id = await world.boot();
  await act(id, { migrate: null });
  await world.settled(id);
  const replies = await Promise.all([act(id, { confirmResize: null }), act(id, { revertResize: null }), act(id, { confirmResize: null })]);
  assert.equal(replies.filter(({ status }) => status < 300).length, 1, JSON.stringify(replies.map(({ status, text }) => [status, text])));
  assert.ok(replies.every(({ status }) => [202, 204, 400, 409].includes(status)));
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'ACTIVE');
  await remove(id);
  await world.settled(id);
  await nothingLeft();
});

test('servers of one group that are made at once go to hosts of their own, and moved ones too', async () => {
  const group = (await world.call('POST', '/os-server-groups', { body: { server_group: { name: 'apart', policy: 'anti-affinity' } } })).json.server_group.id;
  const make = (name: string) => world.call('POST', '/servers', { body: { server: { name, imageRef: world.image.id, flavorRef: '1', networks: 'auto' }, 'os:scheduler_hints': { group } } });
  const ids = (await Promise.all(['a', 'b', 'c'].map(make))).map(({ json }) => json.server.id as string);
  await Promise.all(ids.map((id) => world.settled(id)));
  const hosts = async (): Promise<string[]> => Promise.all(ids.map(async (id) => (await world.show(id))['OS-EXT-SRV-ATTR:host']));
  const before = await hosts();
  assert.equal(new Set(before).size, 3, String(before));
  await act(ids[0]!, { migrate: null });
  await world.settled(ids[0]!);
  const after = await hosts();
  assert.equal(new Set([...before, ...after]).size, 4, 'there was one host left');
  for (const id of ids) await remove(id);
  await Promise.all(ids.map((id) => world.settled(id)));
  await nothingLeft();
});

test('the fault of a server tells administrators which host lacked what was required', async () => {
  const flavor = (await world.call('POST', '/flavors', { token: ADMIN_TOKEN, body: { flavor: { name: 'gpu', vcpus: 1, ram: 128, disk: 1 } } })).json.flavor.id;
  await world.call('POST', `/flavors/${flavor}/os-extra_specs`, { token: ADMIN_TOKEN, body: { extra_specs: { 'trait:CUSTOM_GPU': 'required' } } });
  const id = await world.boot({ flavorRef: flavor });
  const { fault, status } = await world.show(id);
  assert.equal(status, 'ERROR');
  assert.match(fault.details, /fake-0001: lacks the trait CUSTOM_GPU; fake-0002: lacks the trait CUSTOM_GPU/);
  await remove(id);
  await world.settled(id);
  await world.placement.ensureProvider({ id: world.nodes.ids[2]!, name: 'fake-0003', inventory: (await world.placement.usage(world.nodes.ids[2]!)).inventory, traits: { has: ['CUSTOM_GPU'], reportable: [] } });
  const other = await world.boot({ flavorRef: flavor });
  assert.equal((await world.show(other))['OS-EXT-SRV-ATTR:host'], 'fake-0003');
  await remove(other);
  await world.settled(other);
});

test('a resize that nobody confirms is confirmed in time', async () => {
  const timed = await serveCompute({ nodes: 1, config: { resize_confirm_window: 3600 } });
  try {
    const id = await timed.boot();
    await timed.call('POST', `/servers/${id}/action`, { body: { resize: { flavorRef: '2' } } });
    await timed.settled(id);
    const job = timed.compute.service.jobs.find(({ name }) => name === 'compute.confirm-resizes')!;
    const run = () => job.run({ log: timed.deps.log, clock: timed.deps.clock, signal: new AbortController().signal });
    assert.deepEqual(await run(), { confirmed: 0, closed: 0 });
    await timed.db.transaction((tx) => tx.updateTable('compute_migrations').set({ updated_at: '2026-01-01T00:00:00.000000Z' }).where('server_id', '=', id).execute());
    assert.deepEqual(await run(), { confirmed: 1, closed: 0 });
    await timed.settled(id);
    assert.equal((await timed.show(id)).status, 'ACTIVE');
  } finally {
    await timed.close();
  }
});
