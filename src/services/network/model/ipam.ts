/** Which addresses a port gets: planning is pure, taking them is one insert each that the database decides. */
import { randomBytes } from 'node:crypto';
import { addressAllocated, autoAddressSubnet, invalidInput, invalidIpForNetwork, invalidIpForSubnet, noAddressLeft } from '../faults.ts';
import { takeAddress, takenAddresses } from '../store/addresses.ts';
import type { SubnetRow, Tx } from '../store/tables.ts';
import { eui64, formatAddress, isHostAddress, parseAddress, parsePrefix, type Range } from './address.ts';
import type { Pool, RequestedIp } from './validate.ts';

export interface FixedIp {
  subnet_id: string;
  ip_address: string;
}

/** One address to be had: this very one, or any of the first subnet that has one left. */
export type Need = { subnet: SubnetRow; ip_address: string } | { any_of: SubnetRow[] };

/** Whether ports calculate their own address on it (EUI-64). */
export function isAutoAddress(subnet: Pick<SubnetRow, 'ipv6_address_mode' | 'ipv6_ra_mode'>): boolean {
  const auto = (mode: string | null): boolean => mode === 'slaac' || mode === 'dhcpv6-stateless';
  return auto(subnet.ipv6_address_mode) || auto(subnet.ipv6_ra_mode);
}

const isRouterPort = (device_owner: string): boolean => /^network:(router|ha_router)/.test(device_owner);

/**
 * What a port of this network needs. Unasked: one address per IP version, and those it calculates itself.
 * Faults: 400 for an address or subnet that does not belong to the network.
 */
export function planAddresses(subnets: readonly SubnetRow[], asked: readonly RequestedIp[] | undefined, port: { mac_address: string; device_owner: string }): Need[] {
  const needs = asked === undefined ? unasked(subnets) : asked.map((one) => planOne(subnets, one, port));
  if (isRouterPort(port.device_owner)) return needs;
  const named = new Set(needs.flatMap((need) => ('subnet' in need ? [need.subnet.id] : [])));
  const automatic = subnets.filter((subnet) => isAutoAddress(subnet) && !named.has(subnet.id));
  return [...needs, ...automatic.map((subnet) => ({ subnet, ip_address: eui64(parsePrefix(subnet.cidr)!, port.mac_address) }))];
}

function unasked(subnets: readonly SubnetRow[]): Need[] {
  const v4 = subnets.filter((subnet) => subnet.ip_version === 4);
  const v6 = subnets.filter((subnet) => subnet.ip_version === 6 && !isAutoAddress(subnet));
  return [v4, v6].filter((list) => list.length > 0).map((any_of) => ({ any_of }));
}

function planOne(subnets: readonly SubnetRow[], one: RequestedIp, port: { mac_address: string; device_owner: string }): Need {
  const subnet = subnetFor(subnets, one);
  const automatic = isAutoAddress(subnet) && !isRouterPort(port.device_owner);
  if (one.ip_address === undefined) {
    return automatic ? { subnet, ip_address: eui64(parsePrefix(subnet.cidr)!, port.mac_address) } : { any_of: [subnet] };
  }
  const own = automatic ? eui64(parsePrefix(subnet.cidr)!, port.mac_address) : one.ip_address;
  if (own !== one.ip_address) throw autoAddressSubnet(one.ip_address, subnet.id);
  return { subnet, ip_address: one.ip_address };
}

function subnetFor(subnets: readonly SubnetRow[], one: RequestedIp): SubnetRow {
  if (subnets.length === 0) throw invalidInput('IP allocation requires subnets for network');
  const address = one.ip_address === undefined ? undefined : parseAddress(one.ip_address)!;
  if (one.subnet_id !== undefined) {
    const subnet = subnets.find((each) => each.id === one.subnet_id);
    if (subnet === undefined) throw invalidInput(`Failed to create port on network ${subnets[0]!.network_id}, because fixed_ips included invalid subnet ${one.subnet_id}`);
    if (address !== undefined && !isHostAddress(parsePrefix(subnet.cidr)!, address)) throw invalidIpForSubnet(one.ip_address!);
    return subnet;
  }
  if (address === undefined) throw invalidInput('IP allocation requires subnet_id or ip_address');
  const subnet = subnets.find((each) => isHostAddress(parsePrefix(each.cidr)!, address));
  if (subnet === undefined) throw invalidIpForNetwork(one.ip_address!);
  return subnet;
}

/** Takes what was planned. Faults: 409 for an address in use, or when none is left. */
export async function takeAddresses(tx: Tx, port: { id: string; network_id: string }, needs: readonly Need[], from = 0): Promise<FixedIp[]> {
  const out: FixedIp[] = [];
  for (const need of needs) {
    const position = from + out.length;
    if ('any_of' in need) out.push(await takeAny(tx, port, need.any_of, position));
    else {
      const { subnet, ip_address } = need;
      const won = await takeAddress(tx, { subnet_id: subnet.id, ip_address, port_id: port.id, network_id: port.network_id, position });
      if (!won) throw addressAllocated(ip_address, subnet.id);
      out.push({ subnet_id: subnet.id, ip_address });
    }
  }
  return out;
}

