import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createDockerDriver } from '../../../src/agents/compute/drivers/docker/index.ts';
import type { GuestReport, GuestSpec } from '../../../src/agents/compute/protocol.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { createRig, makeImage, SOCKET, until, type Rig, type TestImage } from './harness.ts';

const exec = promisify(execFile);
let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage({ marker: 'lifecycle' });
});
after(async () => await rig.close());

/** Rejected as said, and nothing of the server is left on the node. */
async function refused(spec: GuestSpec, code: string, message: RegExp): Promise<void> {
  const links = await readdir(rig.netns_dir);
  await assert.rejects(rig.driver.spawn(spec), (error: { code: string; message: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await rig.containersOf(spec.server_id), []);
  const mine = (await readdir('/run/netns')).filter((name) => name.startsWith(`${rig.cloud}-${spec.server_id.slice(0, 8)}`));
  assert.deepEqual(mine, []);
  const fresh = (await readdir(rig.netns_dir)).filter((name) => !links.includes(name));
  for (const link of fresh) assert.notEqual((await exec('readlink', [`${rig.netns_dir}/${link}`])).stdout.includes(`${rig.cloud}-${spec.server_id.slice(0, 8)}`), true);
}

test('a spawn that fails at any step leaves nothing behind and says why', async () => {
  rig.plug.failure = new Error('no carrier');
  await refused(rig.spec(image), 'compute.network-failed', /connect the server to its networks/);
  rig.plug.failure = undefined;
  const nobody = await makeImage({ user: 'nobody-here' });
  await refused(rig.spec(nobody), 'compute.start-failed', /nobody-here/);
  const mute = await makeImage({ cmd: [] });
  await refused(rig.spec(mute), 'compute.image-invalid', /no command/);
  await refused(rig.spec(image, { environment: { 'a=b': 'c' } }), 'compute.environment-invalid', /a=b/);
  await refused(rig.spec(image, { files: [{ path: '../etc/passwd', content: '' }] }), 'compute.file-path-invalid', /absolute/);
  await refused(rig.spec({ archive: Buffer.from('junk'), ref: { ...image.ref, id: image.ref.id.replace(/^./, (c) => (c === 'f' ? 'e' : 'f')), size: 0 } }), 'compute.image-invalid', /cannot be used/);
  await refused(rig.spec({ ...image, ref: { ...image.ref, container_format: 'bare' } }, { image: { ...image.ref, id: crypto.randomUUID(), container_format: 'bare' } }), 'compute.image-invalid', /needs "docker"/);
  await refused(rig.spec(image, { files: [{ path: '/etc/passwd/below', content: '' }] }), 'compute.inject-failed', /put files/);
});

test('a store that fails or breaks off is not held against the image', async () => {
  const slow = await makeImage({ marker: 'broken way' });
  const spec = rig.spec(slow);
  rig.images.delete(spec.image.id);
  await refused(spec, 'compute.image-fetch-failed', /from the image store/);
  async function* torn(): AsyncGenerator<Buffer> {
    yield slow.archive.subarray(0, 100_000);
    throw new Error('connection reset');
  }
  rig.images.set(spec.image.id, { ...slow, stream: () => Readable.from(torn(), { objectMode: false }) });
  await refused(spec, 'compute.image-fetch-failed', /from the image store/);
  rig.images.set(spec.image.id, slow);
  assert.equal((await rig.driver.spawn(spec)).power_state, 'running');
});

test('a command that does not exist ends with the code and words of init', async () => {
  const spec = rig.spec(image, { command: ['nope'] });
  await rig.driver.spawn(spec);
  const report = await until('the end', () => rig.driver.inspect(spec.server_id), (one) => one?.power_state === 'crashed');
  assert.equal(report?.exit_code, 127);
  assert.match(report?.last_output ?? '', /nope/);
});

test('an attempt that was cut off before the start is done anew', async () => {
  const spec = rig.spec(image);
  await rig.driver.spawn(rig.spec(image));
  const half = await rig.engine.json<{ Id: string }>('POST', '/containers/create', {
    query: { name: `${rig.cloud}-${spec.server_id}` },
    body: { Image: `gantry/${rig.cloud}/${image.ref.id}:${image.ref.digest.slice(0, 32)}`, Labels: { 'gantry.cloud': rig.cloud, 'gantry.server': spec.server_id } },
  });
  const report = await rig.driver.spawn(spec);
  assert.equal(report.power_state, 'running');
  assert.deepEqual(await rig.containersOf(spec.server_id), [report.container_id]);
  assert.notEqual(report.container_id, half.Id);
});

test('power: asked twice it is done once; from a wrong state it is refused', async () => {
  const spec = rig.spec(image);
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  const power = async (action: Parameters<typeof rig.driver.power>[1]): Promise<string> => (await rig.driver.power(id, action)).power_state;
  const wrong = { code: 'compute.wrong-state', status: 409 };
  assert.equal(await power({ action: 'start' }), 'running');
  assert.equal(await power({ action: 'unpause' }), 'running');
  assert.equal(await power({ action: 'pause' }), 'paused');
  assert.equal(await power({ action: 'pause' }), 'paused');
  await assert.rejects(power({ action: 'stop', timeout_seconds: 0 }), wrong);
  await assert.rejects(power({ action: 'start' }), wrong);
  await assert.rejects(power({ action: 'reboot', hard: false, timeout_seconds: 0 }), wrong);
  assert.equal(await power({ action: 'reboot', hard: true, timeout_seconds: 0 }), 'running');
  assert.equal(await power({ action: 'stop', timeout_seconds: 5 }), 'shutdown');
  assert.equal(await power({ action: 'stop', timeout_seconds: 5 }), 'shutdown');
  await assert.rejects(power({ action: 'pause' }), wrong);
  await assert.rejects(power({ action: 'reboot', hard: false, timeout_seconds: 0 }), wrong);
  assert.equal(await power({ action: 'reboot', hard: true, timeout_seconds: 0 }), 'running');
  await assert.rejects(rig.driver.power(crypto.randomUUID(), { action: 'start' }), { code: 'compute.server-unknown', status: 404 });
});

test('a stop asks first and kills a guest that does not listen; neither is a crash', async () => {
  const polite = rig.spec(image, { command: ['/bin/sh', '-c', 'trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.05; done'] });
  const deaf = rig.spec(image, { command: ['/bin/sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done'] });
  for (const spec of [polite, deaf]) {
    await rig.driver.spawn(spec);
    await until('the trap', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => text.includes('up'));
  }
  const one = await rig.driver.power(polite.server_id, { action: 'stop', timeout_seconds: 30 });
  assert.deepEqual([one.power_state, one.exit_code, one.last_output], ['shutdown', 7, '']);
  assert.match(await rig.driver.consoleOutput(polite.server_id, 1), /bye/);
  const two = await rig.driver.power(deaf.server_id, { action: 'stop', timeout_seconds: 1 });
  assert.deepEqual([two.power_state, two.exit_code, two.oom_killed], ['shutdown', 137, false]);
  const again = await rig.driver.power(deaf.server_id, { action: 'start' });
  assert.deepEqual([again.power_state, again.exit_code], ['running', null]);
});

test('a deletion does not wait for a slow stop', async () => {
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done'] });
  await rig.driver.spawn(spec);
  await until('the trap', () => rig.driver.consoleOutput(spec.server_id, undefined), (text) => text.includes('up'));
  const stopping = rig.driver.power(spec.server_id, { action: 'stop', timeout_seconds: 600 });
  await Promise.all([stopping.catch(() => {}), rig.driver.destroy(spec.server_id)]);
  assert.equal(await rig.driver.inspect(spec.server_id), undefined);
});

test('changes are told as they happen, whoever made them', async () => {
  const told: GuestReport[] = [];
  rig.driver.onChange((report) => told.push(report));
  const spec = rig.spec(image);
  const { container_id } = await rig.driver.spawn(spec);
  const mine = (): (string | null)[][] => told.filter((one) => one.server_id === spec.server_id).map((one) => [one.power_state, one.container_id]);
  const seen = async (state: string): Promise<unknown> => await until(state, mine, (list) => list.at(-1)?.[0] === state);
  await seen('running');
  for (const [verb, state] of [['pause', 'paused'], ['unpause', 'running'], ['kill', 'crashed']]) {
    await rig.engine.json('POST', `/containers/${container_id}/${verb}`);
    await seen(state!);
  }
  await rig.engine.json('DELETE', `/containers/${container_id}`);
  await seen('nostate');
  assert.equal((await readdir(rig.netns_dir)).includes(container_id!), false);
  assert.deepEqual(mine(), [['running', container_id], ['paused', container_id], ['running', container_id], ['crashed', container_id], ['nostate', null]]);
});

test('resources are those of the machine', async () => {
  const seen = await rig.driver.resources();
  assert.equal(String(seen.vcpus), (await exec('nproc', ['--all'])).stdout.trim());
  assert.equal(seen.hostname, (await exec('hostname')).stdout.trim());
  assert.equal(seen.hypervisor_type, 'docker');
  assert.equal(seen.hypervisor_version >= 20_010_000, true);
  assert.equal(seen.memory_mb > seen.memory_used_mb && seen.memory_used_mb > 0, true);
  assert.equal(seen.disk_gb >= seen.disk_used_gb && seen.disk_gb > 0, true);
  assert.equal(seen.cpu_info.arch, (await exec('uname', ['-m'])).stdout.trim());
});

test('an engine that is away is a fault of its own', async () => {
  const driver = createDockerDriver({
    socket_path: `${SOCKET}.nowhere`, cloud: rig.cloud, network: rig.plug, log: silentLog, clock: systemClock, state_dir: '/nonexistent',
    image_store: { archive: async () => Readable.from([]) },
  });
  try {
    await assert.rejects(driver.list(), { code: 'compute.engine-unavailable', status: 503 });
    await assert.rejects(driver.spawn(rig.spec(image)), { code: 'compute.engine-unavailable' });
  } finally {
    await driver.close();
  }
});
