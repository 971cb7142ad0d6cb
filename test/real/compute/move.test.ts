/** What a server has written goes with it to another engine, whole; its size changes while it runs. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import type { GuestReport, GuestSpec } from '../../../src/agents/compute/protocol.ts';
import { isFault } from '../../../src/kernel/fault.ts';
import { createRig, makeImage, type Rig, type TestImage } from './harness.ts';
import { createOwnEngine, type OwnEngine } from './own-engine.ts';

const GIB = 1024 ** 3;
const engines: OwnEngine[] = [];
const rigs: Rig[] = [];
let image: TestImage;

/** In place of the controller: what one end sends, the other reads. */
const pipes = new Map<string, PassThrough>();
const pipeOf = (path: string): PassThrough => {
  if (!pipes.has(path)) pipes.set(path, new PassThrough());
  return pipes.get(path)!;
};
const moves = {
  send: (path: string, body: Readable) => pipeline(body, pipeOf(path)),
  fetch: async (path: string) => pipeOf(path) as Readable,
};

before(async () => {
  image = await makeImage({ cmd: ['/bin/sh', '-c', 'trap "exit 0" TERM; while true; do sleep 0.1; done'] });
  for (let at = 0; at < 2; at += 1) {
    const engine = await createOwnEngine();
    engines.push(engine);
    rigs.push(await createRig(engine.socket, { disk_limit: 'auto', moves }));
  }
});
after(async () => {
  for (const rig of rigs) await rig.close();
  for (const engine of engines) await engine.close();
});

const sh = async (rig: Rig, id: string, script: string): Promise<string> => (await rig.inside(id, 'sh', '-c', script)).output.trim();
const off = (rig: Rig, id: string): Promise<GuestReport> => rig.driver.power(id, { action: 'stop', timeout_seconds: 5 });

async function transfer(spec: GuestSpec, [from, to]: Rig[]): Promise<GuestReport> {
  const layer = `/move/${randomUUID()}`;
  to!.images.set(image.ref.id, image);
  const [made, sent] = await Promise.all([to!.driver.spawn({ ...spec, layer }), from!.driver.sendLayer(spec.server_id, layer)]);
  assert.deepEqual(made.layer, sent, 'what was sent has arrived');
  return made;
}

test('files, links, owners, attributes and what was deleted are the same on the other engine', async () => {
  const [a] = rigs as [Rig, Rig];
  const spec = a.spec(image);
  const id = spec.server_id;
  await a.driver.spawn(spec);
  await sh(a, id, 'echo mine > /root/notes; ln /root/notes /root/also; ln -s notes /root/link; mkdir /tmp/deep; echo 1 > "/tmp/deep/a b"; chmod 4750 /root/notes; chown 1234:77 /root/notes');
  await sh(a, id, 'rm /etc/marker; rm -r /tmp; mkdir /tmp; echo new > /tmp/new; dd if=/dev/urandom of=/root/blob bs=1M count=5; sync');
  const look = 'ls -lnR /root /tmp /etc/passwd; cat /root/also /root/link /tmp/new; ls /etc; awk 1 /root/blob | wc -c; sha256sum /root/blob; stat -c "%h %a %u:%g" /root/notes';
  const before = await sh(a, id, look);
  await assert.rejects(a.driver.sendLayer(id, '/x'), (error) => isFault(error) && error.code === 'compute.wrong-state');
  await off(a, id);
  const report = await transfer(spec, rigs);
  assert.equal(report.power_state, 'running');
  const there = await sh(rigs[1]!, id, look);
  assert.equal(there.replaceAll(/\w{3} +\d+ +\d\d:\d\d/g, ''), before.replaceAll(/\w{3} +\d+ +\d\d:\d\d/g, ''));
  assert.doesNotMatch(there, /marker/);
  // The way back: what stayed behind is as it was.
  await rigs[1]!.driver.destroy(id);
  await a.driver.power(id, { action: 'start' });
  assert.equal(await sh(a, id, 'cat /root/notes'), 'mine');
  await a.driver.destroy(id);
});

test('a server that is off arrives off, and starts there', async () => {
  const [a, b] = rigs as [Rig, Rig];
  const spec = a.spec(image);
  await a.driver.spawn(spec);
  await sh(a, spec.server_id, 'echo kept > /root/kept');
  await off(a, spec.server_id);
  assert.equal((await transfer({ ...spec, off: true }, rigs)).power_state, 'shutdown');
  await b.driver.power(spec.server_id, { action: 'start' });
  assert.equal(await sh(b, spec.server_id, 'cat /root/kept'), 'kept');
  for (const rig of rigs) await rig.driver.destroy(spec.server_id);
});

