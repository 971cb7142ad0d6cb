/** Finding and claiming a node for a server. */
import { isIP, isIPv4 } from 'node:net';
import type { Kysely } from 'kysely';
import type { HostResources } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Candidate, Resources } from '../../placement/client.ts';
import { chooseHosts, type FreeRoom, type HostView, objection, type Room, type ScheduleRequest, whyNowhere } from '../model/scheduler.ts';
import type { FlavorSnapshot } from '../model/flavors.ts';
import { flavorOf } from '../model/server-row.ts';
import { allAggregates, metadataOfAggregate } from '../model/aggregates.ts';
import { zonesOfHosts } from '../model/availability-zones.ts';
import { asksMore, type Demands, type HostFacts, withOwnResources } from '../model/host-demands.ts';
import type { Placement } from '../model/server-placement.ts';
import { devicesOf } from '../store/block-devices.ts';
import { listHosts, listNodes } from '../store/nodes.ts';
import { findGroup, membersOf } from '../store/server-groups.ts';
import { buildingOnNodes, findServers } from '../store/servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import type { TaskDeps } from './task-deps.ts';

export interface Place {
  node_id: string;
  host: string;
  zone: string;
}

/** What placement counts for a flavor. */
export function resourcesOf({ vcpus, ram_mb, disk_gb, ephemeral_gb, swap_mb, extra_specs }: FlavorSnapshot): Resources {
  const disk = disk_gb + ephemeral_gb + Math.ceil(swap_mb / 1024);
  return withOwnResources({ VCPU: vcpus, MEMORY_MB: ram_mb, DISK_GB: disk }, extra_specs);
}

export interface Wish {
  row: ServerRow;
  boot: ServerBootRow;
  /** Left out: the server's own. */
  flavor?: FlavorSnapshot;
  excluded: readonly string[];
  /** The one node that it may go to; left out: as was asked for when it was made. */
  host?: string | null;
  /** That node whatever speaks against it. */
  forced?: boolean;
  /** Takes the room there; left out: the server holds it and nothing else. */
  claim?: (node_id: string, resources: Resources) => Promise<boolean>;
}

/** Claims the best node. @throws Fault 500 `compute.no-valid-host` in nova's words. */
export async function claimPlace(deps: TaskDeps, wish: Wish): Promise<Place> {
  const { row, flavor = flavorOf(row) } = wish;
  const resources = resourcesOf(flavor);
  const candidates = await deps.placement.candidates(resources, 1000);
  const request = await scheduleRequest(deps, wish, flavor);
  const hosts = await hostsWithVolumes(deps, row, await viewHosts(deps, request.demands));
  const chosen = wish.forced === true ? hosts.filter(({ host, usable }) => usable && host === request.host).map(({ node_id }) => node_id) : chooseHosts(candidates.map(freeRoom), hosts, request);
  const consumer = { id: row.id, project_id: row.project_id, user_id: row.user_id, type: 'INSTANCE' };
  const claim = wish.claim ?? ((node_id: string) => deps.placement.claim(consumer, node_id, resources));
  for (const node_id of chosen) {
    if (!(await claim(node_id, resources))) continue;
    const { host, zone } = hosts.find((view) => view.node_id === node_id)!;
    return { node_id, host, zone };
  }
  const retryable = await someoneReturns(deps, hosts);
  const detail = whyNowhere(hosts, request, resources, await roomOf(deps, hosts));
  throw new Fault(500, 'compute.no-valid-host', 'No valid host was found. There are not enough hosts available.', { type: 'NoValidHost', retryable, detail });
}

/** Volumes that are there on one node only hold their server to it. */
async function hostsWithVolumes(deps: TaskDeps, { id }: ServerRow, hosts: KnownHost[]): Promise<KnownHost[]> {
  const nodes = (await devicesOf(deps.db.read as Kysely<ComputeTables>, id)).flatMap(({ node_id }) => (node_id === null ? [] : [node_id]));
  return hosts.filter(({ node_id }) => nodes.every((one) => one === node_id));
}

/** Of so many hosts it is looked up what they have left. */
const ROOMS = 20;

async function roomOf(deps: TaskDeps, hosts: readonly KnownHost[]): Promise<Map<string, Room>> {
  const rooms = new Map<string, Room>();
  for (const { node_id } of hosts.slice(0, ROOMS)) {
    const { used, inventory } = await deps.placement.usage(node_id);
    const [free, most]: [Resources, Resources] = [{}, {}];
    for (const [name, { total, reserved, allocation_ratio, max_unit }] of Object.entries(inventory)) {
      free[name] = Math.floor((total - reserved) * allocation_ratio) - (used[name] ?? 0);
      most[name] = max_unit;
    }
    if (Object.keys(inventory).length > 0) rooms.set(node_id, { free, most });
  }
  return rooms;
}

/** How long a node that is gone counts as one that only restarts its agent. */
const RETURNS_WITHIN_MS = 20_000;

/** Whether an enabled node left only a moment ago: worth trying again for. */
async function someoneReturns(deps: TaskDeps, hosts: readonly KnownHost[]): Promise<boolean> {
  const away = new Set(hosts.filter((host) => host.enabled && !host.usable).map((host) => host.node_id));
  if (away.size === 0) return false;
  const since = isoMicros(new Date(deps.clock.now().getTime() - RETURNS_WITHIN_MS));
  return (await deps.nodes.nodes()).some((node) => away.has(node.id) && node.last_seen_at > since);
}

