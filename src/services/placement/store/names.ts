/** The names that operators added to the standard resource classes and traits. */
import type { Kysely, Transaction } from 'kysely';
import type { PlacementTables } from './tables.ts';

type Names = 'placement_custom_classes' | 'placement_custom_traits';

export async function listNames(db: Kysely<PlacementTables>, table: Names): Promise<string[]> {
  return (await db.selectFrom(table).select('name').orderBy('name').limit(10_000).execute()).map((row) => row.name);
}

/** False when it was there. */
export async function insertName(tx: Transaction<PlacementTables>, table: Names, name: string, created_at: string): Promise<boolean> {
  const result = await tx.insertInto(table).values({ name, created_at }).onConflict((on) => on.doNothing()).executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1;
}

/** False when it was not there. */
export async function deleteName(tx: Transaction<PlacementTables>, table: Names, name: string): Promise<boolean> {
  const result = await tx.deleteFrom(table).where('name', '=', name).executeTakeFirst();
  return Number(result.numDeletedRows) === 1;
}

export async function isClassUsed(db: Kysely<PlacementTables>, name: string): Promise<boolean> {
  return (await db.selectFrom('placement_inventories').select('provider_id').where('resource_class', '=', name).limit(1).executeTakeFirst()) !== undefined;
}

export async function isTraitUsed(db: Kysely<PlacementTables>, name: string): Promise<boolean> {
  return (await db.selectFrom('placement_traits').select('provider_id').where('trait', '=', name).limit(1).executeTakeFirst()) !== undefined;
}

/** The traits that some provider has, of those named. */
export async function traitsInUse(db: Kysely<PlacementTables>): Promise<string[]> {
  return (await db.selectFrom('placement_traits').select('trait').distinct().orderBy('trait').limit(10_000).execute()).map((row) => row.trait);
}
