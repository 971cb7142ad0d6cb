import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2, config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
});
after(() => world.close());

const act = (id: string, body: object, options: { token?: string; version?: string } = {}) => world.call('POST', `/servers/${id}/action`, { body, ...options });

async function does(id: string, body: object, status: string, accepted = 202): Promise<void> {
  const reply = await act(id, body, { token: ADMIN_TOKEN });
  assert.equal(reply.status, accepted, reply.text);
  await world.settled(id);
  assert.equal((await world.show(id)).status, status, JSON.stringify(await world.show(id)));
}

const holders = async (): Promise<string[]> => (await world.placement.consumers()).map(({ id }) => id);
const guests = async (id: string): Promise<number> => (await Promise.all(world.nodes.drivers.map((driver) => driver.inspect(id)))).filter((one) => one !== undefined).length;
const limits = async (id: string): Promise<number[]> => world.nodes.drivers.flatMap((driver) => driver.specOf(id)?.limits.memory_mb ?? []);

test('a resize stays on its node, is confirmed, and leaves nothing behind', async () => {
  const id = await world.boot();
  const host = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  await does(id, { resize: { flavorRef: '2' } }, 'VERIFY_RESIZE');
  const shown = await world.show(id);
  assert.equal(shown.flavor.original_name, 'm2');
  assert.equal(shown['OS-EXT-SRV-ATTR:host'], host);
  assert.equal(shown['OS-EXT-STS:vm_state'], 'resized');
  assert.deepEqual(await limits(id), [256]);
  await does(id, { confirmResize: null }, 'ACTIVE', 204);
  assert.deepEqual((await holders()).filter((one) => one === id), [id]);
  const again = await act(id, { confirmResize: null });
  assert.equal(again.status, 409);
  assert.equal(again.json.conflictingRequest.message, `Cannot 'confirmResize' instance ${id} while it is in vm_state active`);
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
  assert.deepEqual(await holders(), []);
});

test('a reverted resize has its old size, flavor and room', async () => {
  const id = await world.boot();
  await does(id, { resize: { flavorRef: '2', 'OS-DCF:diskConfig': 'AUTO' } }, 'VERIFY_RESIZE');
  assert.equal((await world.show(id))['OS-DCF:diskConfig'], 'AUTO');
  await does(id, { revertResize: null }, 'ACTIVE');
  const shown = await world.show(id);
  assert.equal(shown.flavor.original_name, 'm1');
  assert.equal(shown['OS-DCF:diskConfig'], 'MANUAL');
  assert.deepEqual(await limits(id), [128]);
  const { migrations } = (await world.call('GET', `/os-migrations?instance_uuid=${id}`, { token: ADMIN_TOKEN })).json;
  assert.deepEqual(migrations.map((one: any) => [one.migration_type, one.status, one.old_instance_type_id, one.new_instance_type_id]), [['resize', 'reverted', 1, 2]]);
});

test('a stopped server is resized and stays stopped', async () => {
  const id = await world.boot();
  await does(id, { 'os-stop': null }, 'SHUTOFF');
  await does(id, { resize: { flavorRef: '2' } }, 'VERIFY_RESIZE');
  await does(id, { confirmResize: null }, 'SHUTOFF', 204);
  await does(id, { migrate: null }, 'VERIFY_RESIZE');
  await does(id, { revertResize: null }, 'SHUTOFF');
  await does(id, { 'os-start': null }, 'ACTIVE');
});

test('a moved server has guests on two nodes until it is confirmed, and room on both', async () => {
  const id = await world.boot();
  const from = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  const addresses = (await world.show(id)).addresses;
  await does(id, { migrate: null }, 'VERIFY_RESIZE');
  const shown = await world.show(id);
  assert.notEqual(shown['OS-EXT-SRV-ATTR:host'], from);
  assert.deepEqual(shown.addresses, addresses);
  assert.equal(await guests(id), 2);
  const held = await world.placement.consumers();
  const [move] = (await world.call('GET', `/os-migrations?instance_uuid=${id}`, { token: ADMIN_TOKEN })).json.migrations;
  assert.deepEqual(held.filter((one) => one.id === id || one.id === move.uuid).map((one) => one.id).sort(), [id, move.uuid].sort());
  await does(id, { confirmResize: null }, 'ACTIVE', 204);
  assert.equal(await guests(id), 1);
  assert.ok(!(await holders()).includes(move.uuid));
});

