/** What guests see of their machine: a folder per container, which the runtime puts over the kernel's own files before the first process. */
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import { mapBounded } from '../../../../kernel/locks.ts';
import { readUsage } from '../../view/usage.ts';
import { fixedFiles, idle, movingFiles, SHOWN, type ViewedMachine } from '../../view/view-files.ts';

export interface GuestView {
  machine: ViewedMachine;
  /** Links below /dev: path and where it leads. */
  links: readonly [path: string, target: string][];
}

export interface Views {
  /** Made beside a container that is still being made; `attach` gives it to it. */
  prepare(serverId: string, view: GuestView): Promise<{ attach(containerId: string): Promise<void> }>;
  /** Before every start: as of now, and there again after a reboot of the host. */
  begin(serverId: string, containerId: string, view: GuestView | undefined): Promise<void>;
  /** Of a guest that goes on, as of now. */
  change(containerId: string, view: GuestView): Promise<void>;
  remove(containerId: string): Promise<void>;
  /** What `prepare` made and nobody was given. */
  discard(serverId: string): Promise<void>;
  /** Servers of this cloud with something to discard, or being made. */
  listPrepared(): Promise<string[]>;
  /** Containers of this cloud that have one. */
  list(): Promise<string[]>;
  close(): void;
}

export interface ViewsOptions {
  /** Where the runtime looks. */
  dir: string;
  cloud: string;
  clock: Clock;
  log: Log;
  /** How old the figures of memory and processors may be. Default 5 s. */
  refresh_ms?: number;
}

interface Known {
  cloud: string;
  view: GuestView;
  booted_at: number;
}

const DEFAULT_REFRESH_MS = 5_000;
const KNOWN = 'view.json';

async function make(folder: string, cloud: string, view: GuestView, now: Date): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const booted_at = Math.floor(now.getTime() / 1000);
  const hostCpus = await readFile('/proc/cpuinfo', 'utf8');
  const files = new Map([...fixedFiles(view.machine, hostCpus), ...movingFiles(view.machine, idle(booted_at))]);
  await Promise.all([...new Set([...files.keys()].map((path) => dirname(path))), '/sys/dev/block', '/sys/block'].map((path) => mkdir(join(folder, path), { recursive: true, mode: 0o755 })));
  await Promise.all([...files].map(([path, text]) => writeFile(join(folder, path), text, { mode: 0o444 })));
  await linkDisks(folder, view);
  await writeKnown(folder, { cloud, view, booted_at });
  // Last: without it the runtime shows nothing.
  await writeFile(join(folder, 'list'), [...SHOWN.map((path) => `bind ${path}\n`), ...view.links.map(([path, target]) => `link ${path} ${target}\n`)].join(''));
}

/** As a whole: an agent may be killed meanwhile. */
async function writeKnown(folder: string, known: Known): Promise<void> {
  await writeFile(join(folder, `${KNOWN}.new`), JSON.stringify(known));
  await rename(join(folder, `${KNOWN}.new`), join(folder, KNOWN));
}

/** Undefined for a folder of another cloud, or none. */
async function known(folder: string, cloud: string): Promise<Known | undefined> {
  const text = await readFile(join(folder, KNOWN), 'utf8').catch(() => undefined);
  const found = text === undefined ? undefined : (JSON.parse(text) as Known);
  return found?.cloud === cloud ? found : undefined;
}

async function refresh(folder: string, { view, booted_at }: Known, containerId: string, now: Date): Promise<void> {
  const used = await readUsage(containerId);
  if (used === undefined) return;
  const up_ms = Math.max(0, now.getTime() - booted_at * 1000);
  for (const [path, text] of movingFiles(view.machine, { ...used, up_ms, booted_at })) {
    // In place: the guest has this very file.
    await writeFile(join(folder, path), text, { flag: 'r+' });
  }
}

/** In place, since the guest has these very files and folders. */
async function alter(folder: string, { cloud, view: old, booted_at }: Known, view: GuestView): Promise<void> {
  const hostCpus = await readFile('/proc/cpuinfo', 'utf8');
  const gone = old.machine.disks.filter((disk) => !view.machine.disks.some(({ name, major, minor }) => name === disk.name && major === disk.major && minor === disk.minor));
  for (const { name, major, minor } of gone) {
    await rm(join(folder, `/sys/dev/block/${major}:${minor}`), { force: true });
    if (!view.machine.disks.some((disk) => disk.name === name)) await rm(join(folder, '/sys/block', name), { recursive: true, force: true });
  }
  for (const [path, text] of [...fixedFiles(view.machine, hostCpus), ...movingFiles(view.machine, idle(booted_at))]) {
    await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(folder, path), text);
  }
  await linkDisks(folder, view);
  await writeKnown(folder, { cloud, view, booted_at });
}

async function linkDisks(folder: string, { machine }: GuestView): Promise<void> {
  for (const { name, major, minor } of machine.disks) {
    const path = join(folder, `/sys/dev/block/${major}:${minor}`);
    await rm(path, { force: true });
    await symlink(`../../block/${name}`, path);
  }
}

export function createViews({ dir, cloud, clock, log, refresh_ms }: ViewsOptions): Views {
  const folderOf = (name: string): string => join(dir, name);
  let busy = false;

  async function all(prepared = false): Promise<[id: string, found: Known][]> {
    const names = (await readdir(dir).catch(() => [])).filter((name) => name.startsWith('.') === prepared);
    const found = await Promise.all(names.map((name) => known(folderOf(name), cloud).catch(() => undefined)));
    return names.flatMap((name, at) => (found[at] === undefined ? [] : [[name, found[at]]]));
  }

  async function refreshAll(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      await mapBounded(await all(), 4, ([id, found]) =>
        refresh(folderOf(id), found, id, clock.now()).catch((error: unknown) => log.debug({ err: error, container_id: id }, 'the figures of a guest could not be renewed')));
    } finally {
      busy = false;
    }
  }

  async function prepare(serverId: string, view: GuestView): Promise<{ attach(containerId: string): Promise<void> }> {
    const aside = folderOf(`.${serverId}`);
    await make(aside, cloud, view, clock.now());
    return {
      async attach(containerId) {
        await rm(folderOf(containerId), { recursive: true, force: true });
        await rename(aside, folderOf(containerId));
      },
    };
  }

  const timer = setInterval(() => void refreshAll(), refresh_ms ?? DEFAULT_REFRESH_MS);
  timer.unref();
  return {
    prepare,
    discard: (serverId) => rm(folderOf(`.${serverId}`), { recursive: true, force: true }),
    listPrepared: async () => (await all(true)).map(([name]) => name.slice(1)),
    list: async () => (await all()).map(([id]) => id),
    async begin(serverId, containerId, view) {
      const wanted = view ?? (await known(folderOf(containerId), cloud))?.view;
      if (wanted !== undefined) await (await prepare(serverId, wanted)).attach(containerId);
    },
    async change(containerId, view) {
      const found = await known(folderOf(containerId), cloud);
      if (found !== undefined) await alter(folderOf(containerId), found, view);
    },
    remove: (containerId) => rm(folderOf(containerId), { recursive: true, force: true }),
    close: () => clearInterval(timer),
  };
}
