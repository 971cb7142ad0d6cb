import { sql, type Kysely, type Transaction } from 'kysely';
import type { Tables } from './tables.ts';

/** Counts the changes that other controllers have to hear of; the row's lock puts them in order of their commits. */
export async function nextGeneration(tx: Transaction<Tables>): Promise<number> {
  const row = await tx
    .updateTable('identity_state')
    .set({ generation: sql<number>`generation + 1` })
    .where('id', '=', 1)
    .returning('generation')
    .executeTakeFirstOrThrow();
  return Number(row.generation);
}

export async function currentGeneration(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom('identity_state').select('generation').where('id', '=', 1).executeTakeFirstOrThrow();
  return Number(row.generation);
}
