/** Nodes as nova's hypervisors: what they have, and what their servers take of it. */
import { as } from '../../../kernel/db/database.ts';
import type { HostResources } from '../../../agents/compute/protocol.ts';
import type { ComputeDeps } from '../deps.ts';
import { flavorsOnNodes, type NumberedNodeRow, serversOnNodes } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';
import type { FlavorSnapshot } from './flavors.ts';

export interface NodeUse {
  vcpus: number;
  memory_mb: number;
  disk_gb: number;
  servers: number;
  /** Servers in the middle of something. */
  busy: number;
}

export const resourcesOf = (node: NumberedNodeRow): HostResources => JSON.parse(node.resources_json) as HostResources;

/** What the living servers of nodes take, by node id. */
export async function useOfNodes(deps: Pick<ComputeDeps, 'db'>, nodes: readonly NumberedNodeRow[]): Promise<Map<string, NodeUse>> {
  const out = new Map<string, NodeUse>(nodes.map(({ id }) => [id, { vcpus: 0, memory_mb: 0, disk_gb: 0, servers: 0, busy: 0 }]));
  const rows = await flavorsOnNodes(as<ComputeTables>(deps.db).read, nodes.map(({ id }) => id));
  for (const { node_id, flavor_json, servers, busy } of rows) {
    const use = out.get(node_id);
    if (use === undefined) continue;
    const flavor = JSON.parse(flavor_json) as FlavorSnapshot;
    use.vcpus += flavor.vcpus * servers;
    use.memory_mb += flavor.ram_mb * servers;
    use.disk_gb += (flavor.disk_gb + flavor.ephemeral_gb) * servers;
    use.servers += servers;
    use.busy += busy;
  }
  return out;
}

/** Ids of the living servers of nodes, by node id. */
export async function serversOfNodes(deps: Pick<ComputeDeps, 'db'>, nodes: readonly NumberedNodeRow[]): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  for (const { id, node_id } of await serversOnNodes(as<ComputeTables>(deps.db).read, nodes.map(({ id }) => id))) out.get(node_id ?? '')?.push(id);
  return out;
}

/** All the figures that hypervisors had up to 2.87. */
export interface HypervisorFigures {
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  vcpus_used: number;
  memory_mb_used: number;
  local_gb_used: number;
  free_ram_mb: number;
  free_disk_gb: number;
  current_workload: number;
  running_vms: number;
  disk_available_least: number;
}

/** @param reserved_mb memory that is kept for the host itself. Pure. */
export function figuresOf(resources: HostResources, use: NodeUse, reserved_mb: number): HypervisorFigures {
  const memory_mb_used = use.memory_mb + Math.min(reserved_mb, resources.memory_mb);
  return {
    vcpus: resources.vcpus,
    memory_mb: resources.memory_mb,
    local_gb: resources.disk_gb,
    vcpus_used: use.vcpus,
    memory_mb_used,
    local_gb_used: use.disk_gb,
    free_ram_mb: resources.memory_mb - memory_mb_used,
    free_disk_gb: resources.disk_gb - use.disk_gb,
    current_workload: use.busy,
    running_vms: use.servers,
    disk_available_least: Math.floor(resources.disk_gb - resources.disk_used_gb),
  };
}

/** Like the command `uptime`: time, how long the host runs by now, load when it last reported. Pure. */
export function uptimeText(resources: HostResources, reported_at: string, now: Date): string {
  const since = Math.max(0, (now.getTime() - Date.parse(reported_at)) / 1000);
  const minutes = Math.floor((resources.uptime_seconds + since) / 60);
  const days = Math.floor(minutes / 1440);
  const clock = `${Math.floor((minutes % 1440) / 60)}:${String(minutes % 60).padStart(2, '0')}`;
  const up = days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`;
  const load = resources.load_average.map((value) => value.toFixed(2)).join(', ');
  return ` ${now.toISOString().slice(11, 19)} up ${up},  0 users,  load average: ${load}`;
}
