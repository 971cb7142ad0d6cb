import { uuid } from '../../../kernel/ids.ts';
import { badResource, networkNotFound, overQuota, zoneNotFound } from '../faults.ts';
import { gatewayInUseByFloatingIp, invalidRoutes, routerInUse, routerNotFound } from '../l3-faults.ts';
import { floatingIpsOfRouters } from '../store/floating-ips.ts';
import { findNetwork } from '../store/networks.ts';
import { deleteRouterPort, deleteRouterRow, holdRouter, insertRouter, insertRouterPort, legsOf, lockRouter, updateRouterRow, type Leg } from '../store/routers.ts';
import { findSubnets, subnetsOfNetworks } from '../store/subnets.ts';
import type { NetworkRow, PortRow, RouterRow, SubnetRow, Tx } from '../store/tables.ts';
import { contains, overlaps, parseAddress, parsePrefix } from './address.ts';
import { instant, nodesChanged, type NetworkDeps } from '../deps.ts';
import type { FixedIp } from './ipam.ts';
import { bit, ZONE } from './networks.ts';
import { createPort, deletePort, updatePort } from './ports.ts';
import { takeQuota } from './quotas.ts';
import type { Host } from './router-hosts.ts';
import type { HostRoute, RequestedIp } from './validate.ts';

export interface GatewayInfo {
  network_id: string;
  /** Undefined: as by default, on. */
  enable_snat?: boolean;
  external_fixed_ips?: RequestedIp[];
}

export interface NewRouter extends Host {
  id: string;
  project_id: string;
  name: string;
  description: string;
  admin_state_up: boolean;
  external_gateway_info: GatewayInfo | null;
  availability_zone_hints: string[];
}

export type RouterChange = Partial<Pick<NewRouter, 'name' | 'description' | 'admin_state_up' | 'external_gateway_info'>> & { routes?: HostRoute[] };

const MAX_ROUTES = 30;
/** Ports that networking makes for itself are in nobody's groups and count for nobody's quota. */
export const OWN_PORT = { name: '', description: '', admin_state_up: true, extra_dhcp_opts: [], security_groups: [], port_security_enabled: false, vnic_type: 'normal', profile: {}, tags: [] };
export const OWN_CALLER = { any_group: true, unlimited: true };

export const fixedIpsOf = (port: Pick<PortRow, 'fixed_ips'>): FixedIp[] => JSON.parse(port.fixed_ips) as FixedIp[];

/** Faults: 404 NetworkNotFound; 400 BadRequest; 409 OverQuota. */
export async function createRouter(env: NetworkDeps, tx: Tx, wanted: NewRouter): Promise<RouterRow> {
  const elsewhere = wanted.availability_zone_hints.find((zone) => zone !== ZONE);
  if (elsewhere !== undefined) throw zoneNotFound(elsewhere);
  await takeQuota(env, tx, wanted.project_id, { router: 1 });
  const now = instant(env);
  const row: RouterRow = {
    id: wanted.id,
    project_id: wanted.project_id,
    name: wanted.name,
    description: wanted.description,
    admin_state_up: bit(wanted.admin_state_up),
    enable_snat: 1,
    gw_port_id: null,
    node_id: wanted.node_id,
    host_id: wanted.host_id,
    routes: '[]',
    availability_zone_hints: JSON.stringify(wanted.availability_zone_hints),
    created_at: now,
    updated_at: now,
    revision_number: 1,
  };
  await insertRouter(tx, row);
  if (wanted.external_gateway_info === null) return row;
  const gateway = await changeGateway(env, tx, row, wanted.external_gateway_info, []);
  await updateRouterRow(tx, row.id, gateway);
  return { ...row, ...gateway };
}

