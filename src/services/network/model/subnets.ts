import { isForeignKeyViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { badResource, gatewayConflict, hostRoutesExhausted, invalidInput, invalidPool, mtuConflict, nameserversExhausted, networkNotFound, poolOutOfBounds, poolsOverlap, subnetInUse, subnetNotFound } from '../faults.ts';
import { addressesOfSubnets } from '../store/addresses.ts';
import { lockNetwork } from '../store/networks.ts';
import { nodesOfNetworks } from '../store/ports.ts';
import { deleteSubnetRows, findSubnet, insertSubnet, subnetsOfNetworks, updateSubnetRow } from '../store/subnets.ts';
import type { Ipv6Mode, NetworkRow, SubnetRow, Tx } from '../store/tables.ts';
import { removeTags } from '../store/tags.ts';
import { contains, defaultPools, formatAddress, hostRange, isLoopback, isMulticast, overlaps, parseAddress, parsePrefix, type Prefix, type Range } from './address.ts';
import { instant, nodesChanged, type NetworkDeps } from '../deps.ts';
import { isAutoAddress } from './ipam.ts';
import { bit } from './networks.ts';
import { addAutoAddresses, dropAutoAddresses } from './ports.ts';
import { takeQuota } from './quotas.ts';
import type { HostRoute, Pool } from './validate.ts';

export interface NewSubnet {
  project_id: string;
  network_id: string;
  name: string;
  description: string;
  ip_version: 4 | 6;
  cidr?: string | null | undefined;
  gateway_ip?: string | null | undefined;
  allocation_pools?: Pool[] | undefined;
  dns_nameservers?: string[] | undefined;
  host_routes?: HostRoute[] | undefined;
  enable_dhcp: boolean;
  ipv6_ra_mode?: Ipv6Mode | undefined;
  ipv6_address_mode?: Ipv6Mode | undefined;
}

export type SubnetChange = Partial<Pick<NewSubnet, 'name' | 'description' | 'gateway_ip' | 'allocation_pools' | 'dns_nameservers' | 'host_routes' | 'enable_dhcp'>>;

const MAX_NAMESERVERS = 5;
const MAX_HOST_ROUTES = 20;
const MIN_IPV6_MTU = 1280;

export async function createSubnet(env: NetworkDeps, tx: Tx, wanted: NewSubnet): Promise<SubnetRow> {
  if (wanted.cidr === undefined || wanted.cidr === null) throw badResource('subnets', 'a subnetpool must be specified in the absence of a cidr');
  const prefix = parsePrefix(wanted.cidr)!;
  checkSubnet({ ...wanted, cidr: wanted.cidr }, prefix);
  await takeQuota(env, tx, wanted.project_id, { subnet: 1 });
  const now = instant(env);
  const network = await lockNetwork(tx, wanted.network_id, now);
  if (network === undefined) throw networkNotFound(wanted.network_id);
  if (prefix.version === 6 && network.mtu < MIN_IPV6_MTU) throw mtuConflict(network.id, MIN_IPV6_MTU);
  await checkOverlap(tx, network, prefix, wanted.cidr);
  const gateway = wanted.gateway_ip === undefined ? firstHost(prefix) : wanted.gateway_ip;
  const row: SubnetRow = {
    id: uuid(),
    project_id: wanted.project_id,
    network_id: wanted.network_id,
    name: wanted.name,
    description: wanted.description,
    ip_version: wanted.ip_version,
    cidr: wanted.cidr,
    gateway_ip: gateway,
    enable_dhcp: bit(wanted.enable_dhcp),
    ipv6_ra_mode: wanted.ipv6_ra_mode ?? null,
    ipv6_address_mode: wanted.ipv6_address_mode ?? null,
    allocation_pools: JSON.stringify(choosePools(prefix, wanted.cidr, gateway, wanted.allocation_pools)),
    dns_nameservers: JSON.stringify(wanted.dns_nameservers ?? []),
    host_routes: JSON.stringify(wanted.host_routes ?? []),
    created_at: now,
    updated_at: now,
    revision_number: 0,
  };
  await insertSubnet(tx, row);
  if (isAutoAddress(row)) await addAutoAddresses(env, tx, row);
  await nodesChanged(env, tx, await nodesOfNetworks(tx, [row.network_id]));
  return row;
}

function firstHost(prefix: Prefix): string | null {
  return prefix.first === prefix.last ? null : formatAddress(prefix.first + 1n, prefix.version);
}

async function checkOverlap(tx: Tx, network: NetworkRow, prefix: Prefix, cidr: string): Promise<void> {
  if (prefix.length === 0) throw invalidInput('0 is not allowed as CIDR prefix length');
  for (const other of await subnetsOfNetworks(tx, [network.id])) {
    if (overlaps(prefix, parsePrefix(other.cidr)!)) {
      throw invalidInput(`Requested subnet with cidr: ${cidr} for network: ${network.id} overlaps with another subnet`);
    }
  }
}

type Checked = Pick<NewSubnet, 'ip_version' | 'gateway_ip' | 'dns_nameservers' | 'host_routes' | 'enable_dhcp' | 'ipv6_ra_mode' | 'ipv6_address_mode'> & { cidr: string };

function checkSubnet(subnet: Checked, prefix: Prefix): void {
  checkVersion(subnet.ip_version, subnet.cidr, 'cidr');
  if (prefix.version === 6 && prefix.first === 0n) throw invalidInput("IPv6 subnet '::' is not supported");
  if (subnet.enable_dhcp) checkDhcp(prefix);
  if (subnet.gateway_ip !== undefined && subnet.gateway_ip !== null) checkGateway(subnet.ip_version, prefix, subnet.gateway_ip);
  checkServers(subnet, 'new subnet');
  checkIpv6Modes(subnet, prefix);
}

function checkVersion(version: 4 | 6, address: string, name: string): void {
  if ((address.includes(':') ? 6 : 4) !== version) throw invalidInput(`${name} '${address}' does not match the ip_version '${version}'`);
}

function checkDhcp(prefix: Prefix): void {
  if (prefix.length > (prefix.version === 4 ? 30 : 126)) throw invalidInput('Subnet has a prefix length that is incompatible with DHCP service enabled');
  if (isMulticast(prefix)) throw invalidInput('Multicast IP subnet is not supported if enable_dhcp is True');
  if (isLoopback(prefix)) throw invalidInput('Loopback IP subnet is not supported if enable_dhcp is True');
  if (prefix.version === 4 && prefix.first === 0n) throw invalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.");
}

function checkGateway(version: 4 | 6, prefix: Prefix, gateway: string): void {
  checkVersion(version, gateway, 'gateway_ip');
  const address = parseAddress(gateway)!;
  const edge = address.value === prefix.first || address.value === prefix.last;
  if (version === 4 && contains(prefix, address) && edge) throw invalidInput('Gateway is not valid on subnet');
}

function checkServers(subnet: Pick<Checked, 'ip_version' | 'dns_nameservers' | 'host_routes'>, id: string): void {
  const { dns_nameservers = [], host_routes = [], ip_version } = subnet;
  if (dns_nameservers.length > MAX_NAMESERVERS) throw nameserversExhausted(id, MAX_NAMESERVERS);
  for (const server of dns_nameservers) checkVersion(ip_version, server, 'dns_nameserver');
  if (host_routes.length > MAX_HOST_ROUTES) throw hostRoutesExhausted(id, MAX_HOST_ROUTES);
  for (const route of host_routes) {
    checkVersion(ip_version, route.destination, 'destination');
    checkVersion(ip_version, route.nexthop, 'nexthop');
  }
}

function checkIpv6Modes(subnet: Checked, prefix: Prefix): void {
  const { ip_version, ipv6_ra_mode: ra, ipv6_address_mode: address, enable_dhcp, cidr } = subnet;
  if (ip_version === 4) {
    if (ra !== undefined) throw invalidInput('ipv6_ra_mode is not valid when ip_version is 4');
    if (address !== undefined) throw invalidInput('ipv6_address_mode is not valid when ip_version is 4');
    return;
  }
  if ((ra !== undefined || address !== undefined) && !enable_dhcp) throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False');
  if (ra !== undefined && address !== undefined && ra !== address) {
    throw invalidInput(`ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`);
  }
  if (isAutoAddress({ ipv6_ra_mode: ra ?? null, ipv6_address_mode: address ?? null }) && prefix.length !== 64) {
    throw invalidInput(`Invalid CIDR ${cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64`);
  }
}

function choosePools(prefix: Prefix, cidr: string, gateway: string | null, asked: Pool[] | undefined): Pool[] {
  if (asked !== undefined) return checkPools(prefix, cidr, gateway, asked);
  const ranges = defaultPools(prefix, gateway === null ? undefined : parseAddress(gateway)!.value);
  return ranges.map((range) => ({ start: formatAddress(range.first, prefix.version), end: formatAddress(range.last, prefix.version) }));
}

function checkPools(prefix: Prefix, cidr: string, gateway: string | null, pools: Pool[]): Pool[] {
  const whole = hostRange(prefix);
  const ranges = pools.map((pool): Range & { text: string } => {
    const [start, end] = [parseAddress(pool.start)!, parseAddress(pool.end)!];
    const text = `${pool.start}-${pool.end}`;
    if (start.version !== prefix.version || end.version !== prefix.version || end.value < start.value) throw invalidPool(text);
    if (start.value < whole.first || end.value > whole.last) throw poolOutOfBounds(text, cidr);
    return { first: start.value, last: end.value, text };
  });
  for (const [at, one] of ranges.entries()) {
    const other = ranges.slice(at + 1).find((two) => one.first <= two.last && two.first <= one.last);
    if (other !== undefined) throw poolsOverlap(one.text, other.text, cidr);
  }
  const address = gateway === null ? undefined : parseAddress(gateway)!;
  const holding = ranges.find((range) => address !== undefined && address.value >= range.first && address.value <= range.last);
  if (holding !== undefined) throw gatewayConflict(gateway!, holding.text);
  return pools;
}

/** Faults: 404; 400 and 409 as on create. */
export async function updateSubnet(env: NetworkDeps, tx: Tx, id: string, change: SubnetChange): Promise<SubnetRow> {
  const found = await findSubnet(tx, id);
  if (found === undefined) throw subnetNotFound(id);
  const now = instant(env);
  await lockNetwork(tx, found.network_id, now);
  const before = (await findSubnet(tx, id)) ?? found;
  const prefix = parsePrefix(before.cidr)!;
  checkServers({ ip_version: before.ip_version, dns_nameservers: change.dns_nameservers, host_routes: change.host_routes }, id);
  if (change.enable_dhcp === true && before.enable_dhcp === 0) checkDhcp(prefix);
  if (change.enable_dhcp === false && (before.ipv6_ra_mode !== null || before.ipv6_address_mode !== null)) throw invalidInput('Cannot disable enable_dhcp with ipv6 attributes set');
  if (change.gateway_ip !== undefined && change.gateway_ip !== null) checkGateway(before.ip_version, prefix, change.gateway_ip);
  const gateway = change.gateway_ip === undefined ? before.gateway_ip : change.gateway_ip;
  if (change.allocation_pools !== undefined || gateway !== before.gateway_ip) {
    checkPools(prefix, before.cidr, gateway, change.allocation_pools ?? (JSON.parse(before.allocation_pools) as Pool[]));
  }
  const next: Partial<SubnetRow> = {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(change.allocation_pools === undefined ? {} : { allocation_pools: JSON.stringify(change.allocation_pools) }),
    ...(change.dns_nameservers === undefined ? {} : { dns_nameservers: JSON.stringify(change.dns_nameservers) }),
    ...(change.host_routes === undefined ? {} : { host_routes: JSON.stringify(change.host_routes) }),
    ...(change.enable_dhcp === undefined ? {} : { enable_dhcp: bit(change.enable_dhcp) }),
    gateway_ip: gateway,
    revision_number: before.revision_number + 1,
    updated_at: now,
  };
  await updateSubnetRow(tx, id, next);
  await nodesChanged(env, tx, await nodesOfNetworks(tx, [before.network_id]));
  return { ...before, ...next };
}

/** Faults: 404; 409 SubnetInUse while ports have addresses of it that they did not calculate themselves. */
export async function deleteSubnet(env: NetworkDeps, tx: Tx, id: string): Promise<void> {
  const row = await findSubnet(tx, id);
  if (row === undefined) throw subnetNotFound(id);
  await lockNetwork(tx, row.network_id, instant(env));
  if (isAutoAddress(row)) await dropAutoAddresses(env, tx, row);
  const users = await addressesOfSubnets(tx, [id]);
  if (users.length > 0) throw subnetInUse(id);
  await removeTags(tx, [id]);
  try {
    await deleteSubnetRows(tx, [id]);
  } catch (error) {
    if (isForeignKeyViolation(error)) throw subnetInUse(id);
    throw error;
  }
  await nodesChanged(env, tx, await nodesOfNetworks(tx, [row.network_id]));
}