const freeRoom = (candidate: Candidate): FreeRoom => ({
  node_id: candidate.provider_id,
  free_ram_mb: candidate.free['MEMORY_MB'] ?? 0,
  free_vcpus: candidate.free['VCPU'] ?? 0,
  free_disk_gb: candidate.free['DISK_GB'] ?? 0,
});

interface KnownHost extends HostView {
  /** Neither disabled nor forced down by an operator. */
  enabled: boolean;
}

/** Whether the scheduler would let a server stay where it is, were it of another flavor. */
export async function mayStay(deps: TaskDeps, wish: Wish): Promise<boolean> {
  const request = await scheduleRequest(deps, { ...wish, host: null }, wish.flavor ?? flavorOf(wish.row));
  const here = (await viewHosts(deps, request.demands)).find(({ node_id }) => node_id === wish.row.node_id);
  return here !== undefined && objection(here, request) === undefined;
}

async function viewHosts(deps: TaskDeps, demands: Demands): Promise<KnownHost[]> {
  const db = deps.db.read as Kysely<ComputeTables>;
  const [nodes, zones, counts, facts] = await Promise.all([listHosts(db), zonesOfHosts(deps), buildingOnNodes(db), hostFacts(deps, demands)]);
  return nodes.map((node) => ({
    node_id: node.id,
    host: node.host,
    zone: zones.get(node.host) ?? deps.config.default_availability_zone,
    enabled: node.disabled === 0 && node.forced_down === 0,
    usable: node.disabled === 0 && node.forced_down === 0 && deps.nodes.isConnected(node.id),
    building: counts.get(node.id) ?? 0,
    failures: deps.failures.of(node.id),
    facts: facts(node),
  }));
}

/** Read as far as the demands, or what operators have set, ask for it. */
async function hostFacts(deps: TaskDeps, demands: Demands): Promise<(node: { id: string; host: string }) => HostFacts> {
  const [aggregates, traits, nodes] = await Promise.all([allAggregates(deps), deps.placement.traits(), needsResources(demands) ? listNodes(deps.db.read as Kysely<ComputeTables>) : []]);
  const byHost = new Map<string, Record<string, string>[]>();
  for (const { row, hosts } of aggregates) {
    const metadata = metadataOfAggregate(row);
    for (const host of hosts) byHost.set(host, [...(byHost.get(host) ?? []), metadata]);
  }
  const resources = new Map(nodes.map((node) => [node.id, JSON.parse(node.resources_json) as HostResources]));
  return ({ id, host }) => ({ aggregates: byHost.get(host) ?? [], traits: traits.get(id) ?? [], resources: resources.get(id) ?? null });
}

const needsResources = (demands: Demands): boolean => asksMore(demands) || 'hw_architecture' in demands.image_properties || 'architecture' in demands.image_properties;

type Request = ScheduleRequest & { demands: Demands };

async function scheduleRequest(deps: TaskDeps, { row, boot, excluded, host }: Wish, flavor: FlavorSnapshot): Promise<Request> {
  const requested = JSON.parse(boot.requested_json) as Placement;
  const hints = JSON.parse(boot.hints_json) as Record<string, unknown>;
  return {
    server_id: row.id,
    zone: requested.zone,
    host: host === undefined ? requested.host : host,
    excluded,
    group: await groupOf(deps, row),
    same_host: await nodesOfHint(deps, hints['same_host']),
    different_host: await nodesOfHint(deps, hints['different_host']),
    demands: { project_id: row.project_id, extra_specs: flavor.extra_specs, image_properties: requested.image_properties ?? {}, near: nearOf(hints) },
  };
}

/** `cidr` is `/24` unless told otherwise, as in nova. */
function nearOf(hints: Record<string, unknown>): Demands['near'] {
  const ip = hints['build_near_host_ip'];
  const prefix = Number(String(hints['cidr'] ?? '/24').replace('/', ''));
  return typeof ip === 'string' && isIP(ip) !== 0 && Number.isInteger(prefix) ? { ip, prefix: Math.min(prefix, isIPv4(ip) ? 32 : 128) } : undefined;
}

async function groupOf(deps: TaskDeps, row: ServerRow): Promise<ScheduleRequest['group']> {
  const db = deps.db.read as Kysely<ComputeTables>;
  if (row.server_group_id === null) return undefined;
  const group = await findGroup(db, row.server_group_id);
  if (group === undefined) return undefined;
  const members = new Map<string, number>();
  for (const { id, node_id } of await membersOf(db, [group.id])) {
    if (id !== row.id && node_id !== null) members.set(node_id, (members.get(node_id) ?? 0) + 1);
  }
  const rules = JSON.parse(group.rules_json) as { max_server_per_host?: number };
  return { policy: group.policy, members, max_per_host: rules.max_server_per_host ?? 1 };
}

async function nodesOfHint(deps: TaskDeps, hint: unknown): Promise<string[] | undefined> {
  if (hint === undefined) return undefined;
  const ids = [hint].flat().filter((id): id is string => typeof id === 'string');
  const rows = await findServers(deps.db.read as Kysely<ComputeTables>, ids);
  return rows.flatMap(({ node_id, deleted }) => (node_id === null || deleted === 1 ? [] : [node_id]));
}
