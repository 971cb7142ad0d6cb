/** SSH with Debian's own client: into a server of an image without an ssh server, at its own address and through the gateway's port. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openConsole } from '../../support/console-client.ts';
import { freePort } from '../../support/free-port.ts';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { busyboxImage } from '../../support/busybox-image.ts';
import { runProgram, startRealCloud, type RealCloud } from '../../support/real-cloud.ts';
import { addressOf, createServer, makeFlavor, makeImage, makeNetwork, makeOpenGroup, showServer, waitServer } from '../../support/real-cloud-world.ts';

const exec = promisify(execFile);
const TYPES = ['ed25519', 'rsa', 'ecdsa'] as const;
let cloud: RealCloud;
let port: number;
let dir: string;
let boot: (name: string, over?: object) => Promise<{ id: string; ip: string }>;
let plain: { id: string; ip: string };
let witness: { id: string; ip: string };

before(async () => {
  port = await freePort();
  cloud = await startRealCloud({ name: 'gtss', toml: `[compute]\ncpu_allocation_ratio = 32\nshutdown_timeout = 1\nssh_gateway_port = ${port}\n` });
  dir = mkdtempSync(join(cloud.data_dir, 'keys-'));
  for (const type of TYPES) {
    await exec('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', join(dir, type)]);
    await cloud.admin.call('compute', 'POST', '/os-keypairs', { keypair: { name: type, public_key: readFileSync(join(dir, `${type}.pub`), 'utf8').trim() } });
  }
  const [imageRef, hello] = [await makeImage(cloud.admin, 'plain', busyboxImage()), await makeImage(cloud.admin, 'hello', buildGuestImage())];
  const [flavorRef, uuid] = [await makeFlavor(cloud.admin, 'nano', { vcpus: 1, ram: 64, disk: 1 }), await makeNetwork(cloud.admin, 'private', '192.168.62.0/24')];
  await makeOpenGroup(cloud.admin);
  boot = async (name, over = {}) => {
    const id = await createServer(cloud.admin, { name, imageRef, flavorRef, networks: [{ uuid }], key_name: 'ed25519', security_groups: [{ name: 'open' }], ...over });
    await waitServer(cloud.admin, id, 'ACTIVE');
    return { id, ip: addressOf(await showServer(cloud.admin, id)) };
  };
  plain = await boot('plain');
  // Speaks to others from within the network.
  witness = await boot('witness', { imageRef: hello });
});
after(() => cloud?.stop());

interface SshOptions {
  key?: string;
  user?: string;
  options?: string[];
  stdin?: string;
}

const common = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '-o', 'LogLevel=ERROR'];

/** Through the gateway's port. */
function ssh(command: string[], { key = 'ed25519', user = 'plain', options = [], stdin }: SshOptions = {}): ReturnType<typeof runProgram> {
  return runProgram(['ssh', '-p', String(port), ...common, '-i', join(dir, key), ...options, `${user}@127.0.0.1`, ...command], stdin === undefined ? {} : { input: stdin });
}

/** At the server's own address, from the namespace of another server. */
async function direct(ip: string, command: string[], { key = 'ed25519', user = 'root', options = [] }: SshOptions = {}): ReturnType<typeof runProgram> {
  const { stdout } = await exec('docker', ['inspect', '-f', '{{.State.Pid}}', `${cloud.name}-${witness.id}`]);
  return runProgram(['nsenter', `--net=/proc/${stdout.trim()}/ns/net`, 'ssh', ...common, '-i', join(dir, key), ...options, `${user}@${ip}`, ...command]);
}

async function open(ip: string): Promise<void> {
  while ((await direct(ip, ['true'])).code !== 0) await delay(200);
}

test('a command has its outputs, its input, its code and the user\'s folder', async () => {
  const ran = await ssh(['pwd; id -u; cat; echo bad >&2; exit 7'], { stdin: 'given\n' });
  assert.deepEqual(ran, { code: 7, stdout: '/root\n0\ngiven\n', stderr: 'bad\n' });
});

for (const type of TYPES) {
  test(`a key of type ${type} opens the servers that it was given to, and no other`, async () => {
    const own = await boot(`by-${type}`, { key_name: type });
    assert.equal((await ssh(['echo in'], { key: type, user: `by-${type}` })).stdout, 'in\n');
    assert.equal((await ssh(['echo in'], { key: type, user: own.id })).stdout, 'in\n');
    const other = TYPES.find((one) => one !== type)!;
    const refused = await ssh(['echo in'], { key: other, user: own.id });
    assert.equal(refused.code, 255);
    assert.match(refused.stderr, /Permission denied \(publickey\)/);
  });
}

