/** The NICs of servers: what compute asks of networking, in nova's words where a user sees them (nova/network/neutron.py, nova/exception.py). */
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, conflict, type Fault, forbidden } from '../../../kernel/fault.ts';
import type { NetworkClient, PlannedNic, RequestedNic, ServerNic } from '../client.ts';
import { externalAttachForbidden, networkNotFound, portNotFound } from '../faults.ts';
import { canonicalAddress, isHostAddress, parseAddress, parsePrefix } from '../model/address.ts';
import type { NetworkDeps } from '../deps.ts';
import { CABLE } from '../model/views.ts';
import { createPort, deletePort, patchPort } from '../model/ports.ts';
import { effectiveQuotas } from '../model/quotas.ts';
import { ensureDefaultGroup } from '../model/security-groups.ts';
import { addressHolder } from '../store/addresses.ts';
import { floatingIpsOfPorts } from '../store/floating-ips.ts';
import { findNetwork, findNetworks, ownOrSharedNetworks } from '../store/networks.ts';
import { findPorts, lockPort, portsOfDevices } from '../store/ports.ts';
import { countUsage } from '../store/quotas.ts';
import { findGroupsNamed, findSecurityGroups } from '../store/security-groups.ts';
import { findSubnets, subnetsOfNetworks } from '../store/subnets.ts';
import type { NetworkRow, PortRow, SubnetRow, Tx } from '../store/tables.ts';
import type { FixedIp } from '../model/ipam.ts';

const isAdmin = (auth: Auth): boolean => auth.roles.includes('admin');

const bad = (code: string, message: string): Fault => badRequest(`network.${code}`, message);
const portInUse = (id: string): Fault => conflict('network.port-in-use', `Port ${id} is still in use.`);

/** See `NetworkClient.planNics`. */
export async function planNics(env: NetworkDeps, auth: Auth, requested: RequestedNic[] | 'auto' | 'none', count: number): Promise<PlannedNic[]> {
  if (requested === 'none') return [];
  const project = auth.project_id ?? '';
  const nics = requested === 'auto' || requested.length === 0 ? await onlyNetwork(env, auth, project, requested === 'auto') : await checkRequested(env, auth, project, requested);
  await checkQuota(env, project, nics.filter((nic) => nic.port_id === undefined).length * count);
  return nics;
}

async function onlyNetwork(env: NetworkDeps, auth: Auth, project: string, needed: boolean): Promise<PlannedNic[]> {
  const [network, second] = await ownOrSharedNetworks(env.db.read, project, 2);
  if (second !== undefined) throw conflict('network.ambiguous', 'Multiple possible networks found, use a Network ID to be more specific.');
  if (network === undefined) {
    if (needed) throw bad('no-network', `Unable to automatically allocate a network for project ${project}`);
    return [];
  }
  if (needed && (await subnetsOfNetworks(env.db.read, [network.id])).length === 0) throw bad('network-requires-subnet', `Network ${network.id} requires a subnet in order to boot instances on.`);
  checkExternal(auth, [network]);
  return [{ network_id: network.id, port_id: undefined, fixed_ip: undefined, tag: undefined }];
}

function checkExternal(auth: Auth, networks: readonly NetworkRow[]): void {
  const barred = isAdmin(auth) ? undefined : networks.find((network) => network.external === 1 && network.shared === 0);
  if (barred !== undefined) throw externalAttachForbidden(barred.id);
}

