/** What a node has to be, read from the rows: its ports, their networks and groups, and who else is on those networks. */
import type { FixedIpWiring, NetworkWiring, NodeNetworkState, PeerWiring, PortReport, PortWiring, SecurityGroupWiring } from '../../../agents/network/protocol.ts';
import { parsePrefix } from '../model/address.ts';
import type { NetworkDeps } from '../deps.ts';
import type { FixedIp } from '../model/ipam.ts';
import { patchPort } from '../model/ports.ts';
import type { AddressPair, HostRoute } from '../model/validate.ts';
import { findNetworks } from '../store/networks.ts';
import { generationOf } from '../store/node-generations.ts';
import { findPorts, portsOfDevices, portsOfNode, remotePorts } from '../store/ports.ts';
import { findSecurityGroups, groupMembers, rulesOfGroups } from '../store/security-groups.ts';
import { subnetsOfNetworks } from '../store/subnets.ts';
import type { NetworkRow, PortRow, SubnetRow } from '../store/tables.ts';

/** The whole state of a node. */
export async function desiredState(env: NetworkDeps, node_id: string): Promise<NodeNetworkState> {
  // The generation first: what changes after it is poked for again.
  const generation = await generationOf(env.db.read, node_id);
  const ports = await portsOfNode(env.db.read, node_id);
  return assemble(env, node_id, generation, ports.filter((port) => port.device_id !== ''));
}

/** What a node needs to plug one server. */
export async function serverSlice(env: NetworkDeps, server_id: string): Promise<NodeNetworkState> {
  const ports = (await portsOfDevices(env.db.read, [server_id])).filter((port) => port.node_id !== null);
  const node_id = ports[0]?.node_id ?? '';
  return assemble(env, node_id, node_id === '' ? 0 : await generationOf(env.db.read, node_id), ports);
}

async function assemble(env: NetworkDeps, node_id: string, generation: number, ports: readonly PortRow[]): Promise<NodeNetworkState> {
  const db = env.db.read;
  const networks = await findNetworks(db, ports.map((port) => port.network_id));
  const subnets = await subnetsOfNetworks(db, networks.map((network) => network.id));
  const group_ids = [...new Set(ports.flatMap((port) => JSON.parse(port.security_groups) as string[]))].sort();
  const security_groups = await wireGroups(env, group_ids);
  const remote = [...new Set(security_groups.flatMap((group) => group.rules.flatMap((rule) => rule.remote_group_id ?? [])))].sort();
  const byId = new Map(networks.map((network) => [network.id, network]));
  const bySubnet = new Map(subnets.map((subnet) => [subnet.id, subnet]));
  return {
    generation,
    networks: networks.map((network) => wireNetwork(network, subnets.filter((subnet) => subnet.network_id === network.id))).sort((a, b) => (a.network_id < b.network_id ? -1 : 1)),
    ports: ports.map((port) => wirePort(port, byId.get(port.network_id)!, bySubnet)),
    security_groups,
    group_members: await wireMembers(env, remote),
    peers: await wirePeers(env, node_id, networks),
  };
}

function wireNetwork(network: NetworkRow, subnets: readonly SubnetRow[]): NetworkWiring {
  const reachable = network.external === 1 && network.network_type === 'flat';
  return {
    network_id: network.id,
    zone: network.zone,
    type: network.network_type,
    segmentation_id: network.segmentation_id,
    physical_network: network.physical_network,
    mtu: network.mtu,
    host_addresses: reachable ? subnets.flatMap((subnet) => (subnet.gateway_ip === null ? [] : [`${subnet.gateway_ip}/${parsePrefix(subnet.cidr)!.length}`])) : [],
  };
}

