/** Blobs on local disk: `sha256/ab/<digest>`. Written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileStream } from '../../../kernel/http/file-stream.ts';
import type { BlobStore } from './blobs.ts';

const READ_SIZE = 1 << 20;

export function createFileBlobs(root: string): BlobStore {
  const incoming = join(root, 'incoming');
  const pathOf = (digest: string): string => join(root, 'sha256', digest.slice(0, 2), digest);
  return {
    async put(digest, path) {
      const to = pathOf(digest);
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      await move(path, to, incoming);
      await syncDirectory(dirname(to));
    },
    open: (digest, range) => fileStream([{ path: pathOf(digest), ...range }]),
    remove: (digest) => rm(pathOf(digest), { force: true }),
    list: (olderThan) => listBlobs(join(root, 'sha256'), olderThan),
    async clear() {
      for (const name of await readdir(incoming).catch(() => [])) await rm(join(incoming, name), { force: true });
    },
  };
}

async function move(from: string, to: string, incoming: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    // another file system: whole there before it gets its name
    const copy = join(incoming, randomUUID());
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    await pipeline(createReadStream(from, { highWaterMark: READ_SIZE }), createWriteStream(copy, { mode: 0o600, flush: true }));
    await rename(copy, to);
    await rm(from, { force: true });
  }
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
