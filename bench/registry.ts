/**
 * The registry beside Debian's `docker-registry` package, and image data beside bare hashing and bare streams, in turns on the same machine.
 * `node bench/registry.ts [--mib 1024] [--layers 10] [--rounds 3] [--out FILE]`. Needs root and Debian's skopeo and docker-registry.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, linkSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { paddingOf, writeEntry, writeHeader, endOfArchive } from '../src/kernel/tar.ts';
import { freePort } from '../test/support/free-port.ts';
import { runProgram, startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { type Figure, median, report } from './measure.ts';

const MIB = 1 << 20;

interface Bench {
  folder: string;
  cloud: RealCloud;
  token: string;
  layers: string[];
  size: number;
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
};

/** Random bytes do not compress: what is measured is the way, not gzip. */
function writeRandom(path: string, size: number): void {
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(MIB);
  for (let left = size; left > 0; left -= MIB) writeSync(file, randomFillSync(chunk), 0, Math.min(left, MIB));
  closeSync(file);
}

/** A `docker save` archive in an OCI layout folder and as a tar. */
async function makeImage(folder: string, mib: number, count: number): Promise<string[]> {
  const blobs = join(folder, 'image');
  mkdirSync(blobs);
  const layers: { digest: string; size: number; path: string }[] = [];
  for (let at = 0; at < count; at += 1) {
    const content = Math.floor(mib / count) * MIB;
    const raw = join(folder, 'raw');
    writeRandom(raw, content);
    const path = join(folder, `layer${at}`);
    writeFileSync(path, writeHeader({ name: `data${at}` }, content));
    await pipeline(createReadStream(raw), createWriteStream(path, { flags: 'a' }));
    writeFileSync(path, Buffer.concat([Buffer.alloc(paddingOf(content)), endOfArchive()]), { flag: 'a' });
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Buffer);
    layers.push({ digest: hash.digest('hex'), size: content + 512 + paddingOf(content) + 1024, path });
    rmSync(raw);
  }
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['/data0'] }, rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) } });
  const config_digest = createHash('sha256').update(config).digest('hex');
  const descriptors = layers.map(({ digest, size }) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${digest}`, size }));
  writeFileSync(join(blobs, 'version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(blobs, config_digest), config);
  writeFileSync(join(blobs, 'manifest.json'), JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${config_digest}`, size: config.length }, layers: descriptors }));
  const archive = join(folder, 'archive.tar');
  writeFileSync(archive, writeEntry({ name: `${config_digest}.json`, content: Buffer.from(config) }));
  for (const { digest, size, path } of layers) {
    writeFileSync(archive, writeHeader({ name: `${digest}/layer.tar` }, size), { flag: 'a' });
    await pipeline(createReadStream(path, { highWaterMark: MIB }), createWriteStream(archive, { flags: 'a' }));
    writeFileSync(archive, Buffer.alloc(paddingOf(size)), { flag: 'a' });
    linkSync(path, join(blobs, digest));
    rmSync(path);
  }
  const manifest = [{ Config: `${config_digest}.json`, RepoTags: ['bench:latest'], Layers: layers.map(({ digest }) => `${digest}/layer.tar`) }];
  writeFileSync(archive, Buffer.concat([writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }), endOfArchive()]), { flag: 'a' });
  return layers.map(({ digest }) => digest);
}

