/**
 * Volumes as sparse files of one folder, opened as loop devices. A volume is a folder with its disk and its snapshots; it comes and
 * goes by one rename, so that an end at any point leaves it whole or not at all. Where the file system shares blocks between files
 * (XFS, Btrfs), snapshots and clones are instant and of one moment; elsewhere they are copies that leave the holes out.
 */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, realpath, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { badRequest, conflict, Fault, isFault, notFound, notImplemented } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { ImageRef } from '../../../compute/protocol.ts';
import type { BackendReport, KeptVolume, LocalDevice, VolumeDriver, VolumeSpec } from '../../protocol.ts';
import { command, createLoops, type Loop } from './loops.ts';
import { writeChunks } from './write-chunks.ts';

export interface FileVolumeOptions {
  /** Holds the volumes; made when missing. */
  dir: string;
  /** Name of the backend; default `file`. */
  backend?: string;
  /** Writes an image as a raw disk to a new file. @throws Fault 400 when it is larger than `limit` bytes. */
  writeImage: (image: ImageRef, path: string, limit: number) => Promise<void>;
  /** A chunk of a backup. */
  chunk: (chain: string, digest: string) => Promise<Readable>;
}

const READ_BYTES = 1024 * 1024;
const COMING = '.new';
const GOING = '.gone';

