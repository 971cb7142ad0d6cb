import type { Kysely } from 'kysely';
import type { PasswordHistoryRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertFormerPassword(db: Db, row: PasswordHistoryRow): Promise<void> {
  await db.insertInto('identity_password_history').values(row).onConflict((conflict) => conflict.columns(['user_id', 'created_at']).doUpdateSet({ password_hash: row.password_hash })).execute();
}

/** The hashes of the latest ones, latest first. */
export async function listFormerPasswords(db: Db, user_id: string, limit: number): Promise<string[]> {
  if (limit <= 0) return [];
  const rows = await db.selectFrom('identity_password_history').select('password_hash').where('user_id', '=', user_id).orderBy('created_at', 'desc').limit(limit).execute();
  return rows.map((row) => row.password_hash);
}

export async function trimFormerPasswords(db: Db, user_id: string, keep: number): Promise<void> {
  const kept = db.selectFrom('identity_password_history').select('created_at').where('user_id', '=', user_id).orderBy('created_at', 'desc').limit(keep);
  await db.deleteFrom('identity_password_history').where('user_id', '=', user_id).where('created_at', 'not in', kept).execute();
}
