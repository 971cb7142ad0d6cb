import type { Kysely, Transaction } from 'kysely';
import type { ImageTables } from './tables.ts';

/** One that is in it stays where it is. */
export async function queueRow(tx: Transaction<ImageTables>, image_id: string, queued_at: string): Promise<void> {
  await tx.insertInto('image_cache_queue').values({ image_id, queued_at }).onConflict((c) => c.column('image_id').doNothing()).execute();
}

/** By id. */
export async function listQueue(db: Kysely<ImageTables>, after: string, limit: number): Promise<string[]> {
  return (await db.selectFrom('image_cache_queue').select('image_id').where('image_id', '>', after).orderBy('image_id').limit(limit).execute()).map(({ image_id }) => image_id);
}

/** @returns whether it was in it. */
export async function unqueueRow(tx: Transaction<ImageTables>, image_id: string): Promise<boolean> {
  return Number((await tx.deleteFrom('image_cache_queue').where('image_id', '=', image_id).executeTakeFirst()).numDeletedRows) === 1;
}

export async function unqueueRows(tx: Transaction<ImageTables>, image_ids: readonly string[]): Promise<void> {
  await tx.deleteFrom('image_cache_queue').where('image_id', 'in', image_ids).execute();
}
