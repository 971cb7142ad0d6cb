import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { Resources } from '../client.ts';
import type { PlacementDeps } from '../deps.ts';
import { badCapacity } from '../faults.ts';
import { deleteConsumer, lockProvider, usedOf, writeAllocations } from '../store/allocations.ts';
import { inventoriesOf } from '../store/resource-providers.ts';
import type { AllocationRow, PlacementTables } from '../store/tables.ts';
import type { Transaction } from 'kysely';
import { fits } from './capacity.ts';

export interface ConsumerClaim {
  consumer_id: string;
  project_id: string;
  user_id: string;
  /** By provider. Empty: the consumer gives back all it holds. */
  allocations: Map<string, Resources>;
}

/** Replaces what these consumers hold, all or nothing. Faults: 400 unknown provider or class, 409 no room. */
export async function replaceAllocations(deps: PlacementDeps, claims: readonly ConsumerClaim[]): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const providers = [...new Set(claims.flatMap((claim) => [...claim.allocations.keys()]))].sort();
    for (const id of providers) {
      if (!(await lockProvider(tx, id, deps.db.dialect))) throw badRequest('placement.allocation-provider', `Allocation for resource provider '${id}' that does not exist.`);
    }
    for (const claim of claims) await deleteConsumer(tx, claim.consumer_id);
    for (const claim of claims) if (claim.allocations.size > 0) await place(deps, tx, claim);
  });
}

async function place(deps: PlacementDeps, tx: Transaction<PlacementTables>, claim: ConsumerClaim): Promise<void> {
  const rows: AllocationRow[] = [];
  for (const [provider_id, resources] of claim.allocations) {
    const inventories = new Map((await inventoriesOf(tx, provider_id)).map((row) => [row.resource_class, row]));
    const used = await usedOf(tx, provider_id);
    for (const [resource_class, amount] of Object.entries(resources)) {
      const inventory = inventories.get(resource_class);
      if (!inventory || !fits(inventory, used.get(resource_class) ?? 0, amount)) throw badCapacity(provider_id, resource_class);
      rows.push({ consumer_id: claim.consumer_id, provider_id, resource_class, used: amount });
    }
  }
  const now = isoMicros(deps.clock.now());
  await writeAllocations(tx, { id: claim.consumer_id, project_id: claim.project_id, user_id: claim.user_id, type: null, generation: 1, created_at: now, updated_at: now }, rows);
}

export async function releaseAllocations(deps: PlacementDeps, consumer_id: string, held: AllocationRow[]): Promise<void> {
  if (held.length === 0) throw notFound('placement.no-allocations', `No allocations for consumer '${consumer_id}'`);
  await deps.db.transaction((tx) => deleteConsumer(tx, consumer_id));
}
