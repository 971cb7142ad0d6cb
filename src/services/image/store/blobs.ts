/** Image bytes on local disk, by content: `blobs/sha256/ab/<digest>`. Written whole or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { badRequest, Fault, tooLarge } from '../../../kernel/fault.ts';

export interface WrittenBlob {
  /** Where the bytes are until they are kept. */
  path: string;
  size: number;
  /** Lower-case hex. */
  md5: string;
  sha256: string;
  sha512: string;
}

export interface BlobStore {
  /** Takes bytes in, durable but not yet named. Faults: 413 over `limit` or disk full, 400 when the sender hangs up. */
  receive(source: Readable, limit: number): Promise<WrittenBlob>;
  /** Names what was received; a blob that is there already stays as it is. */
  keep(blob: WrittenBlob): Promise<void>;
  discard(blob: WrittenBlob): Promise<void>;
  path(digest: string): string;
  open(digest: string, range?: { start: number; end: number }): Readable;
  has(digest: string): Promise<boolean>;
  remove(digest: string): Promise<void>;
  /** Every blob last written before `olderThan`, in portions. */
  list(olderThan: Date): AsyncIterable<string>;
  /** Removes what interrupted uploads left. Only at start, when none runs. */
  clearIncoming(): Promise<void>;
}

const READ_SIZE = 1 << 20;

export async function createBlobStore(root: string): Promise<BlobStore> {
  const incoming = join(root, 'incoming');
  const pathOf = (digest: string): string => join(root, 'sha256', digest.slice(0, 2), digest);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  return {
    receive: (source, limit) => receive(join(incoming, randomUUID()), source, limit),
    async keep(blob) {
      const to = pathOf(blob.sha256);
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      await rename(blob.path, to);
      await syncDirectory(dirname(to));
    },
    discard: (blob) => rm(blob.path, { force: true }),
    path: pathOf,
    open: (digest, range) => createReadStream(pathOf(digest), { highWaterMark: READ_SIZE, ...range }),
    has: (digest) => stat(pathOf(digest)).then(() => true, () => false),
    remove: (digest) => rm(pathOf(digest), { force: true }),
    list: (olderThan) => listBlobs(join(root, 'sha256'), olderThan),
    async clearIncoming() {
      for (const name of await readdir(incoming)) await rm(join(incoming, name), { force: true });
    },
  };
}

async function receive(path: string, source: Readable, limit: number): Promise<WrittenBlob> {
  const hashes = { md5: createHash('md5'), sha256: createHash('sha256'), sha512: createHash('sha512') };
  const file = await open(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge('image.too-large', `Image exceeds the size limit of ${limit} bytes.`);
      hashes.md5.update(chunk);
      hashes.sha256.update(chunk);
      hashes.sha512.update(chunk);
      await file.write(chunk);
    }
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw uploadFault(error);
  }
  await file.close();
  return { path, size, md5: hashes.md5.digest('hex'), sha256: hashes.sha256.digest('hex'), sha512: hashes.sha512.digest('hex') };
}

/** What befell the bytes on their way in, as a Fault where the sender can do something about it. */
export function uploadFault(error: unknown): unknown {
  if (error instanceof Fault) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return tooLarge('image.storage-full', 'There is not enough disk space on the image storage media.', { cause: error });
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return badRequest('image.upload-aborted', 'The upload broke off before all data had arrived.', { cause: error });
  return error;
}

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function* listBlobs(root: string, olderThan: Date): AsyncIterable<string> {
  for (const shard of await readdir(root).catch(() => [])) {
    for (const digest of await readdir(join(root, shard)).catch(() => [])) {
      const facts = await stat(join(root, shard, digest)).catch(() => undefined);
      if (facts && facts.mtime < olderThan) yield digest;
    }
  }
}
