/** Volumes in containers that run: their devices, their file systems, and that nobody else gets at them. On an engine of the test's own. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { GuestSpec, GuestVolume } from '../../../src/agents/compute/protocol.ts';
import { createFileVolumeDriver } from '../../../src/agents/volume/drivers/file/index.ts';
import type { VolumeDriver } from '../../../src/agents/volume/protocol.ts';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';
import { createOwnEngine, type OwnEngine } from './own-engine.ts';
import type { Told } from './volumes-killed.ts';

const exec = promisify(execFile);
const MIB = 1024 * 1024;
let engine: OwnEngine;
let scratch: string;
let volumes: VolumeDriver;
let rig: Rig;
let image: TestImage;

before(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'gantry-attach-')));
  volumes = createFileVolumeDriver({ dir: join(scratch, 'volumes'), chunk: async () => Readable.from([]), writeImage: async () => {} });
  engine = await createOwnEngine();
  rig = await createRig(engine.socket, { volumes });
  image = await makeImage();
});
after(async () => {
  await rig?.close();
  for (const line of await loops()) await exec('losetup', ['-d', line.split(' ')[0]!]);
  await engine?.close();
  await rm(scratch, { recursive: true, force: true });
});

const loops = async (): Promise<string[]> => (await exec('losetup', ['-n', '-O', 'NAME,BACK-FILE', '-a'])).stdout.split('\n').filter((line) => line.includes(scratch));
const listsOfRuntime = async (): Promise<string[]> => {
  const names = await readdir('/run/gantry/volumes').catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join('/run/gantry/volumes', name), 'utf8').catch(() => '')));
  return texts.filter((text) => text.includes(`cloud ${rig.cloud}\n`));
};
const sh = (id: string, script: string): Promise<{ code: number; output: string }> => rig.inside(id, 'sh', '-c', script);
const said = async (id: string, script: string): Promise<string> => (await sh(id, script)).output;

async function server(change: Partial<GuestSpec> = {}): Promise<string> {
  const spec = rig.spec(image, change);
  await rig.driver.spawn(spec);
  return spec.server_id;
}

async function volume(change: Partial<GuestVolume> = {}, size_bytes = 64 * MIB): Promise<GuestVolume> {
  const volume_id = randomUUID();
  await volumes.create({ volume_id, size_bytes, source: { kind: 'blank' } });
  return { volume_id, attachment_id: randomUUID(), device: '/dev/vdb', mount_path: null, read_only: false, boot_index: null, multiattach: false, ...change };
}

async function cleared(servers: string[], gone: GuestVolume[]): Promise<void> {
  for (const id of servers) await rig.driver.destroy(id);
  assert.deepEqual(await loops(), []);
  for (const { volume_id } of gone) await volumes.remove(volume_id);
  assert.deepEqual(await listsOfRuntime(), []);
}

test('a device is attached to a container that runs, written, detached, attached elsewhere and read', async () => {
  const [first, second] = [await server(), await server()];
  const one = await volume();
  assert.deepEqual(await rig.driver.attachVolume(first, one), { device: '/dev/vdb', mounted: false });
  assert.deepEqual(await rig.driver.attachVolume(first, one), { device: '/dev/vdb', mounted: false }, 'asked twice');
  assert.match(await said(first, 'stat -c "%F %a" /dev/vdb'), /block special file 660/);
  assert.equal((await sh(first, `test /dev/disk/by-id/virtio-${one.volume_id.slice(0, 20)} -ef /dev/vdb`)).code, 0);
  assert.match(await said(first, 'cat /proc/partitions'), / 65536 vdb\n/);
  assert.equal(await said(first, 'cat /sys/block/vdb/size'), '131072\n');
  assert.equal((await sh(first, 'seq 1 100000 | dd of=/dev/vdb bs=4k conv=fsync 2>/dev/null')).code, 0);
  const written = await said(first, 'seq 1 100000 | dd bs=4k 2>/dev/null | tail -c 100');
  await rig.driver.detachVolume(first, one.volume_id, false);
  await rig.driver.detachVolume(first, one.volume_id, false);
  assert.deepEqual(await loops(), []);
  assert.notEqual((await sh(first, 'ls /dev/vdb')).code, 0);
  assert.doesNotMatch(await said(first, 'cat /proc/partitions; ls /sys/block /sys/dev/block /dev/disk/by-id'), /vdb|virtio|7:/);

  await rig.driver.attachVolume(second, { ...one, device: '/dev/vdc' });
  assert.equal(await said(second, 'head -c 588895 /dev/vdc | tail -c 100'), written);
  await cleared([first, second], [one]);
});

test('with a path it is mounted: made once, kept on its way to another server, and without the rights of devices and setuid', async () => {
  const [first, second] = [await server(), await server()];
  const one = await volume({ mount_path: '/var/lib/data' });
  assert.deepEqual(await rig.driver.attachVolume(first, one), { device: '/dev/vdb', mounted: true });
  assert.equal(await said(first, 'ls -A /var/lib/data'), '', 'programs insist on an empty folder');
  assert.match(await said(first, 'grep /var/lib/data /proc/mounts'), /ext4 rw,nosuid,nodev,noatime/);
  assert.equal((await sh(first, 'echo kept > /var/lib/data/file; sync')).code, 0);
  assert.deepEqual(await rig.driver.attachVolume(first, one), { device: '/dev/vdb', mounted: true }, 'asked twice');
  assert.equal((await said(first, 'grep -c /var/lib/data /proc/mounts')).trim(), '1');
  await rig.driver.detachVolume(first, one.volume_id, false);
  assert.equal((await sh(first, 'test -e /var/lib/data/file')).code, 1);
  await rig.driver.attachVolume(second, { ...one, mount_path: '/other' });
  assert.equal(await said(second, 'cat /other/file'), 'kept\n');
  await cleared([first, second], [one]);
});

test('a volume that is in use is not taken away, and is the same as before; by force its users go', async () => {
  const id = await server();
  const device = await volume();
  const mounted = await volume({ device: '/dev/vdc', mount_path: '/data' });
  await rig.driver.attachVolume(id, device);
  await rig.driver.attachVolume(id, mounted);
  await sh(id, 'sleep 2000 < /dev/vdb > /dev/null 2>&1 & cd /data; sleep 2001 > /dev/null 2>&1 &');
  await assert.rejects(rig.driver.detachVolume(id, device.volume_id, false), { status: 409, code: 'compute.device-busy' });
  await assert.rejects(rig.driver.detachVolume(id, mounted.volume_id, false), { status: 409, code: 'compute.device-busy' });
  assert.equal((await sh(id, 'dd if=/dev/vdb of=/dev/null bs=4k count=1 2>/dev/null && dd if=/dev/vdc of=/dev/null bs=4k count=1 2>/dev/null && echo more > /data/more')).code, 0);
  await rig.driver.detachVolume(id, device.volume_id, true);
  await rig.driver.detachVolume(id, mounted.volume_id, true);
  assert.doesNotMatch(await said(id, 'ps'), /sleep 200[01]/);
  await cleared([id], [device, mounted]);
});

test('read-only is read-only, as a device and mounted', async () => {
  const id = await server();
  const [device, mounted] = [await volume({ read_only: true }), await volume({ device: '/dev/vdc', mount_path: '/data' })];
  await rig.driver.attachVolume(id, mounted);
  await sh(id, 'echo there > /data/file');
  await rig.driver.detachVolume(id, mounted.volume_id, false);
  await rig.driver.attachVolume(id, { ...mounted, read_only: true });
  await rig.driver.attachVolume(id, device);
  assert.equal((await sh(id, 'dd if=/dev/vdb of=/dev/null bs=4k count=1 2>/dev/null')).code, 0);
  for (const script of ['echo no > /dev/vdb', 'echo no > /dev/vdc', 'echo no > /data/file']) assert.notEqual((await sh(id, script)).code, 0, script);
  assert.equal(await said(id, 'cat /data/file; cat /sys/block/vdb/ro'), 'there\n1\n');
  await cleared([id], [device, mounted]);
});

test('a volume that grows is seen to grow, and the file system on it too', async () => {
  const id = await server();
  const one = await volume({ mount_path: '/data' });
  await rig.driver.attachVolume(id, one);
  await sh(id, 'echo kept > /data/file');
  assert.notEqual((await sh(id, 'dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null')).code, 0);
  await volumes.extend(one.volume_id, 256 * MIB);
  await rig.driver.volumeExtended(id, one.volume_id);
  await rig.driver.volumeExtended(id, one.volume_id);
  assert.equal((await sh(id, 'dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null')).code, 0);
  assert.equal(await said(id, 'cat /data/file; cat /sys/block/vdb/size'), 'kept\n524288\n');
  await cleared([id], [one]);
});

test('volumes are there before the first process, and again after every start, of container, agent and engine', async () => {
  const [device, mounted] = [await volume(), await volume({ device: '/dev/vdc', mount_path: '/data' })];
  const id = await server({ volumes: [device, mounted], command: ['sh', '-c', 'date=$(cat /proc/partitions | grep -c "vd[bc]"); echo $date > /data/first; head -c 1 /dev/vdb > /dev/null && echo read >> /data/first; sleep 1000'] });
  await until('the first process', () => said(id, 'cat /data/first'), (text) => text === '2\nread\n');
  await sh(id, 'echo bytes > /dev/vdb; echo kept > /data/kept; sync');
  const same = async (): Promise<void> => assert.equal(await said(id, 'head -c 6 /dev/vdb; cat /data/kept; stat -c %F /dev/vdc'), 'bytes\nkept\nblock special file\n');

  await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  await same();
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  // As after a reboot of the host: no device is open.
  for (const line of await loops()) await exec('losetup', ['-d', line.split(' ')[0]!]);
  const next = await rig.again();
  await next.power(id, { action: 'start' });
  await same();
  await engine.stop('SIGKILL');
  await engine.start();
  await same();
  await next.detachVolume(id, device.volume_id, false);
  await next.detachVolume(id, mounted.volume_id, false);
  await next.attachVolume(id, mounted);
  assert.equal(await said(id, 'cat /data/kept'), 'kept\n');
  await next.resize(id, { vcpus: 2, memory_mb: 96, swap_mb: 0, disk_gb: 1, pids: 64 });
  assert.equal((await sh(id, 'dd if=/dev/vdc of=/dev/null bs=4k count=1 2>/dev/null && grep vdc /proc/partitions')).code, 0, 'other limits leave it as it is');
  await cleared([id], [device, mounted]);
});

test("nobody reads another tenant's volume, nor a device of the host, by whatever number", async () => {
  const [mine, other] = [await server(), await server()];
  const [own, secret] = [await volume(), await volume()];
  await rig.driver.attachVolume(mine, own);
  await rig.driver.attachVolume(other, secret);
  await sh(other, 'echo secret > /dev/vdb; sync');
  const theirs = (await volumes.open(secret.volume_id, { read_only: false })).minor;
  assert.notEqual((await sh(mine, `mknod /tmp/b b 7 ${theirs}`)).code, 0, 'no nodes are made inside');
  const { Id, State } = await rig.engine.json<{ Id: string; State: { Pid: number } }>('GET', `/containers/${rig.cloud}-${mine}/json`);
  assert.ok(Id);
  // Even with a node, as an image may bring one.
  for (const [major, minor] of [[7, theirs], [7, 0], [254, 0], [8, 0]]) {
    await exec('mknod', ['-m', '666', `/proc/${State.Pid}/root/dev/n${major}-${minor}`, 'b', String(major), String(minor)]);
    const tried = await sh(mine, `dd if=/dev/n${major}-${minor} of=/tmp/out bs=4k count=1`);
    assert.match(tried.output, /Operation not permitted|not permitted/, tried.output);
  }
  // Nor what it had itself.
  const before = (await volumes.open(own.volume_id, { read_only: false })).minor;
  await exec('mknod', ['-m', '666', `/proc/${State.Pid}/root/dev/mine`, 'b', '7', String(before)]);
  assert.equal((await sh(mine, 'dd if=/dev/mine of=/dev/null bs=4k count=1')).code, 0);
  await rig.driver.detachVolume(mine, own.volume_id, false);
  assert.match((await sh(mine, 'dd if=/dev/mine of=/dev/null bs=4k count=1')).output, /not permitted/);
  await cleared([mine, other], [own, secret]);
});

test("links that a guest lays lead the node nowhere", async () => {
  const id = await server();
  const trap = `${scratch}/trap`;
  await exec('mkdir', ['-p', trap]);
  await sh(id, `ln -s ${trap} /dev/disk; ln -s ${trap} /data; touch /dev/vdd`);
  await sh(id, `/bin/busybox ln -s ${trap} /dev/disk; /bin/busybox ln -s ${trap} /data`);
  const one = await volume({ mount_path: '/data/below' });
  await rig.driver.attachVolume(id, one).catch(() => {});
  await rig.driver.detachVolume(id, one.volume_id, true);
  assert.deepEqual(await readdir(trap), [], 'nothing was made on the host');
  await assert.rejects(rig.driver.attachVolume(id, { ...one, mount_path: null, device: '/dev/vdd' }), { status: 409, code: 'compute.attach-failed' });
  await assert.rejects(rig.driver.attachVolume(id, { ...one, mount_path: '/proc/x' }), { status: 400, code: 'compute.mount-path-invalid' });
  await assert.rejects(rig.driver.attachVolume(id, { ...one, device: '/dev/../etc/x' }), { status: 400, code: 'compute.device-invalid' });
  await cleared([id], [one]);
});

test('what is not blank and no file system is not overwritten, and a failed attachment leaves nothing', async () => {
  const id = await server();
  const one = await volume({ mount_path: '/data' });
  const { path } = await volumes.open(one.volume_id, { read_only: false });
  await exec('/bin/sh', ['-c', 'echo precious | dd of="$1" bs=512 conv=fsync 2>/dev/null', 'sh', path]);
  await volumes.close(one.volume_id);
  await assert.rejects(rig.driver.attachVolume(id, one), { status: 409, code: 'compute.mount-failed' });
  assert.deepEqual(await loops(), []);
  await rig.driver.attachVolume(id, { ...one, mount_path: null });
  assert.equal(await said(id, 'head -c 9 /dev/vdb'), 'precious\n');
  await assert.rejects(rig.driver.attachVolume(id, { ...(await volume()) }), { status: 409, code: 'compute.device-taken' });
  // Nor does a container that somebody has removed.
  await rig.engine.json('DELETE', `/containers/${rig.cloud}-${id}`, { query: { force: 1 } });
  await rig.driver.detachVolume(id, one.volume_id, false);
  assert.deepEqual(await loops(), []);
  await cleared([id], [one]);
});

test('a shared volume is open as long as one server has it', async () => {
  const [first, second] = [await server(), await server()];
  const one = await volume({ multiattach: true });
  await rig.driver.attachVolume(first, one);
  await rig.driver.attachVolume(second, { ...one, read_only: true });
  await sh(first, 'echo shared > /dev/vdb; sync');
  assert.equal(await said(second, 'head -c 7 /dev/vdb'), 'shared\n');
  assert.notEqual((await sh(second, 'echo no > /dev/vdb')).code, 0);
  await rig.driver.destroy(first);
  assert.equal(await said(second, 'head -c 7 /dev/vdb'), 'shared\n');
  await cleared([second], [one]);
});

/** Kills an agent at some point of its attaching and detaching. */
async function killAgent(server_id: string, one: GuestVolume): Promise<void> {
  const told: Told = { socket_path: engine.socket, cloud: rig.cloud, state_dir: rig.state_dir, volumes_dir: join(scratch, 'volumes'), server_id, volume: one };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'volumes-killed.ts'), JSON.stringify(told)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const at = randomInt(400);
  await new Promise((resolve) => setTimeout(resolve, at));
  child.kill('SIGKILL');
  assert.deepEqual((await ended)[1], 'SIGKILL', `ended by itself before ${at} ms`);
}

