/** Partition tables, GPT (UEFI specification, chapter 5) and MBR, read without the kernel's help from whoever made them. */
import { DiskError, type ReadAt } from './disk-error.ts';

export interface Partition {
  /** Bytes from the begin of the disk. */
  start: number;
  size: number;
  /** Says of itself that it holds a root file system. */
  is_root: boolean;
}

const ROOT_TYPES = new Set([
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709', // x86-64
  'b921b045-1df0-41c3-af44-4c6f280d3fae', // arm64
  '72ec70a6-cf74-40e6-bd49-4bda08e8f224', // riscv64
]);
const UNUSED = '00000000-0000-0000-0000-000000000000';
const MAX_ENTRIES = 1024;
const MAX_LOGICAL = 64;
const SECTOR = 512;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);

/** Those that lie within the disk; undefined when there is no partition table. @throws DiskError for a broken one. */
export async function readPartitions(read: ReadAt, disk_size: number): Promise<Partition[] | undefined> {
  const found = (await readGpt(read, 512)) ?? (await readGpt(read, 4096)) ?? (await readMbr(read));
  return found?.filter(({ start, size }) => size > 0 && start > 0 && start + size <= disk_size);
}

async function readGpt(read: ReadAt, sector: number): Promise<Partition[] | undefined> {
  const header = await read(sector, 92);
  if (header.length < 92 || header.toString('latin1', 0, 8) !== 'EFI PART') return undefined;
  const at = Number(header.readBigUInt64LE(72)) * sector;
  const count = header.readUInt32LE(80);
  const length = header.readUInt32LE(84);
  if (count > MAX_ENTRIES || length < 128 || length > 4096 || !Number.isSafeInteger(at)) throw new DiskError('its partition table is broken');
  const entries = await read(at, count * length);
  const out: Partition[] = [];
  for (let from = 0; from + 128 <= entries.length; from += length) {
    const type = guid(entries.subarray(from, from + 16));
    if (type === UNUSED) continue;
    const first = Number(entries.readBigUInt64LE(from + 32));
    const last = Number(entries.readBigUInt64LE(from + 40));
    out.push({ start: first * sector, size: (last - first + 1) * sector, is_root: ROOT_TYPES.has(type) });
  }
  return out;
}

/** The first three groups are little-endian. */
function guid(bytes: Buffer): string {
  const hex = (from: number, to: number, reversed: boolean): string => {
    const part = Buffer.from(bytes.subarray(from, to));
    return (reversed ? part.reverse() : part).toString('hex');
  };
  return [hex(0, 4, true), hex(4, 6, true), hex(6, 8, true), hex(8, 10, false), hex(10, 16, false)].join('-');
}

interface MbrEntry {
  type: number;
  first: number;
  count: number;
}

async function readMbr(read: ReadAt): Promise<Partition[] | undefined> {
  const entries = mbrEntries(await read(0, SECTOR));
  if (entries === undefined) return undefined;
  const out: Partition[] = [];
  for (const { type, first, count } of entries) {
    if (EXTENDED.has(type)) out.push(...(await readLogical(read, first)));
    else if (type !== 0 && type !== 0xee) out.push({ start: first * SECTOR, size: count * SECTOR, is_root: false });
  }
  return out;
}

/** The four entries; undefined when this is no partition table, but perhaps the boot sector of a file system. */
function mbrEntries(sector: Buffer): MbrEntry[] | undefined {
  if (sector.length < SECTOR || sector.readUInt16LE(510) !== 0xaa55) return undefined;
  const entries = [446, 462, 478, 494].map((at) => ({ flag: sector[at]!, type: sector[at + 4]!, first: sector.readUInt32LE(at + 8), count: sector.readUInt32LE(at + 12) }));
  if (entries.some(({ flag }) => (flag & 0x7f) !== 0)) return undefined;
  return entries.some(({ type }) => type !== 0) ? entries : undefined;
}

/** A chain of tables, each with one partition and the way to the next, counted from the first. */
async function readLogical(read: ReadAt, base: number): Promise<Partition[]> {
  const out: Partition[] = [];
  let next = 0;
  for (let depth = 0; depth < MAX_LOGICAL; depth++) {
    const table = base + next;
    const entries = mbrEntries(await read(table * SECTOR, SECTOR));
    if (entries === undefined) return out;
    const [one, link] = entries as [MbrEntry, MbrEntry];
    if (one.type !== 0) out.push({ start: (table + one.first) * SECTOR, size: one.count * SECTOR, is_root: false });
    if (!EXTENDED.has(link.type) || link.first <= next) return out;
    next = link.first;
  }
  return out;
}
