/** Where data wait, whole, between their arrival and their import: one file per image. */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { tooLarge } from '../../../kernel/fault.ts';
import { syncDirectory } from './file-blobs.ts';
import { uploadFault } from './scratch.ts';

export interface Staging {
  /** Takes bytes in, whole or not at all; returns their number. Faults: 413 over `limit` or disk full, 400 when the sender hangs up. */
  receive(image_id: string, source: AsyncIterable<Buffer>, limit: number): Promise<number>;
  open(image_id: string): Readable;
  /** Bytes; undefined when nothing is there. */
  size(image_id: string): Promise<number | undefined>;
  remove(image_id: string): Promise<void>;
  /** A fresh folder for pieces that become the data of this image; `remove` takes it along. */
  folder(image_id: string): Promise<string>;
  list(): Promise<string[]>;
  /** Removes what interrupted senders left. Only at start, when none runs. */
  clearPartial(): Promise<void>;
}

const PARTIAL = '.part';
const READ_SIZE = 1 << 20;

export async function createStaging(root: string): Promise<Staging> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const path = (image_id: string): string => join(root, image_id);
  return {
    async receive(image_id, source, limit) {
      const partial = path(image_id) + PARTIAL;
      const size = await write(partial, source, limit);
      await rename(partial, path(image_id));
      await syncDirectory(root);
      return size;
    },
    open: (image_id) => createReadStream(path(image_id), { highWaterMark: READ_SIZE }),
    size: (image_id) => stat(path(image_id)).then((facts) => facts.size, () => undefined),
    async remove(image_id) {
      await rm(path(image_id), { force: true });
      await rm(`${path(image_id)}.parts`, { recursive: true, force: true });
    },
    async folder(image_id) {
      const folder = `${path(image_id)}.parts`;
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { mode: 0o700 });
      return folder;
    },
    list: async () => (await readdir(root)).filter((name) => !name.includes('.')),
    async clearPartial() {
      for (const name of await readdir(root)) if (name.includes('.')) await rm(join(root, name), { recursive: true, force: true });
    },
  };
}

async function write(path: string, source: AsyncIterable<Buffer>, limit: number): Promise<number> {
  const file = await open(path, 'w', 0o600);
  let size = 0;
  try {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > limit) throw tooLarge('image.too-large', `Image exceeds the size limit of ${limit} bytes.`);
      await file.write(chunk);
    }
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw uploadFault(error);
  }
  await file.close();
  return size;
}