test('a reverted move runs again where it came from', async () => {
  const id = await world.boot();
  const from = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  await does(id, { migrate: { host: from === 'fake-0001' ? 'fake-0002' : 'fake-0001' } }, 'VERIFY_RESIZE');
  await does(id, { revertResize: null }, 'ACTIVE');
  assert.equal((await world.show(id))['OS-EXT-SRV-ATTR:host'], from);
  assert.equal(await guests(id), 1);
});

test('a server that waits for its confirmation is deleted with all that was kept', async () => {
  const id = await world.boot();
  const before = await holders();
  await does(id, { migrate: null }, 'VERIFY_RESIZE');
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
  assert.equal(await guests(id), 0);
  assert.deepEqual(await holders(), before.filter((one) => one !== id));
  const { migrations } = (await world.call('GET', `/os-migrations?instance_uuid=${id}`, { token: ADMIN_TOKEN })).json;
  assert.deepEqual(migrations.map((one: any) => one.status), ['confirmed']);
});

test('what cannot be resized is refused in nova\'s words', async () => {
  const id = await world.boot();
  const refused = async (body: object, status: number, text: string, version = 'latest'): Promise<void> => {
    const reply = await act(id, body, { token: ADMIN_TOKEN, version });
    assert.equal(reply.status, status, reply.text);
    assert.deepEqual(Object.values<{ message: string }>(reply.json).map(({ message }) => message), [text]);
  };
  const flavor = async (over: Record<string, unknown>): Promise<string> => {
    const reply = await world.call('POST', '/flavors', { token: ADMIN_TOKEN, body: { flavor: { name: `f${Math.random()}`, vcpus: 1, ram: 128, disk: 1, ...over } } });
    return reply.json.flavor.id as string;
  };
  await refused({ resize: { flavorRef: '1' } }, 400, 'When resizing, instances must change flavor!');
  await refused({ resize: { flavorRef: 'none' } }, 400, 'Flavor none could not be found.');
  await refused({ resize: { flavorRef: await flavor({ disk: 0 }) } }, 400, 'Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.');
  await refused({ migrate: { host: (await world.show(id))['OS-EXT-SRV-ATTR:host'] } }, 400, 'Cannot migrate to the host where the server exists.');
  await refused({ migrate: { host: 'nowhere' } }, 400, 'Compute host nowhere could not be found.');
  await refused({ revertResize: null }, 409, `Cannot 'revertResize' instance ${id} while it is in vm_state active`);
  const live = { host: null, block_migration: 'auto' };
  await refused({ 'os-migrateLive': live }, 400, 'Migration pre-check error: servers are containers here, which cannot be moved while they run; use migrate.');
  assert.equal((await act(id, { 'os-migrateLive': { ...live, disk_over_commit: false } }, { token: ADMIN_TOKEN })).status, 400);
  assert.match((await act(id, { 'os-migrateLive': live }, { token: ADMIN_TOKEN, version: '2.24' })).text, /disk_over_commit|auto/);
  await refused({ 'os-migrateLive': { ...live, force: true } }, 400, "Can't force to a non-provided destination", '2.30');
});

test('a disk does not become smaller: the server is as before, and its action says why', async () => {
  const id = await world.boot({ flavorRef: '2' });
  await does(id, { resize: { flavorRef: '1' } }, 'ACTIVE');
  assert.equal((await world.show(id)).flavor.original_name, 'm2');
  const { instanceActions } = (await world.call('GET', `/servers/${id}/os-instance-actions`)).json;
  assert.equal(instanceActions[0].message, 'Error');
  const { instanceAction } = (await world.call('GET', `/servers/${id}/os-instance-actions/${instanceActions[0].request_id}`, { token: ADMIN_TOKEN })).json;
  assert.equal(instanceAction.events[0].details, 'Resize error: Unable to resize disk down.');
});