test('agents that are killed at any point lose no byte and leave no device, mount or node', async () => {
  const id = await server();
  const one = await volume({ mount_path: '/data' });
  await rig.driver.attachVolume(id, one);
  await sh(id, 'seq 1 20000 > /data/kept; sync');
  const sum = await said(id, 'tail -n 1 /data/kept; stat -c %s /data/kept');
  for (let times = 0; times < Number(process.env['GANTRY_KILLS'] ?? 12); times += 1) await killAgent(id, one);
  // What a program of the killed agent was at goes on for a moment.
  await until('the programs of the last agent', async () => (await exec('ps', ['-eo', 'args'])).stdout, (all) => !all.includes(one.volume_id) && !/gantry-volume [a-z]+ [0-9a-f]{64}/.test(all));
  await rig.driver.attachVolume(id, one);
  assert.equal(await said(id, 'tail -n 1 /data/kept; stat -c %s /data/kept'), sum);
  await rig.driver.detachVolume(id, one.volume_id, false);
  assert.deepEqual(await loops(), []);
  assert.doesNotMatch(await said(id, 'cat /proc/mounts; ls /dev'), / \/data |vdb/);
  await cleared([id], [one]);
});

test('a device that is open though no guest has it is closed when the agent begins', async () => {
  const one = await volume();
  await volumes.open(one.volume_id, { read_only: false });
  await rig.again();
  await until('the device goes', loops, (left) => left.length === 0);
  await volumes.remove(one.volume_id);
});
