/** What every driver of volumes has to do, by content and not by status. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { VolumeDriver, VolumeSource } from '../../src/agents/volume/protocol.ts';

export interface DriverUnderTest {
  driver: VolumeDriver;
  /** As a guest writes to an open device. */
  write(volume_id: string, offset: number, bytes: Buffer): Promise<void>;
  /** Chunks that the driver can fetch. */
  chunks: Map<string, Buffer>;
}

export const MIB = 1024 * 1024;
const SIZE = 16 * MIB;
const PAGE = 4 * MIB;

export async function contentOf(driver: VolumeDriver, volume_id: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of driver.read(volume_id)) parts.push(part);
  return Buffer.concat(parts);
}

export function volumeDriverSuite(name: string, under: () => DriverUnderTest): void {
  const blank: VolumeSource = { kind: 'blank' };
  const made = async (source: VolumeSource = blank, size_bytes = SIZE): Promise<string> => {
    const volume_id = randomUUID();
    await under().driver.create({ volume_id, size_bytes, source });
    return volume_id;
  };
  const written = async (volume_id: string, bytes: Buffer, offset = 0): Promise<void> => {
    await under().driver.open(volume_id, { read_only: false });
    await under().write(volume_id, offset, bytes);
    await under().driver.close(volume_id);
  };
  const listed = async (volume_id: string): Promise<{ snapshots: string[]; size_bytes: number; open: boolean } | undefined> =>
    (await under().driver.list()).find((one) => one.volume_id === volume_id);

  test(`${name}: a new volume has its size and nothing but zeros, also where another one was`, async () => {
    const first = await made();
    await written(first, randomBytes(MIB));
    await under().driver.remove(first);
    assert.equal(await listed(first), undefined);
    const next = await made();
    assert.deepEqual(await contentOf(under().driver, next), Buffer.alloc(SIZE));
    assert.deepEqual(await listed(next), { volume_id: next, snapshots: [], size_bytes: SIZE, open: false });
    await under().driver.remove(next);
  });

  test(`${name}: asked twice, each call does it once`, async () => {
    const { driver } = under();
    const id = await made();
    const bytes = randomBytes(MIB);
    await written(id, bytes);
    await driver.create({ volume_id: id, size_bytes: SIZE, source: blank });
    const snapshot = randomUUID();
    await driver.createSnapshot(id, snapshot);
    await written(id, Buffer.alloc(MIB, 1));
    await driver.createSnapshot(id, snapshot);
    await driver.revert(id, snapshot);
    await driver.revert(id, snapshot);
    assert.ok((await contentOf(driver, id)).subarray(0, MIB).equals(bytes), 'the snapshot is of the first time');
    const one = await driver.open(id, { read_only: false });
    assert.deepEqual(await driver.open(id, { read_only: false }), one);
    await driver.close(id);
    await driver.close(id);
    for (let times = 0; times < 2; times += 1) {
      await driver.removeSnapshot(id, snapshot);
      await driver.remove(id);
    }
    await driver.close(id);
  });

  test(`${name}: snapshots keep what was there, and volumes are made from them and from volumes, larger too`, async () => {
    const { driver } = under();
    const id = await made();
    const before = randomBytes(MIB);
    await written(id, before, PAGE);
    const snapshot = randomUUID();
    await driver.createSnapshot(id, snapshot);
    await written(id, Buffer.alloc(MIB, 7), PAGE);
    const old = await made({ kind: 'snapshot', snapshot_id: snapshot, volume_id: id }, SIZE * 2);
    const clone = await made({ kind: 'volume', volume_id: id });
    await written(id, Buffer.alloc(MIB, 8), PAGE);
    const expected = Buffer.alloc(SIZE * 2);
    before.copy(expected, PAGE);
    assert.ok((await contentOf(driver, old)).equals(expected));
    assert.ok((await contentOf(driver, clone)).subarray(PAGE, PAGE + MIB).equals(Buffer.alloc(MIB, 7)));
    assert.deepEqual((await listed(id))?.snapshots, [snapshot]);
    // What was made of it outlives it.
    await driver.removeSnapshot(id, snapshot);
    await driver.remove(id);
    assert.ok((await contentOf(driver, old)).equals(expected));
    await driver.remove(old);
    await driver.remove(clone);
  });

  test(`${name}: a volume grows, open or not, and keeps its content`, async () => {
    const { driver } = under();
    const id = await made();
    const bytes = randomBytes(MIB);
    await written(id, bytes);
    await driver.extend(id, SIZE * 2);
    assert.equal((await driver.open(id, { read_only: false })).size_bytes, SIZE * 2);
    await driver.extend(id, SIZE * 3);
    await driver.extend(id, SIZE * 3);
    assert.equal((await driver.open(id, { read_only: false })).size_bytes, SIZE * 3);
    await under().write(id, SIZE * 2 + PAGE, bytes);
    await driver.close(id);
    const content = await contentOf(driver, id);
    assert.equal(content.length, SIZE * 3);
    assert.ok(content.subarray(0, MIB).equals(bytes) && content.subarray(SIZE * 2 + PAGE, SIZE * 2 + PAGE + MIB).equals(bytes));
    await driver.remove(id);
  });

  test(`${name}: what is open is neither removed nor reverted, and says so`, async () => {
    const { driver } = under();
    const id = await made();
    const snapshot = randomUUID();
    await driver.createSnapshot(id, snapshot);
    await driver.open(id, { read_only: false });
    assert.equal((await listed(id))?.open, true);
    await assert.rejects(driver.remove(id), { status: 409, code: 'volume.busy' });
    await assert.rejects(driver.revert(id, snapshot), { status: 409, code: 'volume.busy' });
    await driver.close(id);
    assert.equal((await listed(id))?.open, false);
    await driver.remove(id);
  });

  test(`${name}: what is not there is said by its name, or is no work to remove`, async () => {
    const { driver } = under();
    const [id, snapshot] = [randomUUID(), randomUUID()];
    await driver.remove(id);
    await driver.close(id);
    await driver.removeSnapshot(id, snapshot);
    await assert.rejects(driver.open(id, { read_only: false }), { status: 404, code: 'volume.not-found' });
    await assert.rejects(driver.extend(id, SIZE), { status: 404, code: 'volume.not-found' });
    await assert.rejects(driver.createSnapshot(id, snapshot), { status: 404, code: 'volume.not-found' });
    await assert.rejects(made({ kind: 'volume', volume_id: id }), { status: 404, code: 'volume.not-found' });
    const there = await made();
    await assert.rejects(driver.revert(there, snapshot), { status: 404, code: 'volume.snapshot-not-found' });
    await assert.rejects(made({ kind: 'snapshot', snapshot_id: snapshot, volume_id: there }), { status: 404, code: 'volume.snapshot-not-found' });
    await driver.remove(there);
    assert.equal((await driver.list()).length, 0, 'nothing is left');
  });

  test(`${name}: a backup comes back byte for byte`, async () => {
    const bytes = randomBytes(PAGE);
    const digest = createHash('sha256').update(bytes).digest('hex');
    under().chunks.set(digest, bytes);
    const id = await made({ kind: 'backup', chain: 'a', chunks: [{ digest: '', size: PAGE }, { digest, size: PAGE }, { digest: '', size: PAGE }, { digest, size: PAGE }] });
    assert.ok((await contentOf(under().driver, id)).equals(Buffer.concat([Buffer.alloc(PAGE), bytes, Buffer.alloc(PAGE), bytes])));
    await under().driver.remove(id);
  });

  test(`${name}: what it promises is in its report`, async () => {
    const { driver } = under();
    const before = await driver.report();
    const id = await made();
    const after = await driver.report();
    assert.equal(after.provisioned_bytes - before.provisioned_bytes, SIZE);
    assert.ok(after.free_bytes <= after.total_bytes && after.free_bytes > 0);
    await driver.remove(id);
  });
}
