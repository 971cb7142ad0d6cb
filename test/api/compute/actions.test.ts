import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, serveCompute, type ServedWorld } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ config: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
});
after(() => world.close());

const act = (id: string, body: object, options: { token?: string; version?: string } = {}) => world.call('POST', `/servers/${id}/action`, { body, ...options });

async function does(id: string, body: object, status: string): Promise<void> {
  const reply = await act(id, body);
  assert.equal(reply.status, 202, reply.text);
  await world.settled(id);
  assert.equal((await world.show(id)).status, status, JSON.stringify(body));
}

test('a server is stopped, started, rebooted, paused and unpaused', async () => {
  const id = await world.boot();
  await does(id, { 'os-stop': null }, 'SHUTOFF');
  assert.equal(world.network.plugged.get(id), false);
  await does(id, { 'os-start': null }, 'ACTIVE');
  assert.equal(world.network.plugged.get(id), true);
  await does(id, { reboot: { type: 'SOFT' } }, 'ACTIVE');
  await does(id, { pause: null }, 'PAUSED');
  await does(id, { reboot: { type: 'hard' } }, 'ACTIVE');
  await does(id, { pause: null }, 'PAUSED');
  await does(id, { unpause: null }, 'ACTIVE');
  const { instanceActions } = (await world.call('GET', `/servers/${id}/os-instance-actions`)).json;
  assert.deepEqual(instanceActions.map((one: any) => one.action), ['unpause', 'pause', 'reboot', 'pause', 'reboot', 'start', 'stop', 'create']);
});

test('what a state does not allow is 409 in nova\'s words', async () => {
  const id = await world.boot();
  const refused = async (body: object, text: string): Promise<void> => {
    const reply = await act(id, body);
    assert.equal(reply.status, 409, reply.text);
    assert.equal(reply.json.conflictingRequest.message, text);
  };
  await refused({ 'os-start': null }, `Cannot 'start' instance ${id} while it is in vm_state active`);
  await refused({ unpause: null }, `Cannot 'unpause' instance ${id} while it is in vm_state active`);
  await refused({ restore: null }, `Cannot 'restore' instance ${id} while it is in vm_state active`);
  await does(id, { 'os-stop': null }, 'SHUTOFF');
  await refused({ 'os-stop': null }, `Cannot 'stop' instance ${id} while it is in vm_state stopped`);
  await refused({ pause: null }, `Cannot 'pause' instance ${id} while it is in vm_state stopped`);
  await refused({ reboot: { type: 'SOFT' } }, `Cannot 'reboot' instance ${id} while it is in vm_state stopped`);
});

test('of two power actions at once one is refused', async () => {
  const id = await world.boot({ metadata: { 'slow:power': '50ms' } });
  const replies = await Promise.all([act(id, { 'os-stop': null }), act(id, { pause: null })]);
  assert.deepEqual(replies.map(({ status }) => status).sort(), [202, 409]);
  await world.settled(id);
});

test('an action that is none is 400', async () => {
  const id = await world.boot();
  const reply = await act(id, { dance: {} });
  assert.equal(reply.status, 400);
  assert.equal(reply.json.badRequest.message, 'There is no such action: dance');
  assert.equal((await act(id, { reboot: { type: 'GENTLY' } })).status, 400);
  assert.equal((await act(id, { 'os-resetState': { state: 'gone' } }, { token: ADMIN_TOKEN })).status, 400);
});

test('a lock holds for all but administrators, and who locked decides who unlocks', async () => {
  const id = await world.boot();
  assert.equal((await act(id, { lock: { locked_reason: 'mine' } })).status, 202);
  let server = await world.show(id, 'member');
  assert.equal(server.locked, true);
  assert.equal(server.locked_reason, 'mine');
  for (const body of [{ 'os-stop': null }, { pause: null }, { forceDelete: null }]) {
    const reply = await act(id, body);
    assert.equal(reply.status, 409);
    assert.equal(reply.json.conflictingRequest.message, `Instance ${id} is locked`);
  }
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 409);
  assert.equal((await act(id, { unlock: null })).status, 202);
  assert.equal((await act(id, { lock: null }, { token: ADMIN_TOKEN })).status, 202);
  assert.equal((await act(id, { unlock: null })).status, 403);
  assert.equal((await act(id, { unlock: null }, { token: ADMIN_TOKEN })).status, 202);
  server = await world.show(id, 'member');
  assert.equal(server.locked, false);
  assert.equal(server.locked_reason, null);
});

test('the console log is read whole or by its end', async () => {
  const id = await world.boot({ name: 'speaker' });
  const whole = await act(id, { 'os-getConsoleOutput': {} });
  assert.equal(whole.status, 200, whole.text);
  assert.match(whole.json.output, /speaker started/);
  assert.equal((await act(id, { 'os-getConsoleOutput': { length: 0 } })).json.output, '');
  assert.match((await act(id, { 'os-getConsoleOutput': { length: '10' } })).json.output, /started/);
  assert.equal((await act(id, { 'os-getConsoleOutput': { length: 'x' } })).status, 400);
});

