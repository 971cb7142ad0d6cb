/** Layers on their way from the store to the engine: each fetched once, whoever waits for it, checked as it comes, and gone when nobody needs it. */
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { randomUUID } from 'node:crypto';
import { TarError } from '../../../../kernel/tar.ts';
import { bounded, decompressed } from './decompress.ts';

const MAX_LAYER_BYTES = 256 * 1024 ** 3;

export interface StoredLayer {
  digest: string;
  size: number;
  diff_id: string;
}

/** One blob under two diff ids is two claims, each to be proved. */
export const keyOf = ({ digest, diff_id }: Pick<StoredLayer, 'digest' | 'diff_id'>): string => `${digest}:${diff_id}`;

/** The unpacked layer in a file. */
export interface SpooledLayer {
  path: string;
  size: number;
  /** What this caller's own fetch brought over the network; 0 when it shared another's. */
  bytes_fetched: number;
  /** Once; the file goes with the last of those who hold it. */
  release(): Promise<void>;
}

export interface LayerSpool {
  /** @throws TarError when the blob is not what its digests say. */
  acquire(layer: StoredLayer, fetch: () => Promise<Readable>): Promise<SpooledLayer>;
}

interface Held {
  path: string;
  holders: number;
  ready: Promise<{ size: number; bytes_fetched: number }>;
}

/** @param dir emptied at the start: what an agent that crashed had fetched by halves. */
export function createLayerSpool(dir: string, max_layer_bytes = MAX_LAYER_BYTES): LayerSpool {
  const held = new Map<string, Held>();
  const cleared = rm(dir, { recursive: true, force: true }).then(() => mkdir(dir, { recursive: true, mode: 0o700 }));
  cleared.catch(() => {});

  function hold(layer: StoredLayer, fetch: () => Promise<Readable>): { one: Held; mine: boolean } {
    const key = keyOf(layer);
    const other = held.get(key);
    if (other !== undefined) {
      other.holders += 1;
      return { one: other, mine: false };
    }
    const path = join(dir, randomUUID());
    const ready = cleared.then(async () => await write(await fetch(), layer, path, max_layer_bytes));
    const one: Held = { path, holders: 1, ready };
    held.set(key, one);
    // A broken one is not for those who come later.
    ready.catch(() => {
      if (held.get(key) === one) held.delete(key);
    });
    return { one, mine: true };
  }

  async function drop(layer: StoredLayer, one: Held): Promise<void> {
    one.holders -= 1;
    if (one.holders > 0) return;
    const key = keyOf(layer);
    if (held.get(key) === one) held.delete(key);
    await rm(one.path, { force: true });
  }

  return {
    async acquire(layer, fetch) {
      for (;;) {
        const { one, mine } = hold(layer, fetch);
        try {
          const { size, bytes_fetched } = await one.ready;
          return { path: one.path, size, bytes_fetched: mine ? bytes_fetched : 0, release: () => drop(layer, one) };
        } catch (error) {
          await drop(layer, one);
          // What went wrong with another's fetch need not go wrong with ours.
          if (mine) throw error;
        }
      }
    },
  };
}

async function write(source: Readable, layer: StoredLayer, path: string, limit: number): Promise<{ size: number; bytes_fetched: number }> {
  const packed = { hash: createHash('sha256'), size: 0 };
  const unpacked = { hash: createHash('sha256'), size: 0 };
  try {
    const plain = bounded(await decompressed(counted(source, packed, layer.size)), limit);
    await pipeline(counted(plain, unpacked), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  } finally {
    source.destroy();
  }
  if (packed.size !== layer.size) throw new TarError(`a layer has ${packed.size} bytes in place of ${layer.size}`);
  if (packed.hash.digest('hex') !== layer.digest) throw new TarError('a layer is not what its digest says');
  if (unpacked.hash.digest('hex') !== layer.diff_id) throw new TarError('a layer is not the one that its configuration names');
  return { size: unpacked.size, bytes_fetched: packed.size };
}

async function* counted(source: AsyncIterable<Buffer>, count: { hash: Hash; size: number }, limit = Infinity): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count.size += chunk.length;
    if (count.size > limit) throw new TarError(`a layer is longer than the ${limit} bytes that were announced`);
    count.hash.update(chunk);
    yield chunk;
  }
}
