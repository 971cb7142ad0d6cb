/** The folder of all volumes: where each has its disk and its snapshots, and how files come and go as a whole. */
import { mkdir, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { badRequest, Fault, isFault, notFound } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { command } from './loops.ts';

/** On their way: what bears these names when an agent begins is nobody's. */
const COMING = '.new';
const GOING = '.gone';

export interface Home {
  root(): Promise<string>;
  /** Whether files can share blocks. */
  shares(): Promise<boolean>;
  /** Paths of a volume, of which there may be none. @throws Fault 400 on ids that are none */
  folder(volume_id: string): Promise<string>;
  disk(volume_id: string): Promise<string>;
  snapshot(volume_id: string, snapshot_id: string): Promise<string>;
  /** @throws Fault 404 */
  needDisk(volume_id: string): Promise<string>;
  needSnapshot(volume_id: string, snapshot_id: string): Promise<string>;
  volumes(): Promise<string[]>;
}

export function createHome(dir: string): Home {
  const found = prepare(dir);
  found.catch(() => {});
  const root = async (): Promise<string> => (await found).dir;
  const at = async (ids: string[], ...path: string[]): Promise<string> => {
    if (!ids.every(isUuid)) throw badRequest('volume.id-invalid', 'An id of a volume or of a snapshot is a UUID.');
    return join(await root(), ...path);
  };
  const self: Home = {
    root,
    shares: async () => (await found).shares,
    folder: (volume_id) => at([volume_id], volume_id),
    disk: (volume_id) => at([volume_id], volume_id, 'disk'),
    snapshot: (volume_id, snapshot_id) => at([volume_id, snapshot_id], volume_id, 'snapshots', snapshot_id),
    async needDisk(volume_id) {
      const disk = await self.disk(volume_id);
      if (!(await exists(disk))) throw notFound('volume.not-found', `The node has no volume ${volume_id}.`);
      return disk;
    },
    async needSnapshot(volume_id, snapshot_id) {
      const file = await self.snapshot(volume_id, snapshot_id);
      if (!(await exists(file))) throw notFound('volume.snapshot-not-found', `The volume has no snapshot ${snapshot_id}.`);
      return file;
    },
    volumes: async () => await volumesIn(await root()),
  };
  return self;
}

export const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

const volumesIn = async (dir: string): Promise<string[]> => (await readdir(dir)).filter(isUuid);

/** By its real path, by which the kernel knows it, and without what an earlier agent could not finish. */
async function prepare(dir: string): Promise<{ dir: string; shares: boolean }> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const real = await realpath(dir);
  for (const folder of [real, ...(await volumesIn(real)).flatMap((id) => [join(real, id), join(real, id, 'snapshots')])]) {
    for (const name of await readdir(folder)) {
      if (name.endsWith(COMING) || name.endsWith(GOING)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }
  return { dir: real, shares: await sharesBlocks(real) };
}

async function sharesBlocks(dir: string): Promise<boolean> {
  const [from, to] = [join(dir, `.probe-a${GOING}`), join(dir, `.probe-b${GOING}`)];
  try {
    await writeFile(from, 'probe');
    return await command('cp', '--reflink=always', from, to).then(() => true, () => false);
  } finally {
    await rm(from, { force: true });
    await rm(to, { force: true });
  }
}

/** Shares the blocks where that is possible, and leaves the holes out where it is not. */
export const copy = async (from: string, to: string): Promise<void> => void (await command('cp', '--reflink=auto', '--sparse=always', from, to));

/** The file or folder is there as a whole, or as it was. @param write returns what has to be on the disk before */
export async function whole(path: string, write: (aside: string) => Promise<string>): Promise<void> {
  const aside = `${path}${COMING}`;
  await rm(aside, { recursive: true, force: true });
  try {
    await command('sync', await write(aside));
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}

/** Gone at once, whatever happens to this process. */
export async function gone(path: string): Promise<void> {
  const aside = `${path}${GOING}`;
  await rm(aside, { recursive: true, force: true });
  if (!(await exists(path))) return;
  await rename(path, aside);
  await rm(aside, { recursive: true, force: true });
}

/** What the system says, in words for whoever asked. */
export async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error)) throw error;
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOSPC' || code === 'EDQUOT' || /no space left|quota exceeded/i.test(stderr ?? '')) throw new Fault(507, 'volume.backend-full', 'The backend has no room left for this.', { cause: error });
    throw new Fault(500, 'volume.backend-failed', 'The backend could not do this.', { cause: error });
  }
}