async function checkRequested(env: NetworkDeps, auth: Auth, project: string, requested: readonly RequestedNic[]): Promise<PlannedNic[]> {
  const ports = await checkPorts(env, auth, project, requested.flatMap((one) => one.port_id ?? []));
  const wanted = requested.map((one) => one.network_id).filter((id) => id !== undefined);
  const found = await findNetworks(env.db.read, wanted);
  const visible = found.filter((network) => isAdmin(auth) || network.project_id === project || network.shared === 1 || network.external === 1);
  const missing = [...new Set(wanted)].filter((id) => !visible.some((network) => network.id === id));
  if (missing.length > 0) throw bad('network-not-found', `Network ${missing.join(', ')} could not be found.`);
  const subnets = await subnetsOfNetworks(env.db.read, visible.map((network) => network.id));
  const bare = visible.find((network) => !subnets.some((subnet) => subnet.network_id === network.id));
  if (bare !== undefined) throw bad('network-requires-subnet', `Network ${bare.id} requires a subnet in order to boot instances on.`);
  checkExternal(auth, visible);
  const out: PlannedNic[] = [];
  for (const one of requested) {
    const port = ports.find((each) => each.id === one.port_id);
    const network_id = port?.network_id ?? one.network_id;
    if (network_id === undefined) throw bad('nic-malformed', 'A network needs an id or a port.');
    const network = visible.find((each) => each.id === network_id);
    const fixed_ip = port !== undefined || one.fixed_ip === undefined ? undefined : await checkFixedIp(env, auth, network!, subnets, one.fixed_ip);
    out.push({ network_id, port_id: port?.id, fixed_ip, tag: one.tag });
  }
  return out;
}

async function checkPorts(env: NetworkDeps, auth: Auth, project: string, ids: readonly string[]): Promise<PortRow[]> {
  const ports = await findPorts(env.db.read, ids);
  for (const [at, id] of ids.entries()) {
    const port = ports.find((each) => each.id === id);
    if (port === undefined || (port.project_id !== project && !isAdmin(auth))) throw bad('port-not-found', `Port id ${id} could not be found.`);
    if (port.project_id !== project) throw bad('port-not-usable', `Port ${id} not usable for instances of project ${project}.`);
    if (port.device_id !== '' || ids.indexOf(id) < at) throw portInUse(id);
    if (port.fixed_ips === '[]') throw bad('port-requires-fixed-ip', `Port ${id} requires a FixedIP in order to be used.`);
  }
  return ports;
}

async function checkFixedIp(env: NetworkDeps, auth: Auth, network: NetworkRow, subnets: readonly SubnetRow[], asked: string): Promise<string> {
  const ip = canonicalAddress(asked);
  const address = ip === undefined ? undefined : parseAddress(ip);
  const fits = address !== undefined && subnets.some((subnet) => subnet.network_id === network.id && isHostAddress(parsePrefix(subnet.cidr)!, address));
  if (ip === undefined || !fits) throw bad('fixed-ip-invalid', `Invalid input received: Fixed IP ${asked} is not a valid ip address for network ${network.id}.`);
  if (network.project_id !== auth.project_id && !isAdmin(auth)) throw forbidden('network.fixed-ip-forbidden', 'rule:create_port:fixed_ips:ip_address is disallowed by policy');
  const holder = await addressHolder(env.db.read, network.id, ip);
  if (holder !== undefined) throw bad('fixed-ip-in-use', `Fixed IP address ${ip} is already in use on instance ${holder.device_id}.`);
  return ip;
}

async function checkQuota(env: NetworkDeps, project: string, needed: number): Promise<void> {
  const { port } = await effectiveQuotas(env, env.db.read, project);
  if (needed === 0 || port < 0) return;
  if ((await countUsage(env.db.read, project, 'port')) + needed > port) throw forbidden('network.over-quota', 'Maximum number of ports exceeded');
}

/** See `NetworkClient.resolveSecurityGroups`. */
export async function resolveSecurityGroups(env: NetworkDeps, auth: Auth, names: readonly string[]): Promise<{ id: string; name: string }[]> {
  const project = auth.project_id ?? '';
  if (names.includes('default')) await env.db.transaction((tx) => ensureDefaultGroup(env, tx, project));
  const found = await findGroupsNamed(env.db.read, project, names);
  const groups = names.map((name) => {
    const byId = found.find((group) => group.id === name);
    const byName = found.filter((group) => group.name === name);
    if (byId === undefined && byName.length > 1) throw conflict('network.group-ambiguous', `Multiple security groups found matching '${name}'. Use an ID to be more specific.`);
    const group = byId ?? byName[0];
    if (group === undefined) throw bad('group-not-found', `Security group ${name} not found for project ${project}.`);
    return { id: group.id, name: group.name };
  });
  return groups.filter((group, at) => groups.findIndex((other) => other.id === group.id) === at);
}

