/** Which node a new server goes to. Pure: what placement says fits, less what must not be, the best first. */
import { demandObjection, type Demands, type HostFacts } from './host-demands.ts';

export interface HostView {
  node_id: string;
  host: string;
  zone: string;
  /** Connected, not disabled, not forced down. */
  usable: boolean;
  /** Servers that are being made there right now. */
  building: number;
  /** Boots that failed there since the last one that did not. */
  failures?: number;
  /** What demands look at; needed where there are some. */
  facts?: HostFacts;
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
  demands?: Demands;
}

export interface FreeRoom {
  node_id: string;
  /** What placement has left there: MiB, processors, GiB. */
  free_ram_mb: number;
  free_vcpus?: number;
  free_disk_gb?: number;
}

/** @returns node ids, the best first; empty: nothing fits. */
export function chooseHosts(candidates: readonly FreeRoom[], hosts: readonly HostView[], request: ScheduleRequest): string[] {
  const views = new Map(hosts.map((host) => [host.node_id, host]));
  const fitting = candidates.filter(({ node_id }) => {
    const host = views.get(node_id);
    return host !== undefined && objection(host, request) === undefined;
  });
  const weights = weigh(fitting, views, request);
  const weighed = fitting.map(({ node_id }, at) => ({ node_id, weight: weights[at]!, tie: tieBreak(request.server_id, node_id) }));
  weighed.sort((a, b) => b.weight - a.weight || a.tie - b.tie);
  return weighed.map(({ node_id }) => node_id);
}

/** Why the server must not go there, whatever room it has; undefined: it may. */
export function objection(host: HostView, request: ScheduleRequest): string | undefined {
  if (!host.usable) return 'down or disabled';
  if (request.excluded.includes(host.node_id)) return 'has failed this server before';
  if (request.host !== null && request.host !== host.host) return 'not the host that was asked for';
  if (request.zone !== null && request.zone !== host.zone) return `not in availability zone ${request.zone}`;
  if (request.same_host !== undefined && !request.same_host.includes(host.node_id)) return 'none of the servers of hint same_host is there';
  if (request.different_host?.includes(host.node_id) === true) return 'a server of hint different_host is there';
  const { group } = request;
  const here = group?.members.get(host.node_id) ?? 0;
  if (group?.policy === 'affinity' && group.members.size > 0 && here === 0) return 'its server group is elsewhere';
  if (group?.policy === 'anti-affinity' && here >= group.max_per_host) return 'its server group has a server there';
  return request.demands === undefined || host.facts === undefined ? undefined : demandObjection(host.facts, request.demands);
}

export interface Room {
  /** What is free, by class, and the most that one server may have. */
  free: Readonly<Record<string, number>>;
  most: Readonly<Record<string, number>>;
}

const HOSTS_TOLD = 20;

/** Why no host was found, host by host, for an operator. @param rooms by node id; a node without one holds nothing. */
export function whyNowhere(hosts: readonly HostView[], request: ScheduleRequest, wanted: Readonly<Record<string, number>>, rooms: ReadonlyMap<string, Room>): string {
  if (hosts.length === 0) return 'There is no compute node.';
  const told = hosts.slice(0, HOSTS_TOLD).map((host) => `${host.host}: ${objection(host, request) ?? lacking(wanted, rooms.get(host.node_id))}`);
  const more = hosts.length > HOSTS_TOLD ? [`and ${hosts.length - HOSTS_TOLD} more`] : [];
  return [...told, ...more].join('; ');
}

function lacking(wanted: Readonly<Record<string, number>>, room: Room | undefined): string {
  if (room === undefined) return 'has not told what it has';
  const short = Object.entries(wanted).flatMap(([name, amount]) => {
    const [free, most] = [Math.max(0, room.free[name] ?? 0), room.most[name] ?? 0];
    if (amount > free) return [`not enough ${name} (${amount} wanted, ${free} free)`];
    return amount > most ? [`too much ${name} for one server (${amount} wanted, ${most} at most)`] : [];
  });
  return short.length === 0 ? 'had room, but others were faster' : short.join(', ');
}

/** How much more a failure counts than all else together. */
const FAILURE = 1_000_000;

/**
 * Nova's weighers, each from 0 for the least to 1 for the most among those that fit: free memory, processors and disk spread servers, whoever is
 * busy making some comes later, soft groups pull together or apart, and a node that has just failed comes last.
 */
function weigh(fitting: readonly FreeRoom[], views: ReadonlyMap<string, HostView>, { group }: ScheduleRequest): number[] {
  const members = fitting.map(({ node_id }) => group?.members.get(node_id) ?? 0);
  const weighers: [factor: number, values: number[]][] = [
    [1, fitting.map(({ free_ram_mb }) => free_ram_mb)],
    [1, fitting.map(({ free_vcpus = 0 }) => free_vcpus)],
    [1, fitting.map(({ free_disk_gb = 0 }) => free_disk_gb)],
    [-1, fitting.map(({ node_id }) => views.get(node_id)!.building)],
    // A group's wish outweighs an even spread.
    [group?.policy === 'soft-affinity' ? 10 : group?.policy === 'soft-anti-affinity' ? -10 : 0, members],
    [-FAILURE, fitting.map(({ node_id }) => views.get(node_id)!.failures ?? 0)],
  ];
  const parts = weighers.filter(([factor]) => factor !== 0).map(([factor, values]) => normalised(values).map((value) => factor * value));
  return fitting.map((_, at) => parts.reduce((sum, part) => sum + part[at]!, 0));
}

function normalised(values: readonly number[]): number[] {
  const [least, most] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  return values.map((value) => (most === least ? 0 : (value - least) / (most - least)));
}

function tieBreak(server_id: string, node_id: string): number {
  let hash = 2166136261;
  for (const char of server_id + node_id) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
  return hash >>> 0;
}
