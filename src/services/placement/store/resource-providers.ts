import type { Kysely, Transaction } from 'kysely';
import type { InventoryRow, PlacementTables, ProviderRow } from './tables.ts';

export async function findProvider(db: Kysely<PlacementTables>, id: string): Promise<ProviderRow | undefined> {
  return db.selectFrom('placement_providers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function insertProvider(tx: Transaction<PlacementTables>, row: ProviderRow): Promise<void> {
  await tx.insertInto('placement_providers').values(row).execute();
}

export async function updateProvider(tx: Transaction<PlacementTables>, id: string, set: Partial<ProviderRow>): Promise<void> {
  await tx.updateTable('placement_providers').set(set).where('id', '=', id).execute();
}

/** Moves the generation on; false when it was another: somebody else wrote meanwhile. */
export async function bumpGeneration(tx: Transaction<PlacementTables>, id: string, from: number, updated_at: string): Promise<boolean> {
  const result = await tx.updateTable('placement_providers').set({ generation: from + 1, updated_at }).where('id', '=', id).where('generation', '=', from).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function deleteProvider(tx: Transaction<PlacementTables>, id: string): Promise<void> {
  await tx.deleteFrom('placement_inventories').where('provider_id', '=', id).execute();
  await tx.deleteFrom('placement_providers').where('id', '=', id).execute();
}

export async function inventoriesOf(db: Kysely<PlacementTables>, provider_id: string): Promise<InventoryRow[]> {
  return db.selectFrom('placement_inventories').selectAll().where('provider_id', '=', provider_id).orderBy('resource_class').execute();
}

/** Replaces what a provider has. */
export async function writeInventories(tx: Transaction<PlacementTables>, provider_id: string, rows: InventoryRow[]): Promise<void> {
  await tx.deleteFrom('placement_inventories').where('provider_id', '=', provider_id).execute();
  if (rows.length > 0) await tx.insertInto('placement_inventories').values(rows).execute();
}

export async function writeTraits(tx: Transaction<PlacementTables>, provider_id: string, traits: readonly string[]): Promise<void> {
  await tx.deleteFrom('placement_traits').where('provider_id', '=', provider_id).execute();
  if (traits.length > 0) await tx.insertInto('placement_traits').values(traits.map((trait) => ({ provider_id, trait }))).execute();
}
