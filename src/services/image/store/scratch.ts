/** Local files that are still being written: nobody's until a back end has taken them. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { badRequest, Fault, tooLarge } from '../../../kernel/fault.ts';

export interface ScratchFile {
  readonly path: string;
  readonly size: number;
  /** Appends; writes may be under way at the same time. */
  write(bytes: Buffer): Promise<void>;
  /** Closes it as it is. */
  close(): Promise<void>;
  /** Makes it durable and closes it. */
  finish(): Promise<void>;
  /** Closes and removes it. */
  discard(): Promise<void>;
}

export interface Scratch {
  create(): Promise<ScratchFile>;
  /** A file that outlives requests and restarts; goes on at its end. */
  resume(name: string, size: number): Promise<ScratchFile>;
  kept(name: string): { path: string; read(size: number): Readable; size(): Promise<number>; remove(): Promise<void> };
  /** Names of the kept files last written before this. */
  listKept(olderThan: Date): Promise<string[]>;
  /** Removes what interrupted uploads left. Only at start, when none runs. */
  clear(): Promise<void>;
}

export async function createScratch(root: string): Promise<Scratch> {
  const incoming = join(root, 'incoming');
  const uploads = join(root, 'uploads');
  for (const folder of [incoming, uploads]) await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    create: () => openScratch(join(incoming, randomUUID()), 'wx', 0),
    resume: (name, size) => openScratch(join(uploads, name), size === 0 ? 'w' : 'r+', size),
    kept(name) {
      const path = join(uploads, name);
      return {
        path,
        read: (size) => createReadStream(path, { highWaterMark: 1 << 20, end: size - 1 }),
        size: () => stat(path).then((facts) => facts.size, () => 0),
        remove: () => rm(path, { force: true }),
      };
    },
    async listKept(olderThan) {
      const names: string[] = [];
      for (const name of await readdir(uploads)) {
        const facts = await stat(join(uploads, name)).catch(() => undefined);
        if (facts !== undefined && facts.mtime < olderThan) names.push(name);
      }
      return names;
    },
    async clear() {
      for (const name of await readdir(incoming)) await rm(join(incoming, name), { force: true });
    },
  };
}

const SYNC_EVERY = 32 << 20;

async function openScratch(path: string, flags: string, from: number): Promise<ScratchFile> {
  const file = await open(path, flags, 0o600);
  // what lies beyond was never acknowledged
  if (from > 0) await file.truncate(from);
  let size = from;
  let synced = from;
  let syncing: Promise<void> | undefined;
  /** What has come goes to the disk while the rest is on its way: the end does not wait for all of it. */
  const syncBehind = (): void => {
    if (syncing !== undefined || size - synced < SYNC_EVERY) return;
    synced = size;
    // what fails here fails at the end too
    syncing = file.datasync().catch(() => {}).finally(() => (syncing = undefined));
  };
  return {
    path,
    get size() {
      return size;
    },
    async write(bytes) {
      let at = size;
      size += bytes.length;
      for (let rest = bytes; rest.length > 0; ) {
        const { bytesWritten } = await file.write(rest, 0, rest.length, at).catch((error: unknown) => {
          throw storageFault(error);
        });
        at += bytesWritten;
        rest = rest.subarray(bytesWritten);
      }
      syncBehind();
    },
    async close() {
      await syncing;
      await file.close();
    },
    async finish() {
      await syncing;
      await file.datasync();
      await file.close();
    },
    async discard() {
      await syncing;
      await file.close().catch(() => {});
      await rm(path, { force: true });
    },
  };
}

export function storageFault(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return tooLarge('image.storage-full', 'There is not enough disk space on the image storage media.', { cause: error });
  return error;
}

/** What ended the sender's stream, as a fault. */
export function uploadFault(error: unknown): unknown {
  if (error instanceof Fault) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return badRequest('image.upload-aborted', 'The upload broke off before all data had arrived.', { cause: error });
  return storageFault(error);
}
