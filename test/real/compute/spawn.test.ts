import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { createRig, makeImage, onePort, until, type Rig, type TestImage } from './harness.ts';

let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage();
});
after(async () => await rig.close());

test('a server is spawned with limits, names, files and its network', async () => {
  const server_id = randomUUID();
  const spec = rig.spec(image, {
    server_id,
    network: onePort(server_id, '10.99.0.2'),
    environment: { GREETING: 'hello world' },
    dns: { servers: ['10.99.0.53'], search: ['novalocal'] },
    files: [{ path: '/etc/app/config', content: Buffer.from('a=1\n').toString('base64'), mode: 0o640 }],
    ssh_keys: ['ssh-ed25519 AAAA test'],
  });
  const report = await rig.driver.spawn(spec);
  assert.equal(report.power_state, 'running');
  assert.equal(report.server_id, spec.server_id);
  assert.equal(report.exit_code, null);
  const seen = await rig.inside(spec.server_id, 'sh', '-c', 'hostname; cat /etc/app/config; stat -c %a,%u /etc/app/config /root/.ssh /root/.ssh/authorized_keys; cat /root/.ssh/authorized_keys; echo $GREETING; cat /etc/resolv.conf; grep web-1 /etc/hosts; ip -4 addr show eth0');
  assert.equal(seen.code, 0, seen.output);
  assert.match(seen.output, /^web-1\na=1\n640,0\n700,0\n600,0\nssh-ed25519 AAAA test\nhello world\n/);
  assert.match(seen.output, /nameserver 10\.99\.0\.53/);
  assert.match(seen.output, /search novalocal/);
  assert.match(seen.output, /10\.99\.0\.2\s+web-1/);
  assert.match(seen.output, /10\.99\.0\.2\/24/);
});

test('asked twice, also at once and after a restart of the agent, there is one container and one load', async () => {
  const fresh = await makeImage({ marker: 'twice' });
  const spec = rig.spec(fresh);
  const [a, b] = await Promise.all([rig.driver.spawn(spec), rig.driver.spawn(spec)]);
  const c = await (await rig.again()).spawn(spec);
  assert.equal(a.container_id, b.container_id);
  assert.equal(a.container_id, c.container_id);
  assert.equal((await rig.containersOf(spec.server_id)).length, 1);
  assert.equal(rig.fetched.filter((id) => id === fresh.ref.id).length, 1);
});

test('servers that wait for one image share one load', async () => {
  const fresh = await makeImage({ marker: 'shared' });
  const specs = [rig.spec(fresh), rig.spec(fresh), rig.spec(fresh)];
  const reports = await Promise.all(specs.map((spec) => rig.driver.spawn(spec)));
  assert.deepEqual(reports.map((one) => one.power_state), ['running', 'running', 'running']);
  assert.equal(rig.fetched.filter((id) => id === fresh.ref.id).length, 1);
});

test('made anew, a server has a fresh disk of another image in the namespace that it had', async () => {
  const other = await makeImage({ marker: 'second' });
  const first = rig.spec(image);
  const before = await rig.driver.spawn(first);
  const cable = (text: string): string | undefined => /link\/ether (\S+)/.exec(text)?.[1];
  const had = cable((await rig.inside(first.server_id, 'sh', '-c', 'echo mine > /root/mine; ip link show eth0')).output);
  const again = rig.spec(other, { server_id: first.server_id, incarnation: 'again' });
  const after = await rig.driver.spawn(again);
  assert.notEqual(after.container_id, before.container_id);
  assert.equal((await rig.driver.spawn(again)).container_id, after.container_id);
  assert.deepEqual(await rig.containersOf(first.server_id), [after.container_id]);
  const seen = await rig.inside(first.server_id, 'sh', '-c', 'cat /etc/marker; ls /root; ip link show eth0');
  assert.match(seen.output, /^second/);
  assert.doesNotMatch(seen.output, /mine/);
  assert.ok(had !== undefined && cable(seen.output) === had, 'the same cable');
  assert.equal(rig.plug.unplugs.includes(first.server_id), false);
  rig.plug.failure = new Error('no cable');
  await assert.rejects(rig.driver.spawn({ ...again, incarnation: 'third' }), { code: 'compute.network-failed' });
  rig.plug.failure = undefined;
  assert.deepEqual(await rig.containersOf(first.server_id), []);
  assert.equal(rig.plug.unplugs.includes(first.server_id), false, 'cables stay for the next attempt');
  assert.equal((await rig.driver.spawn({ ...first, incarnation: 'fourth' })).power_state, 'running');
  await rig.driver.destroy(first.server_id);
});

test('destroy leaves nothing, twice', async () => {
  const spec = rig.spec(image);
  const report = await rig.driver.spawn(spec);
  const link = `${rig.netns_dir}/${report.container_id}`;
  assert.match(await readlink(link), /^\/run\/netns\//);
  await rig.driver.destroy(spec.server_id);
  assert.deepEqual(await rig.containersOf(spec.server_id), []);
  await assert.rejects(readlink(link), { code: 'ENOENT' });
  assert.equal(rig.plug.unplugs.includes(spec.server_id), true);
  assert.equal(await rig.driver.inspect(spec.server_id), undefined);
  await rig.driver.destroy(spec.server_id);
});

test('an entry point that ends at once is reported with its code and last words', async () => {
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'echo no database; exit 3'] });
  await rig.driver.spawn(spec);
  const report = await until('the exit', () => rig.driver.inspect(spec.server_id), (one) => one?.power_state === 'crashed');
  assert.equal(report?.exit_code, 3);
  assert.match(report?.last_output ?? '', /no database/);
});
