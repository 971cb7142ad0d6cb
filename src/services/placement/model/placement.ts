import type { Transaction } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Candidate, Hold, Inventory, PlacementClient, Resources } from '../client.ts';
import type { PlacementDeps } from '../deps.ts';
import { capacities, deleteConsumer, lockProvider, pageConsumers, usedOf, writeAllocations } from '../store/allocations.ts';
import { allTraits, traitsOf } from '../store/provider-lists.ts';
import { deleteProvider, findProvider, insertProvider, inventoriesOf, updateProvider, writeInventories, writeTraits } from '../store/resource-providers.ts';
import type { InventoryRow, PlacementTables } from '../store/tables.ts';
import { capacityOf, fits, nonZero } from './capacity.ts';

const PAGE = 1000;
/** As many as one answer names, unless told otherwise. */
export const MOST_CANDIDATES = 1000;

export function createPlacementClient(deps: PlacementDeps): PlacementClient {
  return {
    ensureProvider: (provider) => ensureProvider(deps, provider),
    removeProvider: (id) => deps.db.transaction((tx) => deleteProvider(tx, id)),
    candidates: (resources, limit = MOST_CANDIDATES) => candidates(deps, resources, limit),
    traits: () => allTraits(deps.db.read),
    claim: (consumer, provider_id, resources) => claim(deps, consumer, provider_id, resources),
    hold: (claims, always = false) => hold(deps, claims, always),
    release: (id) => deps.db.transaction((tx) => deleteConsumer(tx, id)),
    usage: (provider_id) => usage(deps, provider_id),
    consumers: () => consumers(deps),
  };
}

async function ensureProvider(deps: PlacementDeps, wanted: Parameters<PlacementClient['ensureProvider']>[0]): Promise<void> {
  const now = isoMicros(deps.clock.now());
  await deps.db.transaction(async (tx) => {
    const found = await findProvider(tx, wanted.id);
    if (!found) await insertProvider(tx, { id: wanted.id, name: wanted.name, generation: 0, created_at: now, updated_at: now });
    const rows = Object.entries(wanted.inventory).map(([resource_class, inventory]): InventoryRow => ({ provider_id: wanted.id, resource_class, ...inventory }));
    const current = await inventoriesOf(tx, wanted.id);
    const traits = await newTraits(tx, wanted.id, wanted.traits);
    if (found?.name === wanted.name && same(current, rows) && traits === undefined) return;
    await writeInventories(tx, wanted.id, rows);
    if (traits !== undefined) await writeTraits(tx, wanted.id, traits);
    await updateProvider(tx, wanted.id, { name: wanted.name, generation: (found?.generation ?? 0) + 1, updated_at: now });
  });
}

/** Undefined: it has the right ones. */
async function newTraits(tx: Transaction<PlacementTables>, id: string, wanted: Parameters<PlacementClient['ensureProvider']>[0]['traits']): Promise<string[] | undefined> {
  if (wanted === undefined) return undefined;
  const current = await traitsOf(tx, id);
  const next = [...new Set([...current.filter((name) => !wanted.reportable.includes(name)), ...wanted.has])].sort();
  return next.join() === [...current].sort().join() ? undefined : next;
}

function same(a: InventoryRow[], b: InventoryRow[]): boolean {
  const text = (rows: InventoryRow[]): string => JSON.stringify(rows.map(toInventory).map((one, at) => [rows[at]!.resource_class, one]).sort());
  return text(a) === text(b);
}

export function toInventory({ total, reserved, min_unit, max_unit, step_size, allocation_ratio }: Inventory): Inventory {
  return { total, reserved, min_unit, max_unit, step_size, allocation_ratio };
}

