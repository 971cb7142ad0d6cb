/** Lists of providers, and the lists that a provider has. */
import { type Kysely, sql, type Transaction } from 'kysely';
import type { AllocationRow, PlacementTables, ProviderRow } from './tables.ts';

const MOST = 10_000;

export interface ProviderFilter {
  name?: string | undefined;
  id?: string | undefined;
  /** In at least one of these aggregates. */
  member_of?: string[] | undefined;
  ids?: string[] | undefined;
}

export async function listProviders(db: Kysely<PlacementTables>, filter: ProviderFilter): Promise<ProviderRow[]> {
  let query = db.selectFrom('placement_providers as p').selectAll('p');
  if (filter.name !== undefined) query = query.where('p.name', '=', filter.name);
  if (filter.id !== undefined) query = query.where('p.id', '=', filter.id);
  if (filter.ids !== undefined) query = query.where('p.id', 'in', filter.ids.length === 0 ? [''] : filter.ids);
  const { member_of } = filter;
  if (member_of !== undefined) {
    query = query.where((eb) =>
      eb.exists(eb.selectFrom('placement_aggregates as a').select(sql`1`.as('one')).whereRef('a.provider_id', '=', 'p.id').where('a.aggregate_id', 'in', member_of)),
    );
  }
  return query.orderBy('p.id').limit(MOST).execute();
}

export async function traitsOf(db: Kysely<PlacementTables>, provider_id: string): Promise<string[]> {
  return (await db.selectFrom('placement_traits').select('trait').where('provider_id', '=', provider_id).orderBy('trait').limit(MOST).execute()).map((row) => row.trait);
}

export async function allTraits(db: Kysely<PlacementTables>): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>();
  for (const { provider_id, trait } of await db.selectFrom('placement_traits').selectAll().limit(MOST * 10).execute()) {
    const traits = out.get(provider_id);
    if (traits === undefined) out.set(provider_id, [trait]);
    else traits.push(trait);
  }
  return out;
}

export async function aggregatesOf(db: Kysely<PlacementTables>, provider_id: string): Promise<string[]> {
  const rows = await db.selectFrom('placement_aggregates').select('aggregate_id').where('provider_id', '=', provider_id).orderBy('aggregate_id').limit(MOST).execute();
  return rows.map((row) => row.aggregate_id);
}

export async function writeAggregates(tx: Transaction<PlacementTables>, provider_id: string, aggregates: string[]): Promise<void> {
  await tx.deleteFrom('placement_aggregates').where('provider_id', '=', provider_id).execute();
  if (aggregates.length > 0) await tx.insertInto('placement_aggregates').values(aggregates.map((aggregate_id) => ({ provider_id, aggregate_id }))).execute();
}

export async function allocationsOfProvider(db: Kysely<PlacementTables>, provider_id: string): Promise<AllocationRow[]> {
  return db.selectFrom('placement_allocations').selectAll().where('provider_id', '=', provider_id).orderBy('consumer_id').limit(MOST).execute();
}

/** Sums by class of what a project, or one user in it, holds. */
export async function projectUsage(db: Kysely<PlacementTables>, project_id: string, user_id: string | undefined): Promise<Record<string, number>> {
  let query = db
    .selectFrom('placement_allocations as a')
    .innerJoin('placement_consumers as c', 'c.id', 'a.consumer_id')
    .select(['a.resource_class', sql<number>`sum(a.used)`.as('used')])
    .where('c.project_id', '=', project_id)
    .groupBy('a.resource_class');
  if (user_id !== undefined) query = query.where('c.user_id', '=', user_id);
  return Object.fromEntries((await query.execute()).map((row) => [row.resource_class, Number(row.used)]));
}
