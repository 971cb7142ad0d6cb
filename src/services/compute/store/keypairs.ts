import type { Kysely } from 'kysely';
import { page, type Page } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, KeypairRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

/** With what migration 2 adds: a number that nova shows as the `id` of a key pair. */
export type NumberedKeypairRow = KeypairRow & { number: number };

const rows = (db: Reader) => (db as unknown as Kysely<{ compute_keypairs: NumberedKeypairRow }>).selectFrom('compute_keypairs').selectAll();

export async function findKeypair(db: Reader, user_id: string, name: string): Promise<NumberedKeypairRow | undefined> {
  return await rows(db).where('user_id', '=', user_id).where('name', '=', name).executeTakeFirst();
}

/** @throws a unique violation when the user has one of that name. */
export async function insertKeypair(tx: Reader, row: KeypairRow): Promise<NumberedKeypairRow> {
  const db = tx as unknown as Kysely<{ compute_keypairs: NumberedKeypairRow }>;
  const last = await db.selectFrom('compute_keypairs').select((eb) => eb.fn.max('number').as('number')).executeTakeFirst();
  return await db.insertInto('compute_keypairs').values({ ...row, number: Number(last?.number ?? 0) + 1 }).returningAll().executeTakeFirstOrThrow();
}

export async function deleteKeypair(tx: Reader, user_id: string, name: string): Promise<boolean> {
  const done = await tx.deleteFrom('compute_keypairs').where('user_id', '=', user_id).where('name', '=', name).executeTakeFirst();
  return done.numDeletedRows > 0n;
}

export async function countKeypairs(db: Reader, user_id: string): Promise<number> {
  const row = await db
    .selectFrom('compute_keypairs')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('user_id', '=', user_id)
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

/** By name; undefined when the user has no key pair called `marker`. */
export async function listKeypairs(db: Reader, user_id: string, limit: number, marker: string | undefined): Promise<Page<NumberedKeypairRow> | undefined> {
  if (marker !== undefined && (await findKeypair(db, user_id, marker)) === undefined) return undefined;
  return await page(rows(db).where('user_id', '=', user_id), {
    sort: [{ column: 'name', direction: 'asc' }],
    key: 'name',
    marker: marker === undefined ? undefined : { name: marker },
    limit,
  });
}
