/**
 * Which blobs there are. A row precedes its file and outlives it, so that nothing lies in the store that no row knows:
 * writing → present → doomed (the collector removes the file) → gone.
 */
import { type Kysely, sql, type Transaction } from 'kysely';
import type { BlobRow, ImageTables } from './tables.ts';

/** Makes sure of a row. `doomed`: the collector is removing a former blob of that name. */
export async function claimBlob(tx: Transaction<ImageTables>, digest: string, size: number, now: string): Promise<BlobRow['state']> {
  await tx.insertInto('image_blobs').values({ digest, size, state: 'writing', touched_at: now }).onConflict((c) => c.column('digest').doNothing()).execute();
  const row = await tx.updateTable('image_blobs').set({ touched_at: now }).where('digest', '=', digest).where('state', '<>', 'doomed').returning('state').executeTakeFirst();
  return row?.state ?? 'doomed';
}

/** @returns false when the collector came in between. */
export async function blobWritten(tx: Transaction<ImageTables>, digest: string, now: string): Promise<boolean> {
  const result = await tx.updateTable('image_blobs').set({ state: 'present', touched_at: now }).where('digest', '=', digest).where('state', '<>', 'doomed').executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Keeps blobs from the collector for another grace time. @returns those that are there. */
export async function touchPresent(tx: Transaction<ImageTables>, digests: readonly string[], now: string): Promise<{ digest: string; size: number }[]> {
  const found: { digest: string; size: number }[] = [];
  // in order, so that two who touch the same ones never wait for each other
  const sorted = [...new Set(digests)].sort();
  for (let at = 0; at < sorted.length; at += 200) {
    found.push(...(await tx.updateTable('image_blobs').set({ touched_at: now }).where('digest', 'in', sorted.slice(at, at + 200)).where('state', '=', 'present').returning(['digest', 'size']).execute()));
  }
  return found.map(({ digest, size }) => ({ digest, size: Number(size) }));
}

export async function findBlob(db: Kysely<ImageTables>, digest: string): Promise<{ digest: string; size: number } | undefined> {
  const row = await db.selectFrom('image_blobs').select(['digest', 'size']).where('digest', '=', digest).where('state', '=', 'present').executeTakeFirst();
  return row && { digest: row.digest, size: Number(row.size) };
}

export async function hasBlobRow(db: Kysely<ImageTables>, digest: string): Promise<boolean> {
  return (await db.selectFrom('image_blobs').select('digest').where('digest', '=', digest).executeTakeFirst()) !== undefined;
}

/** Dooms up to `limit` blobs that nothing names and nobody touched since `before`. */
export async function doomBlobs(tx: Transaction<ImageTables>, before: string, limit: number): Promise<string[]> {
  const candidates = await tx.selectFrom('image_blobs').select('digest').where('state', '<>', 'doomed').where('touched_at', '<', before).where(unnamed).orderBy('touched_at').limit(limit).execute();
  if (candidates.length === 0) return [];
  const doomed = await tx.updateTable('image_blobs').set({ state: 'doomed' })
    .where('digest', 'in', candidates.map(({ digest }) => digest)).where('touched_at', '<', before).where(unnamed).returning('digest').execute();
  return doomed.map(({ digest }) => digest);
}

const unnamed = sql<boolean>`not exists (select 1 from image_images i where i.digest = image_blobs.digest and i.recipe_id is null)
  and not exists (select 1 from image_manifest_blobs m where m.digest = image_blobs.digest)
  and not exists (select 1 from image_recipe_blobs r where r.digest = image_blobs.digest)
  and not exists (select 1 from image_repository_blobs b where b.digest = image_blobs.digest)`;

/** Blobs whose removal was begun, maybe by a process that is gone. */
export async function listDoomed(db: Kysely<ImageTables>, limit: number): Promise<string[]> {
  return (await db.selectFrom('image_blobs').select('digest').where('state', '=', 'doomed').limit(limit).execute()).map(({ digest }) => digest);
}

export async function forgetBlob(tx: Transaction<ImageTables>, digest: string): Promise<void> {
  await tx.deleteFrom('image_blobs').where('digest', '=', digest).where('state', '=', 'doomed').execute();
}

/** A file that no row knows gets one that dooms it. @returns false when a row came meanwhile. */
export async function doomUnknown(tx: Transaction<ImageTables>, digest: string, now: string): Promise<boolean> {
  const result = await tx.insertInto('image_blobs').values({ digest, size: 0, state: 'doomed', touched_at: now }).onConflict((c) => c.column('digest').doNothing()).executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1;
}
