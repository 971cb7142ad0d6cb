import type { Kysely } from 'kysely';
import type { ConsumerRow, PlacementTables } from './tables.ts';

export async function consumerOf(db: Kysely<PlacementTables>, id: string): Promise<ConsumerRow | undefined> {
  return db.selectFrom('placement_consumers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function generationsOf(db: Kysely<PlacementTables>, provider_ids: string[]): Promise<Map<string, number>> {
  if (provider_ids.length === 0) return new Map();
  const rows = await db.selectFrom('placement_providers').select(['id', 'generation']).where('id', 'in', provider_ids).execute();
  return new Map(rows.map((row) => [row.id, row.generation]));
}
