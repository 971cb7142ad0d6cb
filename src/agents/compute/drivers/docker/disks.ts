/**
 * What a server may write is bounded by a file system of its own: a file, formatted at the flavor's size and mounted where
 * the engine's overlay driver keeps what the container changes. Engines whose storage has quotas are rare; this needs none.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { conflict, Fault, isFault } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { ContainerInspect } from './engine-types.ts';
import type { Engine } from './engine.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;
/** Where the server has to be off for a moment. */
export const DISK_IN_USE = 'compute.disk-in-use';

export interface Disks {
  /** Makes the disk of a new server, still unused. Undefined: this server has no bound. */
  prepare(serverId: string, gigabytes: number): Promise<Disk | undefined>;
  /** Before every start: mounted where its container looks for it, also after a reboot of the host. */
  ready(serverId: string, container: Pick<ContainerInspect, 'Id' | 'GraphDriver'>): Promise<void>;
  /** Another size; a smaller one only for a container that is off, and only if what is on it fits. A server without a bound stays so. */
  resize(serverId: string, container: Pick<ContainerInspect, 'Id' | 'GraphDriver' | 'State'>, gigabytes: number): Promise<void>;
  /** After its container is gone. */
  remove(serverId: string): Promise<void>;
  /** Servers of which there is a disk. */
  list(): Promise<string[]>;
}

export interface Disk {
  /** Puts it below the container, which has not run yet. */
  attach(container: Pick<ContainerInspect, 'Id' | 'GraphDriver'>): Promise<void>;
}

export interface DisksOptions {
  engine: Engine;
  /** Of the files. */
  dir: string;
  limit: 'auto' | 'off';
  log: Log;
}

/** Of what is written later: tables of inodes and the journal are zeroed when they are used. */
const FORMAT = 'mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$1"';
/** Freed blocks go back to the host. */
const MOUNT = 'mount -t ext4 -o loop,noatime,discard,noinit_itable "$1" "$2"';
const PREPARE = `set -e; rm -f "$1"; truncate -s "$3" "$1"; ${FORMAT}; mkdir -p "$2"; ${MOUNT}`;
/** What lies beneath goes: without its disk, a container must not start, and not on an empty one. */
const ATTACH = 'set -e; cd "$3"; cp -a -- * "$2"/; rm -rf -- *; cd /; mount --bind "$2" "$3"; umount "$2"; rmdir "$2"';

const FILE_SYSTEM_SIZE = `tune2fs -l "$1" | awk '/^Block count/{count=$3} /^Block size/{size=$3} END{printf "%.0f", count*size}'`;
const GROW = 'set -e; truncate -s "$2" "$1"; device=$(losetup -n -O NAME -j "$1" | head -n 1); losetup -c "$device"; resize2fs "$device"';
/** Checked first, since resize2fs insists; mounted again whatever comes of it. */
const UNMOUNTED = (resize: string): string => `umount "$2" || exit 1; e2fsck -fp "$1" > /dev/null; ${resize}; done=$?; ${MOUNT} || exit 1; exit $done`;
const GROW_UNMOUNTED = UNMOUNTED('truncate -s "$3" "$1" && resize2fs "$1"');
const SHRINK_UNMOUNTED = UNMOUNTED('resize2fs "$1" "$3" && truncate -s "$3" "$1"');

