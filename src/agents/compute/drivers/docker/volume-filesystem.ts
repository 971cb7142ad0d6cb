/** The file system of a volume that is to be mounted: found, made or mended. */
import { execFile } from 'node:child_process';
import { constants, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { conflict } from '../../../../kernel/fault.ts';
import type { LocalDevice } from '../../../volume/protocol.ts';

const run = promisify(execFile);
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
const TIMEOUT_MS = 600_000;
const NOTHING_FOUND = 2;
/** What is looked at before a volume counts as blank. */
const EDGE = 4 * 1024 * 1024;
/** Where it is, and how long. */
const SUPERBLOCK = 1024;
/** Fields of it. */
const [BLOCKS_LOW, LOG_BLOCK_SIZE, BLOCKS_HIGH] = [4, 24, 0x150];
const MOUNTABLE = new Set(['ext2', 'ext3', 'ext4', 'xfs']);
/** Folders that programs insist on being empty have no lost+found; a check makes one when it is needed. */
const MAKE = 'mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$1" && debugfs -w -R "rmdir lost+found" "$1" > /dev/null 2>&1';
/** 1 and below: whole, or made whole. */
const GROW = 'e2fsck -fp "$1" > /dev/null; [ $? -le 1 ] && resize2fs "$1" > /dev/null 2>&1';
const MEND = 'e2fsck -p "$1" > /dev/null; [ $? -le 1 ]';

/** Made if the volume is blank, mended if need be, but for one that is mounted by somebody already, or may not be written. @returns its type */
export async function readyFileSystem({ path, size_bytes }: LocalDevice, read_only: boolean): Promise<string> {
  const type = await typeOf(path);
  const fresh = !read_only && !(await isMounted(path));
  if (type === '') {
    if (!fresh || !(await isBlank(path, size_bytes))) throw conflict('compute.mount-failed', 'The volume has no file system, and is not blank: it is not overwritten.');
    await shell('make a file system on', MAKE, path);
    return 'ext4';
  }
  if (!MOUNTABLE.has(type)) throw conflict('compute.mount-failed', `The volume holds ${type}, which is not mounted here; that can be ${[...MOUNTABLE].join(', ')}.`);
  if (!fresh || type === 'xfs') return type;
  await shell('mend the file system of', MEND, path);
  const { blocks, could_be } = await blocksOf(path, size_bytes);
  if (blocks < could_be) await shell('enlarge the file system of', GROW, path);
  return type;
}

/** How many blocks an ext4 file system takes of all that there are; undefined for any other. */
export async function roomFor({ path, size_bytes }: LocalDevice): Promise<number | undefined> {
  return (await typeOf(path)) === 'ext4' ? (await blocksOf(path, size_bytes)).could_be : undefined;
}

async function blocksOf(path: string, size_bytes: number): Promise<{ blocks: number; could_be: number }> {
  const device = await open(path, 'r');
  try {
    const { buffer } = await device.read(Buffer.alloc(SUPERBLOCK), 0, SUPERBLOCK, SUPERBLOCK);
    const blocks = buffer.readUInt32LE(BLOCKS_LOW) + buffer.readUInt32LE(BLOCKS_HIGH) * 2 ** 32;
    return { blocks, could_be: Math.floor(size_bytes / (1024 << buffer.readUInt32LE(LOG_BLOCK_SIZE))) };
  } finally {
    await device.close();
  }
}

/** Whether it is mounted in whatever namespace: the kernel then gives the device to nobody else. */
async function isMounted(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return true;
    throw error;
  }
}

async function typeOf(path: string): Promise<string> {
  try {
    return (await run('blkid', ['-p', '-o', 'value', '-s', 'TYPE', path], { env, timeout: TIMEOUT_MS })).stdout.trim();
  } catch (error) {
    if ((error as { code?: unknown }).code === NOTHING_FOUND) return '';
    throw conflict('compute.mount-failed', 'What the volume holds could not be made out.', { cause: error });
  }
}

async function isBlank(path: string, size: number): Promise<boolean> {
  const device = await open(path, 'r');
  try {
    for (const at of [0, Math.max(0, size - EDGE)]) {
      const { buffer, bytesRead } = await device.read(Buffer.alloc(EDGE), 0, EDGE, at);
      if (!buffer.subarray(0, bytesRead).equals(Buffer.alloc(bytesRead))) return false;
    }
    return true;
  } finally {
    await device.close();
  }
}

async function shell(doing: string, script: string, path: string): Promise<void> {
  await run('/bin/sh', ['-c', script, 'sh', path], { env, timeout: TIMEOUT_MS }).catch((cause: unknown) => {
    throw conflict('compute.mount-failed', `Could not ${doing} the volume.`, { cause });
  });
}