test('a host that goes down gives its servers to another; what it still had goes when it is back', async () => {
  const id = await world.boot();
  const from = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  const index = from === 'fake-0001' ? 0 : 1;
  const busy = await act(id, { evacuate: {} }, { token: ADMIN_TOKEN });
  assert.equal(busy.json.badRequest.message, `Compute service of ${from} is still in use.`);
  world.nodes.setConnected(index, false);
  const reply = await act(id, { evacuate: {} }, { token: ADMIN_TOKEN });
  assert.equal(reply.status, 200, reply.text);
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'SHUTOFF', 'from 2.95 on it stays stopped');
  assert.notEqual((await world.show(id))['OS-EXT-SRV-ATTR:host'], from);
  assert.equal(await guests(id), 2);
  world.nodes.setConnected(index, true);
  const job = world.compute.service.jobs.find(({ name }) => name === 'compute.sync-power-state')!;
  await job.run({ log: world.deps.log, clock: world.deps.clock, signal: new AbortController().signal });
  assert.equal(await guests(id), 1);
  const [move] = (await world.call('GET', `/os-migrations?instance_uuid=${id}`, { token: ADMIN_TOKEN })).json.migrations;
  assert.deepEqual([move.migration_type, move.status], ['evacuation', 'completed']);
  assert.ok(!(await holders()).includes(move.uuid));
});

test('before 2.14 an evacuation names a password, and an active server runs on', async () => {
  const id = await world.boot();
  const index = (await world.show(id))['OS-EXT-SRV-ATTR:host'] === 'fake-0001' ? 0 : 1;
  world.nodes.setConnected(index, false);
  const reply = await act(id, { evacuate: { onSharedStorage: 'False', adminPass: 'secret' } }, { token: ADMIN_TOKEN, version: '2.13' });
  assert.deepEqual(reply.json, { adminPass: 'secret' });
  await world.settled(id);
  assert.equal((await world.show(id)).status, 'ACTIVE');
  world.nodes.setConnected(index, true);
});

test('migrations are listed by filter and page', async () => {
  const list = async (query: string, version = 'latest') => (await world.call('GET', `/os-migrations${query}`, { token: ADMIN_TOKEN, version })).json;
  const all = (await list('')).migrations;
  assert.ok(all.length > 3);
  const first = await list('?limit=2');
  assert.deepEqual(first.migrations, all.slice(0, 2));
  assert.equal(first.migrations_links[0].rel, 'next');
  assert.deepEqual((await list(`?limit=2&marker=${first.migrations[1].uuid}`)).migrations, all.slice(2, 4));
  assert.ok((await list('?migration_type=evacuation')).migrations.every((one: any) => one.migration_type === 'evacuation'));
  assert.ok(!('migration_type' in (await list('', '2.22')).migrations[0]));
  assert.ok(!('uuid' in (await list('', '2.58')).migrations[0]));
  assert.ok('user_id' in (await list('', '2.80')).migrations[0]);
  const unknown = await world.call('GET', '/os-migrations?marker=00000000-0000-4000-8000-000000000000', { token: ADMIN_TOKEN });
  assert.deepEqual([unknown.status, unknown.json.badRequest.message], [400, 'Marker 00000000-0000-4000-8000-000000000000 could not be found.']);
});

test('no migration of a server is a live one', async () => {
  const id = await world.boot();
  await does(id, { migrate: null }, 'VERIFY_RESIZE');
  const [move] = (await world.call('GET', `/os-migrations?instance_uuid=${id}`, { token: ADMIN_TOKEN })).json.migrations;
  const at = (path: string, method = 'GET', body?: object) => world.call(method, `/servers/${id}/migrations${path}`, { token: ADMIN_TOKEN, ...(body === undefined ? {} : { body }) });
  assert.deepEqual((await at('')).json, { migrations: [] });
  assert.equal((await at(`/${move.id}`)).json.itemNotFound.message, `Migration ${move.id} for server ${id} is not live-migration.`);
  assert.equal((await at('/4711')).json.itemNotFound.message, `In-progress live migration 4711 is not found for server ${id}.`);
  assert.equal((await at(`/${move.id}`, 'DELETE')).json.conflictingRequest.message, `Instance ${id} is in an invalid state for 'abort live migration'`);
  assert.equal((await at(`/${move.id}/action`, 'POST', { force_complete: null })).status, 409);
});
