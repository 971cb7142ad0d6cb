/** Keeps what an image is about to name from the collector. */
import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { unavailable } from '../../../kernel/fault.ts';
import type { TaskDeps } from '../deps.ts';
import { touchManifest } from '../store/manifests.ts';
import { touchRecipe } from '../store/recipes.ts';
import type { ImageTables } from '../store/tables.ts';
import { touchBlobs } from './blobs.ts';
import type { DataFacts } from './receive-data.ts';

/** In the transaction that names them. Faults: 503 when the collector was faster, hours after they came. */
export async function touchContent(deps: TaskDeps, tx: Transaction<ImageTables>, facts: DataFacts, stores: readonly string[]): Promise<void> {
  if (!stores.includes(deps.stores.default_id)) return;
  const now = isoMicros(deps.clock.now());
  if (facts.recipe_id === null) return touchBlobs(deps, tx, facts.digest === null ? [] : [facts.digest]);
  const there = (await touchRecipe(tx, facts.recipe_id, now)) && (facts.manifest_digest === null || (await touchManifest(tx, facts.manifest_digest, now)));
  if (!there) throw unavailable('image.blob-collected', 'The data waited too long to be named and have been removed. Please send them again.', { retryable: true });
}
