import { badResource, portNotFound, subnetNotFound } from '../faults.ts';
import { portInUse, routerInterfaceInUseByFloatingIp, routerInterfaceInUseByRoute, routerInterfaceNotFound, routerInterfaceNotFoundForSubnet, routerNotFound, subnetMismatch } from '../l3-faults.ts';
import { floatingIpsOfRouters } from '../store/floating-ips.ts';
import { findPorts, lockPort } from '../store/ports.ts';
import { deleteRouterPort, insertRouterPort, legsOf, lockRouter, type Leg } from '../store/routers.ts';
import { findSubnet, findSubnets } from '../store/subnets.ts';
import type { PortRow, RouterRow, SubnetRow, Tx } from '../store/tables.ts';
import { contains, parseAddress, parsePrefix } from './address.ts';
import { instant, type NetworkDeps } from '../deps.ts';
import { createPort, deletePort, updatePort } from './ports.ts';
import { checkDuplicates, fixedIpsOf, OWN_CALLER, OWN_PORT } from './routers.ts';
import type { HostRoute, Pool } from './validate.ts';

/** Who attaches, where that matters. */
export interface Attacher {
  project_id: string | undefined;
  admin: boolean;
}

/** What add_router_interface and remove_router_interface tell. */
export interface RouterInterface {
  router_id: string;
  project_id: string;
  port_id: string;
  network_id: string;
  subnet_ids: string[];
}

const INTERFACE = 'network:router_interface';
const bad = (message: string): Error => badResource('router', message);
const hasIpv6 = (port: Pick<PortRow, 'fixed_ips'>): boolean => fixedIpsOf(port).some((ip) => ip.ip_address.includes(':'));

async function lock(env: NetworkDeps, tx: Tx, id: string): Promise<RouterRow> {
  const router = await lockRouter(tx, id, instant(env));
  if (router === undefined) throw routerNotFound(id);
  return router;
}

const shape = (router: RouterRow, port: PortRow, subnet_ids: string[]): RouterInterface => ({
  router_id: router.id, project_id: port.project_id, port_id: port.id, network_id: port.network_id, subnet_ids,
});

/** A port of the router with the subnet's gateway address. Faults: 404; 400 BadRequest; 409 IpAddressAlreadyAllocated. */
export async function addInterfaceBySubnet(env: NetworkDeps, tx: Tx, router_id: string, subnet_id: string, who: Attacher): Promise<RouterInterface> {
  const router = await lock(env, tx, router_id);
  const subnet = await findSubnet(tx, subnet_id);
  if (subnet === undefined) throw subnetNotFound(subnet_id);
  if (subnet.gateway_ip === null) throw bad('Subnet for router interface must have a gateway IP');
  if (subnet.project_id !== who.project_id && !who.admin) throw bad(`Cannot add interface to router because subnet ${subnet_id} is not owned by project making the request`);
  checkAddressMode(subnet);
  const legs = await legsOf(tx, router_id);
  await checkDuplicates(tx, legs, [subnet]);
  const fixed = { subnet_id, ip_address: subnet.gateway_ip };
  const shared = subnet.ip_version === 6 ? legs.find((leg) => leg.port_type === INTERFACE && leg.network_id === subnet.network_id && hasIpv6(leg)) : undefined;
  if (shared !== undefined) {
    return shape(router, await updatePort(env, tx, shared.id, { fixed_ips: [...fixedIpsOf(shared), fixed] }, OWN_CALLER), [subnet_id]);
  }
  const port = await createPort(env, tx, {
    ...OWN_PORT, project_id: router.project_id, network_id: subnet.network_id, fixed_ips: [fixed],
    device_id: router_id, device_owner: INTERFACE, host_id: router.host_id, node_id: router.node_id,
  }, OWN_CALLER);
  await insertRouterPort(tx, { router_id, port_id: port.id, port_type: INTERFACE });
  return shape(router, port, [subnet_id]);
}

/** A port that is there becomes one of the router's. Faults: 404; 400 BadRequest; 409 PortInUse. */
export async function addInterfaceByPort(env: NetworkDeps, tx: Tx, router_id: string, port_id: string, who: Attacher): Promise<RouterInterface> {
  const router = await lock(env, tx, router_id);
  const port = await lockPort(tx, port_id);
  if (port === undefined) throw portNotFound(port_id);
  if (port.device_id !== '') throw portInUse(port_id, port.network_id, port.device_id);
  if (port.fixed_ips === '[]') throw bad('Router port must have at least one fixed IP');
  const subnets = await findSubnets(tx, fixedIpsOf(port).map((ip) => ip.subnet_id));
  for (const subnet of subnets) checkAddressMode(subnet);
  const legs = await legsOf(tx, router_id);
  checkOneIpv6(legs, port);
  await checkDuplicates(tx, legs, subnets);
  if (subnets.filter((subnet) => subnet.ip_version === 4).length > 1) throw bad('Cannot have multiple IPv4 subnets on router port');
  if (!who.admin) checkInPools(port, subnets, who);
  const written = await updatePort(env, tx, port_id, { device_id: router_id, device_owner: INTERFACE, host_id: router.host_id, node_id: router.node_id }, OWN_CALLER);
  await insertRouterPort(tx, { router_id, port_id, port_type: INTERFACE });
  return shape(router, written, subnets.map((subnet) => subnet.id));
}

