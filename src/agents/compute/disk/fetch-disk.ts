import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { DiskError } from '../../../kernel/disk/disk-error.ts';
import type { ImageRef } from '../protocol.ts';

const PIECE = 64 * 1024;
const ZEROS = Buffer.alloc(PIECE);

/**
 * Writes the disk to a new file, holes for zeros. @throws DiskError when it is not what its digest says.
 * @param tell hears after every chunk how much has come.
 */
export async function fetchDisk(source: Readable, path: string, ref: Pick<ImageRef, 'digest' | 'size'>, tell: (bytes: number) => void): Promise<void> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  try {
    let at = 0;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (at + chunk.length > ref.size) throw new DiskError(`it is longer than the ${ref.size} bytes that were announced`);
      hash.update(chunk);
      for (let from = 0; from < chunk.length; from += PIECE) {
        const piece = chunk.subarray(from, from + PIECE);
        if (!piece.equals(ZEROS.subarray(0, piece.length))) await file.write(piece, 0, piece.length, at + from);
      }
      at += chunk.length;
      tell(at);
    }
    if (hash.digest('hex') !== ref.digest) throw new DiskError('its content is not what its digest says');
    await file.truncate(at);
  } finally {
    await file.close();
    source.destroy();
  }
}
