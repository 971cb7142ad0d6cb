import type { Inventory } from '../client.ts';

export interface ProviderRow {
  id: string;
  name: string;
  generation: number;
  created_at: string;
  updated_at: string;
}

export interface InventoryRow extends Inventory {
  provider_id: string;
  resource_class: string;
}

export interface AllocationRow {
  consumer_id: string;
  provider_id: string;
  resource_class: string;
  used: number;
}

export interface ConsumerRow {
  id: string;
  project_id: string;
  user_id: string;
  type: string | null;
  generation: number;
  created_at: string;
  updated_at: string;
}

export interface PlacementTables {
  placement_providers: ProviderRow;
  placement_inventories: InventoryRow;
  placement_allocations: AllocationRow;
  placement_consumers: ConsumerRow;
  placement_traits: { provider_id: string; trait: string };
  placement_aggregates: { provider_id: string; aggregate_id: string };
  placement_custom_classes: { name: string; created_at: string };
  placement_custom_traits: { name: string; created_at: string };
}
