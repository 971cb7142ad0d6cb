/** What every operation of networking is handed, and how it tells nodes and compute that something changed. */
import type { Clock } from '../../kernel/clock.ts';
import { isoMicros } from '../../kernel/clock.ts';
import { onCommit, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { NetworkConfig } from './config.ts';
import { nextGeneration } from './store/node-generations.ts';
import type { NetworkTables, Tx } from './store/tables.ts';

/** A node as the registry of the cloud shows it. */
export interface NodeView {
  id: string;
  hostname: string;
  roles: readonly string[];
  /** `up` while it is connected. */
  state: string;
  last_seen_at: string;
  created_at?: string;
  tunnel_ip?: string | null;
  disabled?: boolean;
}

export interface Nodes {
  nodes(): readonly NodeView[] | Promise<readonly NodeView[]>;
  call(node_id: string, method: string, parameters: unknown): Promise<unknown>;
}

export interface NetworkDeps {
  readonly db: Database<NetworkTables>;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: NetworkConfig;
  readonly nodes: Nodes;
  /** Tells a node, soon after the commit, to fetch its state. */
  poke(node_id: string, generation: number): void;
  /** Tells compute, after the commit, that a server's NICs differ. */
  serverChanged(server_id: string): void;
}

export function instant(env: Pick<NetworkDeps, 'clock'>): string {
  return isoMicros(env.clock.now());
}

/** Gives each of these nodes a new generation of its desired state, and pokes it once that is committed. */
export async function nodesChanged(env: NetworkDeps, tx: Tx, node_ids: Iterable<string | null | undefined>): Promise<void> {
  // One order for all: two transactions never wait for each other in a circle.
  const ids = [...new Set([...node_ids].filter((id) => id !== null && id !== undefined))].sort();
  for (const id of ids) {
    const generation = await nextGeneration(tx, id);
    onCommit(tx, () => env.poke(id, generation));
  }
}

export function serversChanged(env: NetworkDeps, tx: Tx, device_ids: Iterable<string>): void {
  for (const id of new Set(device_ids)) if (id !== '') onCommit(tx, () => env.serverChanged(id));
}
