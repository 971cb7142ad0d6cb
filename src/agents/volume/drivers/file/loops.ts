/** Loop devices over the files of one folder. What there is, is asked of the kernel each time: nothing is remembered. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { LocalDevice } from '../../protocol.ts';

const run = promisify(execFile);
const DEVICES = '/sys/block';
const LOOP_MAJOR = 7;
const SECTOR = 512;
/** Beyond what is given out to whoever asks for any, and beyond the config drives. */
const FIRST_NUMBER = 32_768;
const LAST_NUMBER = 1_048_575;
/** Somebody who only looks at a device (udev, blkid) holds it for a moment. */
const LOOKERS_MS = 5_000;
const AGAIN_MS = 5;

export interface Loop {
  path: string;
  file: string;
  number: number;
}

export interface Loops {
  list(): Promise<Loop[]>;
  /** The device of this file, which is there or is made. */
  attach(file: string, read_only: boolean): Promise<LocalDevice>;
  /** Of a file that has become longer. */
  grow(path: string): Promise<void>;
  /** What was written to the device is in its file. */
  flush(path: string): Promise<void>;
  /** @returns false when somebody still uses the device; it goes when they are done. */
  detach(path: string): Promise<boolean>;
}

const isTaken = (error: unknown): boolean => /resource busy/i.test(String((error as { stderr?: string }).stderr));

export async function command(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(program, args, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } });
  return stdout;
}

/** By the kernel's own files, which takes no program. */
async function list(): Promise<Loop[]> {
  const names = (await readdir(DEVICES)).filter((name) => /^loop\d+$/.test(name));
  const files = await Promise.all(names.map((name) => backingOf(name)));
  return names.flatMap((name, at) => (files[at] === undefined ? [] : [{ path: `/dev/${name}`, file: files[at], number: Number(name.slice('loop'.length)) }]));
}

/** Undefined for a device without a file. */
const backingOf = (name: string): Promise<string | undefined> => readFile(join(DEVICES, name, 'loop/backing_file'), 'utf8').then((text) => text.replace(/\n$/, ''), () => undefined);

export function createLoops(): Loops {
  const lock = createKeyedLock();

  async function make(file: string, read_only: boolean): Promise<LocalDevice> {
    const taken = new Set((await list()).map((one) => one.number));
    for (let free = FIRST_NUMBER; free <= LAST_NUMBER; free += 1) {
      if (taken.has(free)) continue;
      try {
        await command('losetup', ...(read_only ? ['--read-only'] : []), `/dev/loop${free}`, file);
        return await deviceOf(free);
      } catch (error) {
        // Another cloud on this host was faster.
        if (!isTaken(error)) throw error;
      }
    }
    throw new Error('no loop device is free');
  }

  return {
    list,
    attach: (file, read_only) =>
      // One at a time, so that no file gets two devices, whose caches would know nothing of each other.
      lock.run('attach', async () => {
        const there = (await list()).find((one) => one.file === file);
        return there === undefined ? await make(file, read_only) : await deviceOf(there.number);
      }),
    async grow(path) {
      await command('losetup', '--set-capacity', path);
    },
    async flush(path) {
      await command('blockdev', '--flushbufs', path);
    },
    async detach(path) {
      await command('losetup', '--detach', path).catch(async (error: unknown) => {
        if (await isAttached(path)) throw error;
      });
      for (let waited = 0; waited < LOOKERS_MS; waited += AGAIN_MS) {
        if (!(await isAttached(path))) return true;
        await wait(AGAIN_MS);
      }
      return false;
    },
  };
}

const isAttached = async (path: string): Promise<boolean> => (await backingOf(basename(path))) !== undefined;

async function deviceOf(number: number): Promise<LocalDevice> {
  const sectors = await readFile(join(DEVICES, `loop${number}`, 'size'), 'utf8');
  return { path: `/dev/loop${number}`, major: LOOP_MAJOR, minor: number, size_bytes: Number(sectors) * SECTOR };
}
