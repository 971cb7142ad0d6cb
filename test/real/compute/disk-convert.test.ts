/** Disk images turned into root file systems on this machine: loop devices, mounts and qemu-img are real. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { createDiskConverter, type DiskConverter, type DiskTransport } from '../../../src/agents/compute/disk/convert-disk.ts';
import type { ConvertDisk, ConvertProgress } from '../../../src/agents/compute/protocol.ts';
import { isFault } from '../../../src/kernel/fault.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { createByteReader, readEntry } from '../../../src/kernel/tar.ts';
import { makeBusyboxRoot } from '../../support/busybox-root.ts';
import { makeDisk } from '../../support/disk-image.ts';
import { until } from './harness.ts';

const PREFIX = 'gtc-disk-';
const qemu = existsSync('/usr/bin/qemu-img') ? {} : { skip: 'qemu-img (package qemu-utils) is not installed' };
const LIMITS = { virtual_bytes: 2 ** 30, root_bytes: 2 ** 28, seconds: 60 };
let dir: string;
let raw: string;
const converters: DiskConverter[] = [];

before(async () => {
  for (const name of readdirSync(tmpdir())) if (name.startsWith(PREFIX)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  dir = mkdtempSync(join(tmpdir(), PREFIX));
  const root = join(dir, 'root');
  makeBusyboxRoot(root);
  execFileSync('mknod', ['-m', '666', join(root, 'etc/stolen'), 'b', '8', '0']);
  execFileSync('chmod', ['4755', join(root, 'bin/busybox')]);
  raw = join(dir, 'tiny.raw');
  await makeDisk({ root, path: raw, size_mib: 24, format: 'raw' });
  execFileSync('debugfs', ['-w', '-R', 'ea_set /etc/passwd user.note kept', raw], { stdio: 'ignore' });
});
after(async () => {
  for (const one of converters) await one.close();
  rmSync(dir, { recursive: true, force: true });
});

const diskOf = (path: string, disk_format: string, limits: Partial<ConvertDisk['limits']> = {}): ConvertDisk => {
  const bytes = readFileSync(path);
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { image: { id: randomUUID(), digest, size: bytes.length, container_format: 'bare', disk_format }, limits: { ...LIMITS, ...limits } };
};

interface Store extends DiskTransport {
  layers: Buffer[];
}

function storeOf(path: string): Store {
  const layers: Buffer[] = [];
  return {
    layers,
    fetch: async () => createReadStream(path),
    async upload(_ref, body) {
      const parts: Buffer[] = [];
      for await (const chunk of body) parts.push(chunk as Buffer);
      const layer = Buffer.concat(parts);
      layers.push(layer);
      return { digest: createHash('sha256').update(layer).digest('hex'), size: layer.length };
    },
  };
}

function converter(transport: DiskTransport, name = randomUUID()): { directory: string; it: DiskConverter } {
  const directory = join(dir, name);
  const it = createDiskConverter({ directory, transport, log: silentLog });
  converters.push(it);
  return { directory, it };
}

async function namesIn(layer: Buffer): Promise<Map<string, string>> {
  const reader = createByteReader(Readable.from([layer], { objectMode: false }));
  const names = new Map<string, string>();
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    names.set(entry.name.replace(/^\.\//, ''), entry.type);
    for await (const _ of reader.pass(entry.size + ((512 - (entry.size % 512)) % 512)));
  }
  return names;
}

/** Loop devices bound to files below it. */
const loopsOf = (directory: string): string[] =>
  readdirSync('/sys/block').filter((name) => {
    const file = `/sys/block/${name}/loop/backing_file`;
    return existsSync(file) && readFileSync(file, 'utf8').includes(directory);
  });

/** The kernel lets go of a loop device a moment after the last process in whose namespace it was mounted. */
async function nothingLeft(directory: string): Promise<void> {
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(readFileSync('/proc/self/mounts', 'utf8').includes(directory), false);
  await until('loop devices to be let go of', () => loopsOf(directory), (bound) => bound.length === 0);
}

test('a bare ext4 file system becomes a layer without kernel, device nodes and host keys', async () => {
  const store = storeOf(raw);
  const { it, directory } = converter(store);
  const heard: ConvertProgress[] = [];
  const done = await it.convert(diskOf(raw, 'raw'), (progress) => heard.push(progress));
  assert.equal(done.file_system, 'ext4');
  assert.equal(done.layer.size, store.layers[0]!.length);
  assert.deepEqual({ ...done.facts, architecture: undefined }, {
    init: 'busybox', init_path: '/sbin/init', os_id: 'tiny', os_version: '1', architecture: undefined, has_ifupdown: true, has_cloud_init: false,
    users: [{ name: 'root', uid: 0, gid: 0, home: '/root' }, { name: 'alpha', uid: 1000, gid: 1000, home: '/home/alpha' }],
  });
  const names = await namesIn(store.layers[0]!);
  for (const path of ['bin/busybox', 'etc/passwd', 'home/alpha/', 'boot/', 'dev/']) assert.ok(names.has(path), path);
  for (const path of ['boot/vmlinuz', 'lib/modules/6.1/', 'etc/fstab', 'etc/ssh/ssh_host_rsa_key', 'etc/stolen', 'lost+found/']) assert.ok(!names.has(path), path);
  const file = join(dir, 'layer.tar');
  writeFileSync(file, store.layers[0]!);
  const listed = execFileSync('tar', ['--xattrs', '-tvvf', file], { encoding: 'utf8' });
  assert.match(listed, /^-rws.*bin\/busybox$/m);
  assert.match(listed, /user\.note/);
  assert.deepEqual(heard.map(({ stage }) => stage).filter((stage, at, all) => all.indexOf(stage) === at), ['fetch', 'archive']);
  await nothingLeft(directory);
});