/** Faults: 404; 400 and 409 as neutron. */
export async function updateRouter(env: NetworkDeps, tx: Tx, id: string, change: RouterChange): Promise<RouterRow> {
  const before = await lockRouter(tx, id, instant(env));
  if (before === undefined) throw routerNotFound(id);
  const routes = change.routes ?? (JSON.parse(before.routes) as HostRoute[]);
  if (change.routes !== undefined) await checkNewRoutes(tx, before, routes);
  const next: Partial<RouterRow> = {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(change.admin_state_up === undefined ? {} : { admin_state_up: bit(change.admin_state_up) }),
    ...(change.routes === undefined ? {} : { routes: JSON.stringify(routes) }),
    ...(change.external_gateway_info === undefined ? {} : await changeGateway(env, tx, before, change.external_gateway_info, routes)),
  };
  if (Object.keys(next).length > 0) await updateRouterRow(tx, id, next);
  await nodesChanged(env, tx, [before.node_id]);
  return { ...before, ...next };
}

/** Adds routes or takes them away; what is there already, or is not, is no error. Faults: as `updateRouter`. */
export async function changeRoutes(env: NetworkDeps, tx: Tx, id: string, verb: 'add' | 'remove', routes: readonly HostRoute[]): Promise<void> {
  const router = await holdRouter(tx, id);
  if (router === undefined) throw routerNotFound(id);
  const same = (a: HostRoute, b: HostRoute): boolean => a.destination === b.destination && a.nexthop === b.nexthop;
  const rest = (JSON.parse(router.routes) as HostRoute[]).filter((old) => !routes.some((one) => same(old, one)));
  await updateRouter(env, tx, id, { routes: verb === 'add' ? [...rest, ...routes] : rest });
}

async function checkNewRoutes(tx: Tx, router: RouterRow, routes: readonly HostRoute[]): Promise<void> {
  const legs = await legsOf(tx, router.id);
  if (routes.length > 0) checkRoutes(routes, await subnetsOfLegs(tx, legs), legs.flatMap((leg) => fixedIpsOf(leg).map((ip) => ip.ip_address)));
  if (routes.length > MAX_ROUTES) throw overQuota(['router_route']);
}

function checkRoutes(routes: readonly HostRoute[], subnets: readonly SubnetRow[], own: readonly string[]): void {
  for (const { nexthop } of routes) {
    const address = parseAddress(nexthop)!;
    if (!subnets.some((subnet) => contains(parsePrefix(subnet.cidr)!, address))) throw invalidRoutes(routes, 'the nexthop is not connected with router');
    if (own.includes(nexthop)) throw invalidRoutes(routes, 'the nexthop is used by router');
  }
}

function subnetsOfLegs(tx: Tx, legs: readonly PortRow[]): Promise<SubnetRow[]> {
  return findSubnets(tx, legs.flatMap((leg) => fixedIpsOf(leg).map((ip) => ip.subnet_id)));
}

/** Makes, changes or takes away the gateway port. @returns what the router's row has then. */
async function changeGateway(env: NetworkDeps, tx: Tx, router: RouterRow, info: GatewayInfo | null, routes: readonly HostRoute[]): Promise<Pick<RouterRow, 'gw_port_id' | 'enable_snat'>> {
  const asked = info?.external_fixed_ips ?? [];
  const enable_snat = bit(info?.enable_snat ?? true);
  const network = info === null ? undefined : await externalNetwork(tx, info.network_id, asked);
  const legs = await legsOf(tx, router.id);
  const gateway = legs.find((leg) => leg.id === router.gw_port_id);
  const inner = legs.filter((leg) => leg !== gateway);
  const outside = network === undefined ? [] : await subnetsOfNetworks(tx, [network.id]);
  if (routes.length > 0) {
    checkRoutes(routes, [...(await subnetsOfLegs(tx, inner)), ...outside], inner.flatMap((leg) => fixedIpsOf(leg).map((ip) => ip.ip_address)));
  }
  if (gateway !== undefined && gateway.network_id === network?.id) {
    if (differs(fixedIpsOf(gateway), asked)) await updatePort(env, tx, gateway.id, { fixed_ips: asked }, OWN_CALLER);
    return { gw_port_id: gateway.id, enable_snat };
  }
  if (gateway !== undefined) await removeGateway(env, tx, router, gateway);
  if (network === undefined) return { gw_port_id: null, enable_snat };
  await checkDuplicates(tx, inner, outside);
  return { gw_port_id: await addGateway(env, tx, router, network, asked), enable_snat };
}