type Claim = Parameters<NetworkClient['claimNics']>[0];

/** See `NetworkClient.claimNics`. All of them or none. */
export async function claimNics(env: NetworkDeps, claim: Claim): Promise<ServerNic[]> {
  await env.db.transaction(async (tx) => {
    const there = await portsOfDevices(tx, [claim.server_id]);
    if (there.length > 0 || claim.nics.length === 0) {
      for (const port of there) await bind(env, tx, port.id, claim, port.nic_index, port.nic_tag);
      return;
    }
    for (const [index, nic] of claim.nics.entries()) await claimOne(env, tx, claim, nic, index);
  });
  return (await nicsOf(env, [claim.server_id])).get(claim.server_id) ?? [];
}

async function claimOne(env: NetworkDeps, tx: Tx, claim: Claim, nic: PlannedNic, index: number): Promise<void> {
  if (nic.port_id !== undefined) return await takeFreePort(env, tx, nic.port_id, claim, index, nic.tag ?? null);
  await makePort(env, tx, claim, nic, index, { groups: claim.security_group_ids });
}

/** What a port is bound to. */
export type NicPlace = Pick<Claim, 'server_id' | 'project_id' | 'node_id' | 'host' | 'zone'>;

export async function takeFreePort(env: NetworkDeps, tx: Tx, port_id: string, place: NicPlace, index: number, tag: string | null): Promise<void> {
  const port = await lockPort(tx, port_id);
  if (port === undefined) throw portNotFound(port_id);
  if (port.device_id !== '' && port.device_id !== place.server_id) throw portInUse(port_id);
  if (port.vnic_type !== CABLE) throw conflict('network.binding-failed', `Binding failed for port ${port_id}: its binding:vnic_type is ${port.vnic_type}, and nodes have ports of the type ${CABLE} only.`);
  await bind(env, tx, port_id, place, index, tag);
}

/** A port that goes with its server. @param asked groups: none is the project's default one. */
export async function makePort(env: NetworkDeps, tx: Tx, place: NicPlace, nic: PlannedNic, index: number, asked: { id?: string; groups: readonly string[] }): Promise<void> {
  const network = await findNetwork(tx, nic.network_id);
  if (network === undefined) throw networkNotFound(nic.network_id);
  const groups = network.port_security_enabled === 0 ? [] : [...asked.groups];
  await createPort(env, tx, {
    ...(asked.id === undefined ? {} : { id: asked.id }),
    project_id: place.project_id,
    network_id: nic.network_id,
    name: '',
    description: '',
    admin_state_up: true,
    fixed_ips: nic.fixed_ip === undefined ? undefined : [{ ip_address: nic.fixed_ip }],
    device_id: place.server_id,
    device_owner: `compute:${place.zone}`,
    extra_dhcp_opts: [],
    security_groups: groups.length === 0 ? undefined : groups,
    host_id: place.host,
    node_id: place.node_id,
    vnic_type: 'normal',
    profile: {},
    tags: [],
    nic: { made_for_server: true, index, tag: nic.tag ?? null },
  }, { any_group: true });
}

async function bind(env: NetworkDeps, tx: Tx, port_id: string, place: NicPlace, nic_index: number, nic_tag: string | null): Promise<void> {
  await patchPort(env, tx, port_id, (row) => {
    if (row.device_id === place.server_id && row.node_id === place.node_id && row.host_id === place.host) return undefined;
    return { device_id: place.server_id, device_owner: `compute:${place.zone}`, host_id: place.host, node_id: place.node_id, nic_index, nic_tag, status: 'DOWN', plugged: 0 };
  });
}

/** See `NetworkClient.unbindNics`. */
export async function unbindNics(env: NetworkDeps, server_id: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    for (const { id } of await portsOfDevices(tx, [server_id])) {
      await patchPort(env, tx, id, (row) => (row.node_id === null && row.host_id === '' ? undefined : { host_id: '', node_id: null, status: 'DOWN', plugged: 0 }));
    }
  });
}

