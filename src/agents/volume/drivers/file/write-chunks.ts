import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Fault } from '../../../../kernel/fault.ts';
import type { BlobRef } from '../../../compute/protocol.ts';

/** A new file of these chunks, in order, each proved by its digest; holes where a chunk has none. */
export async function writeChunks(path: string, chunks: readonly BlobRef[], fetch: (digest: string) => Promise<Readable>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    let at = 0;
    for (const { digest, size } of chunks) {
      if (digest !== '') await file.write(await fetchChunk(fetch, digest, size), 0, size, at);
      at += size;
    }
    await file.truncate(at);
  } finally {
    await file.close();
  }
}

async function fetchChunk(fetch: (digest: string) => Promise<Readable>, digest: string, size: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  const stream = await fetch(digest);
  for await (const part of stream as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > size) break;
    parts.push(part);
  }
  stream.destroy();
  const bytes = Buffer.concat(parts);
  if (length !== size || createHash('sha256').update(bytes).digest('hex') !== digest) {
    throw new Fault(500, 'volume.backup-damaged', 'A part of the backup is not what was written.', { cause: new Error(`chunk ${digest}`) });
  }
  return bytes;
}
