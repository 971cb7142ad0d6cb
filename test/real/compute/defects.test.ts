/** What an earlier Docker driver for OpenStack got wrong, each as a test of this one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { asImage, createRig, makeImage, sha256, until, type Rig, type TestImage } from './harness.ts';
import { imageTag } from '../../../src/agents/compute/drivers/docker/container-config.ts';
import type { GuestReport, GuestSpec } from '../../../src/agents/compute/protocol.ts';

const exec = promisify(execFile);
let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage({ marker: 'defects' });
});
after(async () => await rig.close());

async function spawn(change: Partial<GuestSpec> = {}, of = image): Promise<{ id: string; report: GuestReport }> {
  const spec = rig.spec(of, change);
  return { id: spec.server_id, report: await rig.driver.spawn(spec) };
}

interface Inspect {
  Image: string;
  State: { Status: string };
  HostConfig: Record<string, unknown>;
  Config: Record<string, unknown>;
}

async function inspect(container: string | null | undefined): Promise<Inspect> {
  return await rig.engine.json<Inspect>('GET', `/containers/${container}/json`);
}

/** As a reboot of the host leaves it: no namespace, no link. */
async function loseNetwork(serverId: string, containerId: string | null): Promise<void> {
  await rig.plug.unplug(serverId);
  await exec('rm', ['-f', `${rig.netns_dir}/${containerId}`]);
}

test('defect 1: the address is there before the first instruction, and no process starts without it', async () => {
  const gate = Promise.withResolvers<void>();
  rig.plug.beforeReady = () => gate.promise;
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'ip -4 addr show eth0; sleep 1000'] });
  const spawning = rig.driver.spawn(spec);
  try {
    const [container] = await until('the container', () => rig.containersOf(spec.server_id), (found) => found.length === 1);
    // the engine lists a container a moment before it can tell of it
    const seen = await until('word of it', () => inspect(container).catch(() => undefined), (one) => one !== undefined);
    assert.equal(seen?.State.Status, 'created');
  } finally {
    rig.plug.beforeReady = async () => {};
    gate.resolve();
  }
  await spawning;
  const output = await until('the first words', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => text.includes('inet'));
  assert.match(output, /inet 10\.99\.0\.2\/24/);
});

test('defect 1: a container whose network is not wired cannot be started by anyone', async () => {
  const { id, report } = await spawn();
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await exec('rm', [`${rig.netns_dir}/${report.container_id}`]);
  await assert.rejects(rig.engine.json('POST', `/containers/${report.container_id}/start`), /network of container .* is not ready/);
});

test('defect 2: an archive cannot give its image the name of another one', async () => {
  const victim = await makeImage({ marker: 'victim' });
  await rig.driver.spawn(rig.spec(victim));
  const name = `gtc-victim-${process.pid}`;
  await rig.engine.json('POST', `/images/${imageTag(rig.cloud, victim.ref)}/tag`, { query: { repo: name, tag: 'latest' } });
  try {
    const idOf = async (tag: string): Promise<string> => (await rig.engine.json<{ Id: string }>('GET', `/images/${tag}/json`)).Id;
    const good = await idOf(name);
    const attack = await makeImage({ marker: 'attack', repo_tags: [`${name}:latest`, imageTag(rig.cloud, victim.ref)] });
    const { id } = await spawn({}, attack);
    assert.match((await rig.inside(id, 'cat', '/etc/marker')).output, /attack/);
    assert.equal(await idOf(name), good);
    assert.equal(await idOf(imageTag(rig.cloud, victim.ref)), good);
  } finally {
    await rig.engine.json('DELETE', `/images/${name}:latest`);
  }
});

test('defect 2: labels of an image never pass for ours', async () => {
  const other = randomUUID();
  const liar = await makeImage({ marker: 'liar', labels: { 'gantry.server': other, 'gantry.cloud': 'elsewhere' } });
  const { id } = await spawn({}, liar);
  assert.equal(await rig.driver.inspect(other), undefined);
  assert.equal((await rig.driver.inspect(id))?.power_state, 'running');
});

