/** A guest reads of its own machine, and its time begins with it. On an engine of the test's own: its runtime is the one of this checkout. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { existsSync, readFileSync } from 'node:fs';
import { type Rig, type TestImage, until } from './harness.ts';
import { createOwnRig } from './own-engine.ts';

let own: Awaited<ReturnType<typeof createOwnRig>>;
let rig: Rig;
let image: TestImage;
before(async () => {
  own = await createOwnRig();
  ({ rig, image } = own);
});
after(() => own?.close());

const read = async (id: string, path: string): Promise<string> => (await rig.inside(id, 'cat', path)).output;
const hostUptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);

test('processors, memory and disks are those of the flavor, whatever the host has', async () => {
  const spec = rig.spec(image, { limits: { vcpus: 3, memory_mb: 96, swap_mb: 0, disk_gb: 2, pids: 64 } });
  await rig.driver.spawn(spec);
  const id = spec.server_id;
  assert.equal((await rig.inside(id, 'grep', '-c', '^processor', '/proc/cpuinfo')).output.trim(), '3');
  assert.equal((await read(id, '/sys/devices/system/cpu/online')).trim(), '0-2');
  assert.match(await read(id, '/proc/meminfo'), /^MemTotal: +98304 kB$/m);
  assert.equal((await read(id, '/proc/stat')).match(/^cpu\d+ /gm)?.length, 3);
  assert.match(await read(id, '/proc/partitions'), /\n 120 +0 +2097152 vda\n$/);
  assert.match(await read(id, '/proc/diskstats'), /^ 120 +0 vda( 0){17}\n$/);
  assert.equal((await rig.inside(id, 'ls', '/sys/block')).output.trim(), 'vda');
  assert.equal((await read(id, '/sys/dev/block/120:0/size')).trim(), '4194304');
});

test('the guest cannot write to what it is shown', async () => {
  const spec = rig.spec(image);
  await rig.driver.spawn(spec);
  for (const path of ['/proc/meminfo', '/proc/partitions', '/sys/block/vda/size']) {
    const tried = await rig.inside(spec.server_id, 'sh', '-c', `echo lie > ${path}`);
    assert.notEqual(tried.code, 0, `${path}: ${tried.output}`);
  }
});

test('its time begins at its start, again at its reboot, and also for what is run in it later', async () => {
  const spec = rig.spec(image, { command: ['sh', '-c', 'cat /proc/uptime; sleep 1000'] });
  await rig.driver.spawn(spec);
  const id = spec.server_id;
  const first = await until('its first line', () => rig.driver.consoleOutput(id, 1), (text) => text.includes(' '));
  assert.ok(Number(first.split(' ')[0]) < 10 && hostUptime() > 20, `up for ${first} in a guest, ${hostUptime()} on the host`);
  const later = await until('its clock goes on', () => read(id, '/proc/uptime'), (text) => Number(text.split(' ')[0]) >= 2);
  assert.ok(Number(later.split(' ')[0]) < hostUptime());
  await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  assert.ok(Number((await read(id, '/proc/uptime')).split(' ')[0]) < Number(later.split(' ')[0]) + 1);
  assert.equal((await rig.driver.inspect(id))?.power_state, 'running');
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  assert.equal((await rig.driver.inspect(id))?.power_state, 'shutdown');
});

test('used memory shows within a refresh, and nothing stays behind on the host', async () => {
  const spec = rig.spec(image, { command: ['sh', '-c', 'x=$(head -c 20000000 /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox | tr "\\0" a); sleep 1000'] });
  const { container_id } = await rig.driver.spawn(spec);
  const folder = `/run/gantry/views/${container_id}`;
  assert.ok(existsSync(`${folder}/list`));
  await until('its memory is used', () => read(spec.server_id, '/proc/stat'), (text) => Number(/^cpu +\d+ 0 +\d+ +(\d+)/m.exec(text)?.[1]) > 0, 20_000);
  assert.match(await read(spec.server_id, '/proc/meminfo'), /^MemFree: +\d+ kB$/m);
  const free = Number(/^MemFree: +(\d+)/m.exec(await read(spec.server_id, '/proc/meminfo'))?.[1]);
  assert.ok(free > 0 && free < 65_536, `${free} KiB free of 64 MiB`);
  await rig.driver.destroy(spec.server_id);
  assert.ok(!existsSync(folder));
});

test('nothing stays behind of a guest that could not be made', async () => {
  const spec = rig.spec(image);
  rig.plug.failure = new Error('no cable');
  await assert.rejects(rig.driver.spawn(spec), { code: 'compute.network-failed' });
  rig.plug.failure = undefined;
  assert.ok(!existsSync(`/run/gantry/views/.${spec.server_id}`));
});
