import type { Kysely } from 'kysely';
import type { ComputeTables } from './tables.ts';

export interface ConsoleTokenRow {
  /** Hex sha-256. */
  token_hash: string;
  server_id: string;
  console_type: string;
  created_at: string;
  expires_at: string;
  user_id: string | null;
  project_id: string | null;
}

type Tables = ComputeTables & { compute_console_tokens: ConsoleTokenRow };
const withTokens = (db: Kysely<ComputeTables>): Kysely<Tables> => db as unknown as Kysely<Tables>;

/** More at once than one transaction may hold up others for. */
const AT_ONCE = 1000;

export async function insertConsoleToken(tx: Kysely<ComputeTables>, row: ConsoleTokenRow): Promise<void> {
  await withTokens(tx).insertInto('compute_console_tokens').values(row).execute();
}

export async function findConsoleToken(db: Kysely<ComputeTables>, token_hash: string): Promise<ConsoleTokenRow | undefined> {
  return await withTokens(db).selectFrom('compute_console_tokens').selectAll().where('token_hash', '=', token_hash).executeTakeFirst();
}

/** Never sooner than it expires already; a token that was revoked stays so. */
export async function prolongConsoleToken(tx: Kysely<ComputeTables>, token_hash: string, expires_at: string): Promise<void> {
  await withTokens(tx).updateTable('compute_console_tokens').set({ expires_at }).where('token_hash', '=', token_hash).where('expires_at', '<', expires_at).execute();
}

export async function deleteConsoleTokensOf(tx: Kysely<ComputeTables>, server_id: string): Promise<void> {
  await withTokens(tx).deleteFrom('compute_console_tokens').where('server_id', '=', server_id).execute();
}

/** @returns how many were removed, `AT_ONCE` at most. */
export async function deleteExpiredConsoleTokens(tx: Kysely<ComputeTables>, before: string): Promise<number> {
  const db = withTokens(tx);
  const old = db.selectFrom('compute_console_tokens').select('token_hash').where('expires_at', '<', before).orderBy('expires_at').limit(AT_ONCE);
  const done = await db.deleteFrom('compute_console_tokens').where('token_hash', 'in', old).executeTakeFirst();
  return Number(done.numDeletedRows);
}