test('a partitioned qcow2 gives the same layer, however often', qemu, async () => {
  const path = join(dir, 'tiny.qcow2');
  await makeDisk({ root: join(dir, 'root'), path, size_mib: 24, partitioned: true, format: 'qcow2' });
  const store = storeOf(path);
  const { it, directory } = converter(store);
  const asked = diskOf(path, 'qcow2');
  const [a, b] = await Promise.all([it.convert(asked, () => {}), it.convert(asked, () => {})]);
  assert.deepEqual(a, b);
  assert.equal(store.layers.length, 1, 'asked twice at once, done once');
  const again = await it.convert(asked, () => {});
  assert.equal(again.layer.digest, a.layer.digest);
  await nothingLeft(directory);
});

async function refused(path: string, asked: ConvertDisk): Promise<string> {
  const store = storeOf(path);
  const { it, directory } = converter(store);
  const error = await it.convert(asked, () => {}).then(() => assert.fail('it was taken'), (fault: unknown) => fault);
  assert.ok(isFault(error), String((error as Error).stack));
  assert.equal(error.code, 'compute.disk-invalid', error.message);
  assert.deepEqual(store.layers, []);
  await nothingLeft(directory);
  return error.message;
}

test('what cannot be used is refused with the reason, and nothing stays', qemu, async () => {
  const make = (name: string, ...options: string[]): string => {
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options.slice(0, -1), join(dir, name), options.at(-1)!]);
    return join(dir, name);
  };
  const bomb = make('bomb.qcow2', '4T');
  assert.match(await refused(bomb, diskOf(bomb, 'qcow2')), /virtual size of 4398046511104 bytes/);
  const backed = make('backed.qcow2', '-b', '/etc/passwd', '-F', 'raw', '10M');
  assert.match(await refused(backed, diskOf(backed, 'qcow2')), /backing file/);
  const external = make('external.qcow2', '-o', `data_file=${join(dir, 'data')}`, '10M');
  assert.match(await refused(external, diskOf(external, 'qcow2')), /another file/);
  assert.match(await refused(external, diskOf(external, 'raw')), /it is a qcow2 file, not raw/);
  const empty = make('empty.qcow2', '10M');
  assert.match(await refused(empty, diskOf(empty, 'qcow2')), /neither a partition table nor/);
  const cut = join(dir, 'cut.qcow2');
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, cut]);
  truncateSync(cut, Math.floor(statSync(cut).size / 2));
  assert.match(await refused(cut, diskOf(cut, 'qcow2')), /qemu-img cannot read it|damaged|cannot be mounted|neither a partition/);
  assert.match(await refused(raw, { ...diskOf(raw, 'raw'), image: { ...diskOf(raw, 'raw').image, digest: '0'.repeat(64) } }), /not what its digest says/);
  assert.match(await refused(raw, diskOf(raw, 'raw', { root_bytes: 100_000 })), /larger than the 100000 bytes/);
});

test('a file system that is damaged within is refused', async () => {
  const path = join(dir, 'damaged.raw');
  const bytes = readFileSync(raw);
  // all of the inode tables and bitmaps, but not the superblock
  bytes.fill(0xff, 8192, 4 * 1024 * 1024);
  writeFileSync(path, bytes);
  assert.match(await refused(path, diskOf(path, 'raw')), /cannot be mounted|damaged|root of a system|cannot be read/);
});

test('a converter that is killed leaves neither mount nor process, and the next one sweeps its files', async () => {
  const directory = join(dir, 'killed');
  const script = new URL('./disk-convert-stalled.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, directory, raw], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  assert.equal(readdirSync(directory).length, 1);
  const bound = (): boolean => readdirSync('/sys/block').some((name) => {
    const file = `/sys/block/${name}/loop/backing_file`;
    return existsSync(file) && readFileSync(file, 'utf8').includes(directory);
  });
  assert.ok(bound(), 'the disk is mounted while it is read');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  await until('the loop device to be free', bound, (still) => !still);
  const store = storeOf(raw);
  const next = createDiskConverter({ directory, transport: store, log: silentLog });
  await next.convert(diskOf(raw, 'raw'), () => {});
  await nothingLeft(directory);
  await next.close();
});