function checkAddressMode(subnet: SubnetRow): void {
  if (subnet.ip_version === 6 && subnet.ipv6_ra_mode === null && subnet.ipv6_address_mode !== null) {
    throw bad(`IPv6 subnet ${subnet.id} configured to receive RAs from an external router cannot be added to Neutron Router`);
  }
}

function checkOneIpv6(legs: readonly Leg[], port: PortRow): void {
  const other = hasIpv6(port) ? legs.find((leg) => leg.network_id === port.network_id && hasIpv6(leg)) : undefined;
  if (other !== undefined) throw bad(`Router already contains IPv6 port ${other.id} belonging to network id ${other.network_id}. Only one IPv6 port from the same network subnet can be connected to a router`);
}

/** On a subnet of others only an address that they give away. */
function checkInPools(port: PortRow, subnets: readonly SubnetRow[], who: Attacher): void {
  for (const ip of fixedIpsOf(port)) {
    const subnet = subnets.find((one) => one.id === ip.subnet_id);
    if (subnet === undefined || subnet.project_id === who.project_id) continue;
    const { value } = parseAddress(ip.ip_address)!;
    const pooled = (JSON.parse(subnet.allocation_pools) as Pool[]).some((pool) => value >= parseAddress(pool.start)!.value && value <= parseAddress(pool.end)!.value);
    if (!pooled) throw bad(`Cannot add interface to router because specified port ${port.id} has an IP address out of the allocation pool of subnet ${subnet.id}, which is not owned by the project making the request`);
  }
}

/** Faults: 404 RouterInterfaceNotFound; 400 SubnetMismatchForPort; 409 while floating IPs or routes need it. */
export async function removeInterfaceByPort(env: NetworkDeps, tx: Tx, router_id: string, port_id: string, subnet_id: string | undefined): Promise<RouterInterface> {
  const router = await lock(env, tx, router_id);
  const leg = (await legsOf(tx, router_id)).find((one) => one.id === port_id && one.port_type === INTERFACE);
  if (leg === undefined) throw routerInterfaceNotFound(router_id, port_id);
  const ids = fixedIpsOf(leg).map((ip) => ip.subnet_id);
  if (subnet_id !== undefined && !ids.includes(subnet_id)) throw subnetMismatch(port_id, subnet_id);
  const subnets = await findSubnets(tx, ids);
  for (const subnet of subnets) await checkUnused(tx, router, subnet);
  await drop(env, tx, leg);
  return shape(router, leg, ids);
}

/** Faults: 404 SubnetNotFound, RouterInterfaceNotFoundForSubnet; 409 while floating IPs or routes need it. */
export async function removeInterfaceBySubnet(env: NetworkDeps, tx: Tx, router_id: string, subnet_id: string): Promise<RouterInterface> {
  const router = await lock(env, tx, router_id);
  const subnet = await findSubnet(tx, subnet_id);
  if (subnet === undefined) throw subnetNotFound(subnet_id);
  const leg = (await legsOf(tx, router_id)).find((one) => one.port_type === INTERFACE && fixedIpsOf(one).some((ip) => ip.subnet_id === subnet_id));
  if (leg === undefined) throw routerInterfaceNotFoundForSubnet(router_id, subnet_id);
  await checkUnused(tx, router, subnet);
  const rest = fixedIpsOf(leg).filter((ip) => ip.subnet_id !== subnet_id);
  if (rest.length > 0) await updatePort(env, tx, leg.id, { fixed_ips: rest }, OWN_CALLER);
  else await drop(env, tx, leg);
  return shape(router, leg, [subnet_id]);
}

async function drop(env: NetworkDeps, tx: Tx, leg: Leg): Promise<void> {
  await deleteRouterPort(tx, leg.id);
  await deletePort(env, tx, leg.id, false);
}

async function checkUnused(tx: Tx, router: RouterRow, subnet: SubnetRow): Promise<void> {
  const prefix = parsePrefix(subnet.cidr)!;
  if ((JSON.parse(router.routes) as HostRoute[]).some((route) => contains(prefix, parseAddress(route.nexthop)!))) throw routerInterfaceInUseByRoute(router.id, subnet.id);
  const linked = (await floatingIpsOfRouters(tx, [router.id])).filter((fip) => fip.fixed_ip_address !== null && contains(prefix, parseAddress(fip.fixed_ip_address)!));
  const ports = await findPorts(tx, linked.flatMap((fip) => fip.fixed_port_id ?? []));
  if (ports.some((port) => fixedIpsOf(port).some((ip) => ip.subnet_id === subnet.id))) throw routerInterfaceInUseByFloatingIp(router.id, subnet.id);
}