test('nobody gets in to what is not there', async () => {
  for (const user of ['none', '00000000-0000-4000-8000-000000000000', '%', 'root']) assert.equal((await ssh(['true'], { user })).code, 255, user);
});

test('a terminal is a terminal: size, signals by keys, and its name', async () => {
  const ran = await ssh(['sleep 0.5; stty size; echo $TERM; tty'], { options: ['-tt'] });
  assert.match(ran.stdout, /^\d+ \d+\r\n.*\r\n\/dev\/pts\/\d+\r\n/s);
  const shell = await ssh([], { options: ['-tt'], stdin: 'echo sum $((40+2))\nexit 3\n' });
  assert.equal(shell.code, 3);
  assert.match(shell.stdout, /sum 42/);
});

test('a lot of bytes go through whole, both ways', async () => {
  writeFileSync(join(dir, 'big'), Buffer.alloc(3_000_000, 'gantry'));
  const up = await ssh(['cat > /tmp/big; md5sum < /tmp/big'], { stdin: readFileSync(join(dir, 'big'), 'utf8') });
  const down = await ssh(['cat /tmp/big | md5sum; cat /tmp/big']);
  assert.equal(up.code, 0, up.stderr);
  assert.ok(down.stdout === up.stdout + readFileSync(join(dir, 'big'), 'utf8'), `${down.stdout.length} characters came back`);
});

test('sftp is refused with words, forwarding is refused', async () => {
  const sftp = await runProgram(['sftp', '-P', String(port), ...common, '-i', join(dir, 'ed25519'), '-b', '/dev/null', 'plain@127.0.0.1']);
  assert.notEqual(sftp.code, 0);
  assert.match(sftp.stderr, /no sftp: use scp -O/);
  const forward = await ssh(['true'], { options: ['-o', 'ExitOnForwardFailure=yes', '-R', '12345:127.0.0.1:1'] });
  assert.notEqual(forward.code, 0);
});

test('at its own address a server answers although nothing in it listens, to its own key alone', async () => {
  await open(plain.ip);
  const ran = await direct(plain.ip, ['hostname; id -un']);
  assert.equal(ran.stdout, 'plain\nroot\n', ran.stderr);
  assert.equal((await direct(plain.ip, ['true'], { key: 'rsa' })).code, 255);
  const nobody = await direct(plain.ip, ['id -un'], { user: 'nobody' });
  assert.equal(nobody.stdout, 'nobody\n', nobody.stderr);
  assert.notEqual((await direct(plain.ip, ['true'], { user: 'no-such-user' })).code, 0);
});

test('an image with an ssh server answers itself; docker:ssh=no leaves the port to the guest; security groups hold', async () => {
  const listener = await boot('listener', { metadata: { 'docker:ssh': 'no' } });
  const shut = await boot('shut', { security_groups: [{ name: 'default' }] });
  const late = await boot('late');
  // Servers are served in the order in which they came.
  await open(late.ip);
  for (const { ip } of [listener, shut]) assert.notEqual((await direct(ip, ['true'], { options: ['-o', 'ConnectTimeout=3'] })).code, 0);
  const shell = await openConsole((await cloud.admin.call('compute', 'POST', `/servers/${listener.id}/action`, { 'os-getSerialConsole': { type: 'serial' } })).console.url, { open: { command: ['/bin/sh', '-c', 'nc -l -p 22 & sleep 0.3; echo bound $?; kill $!'], tty: false } });
  await shell.until('bound 0');
  shell.close();
});

test('an agent that was restarted listens again; a server that is stopped does not answer, started again it does', async () => {
  await cloud.kill('agent');
  cloud.launch('agent');
  await cloud.waitReady();
  await open(plain.ip);
  await cloud.admin.call('compute', 'POST', `/servers/${plain.id}/action`, { 'os-stop': null });
  await waitServer(cloud.admin, plain.id, 'SHUTOFF');
  assert.match((await ssh(['true'])).stderr, /Cannot use the console of server .* while it is exited/);
  await cloud.admin.call('compute', 'POST', `/servers/${plain.id}/action`, { 'os-start': null });
  await waitServer(cloud.admin, plain.id, 'ACTIVE');
  await open(plain.ip);
});
