import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { sha512Crypt } from '../../../src/services/compute/model/crypt-password.ts';
import { createRig, makeImage, until, type Rig, type TestImage } from './harness.ts';

let rig: Rig;
let image: TestImage;
before(async () => {
  rig = await createRig();
  image = await makeImage({ marker: 'suspend' });
});
after(async () => await rig.close());

test('a suspended guest stands still, gives back its caches, stays so for the next agent, and goes on', async () => {
  // It counts, and holds 16 MiB of written pages that the kernel can drop.
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'dd if=/dev/zero of=/tmp/big bs=1M count=16 2>/dev/null; sync; echo up; while :; do echo x >> /tmp/count; sleep 0.02; done'] });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  await until('the guest', () => rig.driver.consoleOutput(id, undefined), (text) => text.includes('up'));
  const told: string[] = [];
  rig.driver.onChange((report) => report.server_id === id && told.push(report.power_state));
  const [container] = await rig.containersOf(id);
  const { State } = await rig.engine.json<{ State: { Pid: number } }>('GET', `/containers/${container}/json`);
  const line = (await readFile(`/proc/${State.Pid}/cgroup`, 'utf8')).split('\n').find((one) => /:memory:/.test(one) || one.startsWith('0::'))!;
  const usage = async (): Promise<number> => {
    const path = line.slice(line.lastIndexOf(':') + 1);
    return Number(await readFile(line.includes(':memory:') ? `/sys/fs/cgroup/memory${path}/memory.usage_in_bytes` : `/sys/fs/cgroup${path}/memory.current`, 'utf8'));
  };
  const before = await usage();
  assert.equal((await rig.driver.power(id, { action: 'suspend' })).power_state, 'suspended');
  assert.equal((await rig.driver.power(id, { action: 'suspend' })).power_state, 'suspended');
  assert.ok((await usage()) < before - 8 * 1024 * 1024, `${before} → ${await usage()}`);
  await until('the event', () => told.at(-1), (state) => state === 'suspended');
  await assert.rejects(rig.driver.power(id, { action: 'pause' }), { code: 'compute.wrong-state' });
  await assert.rejects(rig.driver.power(id, { action: 'stop', timeout_seconds: 0 }), { code: 'compute.wrong-state' });
  const next = await rig.again();
  assert.equal((await next.inspect(id))!.power_state, 'suspended');
  assert.equal((await next.power(id, { action: 'resume' })).power_state, 'running');
  const count = await rig.inside(id, 'cat', '/tmp/count');
  await until('it counts on', async () => (await rig.inside(id, 'cat', '/tmp/count')).output.length, (length) => length > count.output.length);
  assert.equal((await next.power(id, { action: 'pause' })).power_state, 'paused', 'a pause after it is a pause');
  assert.equal((await next.power(id, { action: 'suspend' })).power_state, 'suspended');
  assert.equal((await next.power(id, { action: 'reboot', hard: true, timeout_seconds: 0 })).power_state, 'running');
});

test('a signal comes to the first process; a guest that is off has none', async () => {
  const spec = rig.spec(image, { command: ['/bin/sh', '-c', 'trap "echo dumped" QUIT; echo up; while :; do sleep 0.05; done'] });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  const says = (word: string) => until(word, () => rig.driver.consoleOutput(id, undefined), (text) => text.includes(word));
  await says('up');
  await rig.driver.signal(id, 'SIGQUIT');
  await says('dumped');
  await rig.driver.power(id, { action: 'stop', timeout_seconds: 0 });
  await assert.rejects(rig.driver.signal(id, 'SIGQUIT'), { code: 'compute.wrong-state', status: 409 });
});

test('passwords are set from outside, at the first start and later, and links of the guest lead nowhere', async () => {
  const hash = sha512Crypt('one', 'salt', 1000);
  const spec = rig.spec(image, { passwords: [{ user: 'root', hash }, { user: 'nobody-here', hash }] });
  const { server_id: id } = spec;
  await rig.driver.spawn(spec);
  const read = async (path: string): Promise<string> => (await rig.inside(id, 'cat', path)).output;
  assert.equal(await read('/etc/passwd'), `root:${hash}:0:0:root:/root:/bin/sh\n`, 'without a shadow file it stands where it stood of old');
  await rig.inside(id, 'sh', '-c', 'echo "root:*:1:0:99999:7:::" > /etc/shadow');
  const other = sha512Crypt('two', 'salt', 1000);
  await rig.driver.setPasswords(id, [{ user: 'root', hash: other }]);
  assert.match(await read('/etc/shadow'), new RegExp(`^root:${other.replaceAll('$', '\\$')}:\\d{5}:0:99999:7:::\n$`));
  const before = await readFile('/etc/shadow', 'utf8');
  await rig.inside(id, 'sh', '-c', '/bin/busybox rm /etc/shadow; /bin/busybox ln -s /proc/1/root/etc/shadow /etc/shadow');
  await assert.rejects(rig.driver.setPasswords(id, [{ user: 'root', hash }]), { code: 'compute.password-failed', status: 409, message: 'its etc/shadow cannot be read' });
  await assert.rejects(rig.driver.setPasswords(id, [{ user: 'alice', hash }]), { code: 'compute.password-failed', message: 'it has none of these users: alice' });
  assert.equal(await readFile('/etc/shadow', 'utf8'), before);
  assert.match(await read('/etc/passwd'), /^root:\$6/);
});

test('an image without users starts all the same', async () => {
  const spec = rig.spec(image, { passwords: [{ user: 'nobody-here', hash: '$6$x$y' }] });
  assert.equal((await rig.driver.spawn(spec)).power_state, 'running');
});