/** See `NetworkClient.releaseNics`. */
export async function releaseNics(env: NetworkDeps, server_id: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    for (const port of await portsOfDevices(tx, [server_id])) await letGo(env, tx, port);
  });
}

/** What was made for the server goes with it; what was there before is free again. */
export async function letGo(env: NetworkDeps, tx: Tx, port: PortRow): Promise<void> {
  if (port.made_for_server === 1) await deletePort(env, tx, port.id, false);
  else await patchPort(env, tx, port.id, () => ({ device_id: '', device_owner: '', host_id: '', node_id: null, nic_index: 0, nic_tag: null, status: 'DOWN', plugged: 0 }));
}

/** See `NetworkClient.nicsOf`: five queries for any number of servers. */
export async function nicsOf(env: NetworkDeps, server_ids: readonly string[]): Promise<Map<string, ServerNic[]>> {
  const db = env.db.read;
  const ports = await portsOfDevices(db, server_ids);
  const addresses = ports.map((port) => JSON.parse(port.fixed_ips) as FixedIp[]);
  const groupIds = ports.map((port) => JSON.parse(port.security_groups) as string[]);
  const networks = new Map((await findNetworks(db, ports.map((port) => port.network_id))).map((row) => [row.id, row]));
  const subnets = new Map((await findSubnets(db, addresses.flat().map((ip) => ip.subnet_id))).map((row) => [row.id, shapeSubnet(row)]));
  const groups = new Map((await findSecurityGroups(db, groupIds.flat())).map((row) => [row.id, { id: row.id, name: row.name }]));
  const floating = Map.groupBy(await floatingIpsOfPorts(db, ports.map((port) => port.id)), (one) => one.fixed_port_id!);
  const out = new Map<string, ServerNic[]>();
  for (const [at, port] of ports.entries()) {
    const network = networks.get(port.network_id);
    const nic: ServerNic = {
      port_id: port.id,
      network_id: port.network_id,
      network_name: network?.name ?? '',
      mac_address: port.mac_address,
      mtu: network?.mtu ?? 1500,
      status: port.status,
      made_for_server: port.made_for_server === 1,
      fixed_ips: addresses[at]!.flatMap((ip) => (subnets.has(ip.subnet_id) ? [{ ip_address: ip.ip_address, ...subnets.get(ip.subnet_id)! }] : [])),
      floating_ips: (floating.get(port.id) ?? []).map((one) => ({ ip_address: one.floating_ip_address, fixed_ip_address: one.fixed_ip_address! })),
      security_groups: groupIds[at]!.flatMap((id) => groups.get(id) ?? []),
      tag: port.nic_tag,
    };
    out.set(port.device_id, [...(out.get(port.device_id) ?? []), nic]);
  }
  return out;
}

function shapeSubnet(row: SubnetRow): Omit<ServerNic['fixed_ips'][number], 'ip_address'> {
  return {
    ip_version: row.ip_version,
    subnet_id: row.id,
    cidr: row.cidr,
    gateway_ip: row.gateway_ip,
    dns_nameservers: JSON.parse(row.dns_nameservers) as string[],
    routes: JSON.parse(row.host_routes) as { destination: string; nexthop: string }[],
  };
}

/** See `NetworkClient.setPlugged`. */
export async function setPlugged(env: NetworkDeps, server_id: string, plugged: boolean): Promise<void> {
  const status = (row: PortRow): PortRow['status'] => (plugged && row.admin_state_up === 1 ? 'ACTIVE' : 'DOWN');
  const differing = (await portsOfDevices(env.db.read, [server_id])).filter((row) => row.status !== status(row) || (row.plugged === 1) !== plugged);
  if (differing.length === 0) return;
  await env.db.transaction(async (tx) => {
    for (const { id } of differing) await patchPort(env, tx, id, (row) => ({ plugged: plugged ? 1 : 0, status: status(row) }), true);
  });
}