test('defect 2: bytes other than the digest says are refused and leave nothing', async () => {
  const real = await makeImage({ marker: 'real' });
  const fake = await makeImage({ marker: 'fake' });
  const spec = rig.spec({ archive: fake.archive, ref: { ...real.ref, size: 0 } });
  await assert.rejects(rig.driver.spawn(spec), { code: 'compute.image-invalid', message: /not what its digest says/ });
  await assert.rejects(rig.engine.json('GET', `/images/${imageTag(rig.cloud, spec.image)}/json`), { status: 404 });
  assert.deepEqual(await rig.containersOf(spec.server_id), []);
  assert.equal(rig.plug.unplugs.includes(spec.server_id), true);
});

test('defect 3: two images of one name are two images', async () => {
  const tags = ['web:latest'];
  const [old, fresh] = [await makeImage({ marker: 'old', repo_tags: tags }), await makeImage({ marker: 'new', repo_tags: tags })];
  const [a, b] = [await spawn({}, old), await spawn({}, fresh)];
  const again = { ...fresh, ref: { ...fresh.ref, id: old.ref.id } };
  const c = await spawn({}, again);
  assert.deepEqual(await Promise.all([a, b, c].map(async ({ id }) => (await rig.inside(id, 'cat', '/etc/marker')).output)), ['old', 'new', 'new']);
});

test('defect 4: a start whose network fails keeps the container and its data', async () => {
  const { id, report } = await spawn();
  await rig.inside(id, 'sh', '-c', 'echo precious > /data; sync');
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await loseNetwork(id, report.container_id);
  rig.plug.failure = new Error('the switch is gone');
  await assert.rejects(rig.driver.power(id, { action: 'start' }), { code: 'compute.network-failed' });
  rig.plug.failure = undefined;
  assert.equal((await rig.driver.inspect(id))?.container_id, report.container_id);
  const started = await rig.driver.power(id, { action: 'start' });
  assert.equal(started.container_id, report.container_id);
  assert.equal((await rig.inside(id, 'cat', '/data')).output, 'precious\n');
});

test('defect 5: a reboot whose network fails says so, and leaves the server running', async () => {
  const { id, report } = await spawn();
  await loseNetwork(id, report.container_id);
  rig.plug.failure = new Error('the switch is gone');
  await assert.rejects(rig.driver.power(id, { action: 'reboot', hard: false, timeout_seconds: 0 }), { code: 'compute.network-failed' });
  rig.plug.failure = undefined;
  const seen = await rig.driver.inspect(id);
  assert.deepEqual([seen?.power_state, seen?.started_at], ['running', report.started_at]);
});

test('defect 6: stop, start and reboot change nothing of what the container may do', async () => {
  const { id, report } = await spawn();
  const rights = async (): Promise<string> => (await rig.inside(id, 'grep', '-E', 'Cap|NoNewPrivs|Seccomp:', '/proc/1/status')).output;
  const before = [await rights(), (await inspect(report.container_id)).HostConfig];
  assert.match(before[0] as string, /NoNewPrivs:\s+1/);
  assert.match(before[0] as string, /Seccomp:\s+2/);
  // Docker's default set without MKNOD (bit 27).
  assert.match(before[0] as string, /CapBnd:\s+00000000a00425fb/);
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await rig.driver.power(id, { action: 'start' });
  await rig.driver.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 });
  await rig.driver.power(id, { action: 'reboot', hard: false, timeout_seconds: 5 });
  assert.deepEqual([await rights(), (await inspect(report.container_id)).HostConfig], before);
});

