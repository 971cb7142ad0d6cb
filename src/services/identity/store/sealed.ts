/** Every place where secrets are kept encrypted. */
import { sql, type Kysely } from 'kysely';
import type { Tables } from './tables.ts';

export interface SealedPlace {
  table: keyof Tables;
  secret: string;
  key: readonly string[];
  /** What else holds for rows whose secret is one. */
  only?: { column: string; value: number };
}

export const SEALED: readonly SealedPlace[] = [
  { table: 'identity_credentials', secret: 'blob', key: ['id'] },
  { table: 'identity_consumers', secret: 'secret', key: ['id'] },
  { table: 'identity_request_tokens', secret: 'secret', key: ['id'] },
  { table: 'identity_access_tokens', secret: 'secret', key: ['id'] },
  { table: 'identity_domain_options', secret: 'value', key: ['domain_id', 'option_group', 'option_name'], only: { column: 'sensitive', value: 1 } },
];

export type SealedRow = Readonly<Record<string, string>>;

/** Some of the rows that another key than this one encrypted. */
export async function listSealedOtherwise(db: Kysely<Tables>, { table, secret, key, only }: SealedPlace, key_hash: string, limit: number): Promise<SealedRow[]> {
  const rows = (db as Kysely<any>).selectFrom(table).select([...key, secret]);
  const kept = only === undefined ? rows : rows.where(only.column, '=', only.value);
  return (await kept.where(sql<boolean>`(key_hash < ${key_hash} or key_hash > ${key_hash})`).limit(limit).execute()) as SealedRow[];
}

/** Unless it was changed since it was read. */
export async function replaceSealed(db: Kysely<Tables>, { table, secret, key }: SealedPlace, row: SealedRow, text: string, key_hash: string): Promise<void> {
  const update = (db as Kysely<any>).updateTable(table).set({ [secret]: text, key_hash });
  await [...key, secret].reduce((each, column) => each.where(column, '=', row[column]), update).execute();
}