async function startDistribution(folder: string): Promise<{ host: string; process: ChildProcess }> {
  const port = await freePort();
  const file = join(folder, 'registry.yml');
  writeFileSync(file, `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${join(folder, 'distribution')}\nhttp:\n  addr: 127.0.0.1:${port}\n`);
  const child = spawn('/usr/bin/docker-registry', ['serve', file], { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries += 1) {
    if (await fetch(`http://127.0.0.1:${port}/v2/`).then((answer) => answer.ok, () => false)) return { host: `127.0.0.1:${port}`, process: child };
    await sleep(50);
  }
  throw new Error('docker-registry does not answer');
}

async function skopeo(...args: string[]): Promise<void> {
  const ran = await runProgram(['skopeo', 'copy', '-q', ...args]);
  if (ran.code !== 0) throw new Error(`skopeo ${args.join(' ')}: ${ran.stderr}`);
}

/** Every round pushes to a repository of its own, but the blobs are there after the first: they are removed before. */
async function pushAndPull(bench: Bench, host: string, creds: string[][], round: number): Promise<{ push: number; again: number; pull: number }> {
  const [to = [], from = []] = creds;
  const name = `docker://${host}/admin/bench${round}:v1`;
  const source = `dir:${join(bench.folder, 'image')}`;
  const push = await seconds(() => skopeo('--dest-tls-verify=false', ...to, source, name));
  const again = await seconds(() => skopeo('--dest-tls-verify=false', ...to, source, name));
  const target = join(bench.folder, 'pulled');
  const pull = await seconds(() => skopeo('--src-tls-verify=false', ...from, name, `dir:${target}`));
  rmSync(target, { recursive: true });
  return { push, again, pull };
}

/** Gives the layers other bytes, so that no registry has them yet. */
async function freshImage(bench: Bench, mib: number, layers: number): Promise<void> {
  for (const name of readdirSync(bench.folder)) if (name === 'image' || name === 'archive.tar') rmSync(join(bench.folder, name), { recursive: true });
  bench.layers = await makeImage(bench.folder, mib, layers);
}

const call = (bench: Bench, method: string, path: string, body?: object) =>
  fetch(`${bench.cloud.url}/image/v2${path}`, { method, headers: { 'x-auth-token': bench.token, 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) });

function send(url: string, method: string, headers: Record<string, string>, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode! < 300 ? resolve() : reject(new Error(`${method} ${url}: ${answer.statusCode}`))));
    });
    sending.on('error', reject);
    createReadStream(path, { highWaterMark: MIB }).pipe(sending);
  });
}

function receive(url: string, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`GET ${url}: ${answer.statusCode}`))));
    }).on('error', reject).end();
  });
}

/** One file into glance and out again, whole. */
async function imageData(bench: Bench, container_format: string): Promise<{ up: number; down: number }> {
  const made = (await (await call(bench, 'POST', '/images', { name: 'bench', container_format, disk_format: 'raw' })).json()) as { id: string };
  const url = `${bench.cloud.url}/image/v2/images/${made.id}/file`;
  const up = await seconds(() => send(url, 'PUT', { 'x-auth-token': bench.token, 'content-type': 'application/octet-stream' }, join(bench.folder, 'archive.tar')));
  const down = await seconds(() => receive(url, { 'x-auth-token': bench.token }));
  await call(bench, 'DELETE', `/images/${made.id}`);
  return { up, down };
}

