import { isoMicros } from '../../../kernel/clock.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../../../kernel/db/errors.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { Inventory } from '../client.ts';
import type { PlacementDeps } from '../deps.ts';
import { concurrentUpdate, noProvider } from '../faults.ts';
import { lockProvider, usedOf } from '../store/allocations.ts';
import { bumpGeneration, deleteProvider as deleteRow, findProvider, insertProvider, inventoriesOf, updateProvider as updateRow, writeInventories, writeTraits } from '../store/resource-providers.ts';
import { writeAggregates } from '../store/provider-lists.ts';
import type { InventoryRow, ProviderRow } from '../store/tables.ts';
import { capacityOf } from './capacity.ts';

export async function getProvider(deps: PlacementDeps, id: string): Promise<ProviderRow> {
  const row = await findProvider(deps.db.read, id.toLowerCase());
  if (!row) throw noProvider(id);
  return row;
}

export async function createProvider(deps: PlacementDeps, wanted: { uuid?: string; name: string }): Promise<ProviderRow> {
  const now = isoMicros(deps.clock.now());
  const row: ProviderRow = { id: (wanted.uuid ?? uuid()).toLowerCase(), name: wanted.name, generation: 0, created_at: now, updated_at: now };
  await unlessTaken(wanted, deps.db.transaction((tx) => insertProvider(tx, row)));
  return row;
}

export async function renameProvider(deps: PlacementDeps, id: string, name: string): Promise<ProviderRow> {
  const row = await getProvider(deps, id);
  await unlessTaken({ name }, deps.db.transaction((tx) => updateRow(tx, row.id, { name, updated_at: isoMicros(deps.clock.now()) })));
  return { ...row, name };
}

async function unlessTaken<T>(wanted: { uuid?: string; name: string }, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isUniqueViolation(error)) throw conflict('placement.provider-exists', `Conflicting resource provider ${isUniqueViolation(error, 'name') ? `name: ${wanted.name}` : `uuid: ${wanted.uuid}`} already exists.`);
    throw error;
  }
}

export async function deleteProvider(deps: PlacementDeps, id: string): Promise<void> {
  const row = await getProvider(deps, id);
  try {
    await deps.db.transaction((tx) => deleteRow(tx, row.id));
  } catch (error) {
    if (isForeignKeyViolation(error)) throw conflict('placement.provider-in-use', `Unable to delete resource provider ${row.id}: Resource provider has allocations.`);
    throw error;
  }
}

/** Runs one write under the provider's generation. Faults: 409 when it moved on meanwhile. */
async function underGeneration<T>(deps: PlacementDeps, id: string, generation: number, work: Parameters<PlacementDeps['db']['transaction']>[0]): Promise<T> {
  return deps.db.transaction(async (tx) => {
    await lockProvider(tx, id, deps.db.dialect);
    if (!(await bumpGeneration(tx, id, generation, isoMicros(deps.clock.now())))) throw concurrentUpdate();
    return (await work(tx)) as T;
  });
}

/** Replaces a provider's inventories by what `change` makes of them. Faults: 409 generation, in use, 400 nonsense. */
export async function changeInventories(deps: PlacementDeps, id: string, generation: number, change: (now: InventoryRow[]) => InventoryRow[]): Promise<InventoryRow[]> {
  const provider = await getProvider(deps, id);
  return underGeneration(deps, provider.id, generation, async (tx) => {
    const rows = change(await inventoriesOf(tx, provider.id));
    const used = await usedOf(tx, provider.id);
    for (const row of rows) {
      if (capacityOf(row) < 1) throw badRequest('placement.inventory-capacity', `Unable to update inventory for resource provider ${provider.id}: Invalid inventory for '${row.resource_class}' on resource provider '${provider.id}'. The reserved value is greater than or equal to total.`);
    }
    for (const name of used.keys()) {
      if (!rows.some((row) => row.resource_class === name)) throw conflict('placement.inventory-in-use', `update conflict: Inventory for '${name}' on resource provider '${provider.id}' in use.`);
    }
    await writeInventories(tx, provider.id, rows);
    return rows;
  });
}

export const INVENTORY_DEFAULTS = { reserved: 0, min_unit: 1, max_unit: 2_147_483_647, step_size: 1, allocation_ratio: 1 };

export function inventoryRow(provider_id: string, resource_class: string, asked: Partial<Inventory> & { total: number }): InventoryRow {
  const { total, reserved, min_unit, max_unit, step_size, allocation_ratio } = { ...INVENTORY_DEFAULTS, ...asked };
  return { provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio };
}

export async function setTraits(deps: PlacementDeps, id: string, generation: number, traits: string[], known: string[]): Promise<void> {
  const provider = await getProvider(deps, id);
  const strange = traits.filter((trait) => !known.includes(trait));
  if (strange.length > 0) throw badRequest('placement.trait-unknown', `No such trait ${strange.join(', ')}.`);
  await underGeneration(deps, provider.id, generation, (tx) => writeTraits(tx, provider.id, [...new Set(traits)]));
}

export async function setAggregates(deps: PlacementDeps, id: string, aggregates: string[]): Promise<void> {
  const provider = await getProvider(deps, id);
  await deps.db.transaction((tx) => writeAggregates(tx, provider.id, [...new Set(aggregates)]));
}

export function findInventory(rows: InventoryRow[], provider_id: string, resource_class: string): InventoryRow {
  const row = rows.find((one) => one.resource_class === resource_class);
  if (!row) throw notFound('placement.inventory-not-found', `No inventory of class ${resource_class} for ${provider_id}`);
  return row;
}