test('defect 7: figures are real: memory limit, CPU time, interface, pause', async () => {
  const { id } = await spawn();
  await rig.inside(id, 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done');
  const figures = await rig.driver.diagnostics(id);
  assert.equal(figures.memory_maximum_bytes, 64 * 1024 * 1024);
  assert.equal(figures.cpu_time_ns > 1_000_000, true);
  assert.equal(figures.memory_used_bytes > 0 && figures.memory_used_bytes < figures.memory_maximum_bytes, true);
  assert.equal(figures.pids >= 2, true);
  assert.match(figures.nics[0]?.mac_address ?? '', /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  assert.equal((await rig.driver.power(id, { action: 'pause' })).power_state, 'paused');
  assert.equal((await rig.driver.power(id, { action: 'unpause' })).power_state, 'running');
});

test('defect 7: a guest that dies for want of memory is told from others, also when only a child died', async () => {
  const told: GuestReport[] = [];
  rig.driver.onChange((report) => told.push(report));
  const eat = 'dd if=/dev/zero of=/dev/null bs=200M count=1';
  const own = rig.spec(image, { command: ['/bin/sh', '-c', `exec ${eat}`] });
  const child = rig.spec(image, { command: ['/bin/sh', '-c', `${eat}; sleep 1000`] });
  await Promise.all([rig.driver.spawn(own), rig.driver.spawn(child)]);
  const dead = await until('the end of the guest', () => rig.driver.inspect(own.server_id), (one) => one?.power_state === 'crashed' && one.oom_killed);
  assert.equal(dead?.exit_code, 137);
  const alive = await until('the report of the child', () => told.find((one) => one.server_id === child.server_id && one.oom_killed), (one) => one !== undefined);
  assert.equal(alive?.power_state, 'running');
  assert.equal((await (await rig.again()).inspect(child.server_id))?.oom_killed, true);
});

test('defect 8: processor and memory have a ceiling, not a share', async () => {
  const { id } = await spawn({ limits: { vcpus: 1, memory_mb: 32, swap_mb: 0, disk_gb: 1, pids: 20 } });
  const first = async (...paths: string[]): Promise<string> => (await rig.inside(id, 'sh', '-c', `cat ${paths.join(' ')} 2>/dev/null; true`)).output.trim();
  assert.match(await first('/sys/fs/cgroup/cpu/cpu.cfs_quota_us', '/sys/fs/cgroup/cpu.max'), /^100000( 100000)?$/);
  assert.equal(await first('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max'), String(32 * 1024 * 1024));
  assert.equal(await first('/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max'), '20');
  assert.notEqual((await rig.inside(id, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1')).code, 0);
  assert.match((await rig.inside(id, 'sh', '-c', 'for i in $(seq 40); do sleep 5 & done')).output, /can't fork|cannot fork/i);
});

const cpus = availableParallelism();
test('defect 8: a guest with more to do than its processors is held back', { skip: cpus < 2 && 'needs two processors' }, async () => {
  const { id } = await spawn({ command: ['/bin/sh', '-c', 'while :; do :; done & while :; do :; done'] });
  const throttled = async (): Promise<number> => Number(/nr_throttled (\d+)/.exec((await rig.inside(id, 'sh', '-c', 'cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null; true')).output)?.[1]);
  await until('throttling', throttled, (times) => times > 0);
  await rig.driver.destroy(id);
});

test('defect 11: after a reboot of the host a start wires the server again, by a new agent', async () => {
  const { id, report } = await spawn();
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await loseNetwork(id, report.container_id);
  const agent = await rig.again();
  assert.equal((await agent.list()).find((one) => one.server_id === id)?.power_state, 'shutdown');
  assert.equal((await agent.power(id, { action: 'start' })).power_state, 'running');
  assert.match((await rig.inside(id, 'ip', '-4', 'addr', 'show', 'eth0')).output, /10\.99\.0\.2/);
  assert.match(await readlink(`${rig.netns_dir}/${report.container_id}`), /netns/);
});

test('defect 13: containers of others are neither listed nor found nor touched', async () => {
  const mine = await spawn();
  const spec = rig.spec(image);
  const taken = `${rig.cloud}-${spec.server_id}`;
  const labels = { 'gantry.cloud': `${rig.cloud}x`, 'gantry.server': spec.server_id };
  const foreign = await rig.engine.json<{ Id: string }>('POST', '/containers/create', { query: { name: taken }, body: { Image: imageTag(rig.cloud, image.ref), Labels: labels } });
  try {
    const listed = new Set((await rig.driver.list()).map((one) => one.container_id));
    assert.equal(listed.has(mine.report.container_id), true);
    assert.equal(listed.has(foreign.Id), false);
    assert.equal(await rig.driver.inspect(spec.server_id), undefined);
    await assert.rejects(rig.driver.spawn(spec), { code: 'compute.name-taken', status: 409 });
    await assert.rejects(rig.driver.power(spec.server_id, { action: 'start' }), { code: 'compute.server-unknown' });
    await rig.driver.destroy(spec.server_id);
    assert.equal((await inspect(foreign.Id)).State.Status, 'created');
    await assert.rejects(rig.driver.inspect(mine.id.slice(0, 8)), { code: 'compute.server-id-invalid' });
  } finally {
    await rig.engine.json('DELETE', `/containers/${foreign.Id}`);
  }
});

test('defect 16: a spawn starts no process of the agent', async () => {
  await spawn();
  const spec = rig.spec(image);
  await rig.plug.plug(spec.server_id, spec.network);
  let started = 0;
  const count = (): void => void (started += 1);
  const plug = rig.plug.plug;
  rig.plug.plug = async () => ({ netns: `/run/netns/${rig.cloud}-${spec.server_id.slice(0, 8)}` });
  subscribe('child_process', count);
  try {
    await rig.driver.spawn(spec);
    assert.equal(started, 0);
    await exec('true');
    assert.equal(started, 1);
  } finally {
    unsubscribe('child_process', count);
    rig.plug.plug = plug;
  }
});

test('defect 17: the console is bounded and never waits for the guest', async () => {
  const { id } = await spawn({ command: ['/bin/sh', '-c', 'yes 0123456789 | head -c 6000000; echo; echo the end; sleep 1000'] });
  await until('the last line', () => rig.driver.consoleOutput(id, 1), (text) => text === 'the end\n');
  const all = await rig.driver.consoleOutput(id, undefined);
  assert.equal(all.length > 100_000 && all.length <= 1024 * 1024, true, String(all.length));
  assert.equal(all.endsWith('the end\n'), true);
  assert.equal((await rig.driver.consoleOutput(id, 3)).split('\n').length, 4);
  assert.equal(await rig.driver.consoleOutput(id, 0), '');
});

test('an archive of OCI layout boots', async () => {
  const saved = await makeImage({ marker: 'oci' });
  const oci = asImage(await toOciLayout(saved.archive));
  const { id } = await spawn({}, oci);
  assert.equal((await rig.inside(id, 'cat', '/etc/marker')).output, 'oci');
});

async function toOciLayout(archive: Buffer): Promise<Buffer> {
  const { createByteReader, readEntry, readContent, writeEntry, endOfArchive } = await import('../../../src/kernel/tar.ts');
  const { gzipSync } = await import('node:zlib');
  const reader = createByteReader(Readable.from([archive], { objectMode: false }));
  const blobs: Buffer[] = [];
  let config: object = {};
  const layers: object[] = [];
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    const content = await readContent(reader, entry.size);
    const isLayer = entry.name.endsWith('layer.tar');
    if (!isLayer && !/^[0-9a-f]{64}\.json$/.test(entry.name)) continue;
    const bytes = isLayer ? gzipSync(content) : content;
    blobs.push(bytes);
    if (isLayer) layers.push({ digest: `sha256:${sha256(bytes)}`, size: bytes.length });
    else config = { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  }
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers }));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ digest: `sha256:${sha256(manifest)}`, size: manifest.length }] }));
  return Buffer.concat([
    writeEntry({ name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') }),
    writeEntry({ name: 'index.json', content: index }),
    ...[manifest, ...blobs].map((bytes) => writeEntry({ name: `blobs/sha256/${sha256(bytes)}`, content: bytes })),
    endOfArchive(),
  ]);
}
