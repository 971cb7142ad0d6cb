import type { Kysely } from 'kysely';
import type { ComputeTables, KeypairRow } from './tables.ts';

export async function findKeypair(db: Kysely<ComputeTables>, user_id: string, name: string): Promise<KeypairRow | undefined> {
  return await db.selectFrom('compute_keypairs').selectAll().where('user_id', '=', user_id).where('name', '=', name).executeTakeFirst();
}
