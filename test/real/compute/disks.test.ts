/** A server writes what its flavor gives it and no byte more, through everything that happens to it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { GuestSpec } from '../../../src/agents/compute/protocol.ts';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';

const exec = promisify(execFile);
let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig(undefined, { disk_limit: 'auto' });
  image = await makeImage();
});
after(async () => await rig.close());

const spec = (disk_gb: number): GuestSpec => {
  const one = rig.spec(image);
  return { ...one, limits: { ...one.limits, disk_gb }, files: [{ path: '/etc/injected', content: Buffer.from('here').toString('base64') }] };
};

async function diskFiles(): Promise<string[]> {
  const own = (await readdir(tmpdir())).find((name) => name.startsWith(`${rig.cloud}-`))!;
  return (await readdir(join(tmpdir(), own, 'disks')).catch(() => [])).map((name) => join(tmpdir(), own, 'disks', name));
}

const sh = (id: string, script: string): Promise<{ code: number; output: string }> => rig.inside(id, 'sh', '-c', script);

/** Loop devices of this rig's files. */
async function loops(): Promise<string> {
  const { stdout } = await exec('losetup', ['-a']);
  return stdout.split('\n').filter((line) => line.includes(rig.cloud)).join('\n');
}

test("the flavor's disk is all there is, for root as for anybody", async () => {
  const server = spec(1);
  await rig.driver.spawn(server);
  const id = server.server_id;
  assert.equal((await sh(id, 'cat /etc/injected')).output, 'here');
  const filled = await sh(id, 'dd if=/dev/zero of=/big bs=1M count=2000 2>&1; stat -c %s /big');
  assert.match(filled.output, /No space left on device/);
  const written = Number(/(\d+)\s*$/.exec(filled.output)![1]);
  assert.ok(written > 900 * 1024 ** 2 && written < 1024 ** 3, `${written} bytes fit`);
  // What it deletes goes back to the host.
  await sh(id, 'dd if=/dev/urandom of=/big bs=1M count=50 2>/dev/null; rm /big; sync');
  const [file] = await diskFiles();
  await until('the room on the host', () => stat(file!), ({ blocks }) => blocks * 512 < 30 * 1024 ** 2);
  await rig.driver.destroy(id);
  assert.deepEqual(await diskFiles(), []);
  await until('the loop device goes', loops, (left) => left === '');
});

test('what was written stays, over stop, start and hard reboot', async () => {
  const server = spec(1);
  const id = server.server_id;
  await rig.driver.spawn(server);
  await sh(id, 'echo kept > /kept');
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await rig.driver.power(id, { action: 'start' });
  await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  assert.equal((await sh(id, 'cat /kept /etc/injected')).output, 'kept\nhere');
  assert.match((await sh(id, 'dd if=/dev/zero of=/big bs=1M count=2000 2>&1; rm /big')).output, /No space left/);

  // As after a reboot of the host: nothing is mounted. The engine alone cannot start it; the agent can.
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  const inspect = await rig.engine.json<{ GraphDriver: { Data: { UpperDir: string } } }>('GET', `/containers/${rig.cloud}-${id}/json`);
  await exec('umount', [inspect.GraphDriver.Data.UpperDir.replace(/\/diff$/, '')]);
  await assert.rejects(rig.engine.json('POST', `/containers/${rig.cloud}-${id}/start`));
  await (await rig.again()).power(id, { action: 'start' });
  assert.equal((await sh(id, 'cat /kept')).output, 'kept\n');
  await rig.driver.destroy(id);
  assert.deepEqual(await diskFiles(), []);
});

test('a flavor without a disk size has no bound, and no file', async () => {
  const server = spec(0);
  await rig.driver.spawn(server);
  assert.deepEqual(await diskFiles(), []);
  await rig.driver.destroy(server.server_id);
});

test('a server whose container was removed by hand is made anew, with an empty disk of its size', async () => {
  const server = spec(1);
  const id = server.server_id;
  await rig.driver.spawn(server);
  await sh(id, 'echo old > /old');
  await rig.engine.json('DELETE', `/containers/${rig.cloud}-${id}`, { query: { force: 1 } });
  await assert.rejects(rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 }), { code: 'compute.server-unknown' });
  assert.equal((await rig.driver.spawn(server)).power_state, 'running');
  assert.equal((await sh(id, 'cat /etc/injected; test -e /old || echo " fresh"')).output, 'here fresh\n');
  assert.match((await sh(id, 'dd if=/dev/zero of=/big bs=1M count=2000 2>&1')).output, /No space left/);
  await rig.driver.destroy(id);
  await until('the loop device goes', loops, (left) => left === '');
});

test('a spawn that fails leaves no disk', async () => {
  const server = spec(1);
  rig.plug.failure = new Error('no cable');
  await assert.rejects(rig.driver.spawn(server));
  rig.plug.failure = undefined;
  assert.deepEqual(await diskFiles(), []);
  assert.equal(await loops(), '');
  assert.doesNotMatch(await readFile('/proc/self/mountinfo', 'utf8'), new RegExp(rig.cloud));
});

test('a disk without a container goes when the agent starts', async () => {
  const server = spec(1);
  await rig.driver.spawn(server);
  await rig.engine.json('DELETE', `/containers/${rig.cloud}-${server.server_id}`, { query: { force: 1 } });
  assert.equal((await diskFiles()).length, 1);
  await rig.again();
  await until('the disk goes', diskFiles, (files) => files.length === 0);
});
