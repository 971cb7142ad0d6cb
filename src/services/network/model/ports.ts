import { randomBytes } from 'node:crypto';
import { isForeignKeyViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { addressPairNeedsSecurity, macInUse, networkNotFound, noMacAvailable, portBound, portHasSecurityGroup, portInUse, portNotFound, portSecurityRequired, securityGroupConflict, securityGroupNotFound } from '../faults.ts';
import { addressesOfSubnets, dropAddresses } from '../store/addresses.ts';
import { findNetwork } from '../store/networks.ts';
import { addPortGroups, deletePortRows, findPort, insertPort, lockPort, macTaken, nodesOfNetworks, nodesWatchingGroups, portsOfNetwork, setPortGroups, updatePortRow } from '../store/ports.ts';
import { findSecurityGroups } from '../store/security-groups.ts';
import { subnetsOfNetworks } from '../store/subnets.ts';
import type { PortRow, SubnetRow, Tx } from '../store/tables.ts';
import { addTags } from '../store/tags.ts';
import { eui64, parsePrefix } from './address.ts';
import { instant, nodesChanged, serversChanged, type NetworkDeps } from '../deps.ts';
import { disassociatePort } from './floating-ip-links.ts';
import { planAddressChange, planAddresses, takeAddresses, type FixedIp } from './ipam.ts';
import { bit } from './networks.ts';
import { takeQuota } from './quotas.ts';
import { ensureDefaultGroup } from './security-groups.ts';
import type { AddressPair, DhcpOption, RequestedIp } from './validate.ts';
import { renderPort, vifType } from './views.ts';

export interface NewPort {
  /** Chosen by the caller who may ask twice. */
  id?: string;
  project_id: string;
  network_id: string;
  name: string;
  description: string;
  admin_state_up: boolean;
  mac_address?: string | undefined;
  fixed_ips?: RequestedIp[] | undefined;
  device_id: string;
  device_owner: string;
  allowed_address_pairs?: AddressPair[] | undefined;
  extra_dhcp_opts: DhcpOption[];
  port_security_enabled?: boolean | undefined;
  security_groups?: string[] | undefined;
  host_id: string;
  node_id: string | null;
  vnic_type: string;
  profile: Record<string, unknown>;
  tags: string[];
  /** Set by compute for the NICs of a server. */
  nic?: { made_for_server: boolean; index: number; tag: string | null };
}

/** A user puts ports into groups of their project, and leaves those in use where they are; an administrator may do otherwise. */
export interface PortCaller {
  any_group: boolean;
  /** Networking's own ports count for no quota. */
  unlimited?: boolean;
}

const MAC_TRIES = 10;

/** Faults: 404 network or group; 400 and 409 as neutron; 409 OverQuota, IpAddressGenerationFailure, MacAddressInUse. */
export async function createPort(env: NetworkDeps, tx: Tx, wanted: NewPort, caller: PortCaller): Promise<PortRow> {
  const network = await findNetwork(tx, wanted.network_id);
  if (network === undefined) throw networkNotFound(wanted.network_id);
  if (caller.unlimited !== true) await takeQuota(env, tx, wanted.project_id, { port: 1 });
  const security = wanted.port_security_enabled ?? network.port_security_enabled === 1;
  const groups = await chooseGroups(env, tx, wanted, security, caller);
  if (!security && (wanted.allowed_address_pairs?.length ?? 0) > 0) throw addressPairNeedsSecurity();
  const row = await insertWithMac(env, tx, draft(env, wanted, security, groups), wanted.mac_address);
  const subnets = await subnetsOfNetworks(tx, [network.id]);
  const fixed_ips = await takeAddresses(tx, row, planAddresses(subnets, wanted.fixed_ips, row));
  await addPortGroups(tx, row.id, groups);
  await addTags(tx, row.id, wanted.tags);
  const pairs = (wanted.allowed_address_pairs ?? []).map((pair) => ({ mac_address: pair.mac_address ?? row.mac_address, ip_address: pair.ip_address }));
  const whole = { ...row, fixed_ips: JSON.stringify(fixed_ips), allowed_address_pairs: JSON.stringify(pairs) };
  const written = await savePort(tx, whole);
  await portChanged(env, tx, written, groups);
  return written;
}

function draft(env: NetworkDeps, wanted: NewPort, security: boolean, groups: readonly string[]): PortRow {
  const now = instant(env);
  return {
    id: wanted.id ?? uuid(),
    project_id: wanted.project_id,
    network_id: wanted.network_id,
    name: wanted.name,
    description: wanted.description,
    mac_address: '',
    admin_state_up: bit(wanted.admin_state_up),
    status: 'DOWN',
    device_id: wanted.device_id,
    device_owner: wanted.device_owner,
    host_id: wanted.host_id,
    node_id: wanted.node_id,
    vnic_type: wanted.vnic_type,
    profile: JSON.stringify(wanted.profile),
    port_security_enabled: bit(security),
    fixed_ips: '[]',
    security_groups: JSON.stringify(groups),
    allowed_address_pairs: '[]',
    extra_dhcp_opts: JSON.stringify(wanted.extra_dhcp_opts),
    tags: JSON.stringify([...new Set(wanted.tags)].sort()),
    made_for_server: bit(wanted.nic?.made_for_server === true),
    nic_index: wanted.nic?.index ?? 0,
    nic_tag: wanted.nic?.tag ?? null,
    plugged: 0,
    created_at: now,
    updated_at: now,
    revision_number: 1,
    shown: '',
    shown_binding: '',
  };
}

async function insertWithMac(env: NetworkDeps, tx: Tx, row: PortRow, asked: string | undefined): Promise<PortRow> {
  try {
    for (let tried = 0; tried < MAC_TRIES; tried++) {
      const whole = { ...row, mac_address: asked ?? randomMac(env) };
      if (await insertPort(tx, whole)) return whole;
      if (asked !== undefined) throw macInUse(row.network_id, asked);
    }
  } catch (error) {
    // The network went in between.
    if (isForeignKeyViolation(error)) throw networkNotFound(row.network_id);
    throw error;
  }
  throw noMacAvailable(row.network_id);
}

function randomMac(env: NetworkDeps): string {
  return [env.config.base_mac, ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** Writes the row with its ready-made JSON. */
async function savePort(tx: Tx, row: PortRow): Promise<PortRow> {
  const whole = { ...row, ...renderPort(row) };
  const { id, ...columns } = whole;
  await updatePortRow(tx, id, columns);
  return whole;
}

async function chooseGroups(env: NetworkDeps, tx: Tx, wanted: NewPort, security: boolean, caller: PortCaller): Promise<string[]> {
  if (wanted.security_groups === undefined) {
    const none = !security || wanted.device_owner.startsWith('network:') || wanted.project_id === '';
    return none ? [] : [await ensureDefaultGroup(env, tx, wanted.project_id)];
  }
  if (!security && wanted.security_groups.length > 0) throw portSecurityRequired();
  return checkGroups(tx, wanted.project_id, wanted.security_groups, caller);
}

async function checkGroups(tx: Tx, project_id: string, ids: readonly string[], caller: PortCaller): Promise<string[]> {
  const unique = [...new Set(ids)];
  const found = await findSecurityGroups(tx, unique);
  const allowed = found.filter((group) => caller.any_group || group.project_id === project_id);
  const missing = unique.find((id) => !allowed.some((group) => group.id === id));
  if (missing !== undefined) throw securityGroupNotFound(missing);
  if (new Set(allowed.map((group) => group.stateful)).size > 1) {
    throw securityGroupConflict('Cannot apply both stateful and stateless security groups on the same port at the same time');
  }
  return unique;
}

async function portChanged(env: NetworkDeps, tx: Tx, row: PortRow, groups: readonly string[], before?: PortRow): Promise<void> {
  const bound = row.node_id !== null || (before?.node_id ?? null) !== null;
  const peers = bound ? await nodesOfNetworks(tx, [row.network_id]) : [];
  const watching = await nodesWatchingGroups(tx, groups);
  await nodesChanged(env, tx, [row.node_id, before?.node_id, ...peers, ...watching]);
}

export interface PortChange extends Partial<Omit<NewPort, 'project_id' | 'network_id' | 'mac_address' | 'tags' | 'nic'>> {
  /** Null: another one of ours. */
  mac_address?: string | null | undefined;
}

/** Faults: 404; 400 and 409 as neutron. */
export async function updatePort(env: NetworkDeps, tx: Tx, id: string, change: PortChange, caller: PortCaller): Promise<PortRow> {
  const before = await lockPort(tx, id);
  if (before === undefined) throw portNotFound(id);
  if (!caller.any_group) refuseMove(before, change);
  const row: PortRow = { ...before, ...plainChanges(change), revision_number: before.revision_number + 1, updated_at: instant(env) };
  if (change.mac_address !== undefined) row.mac_address = await changeMac(env, tx, before, change.mac_address);
  if (change.allowed_address_pairs !== undefined) {
    row.allowed_address_pairs = JSON.stringify(change.allowed_address_pairs.map((pair) => ({ mac_address: pair.mac_address ?? row.mac_address, ip_address: pair.ip_address })));
  }
  checkSecurity(row, change);
  const groupsBefore = JSON.parse(before.security_groups) as string[];
  const groups = await changeGroups(tx, row, change, groupsBefore, caller);
  row.security_groups = JSON.stringify(groups);
  await changeAddresses(tx, row, before, change.fixed_ips);
  if (row.host_id === '') Object.assign(row, { node_id: null, status: 'DOWN', plugged: 0 });
  const written = await savePort(tx, row);
  await portChanged(env, tx, written, [...groups, ...groupsBefore], before);
  serversChanged(env, tx, [before.device_id, written.device_id]);
  return written;
}

/** A cable follows its port's device: whoever owns the port must not put it into another server. Faults: 409 PortInUse. */
function refuseMove(row: PortRow, change: { device_id?: unknown; device_owner?: unknown }): void {
  const claimed = row.host_id !== '' || row.made_for_server === 1;
  const moved = (change.device_id ?? row.device_id) !== row.device_id || (change.device_owner ?? row.device_owner) !== row.device_owner;
  if (claimed && moved) throw portInUse(row.id, row.network_id, row.device_id);
}

function plainChanges(change: PortChange): Partial<PortRow> {
  return {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(change.admin_state_up === undefined ? {} : { admin_state_up: bit(change.admin_state_up) }),
    ...(change.device_id === undefined ? {} : { device_id: change.device_id }),
    ...(change.device_owner === undefined ? {} : { device_owner: change.device_owner }),
    ...(change.extra_dhcp_opts === undefined ? {} : { extra_dhcp_opts: JSON.stringify(change.extra_dhcp_opts) }),
    ...(change.port_security_enabled === undefined ? {} : { port_security_enabled: bit(change.port_security_enabled) }),
    ...(change.host_id === undefined ? {} : { host_id: change.host_id, node_id: change.node_id ?? null }),
    ...(change.vnic_type === undefined ? {} : { vnic_type: change.vnic_type }),
    ...(change.profile === undefined ? {} : { profile: JSON.stringify(change.profile) }),
  };
}

async function changeMac(env: NetworkDeps, tx: Tx, before: PortRow, asked: string | null): Promise<string> {
  if (asked === before.mac_address) return asked;
  if (before.host_id !== '') throw portBound(before.id, vifType(before), before.mac_address, asked ?? 'None');
  for (let tried = 0; tried < MAC_TRIES; tried++) {
    const mac = asked ?? randomMac(env);
    if (!(await macTaken(tx, before.network_id, mac))) return mac;
    if (asked !== null) throw macInUse(before.network_id, asked);
  }
  throw noMacAvailable(before.network_id);
}

function checkSecurity(row: PortRow, change: PortChange): void {
  if (row.port_security_enabled === 1) return;
  if (row.allowed_address_pairs !== '[]') throw addressPairNeedsSecurity();
  if ((change.security_groups?.length ?? 0) > 0) throw portSecurityRequired();
  if (change.security_groups === undefined && row.security_groups !== '[]') throw portHasSecurityGroup();
}

async function changeGroups(tx: Tx, row: PortRow, change: PortChange, before: string[], caller: PortCaller): Promise<string[]> {
  if (change.security_groups === undefined) return before;
  const groups = await checkGroups(tx, row.project_id, change.security_groups, caller);
  await setPortGroups(tx, row.id, groups);
  return groups;
}

async function changeAddresses(tx: Tx, row: PortRow, before: PortRow, asked: RequestedIp[] | undefined): Promise<void> {
  const had = JSON.parse(before.fixed_ips) as FixedIp[];
  const moved = row.mac_address !== before.mac_address;
  if (asked === undefined && !moved) return;
  const subnets = await subnetsOfNetworks(tx, [row.network_id]);
  const automatic = moved ? had.filter((ip) => isOwnCalculation(subnets, ip, before.mac_address)) : [];
  await dropAddresses(tx, row.id, automatic);
  const rest = had.filter((ip) => !automatic.includes(ip));
  const plan = planAddressChange(subnets, rest, asked ?? rest, row);
  await dropAddresses(tx, row.id, plan.drop);
  const added = await takeAddresses(tx, row, plan.add, plan.keep.length);
  row.fixed_ips = JSON.stringify([...plan.keep, ...added]);
}

function isOwnCalculation(subnets: readonly SubnetRow[], ip: FixedIp, mac: string): boolean {
  const subnet = subnets.find((each) => each.id === ip.subnet_id && each.ip_version === 6);
  return subnet !== undefined && parsePrefix(subnet.cidr)!.length === 64 && eui64(parsePrefix(subnet.cidr)!, mac) === ip.ip_address;
}

/** Nothing happens for ports that are gone already, unless `strict`. Faults with it: 404. */
export async function deletePort(env: NetworkDeps, tx: Tx, id: string, strict = true): Promise<void> {
  const row = await lockPort(tx, id);
  if (row === undefined) {
    if (strict) throw portNotFound(id);
    return;
  }
  const groups = JSON.parse(row.security_groups) as string[];
  const watching = await nodesWatchingGroups(tx, groups);
  const peers = row.node_id === null ? [] : await nodesOfNetworks(tx, [row.network_id]);
  await disassociatePort(env, tx, id);
  await deletePortRows(tx, [id]);
  await nodesChanged(env, tx, [row.node_id, ...peers, ...watching]);
  serversChanged(env, tx, [row.device_id]);
}

/** Changes what is known of a port without being asked by a user: binding, status, tags. */
export async function patchPort(env: NetworkDeps, tx: Tx, id: string, patch: (row: PortRow) => Partial<PortRow> | undefined, quiet = false): Promise<PortRow | undefined> {
  const before = await lockPort(tx, id);
  const change = before === undefined ? undefined : patch(before);
  if (before === undefined || change === undefined) return before;
  const written = await savePort(tx, { ...before, ...change, revision_number: before.revision_number + 1, updated_at: instant(env) });
  if (!quiet) await portChanged(env, tx, written, JSON.parse(written.security_groups) as string[], before);
  return written;
}

/** A new self-addressing subnet: the ports of its network have an address on it from now on. */
export async function addAutoAddresses(env: NetworkDeps, tx: Tx, subnet: SubnetRow): Promise<void> {
  for (const { id, device_owner } of await portsOfNetwork(tx, subnet.network_id)) {
    if (/^network:(router|ha_router)/.test(device_owner)) continue;
    const port = (await findPort(tx, id))!;
    const ip_address = eui64(parsePrefix(subnet.cidr)!, port.mac_address);
    const taken = await takeAddresses(tx, port, [{ subnet, ip_address }], (JSON.parse(port.fixed_ips) as FixedIp[]).length);
    await patchPort(env, tx, id, (row) => ({ fixed_ips: JSON.stringify([...(JSON.parse(row.fixed_ips) as FixedIp[]), ...taken]) }));
    serversChanged(env, tx, [port.device_id]);
  }
}

/** Before a self-addressing subnet goes: ports lose the address they calculated. */
export async function dropAutoAddresses(env: NetworkDeps, tx: Tx, subnet: SubnetRow): Promise<void> {
  const users = (await addressesOfSubnets(tx, [subnet.id])).filter((user) => !/^network:(router|ha_router)/.test(user.device_owner));
  for (const { port_id } of users) {
    const port = await findPort(tx, port_id);
    if (port === undefined) continue;
    const had = JSON.parse(port.fixed_ips) as FixedIp[];
    await dropAddresses(tx, port_id, had.filter((ip) => ip.subnet_id === subnet.id));
    await patchPort(env, tx, port_id, () => ({ fixed_ips: JSON.stringify(had.filter((ip) => ip.subnet_id !== subnet.id)) }));
    serversChanged(env, tx, [port.device_id]);
  }
}
