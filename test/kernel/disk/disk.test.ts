import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DiskError, type ReadAt } from '../../../src/kernel/disk/disk-error.ts';
import { readPartitions } from '../../../src/kernel/disk/partitions.ts';
import { checkQcow2, isQcow2 } from '../../../src/kernel/disk/qcow2.ts';
import { rootCandidates } from '../../../src/kernel/disk/root-candidates.ts';
import { gpt, LINUX, ROOT_X86_64 } from '../../support/disk-image.ts';

const MIB = 1024 * 1024;
const readerOf = (disk: Buffer): ReadAt => async (at, length) => disk.subarray(at, at + length);

/** A disk of nothing but the given bytes at their places. */
function disk(mib: number, ...parts: [number, string | Buffer][]): Buffer {
  const out = Buffer.alloc(mib * MIB);
  for (const [at, bytes] of parts) (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes).copy(out, at);
  return out;
}
const ext4 = (at: number): [number, string] => [at + 1080, '\x53\xef'];

function qcow2(change: (head: Buffer) => void = () => {}): Buffer {
  const head = Buffer.alloc(512);
  head.writeUInt32BE(0x5146_49fb, 0);
  head.writeUInt32BE(3, 4);
  head.writeUInt32BE(16, 20);
  head.writeBigUInt64BE(10n * 1024n ** 3n, 24);
  head.writeUInt32BE(104, 100);
  change(head);
  return head;
}

test('a qcow2 header says the size of its disk, and nothing that leads out of the file passes', () => {
  assert.equal(checkQcow2(qcow2()), 10 * 1024 ** 3);
  const refused: [string, (head: Buffer) => void][] = [
    ['backing', (head) => head.writeBigUInt64BE(104n, 8)],
    ['backing', (head) => head.writeUInt32BE(7, 16)],
    ['encrypted', (head) => head.writeUInt32BE(2, 32)],
    ['another file', (head) => head.writeBigUInt64BE(4n, 72)],
    ['corrupt', (head) => head.writeBigUInt64BE(2n, 72)],
    ['not known', (head) => head.writeBigUInt64BE(1n << 40n, 72)],
    ['version', (head) => head.writeUInt32BE(1, 4)],
    ['absurd', (head) => head.writeBigUInt64BE(1n << 63n, 24)],
    ['cluster', (head) => head.writeUInt32BE(60, 20)],
  ];
  for (const [why, change] of refused) assert.throws(() => checkQcow2(qcow2(change)), (error) => error instanceof DiskError && error.message.includes(why), why);
  assert.equal(isQcow2(Buffer.from('QFI')), false);
  assert.throws(() => checkQcow2(qcow2().subarray(0, 80)), /cut off/);
});

test('the root is what says so, else the largest Linux partition, else the bare file system', async () => {
  const parts = [{ start_mib: 1, size_mib: 4, type: LINUX }, { start_mib: 5, size_mib: 1, type: ROOT_X86_64 }, { start_mib: 6, size_mib: 1, type: LINUX }];
  const table = gpt(parts, 8);
  const both = disk(8, [0, table], ext4(MIB), ext4(5 * MIB), ext4(6 * MIB));
  assert.deepEqual((await rootCandidates(readerOf(both), both.length)).map(({ start }) => start / MIB), [5, 1, 6]);
  const bare = disk(1, [65_600, '_BHRfS_M']);
  assert.deepEqual(await rootCandidates(readerOf(bare), bare.length), [{ start: 0, size: MIB, type: 'btrfs' }]);
});

test('MBR, with logical partitions; a loop among them ends', async () => {
  const entry = (type: number, first: number, count: number): Buffer => {
    const out = Buffer.alloc(16);
    out[4] = type;
    out.writeUInt32LE(first, 8);
    out.writeUInt32LE(count, 12);
    return out;
  };
  const signature = Buffer.from([0x55, 0xaa]);
  const mbr = disk(8, [446, entry(0x83, 2048, 2048)], [462, entry(0x05, 4096, 8192)], [510, signature],
    [4096 * 512 + 446, entry(0x83, 1, 100)], [4096 * 512 + 462, entry(0x05, 2048, 200)], [4096 * 512 + 510, signature],
    [6144 * 512 + 446, entry(0x83, 1, 150)], [6144 * 512 + 462, entry(0x05, 2048, 200)], [6144 * 512 + 510, signature]);
  const found = await readPartitions(readerOf(mbr), mbr.length);
  assert.deepEqual(found?.map(({ start, size }) => [start / 512, size / 512]), [[2048, 2048], [4097, 100], [6145, 150]]);
});

test('what cannot be used is named', async () => {
  const refusal = async (bytes: Buffer): Promise<string> => rootCandidates(readerOf(bytes), bytes.length).then(() => 'accepted', (error: Error) => error.message);
  assert.match(await refusal(disk(1)), /neither a partition table nor a Linux file system/);
  assert.match(await refusal(disk(1, [0, 'LUKS\xba\xbe'])), /found: LUKS/);
  const table = gpt([{ start_mib: 1, size_mib: 1, type: LINUX }, { start_mib: 2, size_mib: 100, type: LINUX }], 3);
  assert.match(await refusal(disk(3, [0, table], [MIB + 512, 'LABELONE'], ext4(2 * MIB))), /no partition of it holds.*found: LVM/);
});

test('no bytes make the reader fail otherwise than with a reason', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 0, maxLength: 4096 }), fc.array(fc.tuple(fc.nat(2047), fc.nat(255))), fc.boolean(), async (bytes, flips, table) => {
    const start = table ? Buffer.concat([gpt([{ start_mib: 1, size_mib: 1, type: LINUX }], 3)]) : Buffer.from(bytes);
    for (const [at, value] of flips) if (at < start.length) start[at] = value;
    try {
      for (const one of await rootCandidates(readerOf(start), 3 * MIB)) assert.ok(one.start >= 0 && one.size > 0 && one.start + one.size <= 3 * MIB);
    } catch (error) {
      assert.ok(error instanceof DiskError, String(error));
    }
  }), { numRuns: 300 });
});
