/**
 * From one engine through the registry to another, and to a server: what is sent once is not sent again.
 * `GANTRY_TEST_IMAGE_MIB` is the size of the image (default 40).
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram, startRealCloud, type Ran, type RealCloud, within } from '../../support/real-cloud.ts';
import { createServer as bootServer, deleteServer, makeFlavor, makeNetwork, waitServer } from '../../support/real-cloud-world.ts';
import { SOCKET } from '../compute/harness.ts';
import { createOwnEngine, type OwnEngine } from '../compute/own-engine.ts';

const NAME = 'gtreg';
const LAYERS = 10;
const MIB = 1 << 20;
const SIZE = Number(process.env['GANTRY_TEST_IMAGE_MIB'] ?? 40) * MIB;
const PATIENCE_MS = 600_000;

let cloud: RealCloud;
let second: OwnEngine;
let gate: Gate;
let relay: ChildProcess;
let folder: string;
const built: string[] = [];

/** Stands before the registry, and counts what is sent to it. */
interface Gate {
  port: number;
  /** A second way in, for those who see no port of ours. */
  path: string;
  sent: number;
  /** Called once, when so much has been sent. */
  at(bytes: number, call: () => void): void;
  close(): Promise<void>;
}

async function createGate(target: number, path: string): Promise<Gate> {
  const open = new Set<Socket>();
  let alarm: { bytes: number; call: () => void } | undefined;
  const count = (chunk: Buffer): void => {
    self.sent += chunk.length;
    if (alarm === undefined || self.sent < alarm.bytes) return;
    const { call } = alarm;
    alarm = undefined;
    call();
  };
  const pass = (from: Socket): void => {
    const to = connect(target, '127.0.0.1');
    for (const [one, other] of [[from, to], [to, from]] as const) {
      open.add(one);
      one.on('error', () => {}).on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
    from.on('data', count);
  };
  const servers: Server[] = [createServer(pass), createServer(pass)];
  await new Promise<void>((resolve) => void servers[0]!.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => void servers[1]!.listen(path, resolve));
  const self: Gate = {
    port: (servers[0]!.address() as AddressInfo).port, path, sent: 0,
    at: (bytes, call) => void (alarm = { bytes, call }),
    async close() {
      for (const socket of open) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  return self;
}

/** The port of the gate, in the network namespace of the second engine. */
async function startRelay(): Promise<ChildProcess> {
  const netns = `/run/netns/${basename(dirname(second.socket))}`;
  const code = `const { connect, createServer } = require('node:net'); createServer((from) => { const to = connect(${JSON.stringify(gate.path)}); for (const [one, other] of [[from, to], [to, from]]) one.on('error', () => {}).on('close', () => other.destroy()).pipe(other); }).listen(${gate.port}, '127.0.0.1', () => console.log('ready'))`;
  const child = spawn('nsenter', [`--net=${netns}`, 'sh', '-c', 'ip link set lo up && exec "$0" -e "$1"', process.execPath, code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

before(async () => {
  cloud = await startRealCloud({ name: NAME, toml: '[image]\nregistry_anonymous_pull = true\n[compute]\nshutdown_timeout = 1\n' });
  folder = join(cloud.data_dir, 'clients');
  mkdirSync(folder);
  second = await createOwnEngine();
  gate = await createGate(Number(new URL(cloud.url).port), join(folder, 'gate.sock'));
  relay = await startRelay();
}, { timeout: 180_000 });

after(async () => {
  relay?.kill();
  for (const name of built) await on(SOCKET, 'rmi', '-f', name);
  await gate?.close();
  await second?.close();
  await cloud?.stop();
});

/** @param who whose logins count: nobody's has none. */
function command(socket: string, args: string[], who: 'owner' | 'nobody' = 'owner'): [string[], { env: NodeJS.ProcessEnv; timeout_ms: number }] {
  return [['docker', '-H', `unix://${socket}`, ...args], { env: { ...process.env, DOCKER_CONFIG: join(folder, who), DOCKER_BUILDKIT: '0' }, timeout_ms: PATIENCE_MS }];
}

const on = (socket: string, ...args: string[]): Promise<Ran> => runProgram(...command(socket, args));

async function must(socket: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await on(socket, ...args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function build(name: string): Promise<string> {
  const context = join(folder, name.replaceAll(/\W/g, '-'));
  mkdirSync(context);
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  const bytes = Buffer.alloc(Math.floor(SIZE / LAYERS));
  for (let at = 0; at < LAYERS - 1; at += 1) writeFileSync(join(context, `data${at}`), randomFillSync(bytes));
  const copies = Array.from({ length: LAYERS - 1 }, (_, at) => `COPY data${at} /data${at}`);
  writeFileSync(join(context, 'Dockerfile'), ['FROM scratch', 'COPY busybox /bin/sh', ...copies, 'CMD ["/bin/sh", "-c", "exec sleep 1000"]'].join('\n'));
  const full = `127.0.0.1:${gate.port}/${name}`;
  await must(SOCKET, 'build', '-q', '-t', full, context);
  built.push(full);
  return full;
}

async function sentBy(work: () => Promise<unknown>): Promise<number> {
  const before_it = gate.sent;
  await work();
  return gate.sent - before_it;
}

async function imageOf(ref: string): Promise<any> {
  const { images } = (await cloud.admin.call('image', 'GET', `/images?docker:ref=${encodeURIComponent(ref)}`)) as { images: any[] };
  return images[0];
}

test('a second push sends no layer; another engine pulls; a server boots', { timeout: PATIENCE_MS }, async (t) => {
  const login = await runProgram(['sh', '-c', 'printf %s "$PASSWORD" | docker -H "unix://$1" login -u admin/admin --password-stdin "$2"', 'sh', SOCKET, `127.0.0.1:${gate.port}`], { env: { ...process.env, PASSWORD: cloud.admin_password, DOCKER_CONFIG: join(folder, 'owner') } });
  assert.equal(login.code, 0, login.stderr);
  const name = 'admin/accepted:v1';
  const full = await build(name);
  const began = performance.now();
  const first = await sentBy(() => must(SOCKET, 'push', full));
  const pushed = performance.now();
  const again = await sentBy(() => must(SOCKET, 'push', full));
  t.diagnostic(`${SIZE / MIB} MiB in ${LAYERS} layers: first push ${first} bytes in ${((pushed - began) / 1000).toFixed(1)} s, second ${again} bytes in ${((performance.now() - pushed) / 1000).toFixed(1)} s`);
  assert.ok(first > SIZE * 0.85, `${first} bytes`);
  assert.ok(again < 256 * 1024, `${again} bytes were sent although the cloud has all layers`);

  const foreign = await runProgram(...command(second.socket, ['pull', full], 'nobody'));
  assert.notEqual(foreign.code, 0, 'nobody in particular may not pull what is not public');
  const image = await imageOf(name);
  assert.equal((await runProgram(['openstack', 'image', 'set', '--public', image.id], { env: cloud.env })).code, 0);
  const pulled = await runProgram(...command(second.socket, ['pull', full], 'nobody'));
  assert.equal(pulled.code, 0, pulled.stderr);
  const idOn = (socket: string) => must(socket, 'image', 'inspect', '-f', '{{.Id}}', full);
  assert.equal(await idOn(second.socket), await idOn(SOCKET));

  const flavor = await makeFlavor(cloud.admin, 'c1.acceptance', { vcpus: 1, ram: 64, disk: Math.ceil((2 * SIZE) / 2 ** 30) });
  const network = await makeNetwork(cloud.admin, 'private', '172.16.44.0/24');
  const server = await bootServer(cloud.admin, { name: 'accepted', imageRef: image.id, flavorRef: flavor, networks: [{ uuid: network }] });
  await waitServer(cloud.admin, server, 'ACTIVE');
  await deleteServer(cloud.admin, server);
});

test('a push that was broken off sends only what had not arrived', { timeout: PATIENCE_MS }, async (t) => {
  const name = 'admin/broken-off:v1';
  const full = await build(name);
  const [words, { env }] = command(SOCKET, ['push', full]);
  const child = spawn(words[0]!, words.slice(1), { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const part = await sentBy(async () => {
    gate.at(gate.sent + SIZE * 0.75, () => child.kill('SIGKILL'));
    await ended;
  });
  assert.equal(await imageOf(name), undefined, 'half an image is none');
  // the engine may be at the end of some layers still
  let quiet = gate.sent;
  await within(30_000, 'the engine gives the push up', () => '', async () => {
    const before_it = quiet;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return (quiet = gate.sent) === before_it;
  });
  const rest = await sentBy(() => must(SOCKET, 'push', full));
  t.diagnostic(`${part} bytes before the break, ${rest} after it`);
  assert.ok(rest < SIZE * 0.9, `${rest} of ${SIZE} bytes were sent anew`);
  assert.equal((await imageOf(name)).status, 'active');
});