/** The same file by a server that does nothing but send it. */
async function bareStream(bench: Bench): Promise<number> {
  const server = createServer((_request, response) => void createReadStream(join(bench.folder, 'archive.tar'), { highWaterMark: MIB }).pipe(response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const took = await seconds(() => receive(`http://127.0.0.1:${port}/`, {}));
  server.close();
  return took;
}

async function hashPass(path: string): Promise<number> {
  const hash = createHash('sha256');
  return seconds(async () => {
    for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Buffer);
    hash.digest();
  });
}

/** What an image has to have, and no more: its three hashes, each by a thread that does nothing else, and its bytes safe on the disk. */
async function bareUpload(path: string, folder: string): Promise<number> {
  const hash = (algorithm: string) => new Promise<void>((resolve, reject) => {
    const code = `const { createHash } = require('node:crypto'); const fs = require('node:fs'); const hash = createHash(${JSON.stringify(algorithm)}); const file = fs.openSync(${JSON.stringify(path)}); const piece = Buffer.alloc(${MIB}); for (let size; (size = fs.readSync(file, piece)) > 0;) hash.update(piece.subarray(0, size)); hash.digest();`;
    new Worker(code, { eval: true }).on('error', reject).on('exit', () => resolve());
  });
  const copy = join(folder, 'copy');
  const write = async (): Promise<void> => {
    await pipeline(createReadStream(path, { highWaterMark: MIB }), createWriteStream(copy, { flush: true }));
    rmSync(copy);
  };
  return seconds(() => Promise.all([hash('md5'), hash('sha256'), hash('sha512'), write()]));
}

const { values } = parseArgs({ options: { mib: { type: 'string', default: '1024' }, layers: { type: 'string', default: '10' }, rounds: { type: 'string', default: '3' }, out: { type: 'string' } } });
const [mib, layers, rounds] = [Number(values.mib), Number(values.layers), Number(values.rounds)];
const folder = mkdtempSync(join(tmpdir(), 'gantry-bench-registry-'));
const cloud = await startRealCloud({ name: 'gbreg', drivers: 'fake', with_agent: false });
let distribution: Awaited<ReturnType<typeof startDistribution>> | undefined;
const took: Record<string, number[]> = {};
const note = (name: string, value: number): void => void (took[name] ??= []).push(value);
try {
  distribution = await startDistribution(folder);
  const token = (await fetch(`${cloud.url}/identity/v3/auth/tokens`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password: cloud.admin_password } } }, scope: { project: { name: 'admin', domain: { id: 'default' } } } } }),
  })).headers.get('x-subject-token')!;
  const bench: Bench = { folder, cloud, token, layers: [], size: mib * MIB };
  const creds = `admin/admin:${cloud.admin_password}`;
  for (let round = 0; round < rounds; round += 1) {
    await freshImage(bench, mib, layers);
    const both = [
      ['ours', new URL(cloud.url).host, [['--dest-creds', creds], ['--src-creds', creds]]],
      ['theirs', distribution.host, [[], []]],
    ] as const;
    for (const [whose, host, login] of round % 2 === 0 ? both : both.toReversed()) {
      for (const [what, value] of Object.entries(await pushAndPull(bench, host, login.map((each) => [...each]), round))) note(`${whose} ${what}`, value);
      // the archive of a pushed image is hashed after the push: not at the cost of the next
      await sleep(whose === 'ours' ? 5000 : 0);
    }
    await freshImage(bench, mib, layers);
    note('hash', await hashPass(join(folder, 'archive.tar')));
    note('bare', await bareUpload(join(folder, 'archive.tar'), folder));
    for (const format of ['bare', 'docker']) {
      const { up, down } = await imageData(bench, format);
      note(`${format} up`, up);
      note(`${format} down`, down);
    }
    note('stream', await bareStream(bench));
  }
} finally {
  distribution?.process.kill();
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
}
const rate = (name: string): number => mib / median(took[name]!);
const figures: Figure[] = [
  ...['push', 'again', 'pull'].map((what): Figure => ({
    name: `skopeo ${what === 'again' ? 'push, all there' : what}: of docker-registry's time`, value: median(took[`ours ${what}`]!) / median(took[`theirs ${what}`]!), unit: '×',
    note: `${median(took[`ours ${what}`]!).toFixed(2)} s against ${median(took[`theirs ${what}`]!).toFixed(2)} s, ${mib} MiB in ${layers} layers`,
  })),
  { name: 'one sha-256 pass over the file', value: rate('hash'), unit: 'MiB/s' },
  { name: 'its three hashes, a thread each, and a durable copy', value: rate('bare'), unit: 'MiB/s' },
  { name: 'bare stream through a socket', value: rate('stream'), unit: 'MiB/s' },
  ...['bare', 'docker'].flatMap((format): Figure[] => [
    { name: `upload as ${format}: of one hash pass`, value: rate(`${format} up`) / rate('hash'), unit: '×', budget: { at: '>=', value: 0.8 }, note: `${rate(`${format} up`).toFixed(0)} MiB/s` },
    { name: `upload as ${format}: of hashes and copy`, value: rate(`${format} up`) / rate('bare'), unit: '×' },
    { name: `download of ${format}: of a bare stream`, value: rate(`${format} down`) / rate('stream'), unit: '×', budget: { at: '>=', value: 0.8 }, note: `${rate(`${format} down`).toFixed(0)} MiB/s` },
  ]),
];
report('Registry and image data', figures, values.out);
