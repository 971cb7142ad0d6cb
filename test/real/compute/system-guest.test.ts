/** Guests with an init of their own, on an engine of the test's own: its runtime is the one of this checkout. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { GuestReport, GuestSpec, LoginUser } from '../../../src/agents/compute/protocol.ts';
import { makeBusyboxRoot } from '../../support/busybox-root.ts';
import { makeDisk } from '../../support/disk-image.ts';
import { systemImage, type SystemImage } from '../../support/system-image.ts';
import { createRig, type Rig, until } from './harness.ts';
import { createOwnEngine, type OwnEngine } from './own-engine.ts';

const PREFIX = 'gtc-system-';
let dir: string;
let engine: OwnEngine;
let rig: Rig;
let image: SystemImage;
let alpha: LoginUser;

before(async () => {
  for (const name of readdirSync(tmpdir())) if (name.startsWith(PREFIX)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  dir = mkdtempSync(join(tmpdir(), PREFIX));
  makeBusyboxRoot(join(dir, 'root'));
  await makeDisk({ root: join(dir, 'root'), path: join(dir, 'disk'), size_mib: 24, format: 'raw' });
  image = await systemImage(join(dir, 'disk'), 'raw', join(dir, 'work'));
  alpha = image.converted.facts.users.find(({ name }) => name === 'alpha')!;
  engine = await createOwnEngine();
  rig = await createRig(engine.socket);
});
after(async () => {
  await rig?.close();
  await engine?.close();
  rmSync(dir, { recursive: true, force: true });
});

const systemSpec = (change: Partial<GuestSpec> = {}): GuestSpec => rig.spec(image, { system: { init: 'busybox', user: alpha }, ...change });

const report = (id: string, good: (one: GuestReport) => boolean, what: string): Promise<GuestReport | undefined> =>
  until(what, () => rig.driver.inspect(id), (one) => one !== undefined && good(one), 40_000);

test('its own init is the first process; the key is the login user\'s', async () => {
  const spec = systemSpec({ ssh_keys: ['ssh-ed25519 AAAA test'] });
  assert.equal((await rig.driver.spawn(spec)).power_state, 'running');
  await until('the system', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => /^the system is up$/m.test(text));
  const seen = await rig.inside(spec.server_id, 'sh', '-c', 'cat /proc/1/comm; stat -c %a,%u,%g /home/alpha/.ssh /home/alpha/.ssh/authorized_keys; cat /home/alpha/.ssh/authorized_keys; hostname; cat /etc/network/interfaces /etc/fstab; grep CapBnd /proc/1/status; grep NoNewPrivs /proc/1/status');
  assert.match(seen.output, /^init\n700,1000,1000\n600,1000,1000\nssh-ed25519 AAAA test\nweb-1\nauto lo\niface lo inet loopback\n/, seen.output);
  // SYS_BOOT (bit 22) and no SYS_ADMIN (21), NET_ADMIN (12), MKNOD (27).
  const caps = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(seen.output)![1]}`);
  assert.deepEqual([22n, 21n, 12n, 27n].map((bit) => (caps >> bit) & 1n), [1n, 0n, 0n, 0n]);
  assert.match(seen.output, /NoNewPrivs:\s+0/);
  const tried = await rig.inside(spec.server_id, 'sh', '-c', 'mkdir /sys/fs/cgroup/systemd/mine && echo own-cgroup; for one in memory cpu pids devices; do mkdir /sys/fs/cgroup/$one/mine 2>/dev/null && echo lost $one; done; mount -t tmpfs none /mnt 2>/dev/null && echo mounted; mknod /tmp/disk b 8 0 2>/dev/null && echo device; true');
  assert.equal(tried.output.replace('own-cgroup\n', ''), '', tried.output);
});

test('it reboots itself and runs again; it powers itself off and is off; both are no crash', async () => {
  const spec = systemSpec();
  const first = await rig.driver.spawn(spec);
  const changes: string[] = [];
  rig.driver.onChange((one) => {
    if (one.server_id === spec.server_id) changes.push(one.power_state);
  });
  await rig.inside(spec.server_id, 'touch', '/root/kept');
  await rig.inside(spec.server_id, 'reboot');
  const again = await report(spec.server_id, (one) => one.power_state === 'running' && one.started_at !== first.started_at, 'the reboot');
  assert.equal(again?.container_id, first.container_id);
  assert.equal((await rig.inside(spec.server_id, 'ls', '/root/kept')).code, 0);
  assert.deepEqual(changes.filter((state) => state !== 'running'), [], 'nobody saw it go down');
  await rig.inside(spec.server_id, 'poweroff');
  const off = await report(spec.server_id, (one) => one.power_state !== 'running', 'the power-off');
  assert.deepEqual([off?.power_state, off?.exit_code, off?.last_output], ['shutdown', 0, '']);
  assert.equal((await rig.driver.power(spec.server_id, { action: 'start' })).power_state, 'running');
});

test('it is stopped by its own shutdown, and a reboot asked from outside starts it once', async () => {
  const spec = systemSpec();
  await rig.driver.spawn(spec);
  await until('the system', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => text.includes('the system is up'));
  const stopped = await rig.driver.power(spec.server_id, { action: 'stop', timeout_seconds: 30 });
  assert.deepEqual([stopped.power_state, stopped.exit_code], ['shutdown', 0]);
  assert.match(await rig.driver.consoleOutput(spec.server_id, undefined), /the system goes down/);
  await rig.driver.power(spec.server_id, { action: 'start' });
  const rebooted = await rig.driver.power(spec.server_id, { action: 'reboot', hard: false, timeout_seconds: 30 });
  assert.equal(rebooted.power_state, 'running');
});

test('a reboot that nobody saw is caught up with when the agent is back', async () => {
  const lonely = await createRig(engine.socket);
  const spec = lonely.spec(image, { server_id: randomUUID(), system: { init: 'busybox', user: alpha } });
  const first = await lonely.driver.spawn(spec);
  await lonely.driver.close();
  await lonely.inside(spec.server_id, 'reboot');
  await until('the exit', () => lonely.engine.json<{ State: { ExitCode: number; Status: string } }>('GET', `/containers/${first.container_id}/json`), ({ State }) => State.Status === 'exited' && State.ExitCode === 129, 40_000);
  const next = await lonely.again();
  const again = await until('the start', () => next.inspect(spec.server_id), (one) => one?.power_state === 'running' && one.started_at !== first.started_at, 40_000);
  assert.equal(again?.container_id, first.container_id);
  await lonely.close();
});
