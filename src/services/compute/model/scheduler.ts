/** Which node a new server goes to. Pure: what placement says fits, less what must not be, the best first. */

export interface HostView {
  node_id: string;
  host: string;
  zone: string;
  /** Connected, not disabled, not forced down. */
  usable: boolean;
  /** Servers that are being made there right now. */
  building: number;
}

export interface ScheduleRequest {
  /** Spreads servers that are equal in all else. */
  server_id: string;
  zone: string | null;
  host: string | null;
  /** Nodes that have failed this server already. */
  excluded: readonly string[];
  /** Where the other members of its group are, with how many, and the group's policy. */
  group: { policy: string; members: ReadonlyMap<string, number>; max_per_host: number } | undefined;
  /** Nodes of the servers that a hint names. */
  same_host: readonly string[] | undefined;
  different_host: readonly string[] | undefined;
}

export interface FreeRoom {
  node_id: string;
  /** MiB that placement has left there. */
  free_ram_mb: number;
}

/** @returns node ids, the best first; empty: nothing fits. */
export function chooseHosts(candidates: readonly FreeRoom[], hosts: readonly HostView[], request: ScheduleRequest): string[] {
  const views = new Map(hosts.map((host) => [host.node_id, host]));
  const fitting = candidates.filter(({ node_id }) => {
    const host = views.get(node_id);
    return host !== undefined && passes(host, request);
  });
  const most = Math.max(1, ...fitting.map(({ free_ram_mb }) => free_ram_mb));
  const weighed = fitting.map(({ node_id, free_ram_mb }) => ({ node_id, weight: weigh(views.get(node_id)!, free_ram_mb / most, request) }));
  weighed.sort((a, b) => b.weight - a.weight || tieBreak(request.server_id, a.node_id) - tieBreak(request.server_id, b.node_id));
  return weighed.map(({ node_id }) => node_id);
}

function passes(host: HostView, request: ScheduleRequest): boolean {
  if (!host.usable || request.excluded.includes(host.node_id)) return false;
  if (request.host !== null && request.host !== host.host) return false;
  if (request.zone !== null && request.zone !== host.zone) return false;
  if (request.same_host !== undefined && !request.same_host.includes(host.node_id)) return false;
  if (request.different_host?.includes(host.node_id) === true) return false;
  const { group } = request;
  if (group === undefined) return true;
  const here = group.members.get(host.node_id) ?? 0;
  if (group.policy === 'affinity') return group.members.size === 0 || here > 0;
  if (group.policy === 'anti-affinity') return here < group.max_per_host;
  return true;
}

/** Free memory spreads servers; whoever is busy making some comes later; soft groups pull together or apart. */
function weigh(host: HostView, freeShare: number, request: ScheduleRequest): number {
  const { group } = request;
  const members = group?.members.get(host.node_id) ?? 0;
  const pull = group?.policy === 'soft-affinity' ? 10 * members : group?.policy === 'soft-anti-affinity' ? -10 * members : 0;
  return freeShare - 0.02 * host.building + pull;
}

function tieBreak(server_id: string, node_id: string): number {
  let hash = 2166136261;
  for (const char of server_id + node_id) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
  return hash >>> 0;
}
