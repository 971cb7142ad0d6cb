/** The gateway for ssh with Debian's client, on a node with a fake driver. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type FakeNodeCloud, startFakeNodeCloud } from '../../support/fake-node.ts';
import { freePort } from '../../support/free-port.ts';
import { runProgram } from '../../support/real-cloud.ts';

let world: FakeNodeCloud;
let port: number;

before(async () => {
  port = await freePort();
  world = await startFakeNodeCloud(`[compute]\nssh_gateway_port = ${port}\n`);
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', key(type)]);
    await world.must('POST', '/compute/v2.1/os-keypairs', { keypair: { name: type, type: 'ssh', public_key: readFileSync(`${key(type)}.pub`, 'utf8').trim() } });
    await world.boot(`box-${type}`, { key_name: type });
  }
});
after(() => world.stop());

const key = (type: string): string => join(world.cloud.directory, type);

const ssh = (user: string, type: string, command: string[], input?: string, options: string[] = []): ReturnType<typeof runProgram> =>
  runProgram(['ssh', '-p', String(port), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-i', key(type), ...options, `${user}@127.0.0.1`, ...command], input === undefined ? {} : { input });

for (const type of ['ed25519', 'ecdsa', 'rsa']) {
  test(`a key of type ${type} opens its server by name and by id, and no other`, async () => {
    const name = `box-${type}`;
    assert.deepEqual(await ssh(name, type, ['hello']), { code: 0, stdout: 'hello\r\n', stderr: '' });
    const { servers } = await world.must('GET', `/compute/v2.1/servers?name=${name}`);
    assert.equal((await ssh(servers[0].id, type, ['exit 9'])).code, 9);
    const other = type === 'rsa' ? 'ecdsa' : 'rsa';
    assert.match((await ssh(name, other, ['hello'])).stderr, /Permission denied/);
  });
}

test('a shell reads its input, has the size of its terminal, and complains apart', async () => {
  const shell = await ssh('box-rsa', 'rsa', [], 'size\ncomplain\nexit 5\n');
  assert.equal(shell.code, 5);
  assert.match(shell.stdout, /80x24/);
  assert.equal(shell.stderr, 'no\n');
});

test('of two servers with one name and key neither is meant; their ids still lead to them', async () => {
  const [one] = [await world.boot('twin', { key_name: 'rsa' }), await world.boot('twin', { key_name: 'rsa' })];
  assert.equal((await ssh('twin', 'rsa', ['true'])).code, 255);
  assert.equal((await ssh(one.id, 'rsa', ['hi'])).stdout, 'hi\r\n');
  await world.boot('twin', { key_name: 'ecdsa' });
  assert.equal((await ssh('twin', 'ecdsa', ['hi'])).stdout, 'hi\r\n');
});

test('names of nobody, servers without a key, and what is gone stay shut', async () => {
  await world.boot('keyless');
  const gone = await world.boot('gone', { key_name: 'rsa' });
  await world.must('DELETE', `/compute/v2.1/servers/${gone.id}`);
  while ((await world.cloud.call('GET', `/compute/v2.1/servers/${gone.id}`)).status !== 404);
  for (const user of ['none', 'keyless', gone.id, 'root', '00000000-0000-4000-8000-000000000000']) assert.equal((await ssh(user, 'rsa', ['true'])).code, 255, user);
});

test('a server that is off says so', async () => {
  const off = await world.boot('off', { key_name: 'rsa' });
  await world.must('POST', `/compute/v2.1/servers/${off.id}/action`, { 'os-stop': null });
  while ((await world.must('GET', `/compute/v2.1/servers/${off.id}`)).server.status !== 'SHUTOFF');
  const ran = await ssh('off', 'rsa', ['true']);
  assert.equal(ran.code, 255);
  assert.match(ran.stderr, /does not run/);
});

test('sftp is refused with words, forwarding is refused', async () => {
  const subsystem = await ssh('box-rsa', 'rsa', ['sftp'], undefined, ['-s']);
  assert.equal(subsystem.code, 1);
  assert.match(subsystem.stderr, /no sftp: use scp -O/);
  assert.equal((await ssh('box-rsa', 'rsa', ['true'], undefined, ['-o', 'ExitOnForwardFailure=yes', '-R', '12345:127.0.0.1:1'])).code, 255);
  const tunnel = await ssh('box-rsa', 'rsa', [], undefined, ['-W', '127.0.0.1:1']);
  assert.notEqual(tunnel.code, 0);
});

test('rubbish harms nobody', async () => {
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', Buffer.alloc(100_000, 0xff), 'SSH-2.0-x\r\n' + 'y'.repeat(50_000)]) {
    await new Promise<void>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => socket.end(bytes));
      socket.on('error', () => {}).on('close', () => resolve()).resume();
    });
  }
  assert.equal((await ssh('box-rsa', 'rsa', ['hello'])).stdout, 'hello\r\n');
});

test('the gateway is known again by a key of its own that only its owner reads', () => {
  const file = join(world.cloud.directory, 'secrets', 'ssh-keys', 'gateway');
  assert.ok(existsSync(file));
  assert.equal(statSync(file).mode & 0o777, 0o600);
});
