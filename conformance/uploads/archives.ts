/** Docker images made up by chance, whose layers are often those of others. */
import { createHash } from 'node:crypto';
import { layeredArchive, tar } from '../../test/support/docker-archive.ts';
import type { Random } from '../random.ts';

export interface MadeImage {
  /** Tars, the lowest first. */
  layers: Buffer[];
  config: Buffer;
  /** As `docker save` writes it. */
  archive: Buffer;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const sha512 = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('hex');

/** @returns makes one image at a call, of one to three layers out of a dozen (4 KiB to 1 MiB each) and one of its own. */
export function imageMaker(random: Random): () => MadeImage {
  const layer = (name: string): Buffer => tar({ [name]: noise(random, Math.floor(random.between(4_096, 1_048_576))) });
  const shared = Array.from({ length: 12 }, (_, at) => layer(`shared-${at}`));
  let made = 0;
  return () => {
    const layers = Array.from({ length: Math.floor(random.between(1, 4)) }, () => shared[Math.floor(random.between(0, shared.length))]!);
    layers.push(layer(`own-${made++}`));
    return { layers, ...layeredArchive(layers) };
  };
}

function noise(random: Random, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(Math.floor(random.next() * 2 ** 32), at);
  return bytes;
}
