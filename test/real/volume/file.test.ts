/** Volumes as files, on real loop devices: on the file system of the machine, and on one that shares blocks between files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { open, mkdir, mkdtemp, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createFileVolumeDriver } from '../../../src/agents/volume/drivers/file/index.ts';
import type { VolumeDriver } from '../../../src/agents/volume/protocol.ts';
import { contentOf, MIB, volumeDriverSuite, type DriverUnderTest } from '../../support/volume-suite.ts';

const exec = promisify(execFile);
const chunks = new Map<string, Buffer>();
const IMAGE = randomBytes(MIB);
let scratch: string;
let plain: DriverUnderTest;
let shared: DriverUnderTest;

const makeDriver = (dir: string): VolumeDriver =>
  createFileVolumeDriver({ dir, chunk: async (_chain, digest) => Readable.from([chunks.get(digest)!]), writeImage: async (_image, path) => writeFile(path, IMAGE) });

const loopsBelow = async (dir: string): Promise<string[]> => (await exec('losetup', ['-n', '-O', 'NAME,BACK-FILE', '-a'])).stdout.split('\n').filter((line) => line.includes(dir));

function under(driver: VolumeDriver): DriverUnderTest {
  return {
    driver, chunks,
    async write(volume_id, offset, bytes) {
      const device = await open((await driver.open(volume_id, { read_only: false })).path, 'r+');
      await device.write(bytes, 0, bytes.length, offset);
      await device.sync();
      await device.close();
    },
  };
}

before(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'gantry-volumes-')));
  const pool = join(scratch, 'pool');
  await mkdir(pool);
  await exec('/bin/sh', ['-ec', 'truncate -s 1G "$1.img"; mkfs.xfs -q -m reflink=1 "$1.img"; mount -o loop "$1.img" "$1"', 'sh', pool]);
  plain = under(makeDriver(join(scratch, 'plain')));
  shared = under(makeDriver(join(pool, 'volumes')));
});
after(async () => {
  for (const line of await loopsBelow(`${scratch}/plain`)) await exec('losetup', ['-d', line.split(' ')[0]!]);
  for (const line of await loopsBelow(`${scratch}/pool/`)) await exec('losetup', ['-d', line.split(' ')[0]!]);
  await exec('umount', [join(scratch, 'pool')]);
  await rm(scratch, { recursive: true, force: true });
});

volumeDriverSuite('file', () => plain);
volumeDriverSuite('file with shared blocks', () => shared);

test('after the suite no device is left', async () => {
  assert.deepEqual([...(await loopsBelow(`${scratch}/plain`)), ...(await loopsBelow(`${scratch}/pool/`))], []);
});

test('clones are instant where blocks are shared, and copies elsewhere; the report says which', async () => {
  assert.equal((await plain.driver.report()).clones, 'copy');
  assert.equal((await shared.driver.report()).clones, 'instant');
});

test('another agent finds by the kernel what is open, extends it and closes it', async () => {
  const volume_id = randomUUID();
  await plain.driver.create({ volume_id, size_bytes: 16 * MIB, source: { kind: 'blank' } });
  const device = await plain.driver.open(volume_id, { read_only: false });
  const again = makeDriver(join(scratch, 'plain'));
  assert.deepEqual(await again.open(volume_id, { read_only: false }), device);
  await again.extend(volume_id, 32 * MIB);
  assert.equal((await plain.driver.open(volume_id, { read_only: false })).size_bytes, 32 * MIB);
  await again.close(volume_id);
  assert.deepEqual(await loopsBelow(scratch).then((all) => all.filter((line) => line.includes(volume_id))), []);
  await again.remove(volume_id);
});

test('a device that somebody has open is not taken away', async () => {
  const volume_id = randomUUID();
  await plain.driver.create({ volume_id, size_bytes: 16 * MIB, source: { kind: 'blank' } });
  const { path } = await plain.driver.open(volume_id, { read_only: true });
  const held = await open(path, 'r+');
  await assert.rejects(held.write(Buffer.alloc(512), 0, 512, 0), { code: 'EPERM' });
  await assert.rejects(plain.driver.close(volume_id), { code: 'volume.busy' });
  await held.close();
  await plain.driver.close(volume_id);
  await plain.driver.remove(volume_id);
});

test('a blank volume takes no room, an image is written with its digest checked by who brings it, and what is larger than the volume is refused', async () => {
  const [blank, imaged, small] = [randomUUID(), randomUUID(), randomUUID()];
  await plain.driver.create({ volume_id: blank, size_bytes: 1024 * MIB, source: { kind: 'blank' } });
  assert.equal((await stat(join(scratch, 'plain', blank, 'disk'))).blocks, 0);
  const image = { id: randomUUID(), digest: '', size: MIB, container_format: 'bare', disk_format: 'raw' };
  await plain.driver.create({ volume_id: imaged, size_bytes: 2 * MIB, source: { kind: 'image', image } });
  assert.ok((await contentOf(plain.driver, imaged)).equals(Buffer.concat([IMAGE, Buffer.alloc(MIB)])));
  await assert.rejects(plain.driver.create({ volume_id: small, size_bytes: MIB / 2, source: { kind: 'image', image } }), { status: 400, code: 'volume.source-too-large' });
  assert.ok(!(await readdir(join(scratch, 'plain'))).some((name) => name.startsWith(small)));
  await plain.driver.remove(blank);
  await plain.driver.remove(imaged);
});

test('a full backend says so and keeps nothing of what did not fit', async () => {
  const volume_id = randomUUID();
  await shared.driver.create({ volume_id, size_bytes: 2048 * MIB, source: { kind: 'blank' } });
  await assert.rejects(async () => {
    await exec('dd', ['if=/dev/zero', `of=${join(scratch, 'pool', 'filler')}`, 'bs=1M', 'count=2000']);
  });
  const chunk = randomBytes(4 * MIB);
  const digest = createHash('sha256').update(chunk).digest('hex');
  chunks.set(digest, chunk);
  const next = randomUUID();
  await assert.rejects(shared.driver.create({ volume_id: next, size_bytes: 8 * MIB, source: { kind: 'backup', chain: 'a', chunks: [{ digest, size: chunk.length }, { digest, size: chunk.length }] } }), { status: 507, code: 'volume.backend-full' });
  assert.ok(!(await readdir(join(scratch, 'pool', 'volumes'))).some((name) => name.startsWith(next)));
  await rm(join(scratch, 'pool', 'filler'));
  await shared.driver.remove(volume_id);
});

test('what an agent left that was killed at its work is gone when the next one begins', async () => {
  const dir = join(scratch, 'killed');
  const [coming, going, kept] = [randomUUID(), randomUUID(), randomUUID()];
  await makeDriver(dir).create({ volume_id: kept, size_bytes: MIB, source: { kind: 'blank' } });
  for (const name of [`${coming}.new`, `${going}.gone`]) {
    await mkdir(join(dir, name, 'snapshots'), { recursive: true });
    await writeFile(join(dir, name, 'disk'), 'half');
  }
  await writeFile(join(dir, kept, 'snapshots', `${coming}.new`), 'half');
  assert.deepEqual((await makeDriver(dir).list()).map(({ volume_id, snapshots }) => ({ volume_id, snapshots })), [{ volume_id: kept, snapshots: [] }]);
  assert.deepEqual(await readdir(dir), [kept]);
  assert.deepEqual(await readdir(join(dir, kept, 'snapshots')), []);
});