export function createDisks({ engine, dir, limit, log }: DisksOptions): Disks {
  const fileOf = (serverId: string): string => join(dir, `${serverId}.img`);
  const asideOf = (serverId: string): string => join(dir, `${serverId}.new`);
  let usable: Promise<boolean> | undefined;

  /** Asked once; an engine that does not answer is asked again. */
  function isUsable(): Promise<boolean> {
    usable ??= look().catch((error: unknown) => {
      usable = undefined;
      throw error;
    });
    return usable;
  }

  async function look(): Promise<boolean> {
    const { Driver } = await engine.json<{ Driver: string }>('GET', '/info');
    if (Driver !== 'overlay2') log.warn({ storage_driver: Driver }, "the sizes of flavors' disks are not enforced: that takes the engine's storage driver overlay2");
    else await mkdir(dir, { recursive: true, mode: 0o700 });
    return Driver === 'overlay2';
  }

  async function prepare(serverId: string, gigabytes: number): Promise<Disk | undefined> {
    if (limit === 'off' || gigabytes <= 0 || !(await isUsable())) return undefined;
    const [file, aside] = [fileOf(serverId), asideOf(serverId)];
    await remove(serverId);
    await shell('make the disk', PREPARE, file, aside, `${gigabytes}G`);
    return {
      async attach(container) {
        await shell('attach the disk', ATTACH, file, aside, layerOf(container));
      },
    };
  }

  async function ready(serverId: string, container: Pick<ContainerInspect, 'Id' | 'GraphDriver'>): Promise<void> {
    const file = fileOf(serverId);
    if (!(await exists(file))) return;
    const target = layerOf(container);
    if (await isMounted(target)) return;
    await shell('mount the disk', `set -e; ${MOUNT}`, file, target);
    log.info({ server_id: serverId }, "a server's disk was mounted again");
  }

  async function remove(serverId: string): Promise<void> {
    const [file, aside] = [fileOf(serverId), asideOf(serverId)];
    if (!(await exists(file))) return;
    if (await isMounted(aside)) await shell('unmount the disk', 'umount "$1"', aside);
    await rm(aside, { recursive: true, force: true });
    await rm(file, { force: true });
  }

  return {
    prepare,
    ready,
    resize: (serverId, container, gigabytes) => resizeDisk(fileOf(serverId), container, gigabytes, () => ready(serverId, container)),
    remove,
    list: async () => (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.img')).map((name) => basename(name, '.img')).filter(isUuid),
  };
}

async function resizeDisk(file: string, container: Parameters<Disks['resize']>[1], gigabytes: number, ready: () => Promise<void>): Promise<void> {
  const change = await sizeChange(file, gigabytes);
  if (change === 'none') return;
  await ready();
  await changeSize(change, file, container, gigabytes);
}

/** Of the file system, which a file may have outgrown when an agent was killed in between. `none` also for a server without a bound. */
async function sizeChange(file: string, gigabytes: number): Promise<'none' | 'more' | 'less'> {
  if (gigabytes <= 0 || !(await exists(file))) return 'none';
  const { stdout } = await run('/bin/sh', ['-c', FILE_SYSTEM_SIZE, 'sh', file], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } });
  const size = Number(stdout);
  if (size === gigabytes * GIB) return 'none';
  return size < gigabytes * GIB ? 'more' : 'less';
}

async function changeSize(change: 'more' | 'less', file: string, container: Pick<ContainerInspect, 'Id' | 'GraphDriver' | 'State'>, gigabytes: number): Promise<void> {
  const { Running } = container.State;
  if (change === 'more' && !Running) return await shell('enlarge the disk', GROW_UNMOUNTED, file, layerOf(container), `${gigabytes}G`);
  if (change === 'more') {
    // The kernel lets nobody do that who lacks CAP_SYS_RESOURCE.
    return await shell('enlarge the disk', GROW, file, `${gigabytes}G`).catch((cause: unknown) => {
      throw conflict(DISK_IN_USE, 'The disk cannot be enlarged while the server runs.', { cause });
    });
  }
  if (Running) throw conflict('compute.disk-busy', 'The disk of a server that runs cannot become smaller.');
  await shell('reduce the disk', SHRINK_UNMOUNTED, file, layerOf(container), `${gigabytes}G`).catch((cause: unknown) => {
    throw conflict('compute.disk-too-full', `The disk of the server cannot be reduced to ${gigabytes} GiB: more than that is in use.`, { cause });
  });
}

/** The folder of the container's own layer. */
function layerOf({ Id, GraphDriver }: Pick<ContainerInspect, 'Id' | 'GraphDriver'>): string {
  const upper = GraphDriver?.Data?.['UpperDir'];
  if (upper === undefined || basename(upper) !== 'diff') throw new Fault(500, 'compute.disk-failed', 'Could not find where the engine keeps the disk of the server.', { cause: new Error(`container ${Id}: ${upper ?? 'no UpperDir'}`) });
  return dirname(upper);
}

async function shell(doing: string, script: string, ...args: string[]): Promise<void> {
  try {
    await run('/bin/sh', ['-c', script, 'sh', ...args], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, timeout: 120_000 });
  } catch (error) {
    if (isFault(error)) throw error;
    const full = /no space left/i.test(String((error as { stderr?: string }).stderr));
    throw full
      ? new Fault(507, 'compute.disk-full', `Could not ${doing} of the server: the node's disk is full.`, { cause: error })
      : new Fault(500, 'compute.disk-failed', `Could not ${doing} of the server.`, { cause: error });
  }
}

async function isMounted(path: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return false;
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.some((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))) === real);
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);