function wirePort(port: PortRow, network: NetworkRow, subnets: ReadonlyMap<string, SubnetRow>): PortWiring {
  return {
    port_id: port.id,
    network_id: port.network_id,
    device_id: port.device_id,
    mac_address: port.mac_address,
    admin_state_up: port.admin_state_up === 1 && network.admin_state_up === 1,
    mtu: network.mtu,
    fixed_ips: (JSON.parse(port.fixed_ips) as FixedIp[]).flatMap((ip) => wireAddress(ip, subnets.get(ip.subnet_id))),
    allowed_address_pairs: JSON.parse(port.allowed_address_pairs) as Required<AddressPair>[],
    port_security_enabled: port.port_security_enabled === 1,
    security_group_ids: JSON.parse(port.security_groups) as string[],
  };
}

function wireAddress(ip: FixedIp, subnet: SubnetRow | undefined): FixedIpWiring[] {
  if (subnet === undefined) return [];
  return [{
    ip_address: ip.ip_address,
    prefix_length: parsePrefix(subnet.cidr)!.length,
    ip_version: subnet.ip_version,
    gateway_ip: subnet.gateway_ip,
    routes: JSON.parse(subnet.host_routes) as HostRoute[],
    dns_nameservers: JSON.parse(subnet.dns_nameservers) as string[],
  }];
}

async function wireGroups(env: NetworkDeps, ids: readonly string[]): Promise<SecurityGroupWiring[]> {
  const groups = await findSecurityGroups(env.db.read, ids);
  const rules = Map.groupBy(await rulesOfGroups(env.db.read, ids), (rule) => rule.security_group_id);
  return groups.sort((a, b) => (a.id < b.id ? -1 : 1)).map((group) => ({
    id: group.id,
    stateful: group.stateful === 1,
    rules: (rules.get(group.id) ?? []).map(({ id, direction, ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id }) =>
      ({ id, direction, ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id })),
  }));
}

async function wireMembers(env: NetworkDeps, ids: readonly string[]): Promise<NodeNetworkState['group_members']> {
  const members = Map.groupBy(await groupMembers(env.db.read, ids), (member) => member.security_group_id);
  return ids.map((group_id) => {
    const addresses = (members.get(group_id) ?? []).flatMap((member) =>
      [...(JSON.parse(member.fixed_ips) as FixedIp[]), ...(JSON.parse(member.allowed_address_pairs) as AddressPair[])].map((one) => one.ip_address));
    return { group_id, addresses: [...new Set(addresses)].sort() };
  });
}

/** The other nodes with ports on these overlay networks; a node without a tunnel address cannot be reached. */
async function wirePeers(env: NetworkDeps, node_id: string, networks: readonly NetworkRow[]): Promise<PeerWiring[]> {
  const ports = await remotePorts(env.db.read, networks.filter((network) => network.network_type === 'vxlan').map((network) => network.id), node_id);
  if (ports.length === 0) return [];
  const nodes = await env.nodes.nodes();
  return [...Map.groupBy(ports, (port) => port.node_id as string)].flatMap(([id, own]) => {
    const tunnel_ip = nodes.find((node) => node.id === id)?.tunnel_ip;
    if (tunnel_ip === undefined || tunnel_ip === null || tunnel_ip === '') return [];
    return [{ node_id: id, tunnel_ip, ports: own.map((port) => ({ network_id: port.network_id, mac_address: port.mac_address, ip_addresses: (JSON.parse(port.fixed_ips) as FixedIp[]).map((ip) => ip.ip_address) })) }];
  });
}

/** What a node says of its ports; what it says of the ports of others does not count. */
export async function acceptReport(env: NetworkDeps, node_id: string, reports: readonly PortReport[]): Promise<void> {
  const statuses = new Map(reports.map((report) => [report.port_id, report.status]));
  const differing = (await findPorts(env.db.read, [...statuses.keys()])).filter((port) => port.node_id === node_id && port.status !== statuses.get(port.id));
  if (differing.length === 0) return;
  await env.db.transaction(async (tx) => {
    for (const { id } of differing) {
      await patchPort(env, tx, id, (row) => (row.node_id === node_id && row.status !== statuses.get(id) ? { status: statuses.get(id)! } : undefined), true);
    }
  });
}
