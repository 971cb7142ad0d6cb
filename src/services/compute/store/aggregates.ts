import type { Kysely } from 'kysely';
import type { ComputeTables } from './tables.ts';

export interface AggregateRow {
  id: number;
  uuid: string;
  name: string;
  metadata_json: string;
  created_at: string;
  updated_at: string | null;
}

interface AggregateTables extends ComputeTables {
  compute_aggregates: AggregateRow;
  compute_aggregate_hosts: { aggregate_id: number; host: string };
}

type Reader = Kysely<ComputeTables>;

const own = (db: Reader): Kysely<AggregateTables> => db as unknown as Kysely<AggregateTables>;

/** More aggregates, or hosts in them, than a cloud of this kind has: a bound, not a page. */
const MAX_AGGREGATES = 10_000;
const MAX_MEMBERS = 100_000;

/** In the order in which they were made. */
export async function listAggregates(db: Reader): Promise<AggregateRow[]> {
  const rows = await own(db).selectFrom('compute_aggregates').selectAll().orderBy('name').limit(MAX_AGGREGATES).execute();
  return rows.sort((a, b) => a.id - b.id);
}

export async function findAggregate(db: Reader, id: number): Promise<AggregateRow | undefined> {
  return await own(db).selectFrom('compute_aggregates').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The same, held until the transaction ends, so that changes of one aggregate follow each other. */
export async function lockAggregate(tx: Reader, id: number, now: string): Promise<AggregateRow | undefined> {
  return await own(tx).updateTable('compute_aggregates').set({ updated_at: now }).where('id', '=', id).returningAll().executeTakeFirst();
}

/** @throws a unique violation on `name`. */
export async function insertAggregate(tx: Reader, row: Omit<AggregateRow, 'id'>): Promise<AggregateRow> {
  const last = await own(tx).selectFrom('compute_aggregates').select((eb) => eb.fn.max('id').as('id')).executeTakeFirst();
  return await own(tx)
    .insertInto('compute_aggregates')
    .values({ ...row, id: Number(last?.id ?? 0) + 1 })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @throws a unique violation on `name`. */
export async function updateAggregate(tx: Reader, id: number, change: Partial<Omit<AggregateRow, 'id'>>): Promise<AggregateRow> {
  return await own(tx).updateTable('compute_aggregates').set(change).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
}

export async function deleteAggregate(tx: Reader, id: number): Promise<void> {
  await own(tx).deleteFrom('compute_aggregates').where('id', '=', id).execute();
}

/** Hosts by aggregate, in order of their names. */
export async function hostsOfAggregates(db: Reader, ids: readonly number[]): Promise<Map<number, string[]>> {
  const out = new Map<number, string[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return out;
  const rows = await own(db)
    .selectFrom('compute_aggregate_hosts')
    .selectAll()
    .where('aggregate_id', 'in', ids)
    .orderBy('host')
    .limit(MAX_MEMBERS)
    .execute();
  for (const { aggregate_id, host } of rows) out.get(aggregate_id)?.push(host);
  return out;
}

/** Aggregates that hold one of these hosts. */
export async function aggregatesOfHosts(db: Reader, hosts: readonly string[]): Promise<AggregateRow[]> {
  if (hosts.length === 0) return [];
  return await own(db)
    .selectFrom('compute_aggregates')
    .selectAll()
    .where('id', 'in', (eb) => eb.selectFrom('compute_aggregate_hosts').select('aggregate_id').where('host', 'in', hosts))
    .orderBy('id')
    .execute();
}

/** @returns false when it was there. */
export async function insertAggregateHost(tx: Reader, aggregate_id: number, host: string): Promise<boolean> {
  const done = await own(tx).insertInto('compute_aggregate_hosts').values({ aggregate_id, host }).onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function deleteAggregateHost(tx: Reader, aggregate_id: number, host: string): Promise<boolean> {
  const query = own(tx).deleteFrom('compute_aggregate_hosts').where('aggregate_id', '=', aggregate_id).where('host', '=', host);
  return (await query.executeTakeFirst()).numDeletedRows > 0n;
}

/** Takes a host out of every aggregate. */
export async function forgetHost(tx: Reader, host: string): Promise<void> {
  await own(tx).deleteFrom('compute_aggregate_hosts').where('host', '=', host).execute();
}