test('what does not fit on the smaller disk is said, and nothing is left there', async () => {
  const [a, b] = rigs as [Rig, Rig];
  const spec = { ...a.spec(image), limits: { ...a.spec(image).limits, disk_gb: 2 } };
  await a.driver.spawn(spec);
  await sh(a, spec.server_id, 'dd if=/dev/zero of=/root/big bs=1M count=1100');
  await off(a, spec.server_id);
  const layer = `/move/${randomUUID()}`;
  b.images.set(image.ref.id, image);
  const small = { ...spec, layer, limits: { ...spec.limits, disk_gb: 1 } };
  const [made] = await Promise.allSettled([b.driver.spawn(small).finally(() => pipeOf(layer).destroy(new Error('nobody reads'))), a.driver.sendLayer(spec.server_id, layer)]);
  assert.equal(made.status === 'rejected' && made.reason.code, 'compute.disk-full', JSON.stringify(made));
  assert.deepEqual(await b.containersOf(spec.server_id), []);
  await a.driver.destroy(spec.server_id);
});

/** Of the container's own cgroup, whichever version this is. */
async function memoryLimit(rig: Rig, id: string): Promise<number> {
  const [container] = await rig.containersOf(id);
  const pid = (await rig.engine.json<{ State: { Pid: number } }>('GET', `/containers/${container}/json`)).State.Pid;
  const groups = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n');
  const v1 = groups.find((line) => line.split(':')[1]?.split(',').includes('memory'));
  const path = v1 === undefined ? `/sys/fs/cgroup${groups[0]!.split(':')[2]}/memory.max` : `/sys/fs/cgroup/memory${v1.split(':')[2]}/memory.limit_in_bytes`;
  return Number(await readFile(path, 'utf8'));
}

test('memory, processors, processes and disk change while it runs, and back', async () => {
  const [a] = rigs as [Rig, Rig];
  const spec = a.spec(image);
  const id = spec.server_id;
  const { started_at } = await a.driver.spawn(spec);
  const size = async (): Promise<number> => Number(await sh(a, id, "df -k / | awk 'END{print $2}'")) * 1024;
  assert.ok((await size()) < GIB);
  const big = { vcpus: 2, memory_mb: 128, swap_mb: 0, disk_gb: 2, pids: 99 };
  await a.driver.resize(id, { ...big, disk_gb: 1 });
  assert.equal((await a.driver.inspect(id))!.started_at, started_at, 'the same run');
  // Without CAP_SYS_RESOURCE a disk grows only while the server is off for a moment.
  await a.driver.resize(id, big);
  assert.equal((await a.driver.inspect(id))!.power_state, 'running');
  assert.equal(await memoryLimit(a, id), 128 * 1024 ** 2);
  assert.ok((await size()) > 1.8 * GIB);
  assert.match(await sh(a, id, 'grep MemTotal /proc/meminfo'), /131072 kB/, 'the guest sees it');
  const [container] = await a.containersOf(id);
  const { HostConfig } = await a.engine.json<{ HostConfig: { CpuQuota: number; PidsLimit: number } }>('GET', `/containers/${container}/json`);
  assert.deepEqual([HostConfig.CpuQuota, HostConfig.PidsLimit], [200_000, 99]);
  // Only a disk that nobody writes to becomes smaller.
  await assert.rejects(a.driver.resize(id, spec.limits), (error) => isFault(error) && error.code === 'compute.disk-busy');
  await sh(a, id, 'echo kept > /root/kept');
  await off(a, id);
  await a.driver.resize(id, spec.limits);
  await a.driver.power(id, { action: 'start' });
  assert.ok((await size()) < GIB);
  assert.equal(await sh(a, id, 'cat /root/kept'), 'kept');
  assert.equal(await memoryLimit(a, id), 64 * 1024 ** 2);
  await a.driver.destroy(id);
});

test('a disk that is too full does not become smaller, and stays whole', async () => {
  const [a] = rigs as [Rig, Rig];
  const spec = { ...a.spec(image), limits: { ...a.spec(image).limits, disk_gb: 2 } };
  const id = spec.server_id;
  await a.driver.spawn(spec);
  await sh(a, id, 'dd if=/dev/zero of=/root/big bs=1M count=1200; sha256sum /root/big > /root/sum; sync');
  await off(a, id);
  await assert.rejects(a.driver.resize(id, { ...spec.limits, disk_gb: 1 }), (error) => isFault(error) && error.code === 'compute.disk-too-full');
  await a.driver.power(id, { action: 'start' });
  assert.equal(await sh(a, id, 'sha256sum -c /root/sum'), '/root/big: OK');
  await a.driver.destroy(id);
});