async function externalNetwork(tx: Tx, id: string, asked: readonly RequestedIp[]): Promise<NetworkRow> {
  const network = await findNetwork(tx, id);
  if (network === undefined) throw networkNotFound(id);
  if (network.external !== 1) throw badResource('router', `Network ${id} is not an external network`);
  const gateways = new Set((await subnetsOfNetworks(tx, [id])).map((subnet) => subnet.gateway_ip));
  const taken = asked.find((one) => one.ip_address !== undefined && gateways.has(one.ip_address));
  if (taken !== undefined) throw badResource('router', `External IP ${taken.ip_address} is the same as the gateway IP`);
  return network;
}

function differs(now: readonly FixedIp[], asked: readonly RequestedIp[]): boolean {
  if (asked.length === 0) return false;
  const same = (a: (string | undefined)[], b: (string | undefined)[]): boolean => new Set(a).size === new Set(b).size && a.every((one) => b.includes(one));
  const given = <K extends keyof RequestedIp>(key: K): (string | undefined)[] => asked.map((one) => one[key]).filter((value) => value !== undefined);
  return !same(given('subnet_id'), now.map((ip) => ip.subnet_id)) || !same(given('ip_address'), now.map((ip) => ip.ip_address));
}

async function addGateway(env: NetworkDeps, tx: Tx, router: RouterRow, network: NetworkRow, asked: RequestedIp[]): Promise<string> {
  const port = await createPort(env, tx, {
    ...OWN_PORT, project_id: '', network_id: network.id, fixed_ips: asked.length === 0 ? undefined : asked,
    device_id: router.id, device_owner: 'network:router_gateway', host_id: router.host_id, node_id: router.node_id,
  }, OWN_CALLER);
  await insertRouterPort(tx, { router_id: router.id, port_id: port.id, port_type: 'network:router_gateway' });
  return port.id;
}

async function removeGateway(env: NetworkDeps, tx: Tx, router: RouterRow, gateway: Leg): Promise<void> {
  if ((await floatingIpsOfRouters(tx, [router.id])).length > 0) throw gatewayInUseByFloatingIp(router.id, gateway.network_id);
  await deleteRouterPort(tx, gateway.id);
  await deletePort(env, tx, gateway.id, false);
}

/** A router has one port on a subnet, and no two subnets that overlap. Faults: 400 BadRequest. */
export async function checkDuplicates(tx: Tx, legs: readonly Leg[], coming: readonly SubnetRow[]): Promise<void> {
  const ids = new Set(coming.map((subnet) => subnet.id));
  const twice = legs.flatMap(fixedIpsOf).find((ip) => ids.has(ip.subnet_id));
  if (twice !== undefined) throw badResource('router', `Router already has a port on subnet ${twice.subnet_id}`);
  const gateways = legs.filter((leg) => leg.port_type === 'network:router_gateway').map((leg) => leg.network_id);
  const there = [...(await subnetsOfLegs(tx, legs)), ...(await subnetsOfNetworks(tx, gateways))];
  for (const old of there) {
    const fresh = coming.find((subnet) => overlaps(parsePrefix(old.cidr)!, parsePrefix(subnet.cidr)!));
    if (fresh !== undefined) throw badResource('router', `Cidr ${fresh.cidr} of subnet ${fresh.id} overlaps with cidr ${old.cidr} of subnet ${old.id}`);
  }
}

/** Its gateway goes with it. Faults: 404; 409 RouterInUse, RouterExternalGatewayInUseByFloatingIp. */
export async function deleteRouter(env: NetworkDeps, tx: Tx, id: string): Promise<void> {
  const router = await lockRouter(tx, id, instant(env));
  if (router === undefined) throw routerNotFound(id);
  const legs = await legsOf(tx, id);
  const attached = legs.filter((leg) => leg.port_type === 'network:router_interface').map((leg) => leg.id);
  if (attached.length > 0) throw routerInUse(id, attached);
  for (const leg of legs) await removeGateway(env, tx, router, leg);
  await deleteRouterRow(tx, id);
  await nodesChanged(env, tx, [router.node_id]);
}

export const newRouterId = uuid;
