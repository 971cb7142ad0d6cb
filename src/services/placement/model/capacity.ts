/** Placement's arithmetic, pure. */
import type { Inventory, Resources } from '../client.ts';

/** What consumers may hold of an inventory altogether. */
export function capacityOf(inventory: Inventory): number {
  return Math.floor((inventory.total - inventory.reserved) * inventory.allocation_ratio);
}

/** Whether one more claim of `amount` fits beside `used`, by capacity and by the units that may be asked for. */
export function fits(inventory: Inventory, used: number, amount: number): boolean {
  return (
    amount >= inventory.min_unit &&
    amount <= inventory.max_unit &&
    amount % inventory.step_size === 0 &&
    used + amount <= capacityOf(inventory)
  );
}

/** Zero amounts are asked for by flavors without disk; placement knows no such claim. */
export function nonZero(resources: Resources): Resources {
  return Object.fromEntries(Object.entries(resources).filter(([, amount]) => amount > 0));
}
