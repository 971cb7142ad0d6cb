/**
 * The config drive of a server: a small read-only disk with the label that guests look for, and its folder as well, for guests that
 * may not mount. A container knows the disk by its number, so each keeps the number that it was made with.
 */
import { execFile } from 'node:child_process';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { ConfigDrive } from '../../protocol.ts';

const run = promisify(execFile);

export interface DriveDevice {
  /** `/dev/loop1024` */
  device: string;
  minor: number;
  bytes: number;
  /** Of the same files, on the host. */
  folder: string;
}

export interface ConfigDrives {
  /** Made anew, whatever was there. */
  prepare(serverId: string, drive: ConfigDrive): Promise<DriveDevice>;
  /** Before every start: its device is there, also after a reboot of the host. */
  ready(serverId: string): Promise<void>;
  remove(serverId: string): Promise<void>;
  list(): Promise<string[]>;
}

/** Beyond the numbers that are given out to whoever asks for any. */
const FIRST_NUMBER = 1024;
const MIB = 1024 * 1024;
const FORMAT = 'rm -f "$1"; truncate -s "$3" "$1" && mke2fs -q -F -t ext4 -O ^has_journal -m 0 -N 512 -L config-2 -d "$2" "$1"';

/** @param dir holds, per server, a folder with the files, the disk and its number. */
export function createConfigDrives(dir: string): ConfigDrives {
  const at = (serverId: string, name: string): string => join(dir, serverId, name);
  const lock = createKeyedLock();
  const list = async (): Promise<string[]> => (await readdir(dir).catch(() => [])).filter(isUuid);
  const numberOf = async (serverId: string): Promise<number | undefined> => Number(await readFile(at(serverId, 'number'), 'utf8').catch(() => '')) || undefined;

  async function freeNumber(): Promise<number> {
    const kept = new Set(await Promise.all((await list()).map(numberOf)));
    let number = FIRST_NUMBER;
    while (kept.has(number) || (await isAttached(number))) number += 1;
    return number;
  }

  async function attach(serverId: string, number: number): Promise<void> {
    const file = at(serverId, 'drive.img');
    const now = (await shell('look at the config drive', 'losetup -n -O BACK-FILE "$1" 2>/dev/null || true', deviceOf(number))).trim();
    if (now === file) return;
    if (now !== '') throw new Fault(500, 'compute.config-drive-failed', 'Could not attach the config drive of the server: its device is taken.', { cause: new Error(`${deviceOf(number)}: ${now}`) });
    await shell('attach the config drive', 'losetup -r "$1" "$2"', deviceOf(number), file);
  }

  async function remove(serverId: string): Promise<void> {
    const number = await numberOf(serverId);
    if (number !== undefined) await shell('detach the config drive', 'if [ "$(losetup -n -O BACK-FILE "$1" 2>/dev/null)" = "$2" ]; then losetup -d "$1"; fi', deviceOf(number), at(serverId, 'drive.img'));
    await rm(join(dir, serverId), { recursive: true, force: true });
  }

  return {
    list,
    remove,
    async prepare(serverId, drive) {
      await remove(serverId);
      await mkdir(at(serverId, 'files'), { recursive: true, mode: 0o700 });
      const content = await writeFiles(at(serverId, 'files'), drive);
      const bytes = Math.ceil((content * 1.1) / MIB + 1) * MIB;
      await shell('make the config drive', FORMAT, at(serverId, 'drive.img'), at(serverId, 'files'), String(bytes));
      const number = await lock.run('number', async () => {
        const free = await freeNumber();
        await writeFile(at(serverId, 'number'), String(free));
        await attach(serverId, free);
        return free;
      });
      return { device: deviceOf(number), minor: number, bytes, folder: at(serverId, 'files') };
    },
    async ready(serverId) {
      const number = await numberOf(serverId);
      if (number !== undefined) await lock.run('number', () => attach(serverId, number));
    },
  };
}

const deviceOf = (number: number): string => `/dev/loop${number}`;

const isAttached = (number: number): Promise<boolean> => stat(`/sys/block/loop${number}/loop/backing_file`).then(() => true, () => false);

/** @returns how many bytes the files take, in blocks. */
async function writeFiles(root: string, { files }: ConfigDrive): Promise<number> {
  let bytes = 0;
  for (const { content, paths } of files) {
    const [first, ...others] = paths.map((path) => join(root, path));
    if (first === undefined) continue;
    const body = Buffer.from(content, 'base64');
    bytes += Math.ceil(body.length / 4096) * 4096 + 4096 * paths.length;
    for (const path of [first, ...others]) await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFile(first, body, { mode: 0o644 });
    for (const other of others) await link(first, other);
  }
  return bytes;
}

async function shell(doing: string, script: string, ...args: string[]): Promise<string> {
  try {
    return (await run('/bin/sh', ['-c', `set -e; ${script}`, 'sh', ...args], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, timeout: 60_000 })).stdout;
  } catch (error) {
    const full = /no space left/i.test(String((error as { stderr?: string }).stderr));
    throw full
      ? new Fault(507, 'compute.disk-full', `Could not ${doing} of the server: the node's disk is full.`, { cause: error })
      : new Fault(500, 'compute.config-drive-failed', `Could not ${doing} of the server.`, { cause: error });
  }
}