export async function candidates(deps: PlacementDeps, asked: Resources, limit: number): Promise<Candidate[]> {
  const resources = nonZero(asked);
  const classes = Object.keys(resources);
  if (classes.length === 0) return [];
  const found = new Map<string, Candidate & { fitting: number }>();
  for (const row of await capacities(deps.db.read, classes)) {
    const candidate = found.get(row.provider_id) ?? { provider_id: row.provider_id, provider_name: row.provider_name, free: {}, fitting: 0 };
    candidate.free[row.resource_class] = capacityOf(row) - row.used;
    if (fits(row, row.used, resources[row.resource_class]!)) candidate.fitting++;
    found.set(row.provider_id, candidate);
  }
  const able = [...found.values()].filter((candidate) => candidate.fitting === classes.length);
  return able.slice(0, limit).map(({ provider_id, provider_name, free }) => ({ provider_id, provider_name, free }));
}

async function claim(deps: PlacementDeps, consumer: Parameters<PlacementClient['claim']>[0], provider_id: string, asked: Resources): Promise<boolean> {
  const resources = nonZero(asked);
  const now = isoMicros(deps.clock.now());
  return deps.db.transaction(async (tx) => {
    if (!(await lockProvider(tx, provider_id, deps.db.dialect))) return false;
    const inventories = new Map((await inventoriesOf(tx, provider_id)).map((row) => [row.resource_class, row]));
    const used = await usedOf(tx, provider_id, consumer.id);
    for (const [name, amount] of Object.entries(resources)) {
      const inventory = inventories.get(name);
      if (!inventory || !fits(inventory, used.get(name) ?? 0, amount)) return false;
    }
    const row = { id: consumer.id, project_id: consumer.project_id, user_id: consumer.user_id, type: consumer.type ?? 'INSTANCE', generation: 1, created_at: now, updated_at: now };
    await writeAllocations(tx, row, Object.entries(resources).map(([resource_class, amount]) => ({ consumer_id: consumer.id, provider_id, resource_class, used: amount })));
    return true;
  });
}

class DoesNotFit extends Error {}

async function hold(deps: PlacementDeps, claims: readonly Hold[], always: boolean): Promise<boolean> {
  const updated_at = isoMicros(deps.clock.now());
  try {
    await deps.db.transaction(async (tx) => {
      const providers = [...new Set(claims.map(({ provider_id }) => provider_id))].sort();
      for (const id of providers) if (!(await lockProvider(tx, id, deps.db.dialect)) && !always) throw new DoesNotFit();
      for (const { consumer } of claims) await deleteConsumer(tx, consumer.id);
      for (const { consumer, provider_id, resources } of claims) {
        const wanted = Object.entries(nonZero(resources));
        if (wanted.length === 0) continue;
        if (!always) await checkRoom(tx, provider_id, wanted);
        const row = { ...consumer, generation: 1, created_at: updated_at, updated_at };
        await writeAllocations(tx, row, wanted.map(([resource_class, used]) => ({ consumer_id: consumer.id, provider_id, resource_class, used })));
      }
    });
    return true;
  } catch (error) {
    if (error instanceof DoesNotFit) return false;
    throw error;
  }
}

async function checkRoom(tx: Transaction<PlacementTables>, provider_id: string, wanted: [string, number][]): Promise<void> {
  const inventories = new Map((await inventoriesOf(tx, provider_id)).map((row) => [row.resource_class, row]));
  const used = await usedOf(tx, provider_id);
  for (const [name, amount] of wanted) {
    const inventory = inventories.get(name);
    if (!inventory || !fits(inventory, used.get(name) ?? 0, amount)) throw new DoesNotFit();
  }
}

export async function usage(deps: PlacementDeps, provider_id: string): Promise<{ used: Resources; inventory: Record<string, Inventory> }> {
  const rows = await inventoriesOf(deps.db.read, provider_id);
  const used = await usedOf(deps.db.read, provider_id);
  return {
    used: Object.fromEntries(rows.map((row) => [row.resource_class, used.get(row.resource_class) ?? 0])),
    inventory: Object.fromEntries(rows.map((row) => [row.resource_class, toInventory(row)])),
  };
}

async function consumers(deps: PlacementDeps): Promise<{ id: string; provider_id: string }[]> {
  const out: { id: string; provider_id: string }[] = [];
  for (let after = ''; ; after = out.at(-1)!.id) {
    const rows = await pageConsumers(deps.db.read, after, PAGE);
    out.push(...rows);
    if (rows.length < PAGE) return out;
  }
}
