/**
 * Volumes as sparse files of one folder, opened as loop devices. A volume is a folder with its disk and its snapshots; it comes and
 * goes by one rename, so that an end at any point leaves it whole or not at all. Where the file system shares blocks between files
 * (XFS, Btrfs), snapshots and clones are instant and of one moment; elsewhere they are copies that leave the holes out.
 */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { badRequest, conflict, notImplemented, type Fault } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { ImageRef } from '../../../compute/protocol.ts';
import type { BackendReport, KeptVolume, VolumeDriver, VolumeSpec } from '../../protocol.ts';
import { copy, createHome, exists, gone, told, whole, type Home } from './home.ts';
import { createLoops, type Loop, type Loops } from './loops.ts';
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

interface Files {
  options: FileVolumeOptions;
  home: Home;
  loops: Loops;
  /** The device of a disk, if it is open. */
  loopOf(disk: string): Promise<Loop | undefined>;
  /** What was written to the device is in the file. */
  settle(disk: string): Promise<void>;
}

const READ_BYTES = 1024 * 1024;

export function createFileVolumeDriver(options: FileVolumeOptions): VolumeDriver {
  const lock = createKeyedLock();
  const loops = createLoops();
  const loopOf = async (disk: string): Promise<Loop | undefined> => (await loops.list()).find((one) => one.file === disk);
  const settle = async (disk: string): Promise<void> => {
    const loop = await loopOf(disk);
    if (loop !== undefined) await loops.flush(loop.path);
  };
  const files: Files = { options, home: createHome(options.dir), loops, loopOf, settle };
  const alone = <T>(volume_id: string, work: () => Promise<T>): Promise<T> => lock.run(volume_id, () => told(work));
  return {
    report: () => report(files),
    list: () => list(files),
    read: (volume_id) => read(files, volume_id),
    create: (spec) => alone(spec.volume_id, () => create(files, spec)),
    remove: (volume_id) => alone(volume_id, () => remove(files, volume_id)),
    extend: (volume_id, size_bytes) => alone(volume_id, () => extend(files, volume_id, size_bytes)),
    createSnapshot: (volume_id, snapshot_id) => alone(volume_id, () => createSnapshot(files, volume_id, snapshot_id)),
    removeSnapshot: (volume_id, snapshot_id) => alone(volume_id, async () => rm(await files.home.snapshot(volume_id, snapshot_id), { force: true })),
    revert: (volume_id, snapshot_id) => alone(volume_id, () => revert(files, volume_id, snapshot_id)),
    open: (volume_id, { read_only }) => alone(volume_id, async () => await loops.attach(await files.home.needDisk(volume_id), read_only)),
    close: (volume_id) => alone(volume_id, () => close(files, volume_id)),
    stop: async () => {},
  };
}

const busy = (volume_id: string): Fault => conflict('volume.busy', `The volume ${volume_id} is in use on its node.`);

async function create(files: Files, spec: VolumeSpec): Promise<void> {
  if (spec.encryption !== undefined) throw notImplemented('volume.encryption-unsupported', 'This backend cannot encrypt volumes.');
  const folder = await files.home.folder(spec.volume_id);
  if (await exists(folder)) return;
  await whole(folder, async (aside) => {
    const disk = join(aside, 'disk');
    await mkdir(join(aside, 'snapshots'), { recursive: true, mode: 0o700 });
    await fill(files, disk, spec);
    const { size } = await stat(disk);
    if (size > spec.size_bytes) throw badRequest('volume.source-too-large', `What the volume is made of takes ${size} bytes, and the volume has ${spec.size_bytes}.`);
    await truncate(disk, spec.size_bytes);
    return disk;
  });
}

async function fill({ home, settle, options }: Files, disk: string, { source, size_bytes }: VolumeSpec): Promise<void> {
  switch (source.kind) {
    case 'blank':
      return await writeFile(disk, '', { flag: 'wx', mode: 0o600 });
    case 'snapshot':
      return await copy(await home.needSnapshot(source.volume_id, source.snapshot_id), disk);
    case 'volume': {
      const from = await home.needDisk(source.volume_id);
      await settle(from);
      return await copy(from, disk);
    }
    case 'image':
      return await options.writeImage(source.image, disk, size_bytes);
    case 'backup':
      return await writeChunks(disk, source.chunks, (digest) => options.chunk(source.chain, digest));
  }
}

/** Its blocks are freed with its file: whoever is given them next sees the zeros of a file system. */
async function remove({ home, loopOf }: Files, volume_id: string): Promise<void> {
  if ((await loopOf(await home.disk(volume_id))) !== undefined) throw busy(volume_id);
  await gone(await home.folder(volume_id));
}

async function extend({ home, loops, loopOf }: Files, volume_id: string, size_bytes: number): Promise<void> {
  const disk = await home.needDisk(volume_id);
  if ((await stat(disk)).size < size_bytes) await truncate(disk, size_bytes);
  const loop = await loopOf(disk);
  if (loop !== undefined) await loops.grow(loop.path);
}

async function createSnapshot({ home, settle }: Files, volume_id: string, snapshot_id: string): Promise<void> {
  const disk = await home.needDisk(volume_id);
  const file = await home.snapshot(volume_id, snapshot_id);
  if (await exists(file)) return;
  await settle(disk);
  await whole(file, async (aside) => {
    await copy(disk, aside);
    return aside;
  });
}

async function revert({ home, loopOf }: Files, volume_id: string, snapshot_id: string): Promise<void> {
  const disk = await home.needDisk(volume_id);
  const snapshot = await home.needSnapshot(volume_id, snapshot_id);
  if ((await loopOf(disk)) !== undefined) throw busy(volume_id);
  const { size } = await stat(disk);
  await whole(disk, async (aside) => {
    await copy(snapshot, aside);
    await truncate(aside, size);
    return aside;
  });
}

async function close({ home, loops, loopOf }: Files, volume_id: string): Promise<void> {
  const loop = await loopOf(await home.disk(volume_id));
  if (loop !== undefined && !(await loops.detach(loop.path))) throw busy(volume_id);
}

async function list({ home, loops }: Files): Promise<KeptVolume[]> {
  const root = await home.root();
  const open = new Set((await loops.list()).map((one) => one.file));
  return await Promise.all((await home.volumes()).map(async (volume_id) => ({
    volume_id,
    snapshots: (await readdir(join(root, volume_id, 'snapshots'))).filter(isUuid),
    size_bytes: (await stat(join(root, volume_id, 'disk'))).size,
    open: open.has(join(root, volume_id, 'disk')),
  })));
}

async function report(files: Files): Promise<BackendReport> {
  const { blocks, bavail, bsize } = await statfs(await files.home.root());
  const provisioned_bytes = (await list(files)).reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  return {
    backend: files.options.backend ?? 'file', driver: 'file', total_bytes: blocks * bsize, free_bytes: bavail * bsize, provisioned_bytes,
    thin: true, multiattach: true, online_extend: true, clones: (await files.home.shares()) ? 'instant' : 'copy', local: true,
  };
}

async function* read({ home, settle }: Files, volume_id: string): AsyncIterable<Buffer> {
  const disk = await home.needDisk(volume_id);
  await settle(disk);
  yield* createReadStream(disk, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
}
