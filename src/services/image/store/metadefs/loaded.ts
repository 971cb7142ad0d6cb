import type { Kysely, Transaction } from 'kysely';
import type { ImageTables } from '../tables.ts';

/** Which of these were never put in before; notes them as put in. */
export async function claimLoaded(tx: Transaction<ImageTables>, namespaces: readonly string[], loaded_at: string): Promise<string[]> {
  const rows = await tx
    .insertInto('image_metadef_loaded')
    .values(namespaces.map((namespace) => ({ namespace, loaded_at })))
    .onConflict((conflict) => conflict.column('namespace').doNothing())
    .returning('namespace')
    .execute();
  return rows.map(({ namespace }) => namespace);
}

export async function listLoaded(db: Kysely<ImageTables>, namespaces: readonly string[]): Promise<string[]> {
  const rows = await db.selectFrom('image_metadef_loaded').select('namespace').where('namespace', 'in', namespaces).execute();
  return rows.map(({ namespace }) => namespace);
}
