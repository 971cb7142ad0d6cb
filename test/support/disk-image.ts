/** Disks for tests: a directory as an ext4 file system, bare or in a partition table, raw or qcow2. */
import { execFile } from 'node:child_process';
import { open, rm, truncate } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

const exec = promisify(execFile);
const MIB = 1024 * 1024;
const SECTOR = 512;
export const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
export const ROOT_X86_64 = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709';

export interface DiskPart {
  /** From the begin of the disk. */
  start_mib: number;
  size_mib: number;
  type: string;
}

/** A primary GPT with its protective MBR, as sectors 0 to 33. */
export function gpt(parts: readonly DiskPart[], disk_mib: number): Buffer {
  const out = Buffer.alloc(34 * SECTOR);
  out[446 + 4] = 0xee;
  out.writeUInt32LE(1, 446 + 8);
  out.writeUInt32LE((disk_mib * MIB) / SECTOR - 1, 446 + 12);
  out.writeUInt16LE(0xaa55, 510);
  const entries = out.subarray(2 * SECTOR);
  parts.forEach((part, index) => {
    const entry = entries.subarray(index * 128, index * 128 + 128);
    guidBytes(part.type).copy(entry, 0);
    entry.fill(index + 1, 16, 32);
    entry.writeBigUInt64LE(BigInt((part.start_mib * MIB) / SECTOR), 32);
    entry.writeBigUInt64LE(BigInt(((part.start_mib + part.size_mib) * MIB) / SECTOR - 1), 40);
  });
  const header = out.subarray(SECTOR, SECTOR + 92);
  header.write('EFI PART', 'latin1');
  header.writeUInt32LE(0x10000, 8);
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(128, 80);
  header.writeUInt32LE(128, 84);
  header.writeUInt32LE(crc32(entries), 88);
  header.writeUInt32LE(crc32(header), 16);
  return out;
}

function guidBytes(guid: string): Buffer {
  const [a, b, c, d, e] = guid.split('-').map((part) => Buffer.from(part, 'hex')) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  return Buffer.concat([a.reverse(), b.reverse(), c.reverse(), d, e]);
}

export interface DiskOptions {
  /** What the root file system holds. */
  root: string;
  path: string;
  size_mib: number;
  /** A partition table with a small other partition before the root's. */
  partitioned?: boolean;
  format: 'raw' | 'qcow2';
}

/** Makes the disk; needs mkfs.ext4, and qemu-img for qcow2. */
export async function makeDisk({ root, path, size_mib, partitioned = false, format }: DiskOptions): Promise<void> {
  const raw = format === 'raw' ? path : `${path}.raw`;
  const start_mib = partitioned ? 9 : 0;
  await rm(raw, { force: true });
  await (await open(raw, 'wx')).close();
  await truncate(raw, (start_mib + size_mib + (partitioned ? 1 : 0)) * MIB);
  await exec('mkfs.ext4', ['-q', '-F', '-E', `offset=${start_mib * MIB}`, '-d', root, raw, `${size_mib}m`]);
  if (partitioned) {
    const parts = [{ start_mib: 1, size_mib: 8, type: LINUX }, { start_mib, size_mib, type: ROOT_X86_64 }];
    const file = await open(raw, 'r+');
    await file.write(gpt(parts, start_mib + size_mib + 1), 0, undefined, 0);
    await file.close();
  }
  if (format === 'raw') return;
  await exec('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, path]);
  await rm(raw);
}