test('diagnostics have the standard shape since 2.48 and a free one before', async () => {
  const id = await world.boot();
  assert.equal((await world.call('GET', `/servers/${id}/diagnostics`)).status, 403);
  const now = (await world.call('GET', `/servers/${id}/diagnostics`, { token: ADMIN_TOKEN })).json;
  assert.equal(now.state, 'running');
  assert.equal(now.num_cpus, 1);
  assert.ok('maximum' in now.memory_details);
  const old = (await world.call('GET', `/servers/${id}/diagnostics`, { token: ADMIN_TOKEN, version: '2.47' })).json;
  assert.ok('cpu0_time' in old);
  await does(id, { 'os-stop': null }, 'SHUTOFF');
  assert.equal((await world.call('GET', `/servers/${id}/diagnostics`, { token: ADMIN_TOKEN })).status, 409);
});

test('an administrator sets the state by hand', async () => {
  const id = await world.boot();
  assert.equal((await act(id, { 'os-resetState': { state: 'error' } })).status, 403);
  assert.equal((await act(id, { 'os-resetState': { state: 'error' } }, { token: ADMIN_TOKEN })).status, 202);
  assert.equal((await world.show(id)).status, 'ERROR');
  assert.equal((await act(id, { 'os-resetState': { state: 'active' } }, { token: ADMIN_TOKEN })).status, 202);
  assert.equal((await world.show(id)).status, 'ACTIVE');
});

test('the events of an action say how it went; a traceback is for administrators', async () => {
  const id = await world.boot();
  const [{ request_id }] = (await world.call('GET', `/servers/${id}/os-instance-actions`)).json.instanceActions;
  const path = `/servers/${id}/os-instance-actions/${request_id}`;
  const mine = (await world.call('GET', path)).json.instanceAction;
  assert.equal(mine.action, 'create');
  assert.equal(mine.events[0].result, 'Success');
  assert.ok(mine.events[0].hostId);
  assert.ok(!('traceback' in mine.events[0]) && !('host' in mine.events[0]) && !('details' in mine.events[0]));
  const all = (await world.call('GET', path, { token: ADMIN_TOKEN })).json.instanceAction.events[0];
  assert.ok('traceback' in all && 'host' in all && 'details' in all);
  assert.ok(!('events' in (await world.call('GET', path, { version: '2.50' })).json.instanceAction));
  assert.equal((await world.call('GET', `/servers/${id}/os-instance-actions/req-none`)).status, 404);
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}/os-instance-actions`)).json.instanceActions[0].action, 'delete');
  assert.equal((await world.call('GET', `/servers/${id}/os-instance-actions`, { version: '2.20' })).status, 404);
});

test('actions are paged and filtered by time', async () => {
  const id = await world.boot();
  await does(id, { 'os-stop': null }, 'SHUTOFF');
  const path = `/servers/${id}/os-instance-actions`;
  const first = (await world.call('GET', `${path}?limit=1`)).json;
  assert.equal(first.instanceActions[0].action, 'stop');
  const next = new URL(first.links[0].href);
  const second = (await world.call('GET', `${path}${next.search}`)).json;
  assert.deepEqual(second.instanceActions.map((one: any) => one.action), ['create']);
  assert.equal(second.links, undefined);
  assert.equal((await world.call('GET', `${path}?marker=req-none`)).status, 400);
  assert.equal((await world.call('GET', `${path}?changes-since=2999-01-01T00:00:00Z`)).json.instanceActions.length, 0);
  assert.equal((await world.call('GET', `${path}?unknown=1`)).status, 400);
});

test('a deletion cancels a boot that runs, and leaves nothing', async () => {
  const body = { server: { name: 'slow', imageRef: world.image.id, flavorRef: '1', networks: 'auto', metadata: { 'slow:spawn': '100ms' } } };
  const { id } = (await world.call('POST', '/servers', { body })).json.server;
  while ((await world.show(id))['OS-EXT-STS:task_state'] !== 'spawning') await new Promise(setImmediate);
  assert.equal((await world.call('DELETE', `/servers/${id}`)).status, 204);
  // Asked twice it is the same deletion, or one that has ended.
  assert.ok([204, 404].includes((await world.call('DELETE', `/servers/${id}`)).status));
  await world.settled(id);
  assert.equal((await world.call('GET', `/servers/${id}`)).status, 404);
  assert.equal(world.network.ports.has(id), false);
  assert.ok(!(await world.placement.consumers()).some((consumer) => consumer.id === id));
  for (const driver of world.nodes.drivers) assert.equal(await driver.inspect(id), undefined);
});

test('a security group is added to the ports of a server, shown, and removed', async () => {
  const id = await world.boot();
  const groupNames = async () => (await world.call('GET', `/servers/${id}/os-security-groups`)).json.security_groups.map((group: any) => group.name);
  const shows = async (...expected: string[]): Promise<void> => {
    while (JSON.stringify(await groupNames()) !== JSON.stringify(expected)) await new Promise(setImmediate);
  };
  assert.equal((await act(id, { addSecurityGroup: { name: 'web' } })).status, 202);
  await shows('default', 'web');
  assert.deepEqual((await world.show(id)).security_groups.map((group: any) => group.name).sort(), ['default', 'web']);
  assert.equal((await act(id, { removeSecurityGroup: { name: 'web' } })).status, 202);
  await shows('default');
  assert.equal((await act(id, { addSecurityGroup: { name: 'nope' } })).status, 404);
  assert.equal((await act(id, { addSecurityGroup: {} })).status, 400);
});

test('the state of a server, its being there and the caller decide before the body of an action', async () => {
  const id = await world.boot();
  assert.equal((await act(id, { unshelve: null })).status, 409);
  assert.equal((await act('00000000-0000-4000-8000-00000000dead', { resize: { flavorRef: '2' } })).status, 404);
  assert.equal((await act(id, { evacuate: {} })).status, 403);
});