export function createFileVolumeDriver({ dir, backend = 'file', writeImage, chunk }: FileVolumeOptions): VolumeDriver {
  const lock = createKeyedLock();
  const loops = createLoops();
  const home = prepare(dir);
  home.catch(() => {});

  const at = async (volume_id: string, ...names: string[]): Promise<string> => {
    if (!isUuid(volume_id) || names.some((name) => name !== 'disk' && name !== 'snapshots' && !isUuid(name))) throw badRequest('volume.id-invalid', 'An id of a volume or of a snapshot is a UUID.');
    return join((await home).dir, volume_id, ...names);
  };
  const need = async (volume_id: string): Promise<string> => {
    const disk = await at(volume_id, 'disk');
    if (!(await exists(disk))) throw notFound('volume.not-found', `The node has no volume ${volume_id}.`);
    return disk;
  };
  const needSnapshot = async (volume_id: string, snapshot_id: string): Promise<string> => {
    const file = await at(volume_id, 'snapshots', snapshot_id);
    if (!(await exists(file))) throw notFound('volume.snapshot-not-found', `The volume has no snapshot ${snapshot_id}.`);
    return file;
  };
  const loopOf = async (disk: string): Promise<Loop | undefined> => (await loops.list()).find((one) => one.file === disk);
  const settle = async (disk: string): Promise<void> => {
    const loop = await loopOf(disk);
    if (loop !== undefined) await loops.flush(loop.path);
  };

  async function fill(disk: string, { source, size_bytes }: VolumeSpec): Promise<void> {
    switch (source.kind) {
      case 'blank':
        return await writeFile(disk, '', { flag: 'wx', mode: 0o600 });
      case 'snapshot':
        return await copy(await needSnapshot(source.volume_id, source.snapshot_id), disk);
      case 'volume': {
        const from = await need(source.volume_id);
        await settle(from);
        return await copy(from, disk);
      }
      case 'image':
        return await writeImage(source.image, disk, size_bytes);
      case 'backup':
        return await writeChunks(disk, source.chunks, (digest) => chunk(source.chain, digest));
    }
  }

  async function create(spec: VolumeSpec): Promise<void> {
    if (spec.encryption !== undefined) throw notImplemented('volume.encryption-unsupported', 'This backend cannot encrypt volumes.');
    const folder = await at(spec.volume_id);
    if (await exists(folder)) return;
    const aside = `${folder}${COMING}`;
    await rm(aside, { recursive: true, force: true });
    await mkdir(join(aside, 'snapshots'), { recursive: true, mode: 0o700 });
    try {
      const disk = join(aside, 'disk');
      await fill(disk, spec);
      const { size } = await stat(disk);
      if (size > spec.size_bytes) throw badRequest('volume.source-too-large', `What the volume is made of takes ${size} bytes, and the volume has ${spec.size_bytes}.`);
      await truncate(disk, spec.size_bytes);
      await command('sync', disk);
      await rename(aside, folder);
    } catch (error) {
      await rm(aside, { recursive: true, force: true });
      throw error;
    }
  }

  async function remove(volume_id: string): Promise<void> {
    const folder = await at(volume_id);
    if ((await loopOf(join(folder, 'disk'))) !== undefined) throw busy(volume_id);
    const aside = `${folder}${GOING}`;
    await rm(aside, { recursive: true, force: true });
    if (!(await exists(folder))) return;
    // Its blocks are freed with its file: whoever is given them next sees zeros of a file system.
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
  }

  async function extend(volume_id: string, size_bytes: number): Promise<void> {
    const disk = await need(volume_id);
    if ((await stat(disk)).size < size_bytes) await truncate(disk, size_bytes);
    const loop = await loopOf(disk);
    if (loop !== undefined) await loops.grow(loop.path);
  }

  async function createSnapshot(volume_id: string, snapshot_id: string): Promise<void> {
    const disk = await need(volume_id);
    const file = await at(volume_id, 'snapshots', snapshot_id);
    if (await exists(file)) return;
    await settle(disk);
    await whole(file, (aside) => copy(disk, aside));
  }

  async function revert(volume_id: string, snapshot_id: string): Promise<void> {
    const disk = await need(volume_id);
    const snapshot = await needSnapshot(volume_id, snapshot_id);
    if ((await loopOf(disk)) !== undefined) throw busy(volume_id);
    const { size } = await stat(disk);
    await whole(disk, async (aside) => {
      await copy(snapshot, aside);
      await truncate(aside, size);
    });
  }

  async function open(volume_id: string, { read_only }: { read_only: boolean }): Promise<LocalDevice> {
    return await loops.attach(await need(volume_id), read_only);
  }

  async function close(volume_id: string): Promise<void> {
    const loop = await loopOf(await at(volume_id, 'disk'));
    if (loop !== undefined && !(await loops.detach(loop.path))) throw busy(volume_id);
  }

  async function list(): Promise<KeptVolume[]> {
    const root = (await home).dir;
    const open = new Set((await loops.list()).map((one) => one.file));
    return await Promise.all((await volumesIn(root)).map(async (volume_id) => ({
      volume_id,
      snapshots: (await readdir(join(root, volume_id, 'snapshots'))).filter(isUuid),
      size_bytes: (await stat(join(root, volume_id, 'disk'))).size,
      open: open.has(join(root, volume_id, 'disk')),
    })));
  }

  async function report(): Promise<BackendReport> {
    const { dir: root, shares } = await home;
    const { blocks, bavail, bsize } = await statfs(root);
    const provisioned_bytes = (await list()).reduce((sum, { size_bytes }) => sum + size_bytes, 0);
    return { backend, driver: 'file', total_bytes: blocks * bsize, free_bytes: bavail * bsize, provisioned_bytes, thin: true, multiattach: true, online_extend: true, clones: shares ? 'instant' : 'copy', local: true };
  }

  async function* read(volume_id: string): AsyncIterable<Buffer> {
    const disk = await need(volume_id);
    await settle(disk);
    yield* createReadStream(disk, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
  }

  const alone = <T>(volume_id: string, work: () => Promise<T>): Promise<T> => lock.run(volume_id, () => told(work));
  return {
    report,
    list,
    read,
    create: (spec) => alone(spec.volume_id, () => create(spec)),
    remove: (volume_id) => alone(volume_id, () => remove(volume_id)),
    extend: (volume_id, size_bytes) => alone(volume_id, () => extend(volume_id, size_bytes)),
    createSnapshot: (volume_id, snapshot_id) => alone(volume_id, () => createSnapshot(volume_id, snapshot_id)),
    removeSnapshot: (volume_id, snapshot_id) => alone(volume_id, async () => rm(await at(volume_id, 'snapshots', snapshot_id), { force: true })),
    revert: (volume_id, snapshot_id) => alone(volume_id, () => revert(volume_id, snapshot_id)),
    open: (volume_id, how) => alone(volume_id, () => open(volume_id, how)),
    close: (volume_id) => alone(volume_id, () => close(volume_id)),
    stop: async () => {},
  };
}

const busy = (volume_id: string): Fault => conflict('volume.busy', `The volume ${volume_id} is in use on its node.`);

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

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

const copy = async (from: string, to: string): Promise<void> => void (await command('cp', '--reflink=auto', '--sparse=always', from, to));

/** The file is there as a whole, or as it was. */
async function whole(file: string, write: (aside: string) => Promise<void>): Promise<void> {
  const aside = `${file}${COMING}`;
  await rm(aside, { force: true });
  try {
    await write(aside);
    await command('sync', aside);
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error)) throw error;
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOSPC' || code === 'EDQUOT' || /no space left|quota exceeded/i.test(stderr ?? '')) throw new Fault(507, 'volume.backend-full', 'The backend has no room left for this.', { cause: error });
    throw new Fault(500, 'volume.backend-failed', 'The backend could not do this.', { cause: error });
  }
}
