import type { Kysely, Transaction } from 'kysely';
import type { ComputeTables } from './tables.ts';

type Reader = Kysely<ComputeTables> | Transaction<ComputeTables>;

/** Empty when there is none. */
export async function passwordOf(db: Reader, server_id: string): Promise<string> {
  return (await db.selectFrom('compute_server_passwords').select('password').where('server_id', '=', server_id).executeTakeFirst())?.password ?? '';
}

export async function insertPassword(tx: Transaction<ComputeTables>, server_id: string, password: string): Promise<void> {
  await tx.insertInto('compute_server_passwords').values({ server_id, password }).execute();
}

export async function deletePassword(tx: Transaction<ComputeTables>, server_id: string): Promise<void> {
  await tx.deleteFrom('compute_server_passwords').where('server_id', '=', server_id).execute();
}
