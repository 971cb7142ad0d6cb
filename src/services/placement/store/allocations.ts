import { type Kysely, sql, type Transaction } from 'kysely';
import type { AllocationRow, ConsumerRow, InventoryRow, PlacementTables } from './tables.ts';

/** Locks nothing: on SQLite a transaction is alone anyway; on PostgreSQL the provider's row is what claims wait for. */
export async function lockProvider(tx: Transaction<PlacementTables>, provider_id: string, dialect: string): Promise<boolean> {
  const query = tx.selectFrom('placement_providers').select('id').where('id', '=', provider_id);
  return (await (dialect === 'postgres' ? query.forUpdate() : query).executeTakeFirst()) !== undefined;
}

/** Sums by class of what consumers hold of a provider, leaving one consumer out. */
export async function usedOf(db: Kysely<PlacementTables>, provider_id: string, except?: string): Promise<Map<string, number>> {
  let query = db
    .selectFrom('placement_allocations')
    .select(['resource_class', sql<number>`sum(used)`.as('used')])
    .where('provider_id', '=', provider_id)
    .groupBy('resource_class');
  if (except !== undefined) query = query.where('consumer_id', '!=', except);
  return new Map((await query.execute()).map((row) => [row.resource_class, Number(row.used)]));
}

export async function allocationsOf(db: Kysely<PlacementTables>, consumer_id: string): Promise<AllocationRow[]> {
  return db.selectFrom('placement_allocations').selectAll().where('consumer_id', '=', consumer_id).execute();
}

/** Replaces what a consumer holds. */
export async function writeAllocations(tx: Transaction<PlacementTables>, consumer: ConsumerRow, rows: AllocationRow[]): Promise<void> {
  await tx.deleteFrom('placement_allocations').where('consumer_id', '=', consumer.id).execute();
  await tx
    .insertInto('placement_consumers')
    .values(consumer)
    .onConflict((on) => on.column('id').doUpdateSet({ project_id: consumer.project_id, user_id: consumer.user_id, type: consumer.type, generation: sql`placement_consumers.generation + 1`, updated_at: consumer.updated_at }))
    .execute();
  if (rows.length > 0) await tx.insertInto('placement_allocations').values(rows).execute();
}

/** Its allocations go with it. */
export async function deleteConsumer(tx: Transaction<PlacementTables>, id: string): Promise<void> {
  await tx.deleteFrom('placement_consumers').where('id', '=', id).execute();
}

/** Every inventory of these classes, with what is used of it. */
export async function capacities(db: Kysely<PlacementTables>, classes: string[]): Promise<(InventoryRow & { provider_name: string; used: number })[]> {
  const rows = await db
    .selectFrom('placement_inventories as i')
    .innerJoin('placement_providers as p', 'p.id', 'i.provider_id')
    .selectAll('i')
    .select('p.name as provider_name')
    .select((eb) => eb.selectFrom('placement_allocations as a').select(sql<number>`coalesce(sum(a.used), 0)`.as('used')).whereRef('a.provider_id', '=', 'i.provider_id').whereRef('a.resource_class', '=', 'i.resource_class').as('used'))
    .where('i.resource_class', 'in', classes)
    .orderBy('i.provider_id')
    .limit(100_000)
    .execute();
  return rows.map((row) => ({ ...row, used: Number(row.used) }));
}

/** @returns one page of consumers and the provider that holds each, by id. */
export async function pageConsumers(db: Kysely<PlacementTables>, after: string, limit: number): Promise<{ id: string; provider_id: string }[]> {
  return db
    .selectFrom('placement_allocations')
    .select(['consumer_id as id', 'provider_id'])
    .distinct()
    .where('consumer_id', '>', after)
    .orderBy('consumer_id')
    .limit(limit)
    .execute();
}
