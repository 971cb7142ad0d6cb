/** Takes bytes into a store: hashed while they come, kept by content. What no image names within the grace time, the collector takes. */
import { createReadStream } from 'node:fs';
import { isoMicros } from '../../../kernel/clock.ts';
import { createDigester, type Digester } from '../../../kernel/digest/digester.ts';
import { type Slab, slabsOf } from '../../../kernel/digest/slabs.ts';
import { tooLarge } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import { uploadFault } from '../store/scratch.ts';
import type { ImageRow } from '../store/tables.ts';
import { keepBlob, touchBlobs } from './blobs.ts';
import { keepArchive } from './keep-archive.ts';
import { readArchivedImage } from './image-archive.ts';
import type { SignatureCheck } from './image-signature.ts';
import { playRecipe } from './recipes.ts';
import { splitArchive } from './split-archive.ts';

/** What is known of data once they are kept: columns of the image. */
export type DataFacts = Pick<ImageRow, 'checksum' | 'os_hash_value' | 'digest' | 'manifest_digest' | 'recipe_id'> & { size: number };

export interface Arriving {
  source: AsyncIterable<Buffer>;
  limit: number;
  /** Whether they have to be an archive of a container image. */
  is_archive: boolean;
  signature: SignatureCheck | undefined;
}

/** Faults: 400 not an archive, falsely signed or broken off, 413 over the limit or storage full. */
export async function receiveData(deps: TaskDeps, arriving: Arriving, store_id: string): Promise<DataFacts> {
  const meter = createMeter(arriving.limit);
  const slabs = meter.through(slabsOf(arriving.source));
  try {
    if (store_id !== deps.stores.default_id) return await takeElsewhere(deps, arriving, slabs, meter, store_id);
    return await (arriving.is_archive ? takeArchive(deps, arriving, slabs, meter) : takePlain(deps, arriving, slabs, meter));
  } catch (error) {
    meter.forget();
    throw uploadFault(error);
  }
}

interface Meter {
  through(slabs: AsyncIterable<Slab>): AsyncGenerator<Slab>;
  /** After the end. */
  facts(): Promise<Hashes>;
  forget(): void;
}

interface Hashes {
  size: number;
  md5: string;
  sha256: string;
  sha512: string;
}

const factsOf = ({ size, md5, sha256, sha512 }: Hashes): DataFacts => ({ size, checksum: md5, os_hash_value: sha512, digest: sha256, manifest_digest: null, recipe_id: null });

function createMeter(limit: number): Meter {
  const hashes: Digester[] = [createDigester('sha512'), createDigester('md5'), createDigester('sha256')];
  let size = 0;
  return {
    async *through(slabs) {
      for await (const slab of slabs) {
        size += slab.bytes.length;
        if (size > limit) throw tooLarge('image.too-large', `Image exceeds the size limit of ${limit} bytes.`);
        for (const hash of hashes) slab.uses(hash.update(slab.bytes));
        yield slab;
      }
    },
    async facts() {
      const [sha512 = '', md5 = '', sha256 = ''] = await Promise.all(hashes.map((hash) => hash.digest()));
      return { size, md5, sha256, sha512 };
    },
    forget() {
      for (const hash of hashes) hash.forget();
    },
  };
}

/** @param keep gives the whole file its place. */
async function takeFile(deps: TaskDeps, { signature }: Arriving, slabs: AsyncIterable<Slab>, meter: Meter, keep: (facts: Hashes, path: string) => Promise<void>): Promise<DataFacts> {
  const file = await deps.scratch.create();
  try {
    for await (const slab of slabs) slab.uses(file.write(slab.bytes));
    const [facts] = await Promise.all([meter.facts(), file.finish()]);
    await signature?.verify(createReadStream(file.path, { highWaterMark: 1 << 20 }));
    await keep(facts, file.path);
    return factsOf(facts);
  } finally {
    await file.discard();
  }
}

const takePlain = (deps: TaskDeps, arriving: Arriving, slabs: AsyncIterable<Slab>, meter: Meter): Promise<DataFacts> =>
  takeFile(deps, arriving, slabs, meter, ({ sha256, size }, path) => keepBlob(deps, { digest: sha256, size, path }));

/** Further stores keep the data as they came. */
const takeElsewhere = (deps: TaskDeps, arriving: Arriving, slabs: AsyncIterable<Slab>, meter: Meter, store_id: string): Promise<DataFacts> =>
  takeFile(deps, arriving, slabs, meter, async ({ sha256 }, path) => {
    if (arriving.is_archive) await checkArchive(deps, path);
    await deps.stores.of(store_id).put(sha256, path);
  });

async function checkArchive(deps: TaskDeps, path: string): Promise<void> {
  const split = await splitArchive(slabsOf(createReadStream(path, { highWaterMark: 1 << 20 })), deps.scratch);
  try {
    await split.finish();
    await readArchivedImage(split.members);
  } finally {
    await split.discard();
  }
}

async function takeArchive(deps: TaskDeps, { signature }: Arriving, slabs: AsyncIterable<Slab>, meter: Meter): Promise<DataFacts> {
  const split = await splitArchive(slabs, deps.scratch);
  try {
    const [facts] = await Promise.all([meter.facts(), split.finish()]);
    const archive = await keepArchive(deps, split, facts.sha256, isoMicros(deps.clock.now()));
    await signature?.verify(playRecipe(deps.blobs, archive.recipe));
    await deps.db.transaction(async (tx) => {
      await touchBlobs(deps, tx, archive.digests);
      await archive.insert(tx);
    });
    return { ...factsOf(facts), manifest_digest: archive.manifest_digest, recipe_id: archive.recipe.id };
  } finally {
    await split.discard();
  }
}
