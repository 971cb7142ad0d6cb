/** What the nodes have, for the scheduler and for people: asked at connect and now and then. */
import { computeMethods, type HostResources } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineJob, type Job, type JobContext } from '../../../kernel/job/reconciler.ts';
import type { Inventory } from '../../placement/client.ts';
import type { ComputeConfig } from '../config.ts';
import type { JobDeps } from '../deps.ts';
import { reportableTraits, traitsOf } from '../model/host-traits.ts';
import { saveNode, setConnected } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';

/** Placement's view of a host. Pure. */
export function inventoryOf(resources: HostResources, config: ComputeConfig): Record<string, Inventory> {
  const entry = (total: number, reserved: number, allocation_ratio: number): Inventory => ({
    total,
    reserved: Math.min(reserved, total),
    min_unit: 1,
    max_unit: total,
    step_size: 1,
    allocation_ratio,
  });
  const inventory: Record<string, Inventory> = {
    VCPU: entry(resources.vcpus, 0, config.cpu_allocation_ratio),
    MEMORY_MB: entry(resources.memory_mb, config.reserved_memory_mb, config.ram_allocation_ratio),
  };
  if (resources.disk_gb > 0) inventory['DISK_GB'] = entry(resources.disk_gb, 0, config.disk_allocation_ratio);
  return inventory;
}

export async function takeInventory(deps: JobDeps, node: { id: string; hostname: string }): Promise<void> {
  const resources = await deps.nodes.call<HostResources>(node.id, computeMethods.resources);
  await deps.placement.ensureProvider({ id: node.id, name: node.hostname, inventory: inventoryOf(resources, deps.config), traits: { has: traitsOf(resources), reportable: reportableTraits } });
  const row = { id: node.id, host: node.hostname, resources_json: JSON.stringify(resources) };
  await deps.db.transaction((tx) => saveNode(asTransaction<ComputeTables>(tx), row, isoMicros(deps.clock.now())));
}

export async function nodeLeft(deps: JobDeps, node_id: string): Promise<void> {
  await deps.db.transaction((tx) => setConnected(asTransaction<ComputeTables>(tx), node_id, false, isoMicros(deps.clock.now())));
}

export function takeInventoryJob(deps: JobDeps): Job {
  async function run({ log, signal }: JobContext): Promise<object> {
    const total = { nodes: 0, failed: 0, away: 0 };
    for (const node of await deps.nodes.nodes()) {
      if (signal.aborted) break;
      if (!node.roles.includes('compute')) continue;
      if (!deps.nodes.isConnected(node.id)) {
        await nodeLeft(deps, node.id);
        total.away += 1;
        continue;
      }
      try {
        await takeInventory(deps, node);
        total.nodes += 1;
      } catch (error) {
        total.failed += 1;
        log.warn({ err: error, node_id: node.id }, 'the resources of a node could not be read');
      }
    }
    return total;
  }
  return defineJob({ name: 'compute.take-inventory', every_seconds: deps.config.sync_interval, run });
}
