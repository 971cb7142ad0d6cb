/** What placement offers the scheduler. Resource classes: VCPU, MEMORY_MB, DISK_GB. */
export type Resources = Record<string, number>;

export interface Inventory {
  total: number;
  reserved: number;
  min_unit: number;
  max_unit: number;
  step_size: number;
  allocation_ratio: number;
}

export interface Candidate {
  provider_id: string;
  provider_name: string;
  /** What is free by placement's arithmetic, by class. */
  free: Resources;
}

export interface Hold {
  consumer: { id: string; project_id: string; user_id: string; type: string };
  provider_id: string;
  resources: Resources;
}

export interface PlacementClient {
  /**
   * Makes the provider of a node be there with this inventory (idempotent). The provider's id is the node's id. Of traits that a node
   * can report it has exactly these; those that somebody else gave it stay.
   */
  ensureProvider(provider: { id: string; name: string; inventory: Record<string, Inventory>; traits?: { has: readonly string[]; reportable: readonly string[] } }): Promise<void>;
  removeProvider(id: string): Promise<void>;
  /** Providers that can hold the resources now; at most `limit`. */
  candidates(resources: Resources, limit?: number): Promise<Candidate[]>;
  /** The traits of all providers that have some, by provider. */
  traits(): Promise<Map<string, string[]>>;
  /** Claims for a consumer in one transaction, replacing what it held; false when it no longer fits. */
  claim(consumer: { id: string; project_id: string; user_id: string; type?: string }, provider_id: string, resources: Resources): Promise<boolean>;
  /**
   * Replaces what several consumers hold, in one transaction; without resources a consumer holds nothing.
   * @param always also where it is more than the provider has by now: what was held before is given back to its holder.
   * @returns false when it does not fit, and nothing was changed.
   */
  hold(claims: readonly Hold[], always?: boolean): Promise<boolean>;
  release(consumer_id: string): Promise<void>;
  usage(provider_id: string): Promise<{ used: Resources; inventory: Record<string, Inventory> }>;
  /** Consumers with allocations, for the job that looks for leaks. */
  consumers(): Promise<{ id: string; provider_id: string }[]>;
}
