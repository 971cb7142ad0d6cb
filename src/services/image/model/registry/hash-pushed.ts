/** The checksums that glance shows of a pushed image are found after the push: it need not wait for a pass over all layers. */
import { createDigester } from '../../../../kernel/digest/digester.ts';
import { slabsOf } from '../../../../kernel/digest/slabs.ts';
import type { TaskDeps } from '../../deps.ts';
import { findUnhashed, setHashes } from '../../store/images.ts';
import { findRecipe } from '../../store/recipes.ts';
import { createOnce, type Once } from '../once.ts';
import { playRecipe } from '../recipes.ts';

export type Hashing = Once;

export const createHashing = (deps: Pick<TaskDeps, 'db' | 'blobs' | 'log'>): Hashing => createOnce(() => hashAll(deps), (error) => deps.log.error({ err: error }, 'pushed images could not be hashed'));

/** One whose bytes cannot be read does not keep the others waiting. */
async function hashAll(deps: Pick<TaskDeps, 'db' | 'blobs' | 'log'>): Promise<number> {
  let done = 0;
  for (let after = ''; ;) {
    const row = await findUnhashed(deps.db.read, after);
    if (!row) return done;
    after = row.id;
    try {
      await hashOne(deps, row.id, row.recipe_id);
      done += 1;
    } catch (error) {
      deps.log.error({ err: error, image_id: row.id }, 'a pushed image could not be hashed');
    }
  }
}

async function hashOne({ db, blobs }: Pick<TaskDeps, 'db' | 'blobs'>, id: string, recipe_id: string): Promise<void> {
  const recipe = await findRecipe(db.read, recipe_id);
  if (!recipe) return;
  const hashes = (['md5', 'sha512', 'sha256'] as const).map((algorithm) => createDigester(algorithm, true));
  try {
    for await (const slab of slabsOf(playRecipe(blobs, recipe) as AsyncIterable<Buffer>)) for (const hash of hashes) slab.uses(hash.update(slab.bytes));
  } catch (error) {
    for (const hash of hashes) hash.forget();
    throw error;
  }
  const [checksum = '', os_hash_value = '', digest = ''] = await Promise.all(hashes.map((hash) => hash.digest()));
  await db.transaction((tx) => setHashes(tx, id, recipe_id, { checksum, os_hash_value, digest }));
}
