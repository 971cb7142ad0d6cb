import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { createFakeDriver, createFakeNodes, parseDuration } from '../../../src/agents/compute/drivers/fake/index.ts';
import type { GuestReport, GuestSpec } from '../../../src/agents/compute/protocol.ts';
import { computeHandlers } from '../../../src/agents/compute/serve.ts';

const clock = { now: () => new Date('2026-01-01T00:00:00Z') };

function spec(metadata: Record<string, string> = {}): GuestSpec {
  return {
    server_id: randomUUID(), name: 'a', hostname: 'a', project_id: 'p', user_id: 'u', flavor_name: 'f',
    image: { id: randomUUID(), digest: '0'.repeat(64), size: 1, container_format: 'docker', disk_format: 'raw' },
    limits: { vcpus: 1, memory_mb: 64, swap_mb: 0, disk_gb: 1, pids: 10 },
    command: null, environment: {}, files: [], ssh_keys: [], dns: { servers: [], search: [] }, metadata,
    network: { generation: 1, networks: [], ports: [], security_groups: [], group_members: [], peers: [] },
  };
}

test('a guest lives through its states, each told once to listeners', async () => {
  const driver = createFakeDriver({ clock });
  const told: GuestReport[] = [];
  driver.onChange((report) => told.push(report));
  const one = spec();
  await driver.spawn(one);
  await driver.spawn(one);
  await driver.power(one.server_id, { action: 'pause' });
  await driver.power(one.server_id, { action: 'pause' });
  await assert.rejects(driver.power(one.server_id, { action: 'stop', timeout_seconds: 1 }), { code: 'compute.wrong-state', status: 409 });
  await driver.power(one.server_id, { action: 'unpause' });
  await driver.power(one.server_id, { action: 'stop', timeout_seconds: 1 });
  await assert.rejects(driver.power(one.server_id, { action: 'reboot', hard: false, timeout_seconds: 1 }), { code: 'compute.wrong-state' });
  await driver.power(one.server_id, { action: 'reboot', hard: true, timeout_seconds: 1 });
  driver.exit(one.server_id, 137, true);
  assert.equal((await driver.inspect(one.server_id))?.oom_killed, true);
  await driver.power(one.server_id, { action: 'start' });
  await driver.destroy(one.server_id);
  await driver.destroy(one.server_id);
  assert.equal(await driver.inspect(one.server_id), undefined);
  assert.deepEqual(told.map((report) => report.power_state), ['running', 'paused', 'running', 'shutdown', 'running', 'crashed', 'running', 'nostate']);
  assert.equal(told.at(-1)?.container_id, null);
  await assert.rejects(driver.power(one.server_id, { action: 'start' }), { code: 'compute.server-unknown' });
});

test('a guest of another incarnation is made anew, one of the same is not', async () => {
  const driver = createFakeDriver({ clock });
  const first = spec();
  await driver.spawn(first);
  const again = { ...first, name: 'b', incarnation: 'two' };
  await driver.spawn(again);
  assert.equal(driver.specOf(first.server_id)?.name, 'b');
  await driver.power(first.server_id, { action: 'pause' });
  assert.equal((await driver.spawn(again)).power_state, 'paused');
  assert.equal((await driver.spawn({ ...again, incarnation: 'three' })).power_state, 'running');
  await assert.rejects(driver.spawn({ ...again, incarnation: 'four', metadata: { 'fail:spawn': 'no' } }), { message: 'no' });
  assert.equal(await driver.inspect(first.server_id), undefined);
});

test('metadata says what fails, and a failed spawn leaves nothing', async () => {
  const driver = createFakeDriver({ clock });
  const bad = spec({ 'fail:spawn': 'no room' });
  await assert.rejects(driver.spawn(bad), { message: 'no room', code: 'compute.start-failed' });
  assert.deepEqual(await driver.list(), []);
  const stuck = spec({ 'fail:destroy': 'busy', 'fail:power': 'no' });
  await driver.spawn(stuck);
  await assert.rejects(driver.destroy(stuck.server_id), { message: 'busy' });
  await assert.rejects(driver.power(stuck.server_id, { action: 'pause' }), { message: 'no' });
  assert.equal((await driver.list()).length, 1);
  const crash = await driver.spawn(spec({ 'exit:code': '3' }));
  assert.deepEqual([crash.power_state, crash.exit_code], ['crashed', 3]);
  const ended = await driver.spawn(spec({ 'exit:code': '0' }));
  assert.equal(ended.power_state, 'shutdown');
});

test('slow servers wait for as long as they say', async () => {
  const waited: number[] = [];
  const driver = createFakeDriver({ clock, sleep: async (ms) => void waited.push(ms) });
  await driver.spawn(spec({ 'slow:spawn': '5s' }));
  const later = spec({ 'exit:code': '1', 'exit:after': '200ms' });
  const told = new Promise<GuestReport>((resolve) => driver.onChange((report) => report.power_state === 'crashed' && resolve(report)));
  await driver.spawn(later);
  assert.equal((await told).server_id, later.server_id);
  assert.deepEqual(waited, [5000, 200]);
  assert.deepEqual(['200ms', '5s', '1.5m', '2'].map(parseDuration), [200, 5000, 90_000, 2000]);
  assert.throws(() => parseDuration('soon'), { code: 'compute.duration-invalid' });
});

test('a thousand nodes with names of their own', async () => {
  const nodes = createFakeNodes(1000, { clock });
  assert.equal(new Set(nodes.map((node) => node.hostname)).size, 1000);
  await Promise.all(nodes.map((node) => node.driver.spawn(spec())));
  const resources = await nodes[999]!.driver.resources();
  assert.deepEqual([resources.hostname, resources.host_ip], ['fake-1000', '127.1.3.231']);
  assert.equal((await nodes[0]!.driver.list()).length, 1);
});

test('the bus reaches every operation and refuses calls without their parameters', async () => {
  const handlers = computeHandlers(createFakeDriver({ clock }));
  const one = spec();
  const call = async (name: string, params?: unknown): Promise<unknown> => await handlers[name]!(params);
  assert.equal(((await call('compute.spawn', { spec: one })) as GuestReport).power_state, 'running');
  assert.equal(((await call('compute.power', { server_id: one.server_id, action: { action: 'pause' } })) as GuestReport).power_state, 'paused');
  assert.equal(((await call('compute.list')) as GuestReport[]).length, 1);
  assert.match((await call('compute.console', { server_id: one.server_id, lines: 1 })) as string, /started/);
  assert.equal(((await call('compute.diagnostics', { server_id: one.server_id })) as { pids: number }).pids, 0);
  assert.equal(((await call('compute.resources')) as { vcpus: number }).vcpus, 64);
  assert.equal(await call('compute.destroy', { server_id: one.server_id }), null);
  assert.equal(await call('compute.inspect', { server_id: one.server_id }), null);
  await assert.rejects(call('compute.spawn', {}), { code: 'compute.call-invalid' });
  await assert.rejects(call('compute.inspect'), { code: 'compute.call-invalid' });
});