async function takeAny(tx: Tx, port: { id: string; network_id: string }, subnets: readonly SubnetRow[], position: number): Promise<FixedIp> {
  for (const subnet of subnets) {
    const ip_address = await takeFree(tx, port, subnet, position);
    if (ip_address !== undefined) return { subnet_id: subnet.id, ip_address };
  }
  throw noAddressLeft(port.network_id);
}

const GUESSES = 6;
const SCANS = 5;

/** Guesses first, so that many at once hardly meet; in a crowded pool it looks for what is left. */
async function takeFree(tx: Tx, port: { id: string; network_id: string }, subnet: SubnetRow, position: number): Promise<string | undefined> {
  const ranges = poolRanges(subnet);
  const take = (value: bigint): Promise<string | undefined> => {
    const ip_address = formatAddress(value, subnet.ip_version);
    return takeAddress(tx, { subnet_id: subnet.id, ip_address, port_id: port.id, network_id: port.network_id, position }).then((won) => (won ? ip_address : undefined));
  };
  const total = ranges.reduce((sum, range) => sum + range.last - range.first + 1n, 0n);
  if (total === 0n) return undefined;
  for (let guess = 0; guess < GUESSES; guess++) {
    const taken = await take(nth(ranges, randomBelow(total)));
    if (taken !== undefined) return taken;
  }
  for (let scan = 0; scan < SCANS; scan++) {
    const free = firstFree(ranges, await takenAddresses(tx, subnet.id), subnet.ip_version, randomBelow(total));
    if (free === undefined) return undefined;
    const taken = await take(free);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

function poolRanges(subnet: SubnetRow): Range[] {
  return (JSON.parse(subnet.allocation_pools) as Pool[]).map((pool) => ({ first: parseAddress(pool.start)!.value, last: parseAddress(pool.end)!.value }));
}

function randomBelow(limit: bigint): bigint {
  return BigInt(`0x${randomBytes(20).toString('hex')}`) % limit;
}

function nth(ranges: readonly Range[], at: bigint): bigint {
  let rest = at;
  for (const range of ranges) {
    const size = range.last - range.first + 1n;
    if (rest < size) return range.first + rest;
    rest -= size;
  }
  throw new Error('an address beyond the pools was asked for');
}

/** The first address that is free, from the given place on and round. */
export function firstFree(ranges: readonly Range[], taken: ReadonlySet<string>, version: 4 | 6, from: bigint): bigint | undefined {
  const total = ranges.reduce((sum, range) => sum + range.last - range.first + 1n, 0n);
  // Among one more than are taken there must be a free one.
  const most = total < BigInt(taken.size + 1) ? total : BigInt(taken.size + 1);
  for (let step = 0n; step < most; step++) {
    const value = nth(ranges, (from + step) % total);
    if (!taken.has(formatAddress(value, version))) return value;
  }
  return undefined;
}

/** Addresses to add, and those to keep and to give back, so that a port has what was asked for. */
export interface AddressChange {
  add: Need[];
  keep: FixedIp[];
  drop: FixedIp[];
}

/** What an update of `fixed_ips` means for a port that has `before`: asked-for addresses stay, and so do self-calculated ones. */
export function planAddressChange(subnets: readonly SubnetRow[], before: readonly FixedIp[], asked: readonly RequestedIp[], port: { mac_address: string; device_owner: string }): AddressChange {
  const rest = [...before];
  const keep: FixedIp[] = [];
  const missing: RequestedIp[] = [];
  const claim = (matches: (ip: FixedIp) => boolean): boolean => {
    const at = rest.findIndex(matches);
    if (at >= 0) keep.push(...rest.splice(at, 1));
    return at >= 0;
  };
  for (const one of asked.filter((each) => each.ip_address !== undefined)) {
    if (!claim((ip) => ip.ip_address === one.ip_address && (one.subnet_id === undefined || one.subnet_id === ip.subnet_id))) missing.push(one);
  }
  for (const one of asked.filter((each) => each.ip_address === undefined)) {
    if (!claim((ip) => ip.subnet_id === one.subnet_id)) missing.push(one);
  }
  const automatic = new Set(subnets.filter(isAutoAddress).map((subnet) => subnet.id));
  const stays = (ip: FixedIp): boolean => automatic.has(ip.subnet_id) && !isRouterPort(port.device_owner);
  keep.push(...rest.filter(stays));
  const kept = new Set(keep.map((ip) => ip.subnet_id));
  const add = planAddresses(subnets, missing, port).filter((need) => !('subnet' in need) || !automatic.has(need.subnet.id) || !kept.has(need.subnet.id));
  return { add, keep, drop: rest.filter((ip) => !stays(ip)) };
}
