import { isIP } from 'node:net';
import { isUuid } from '../../kernel/ids.ts';
import { parseRange } from './firewall/addresses.ts';
import { soundRouters } from './router-wiring.ts';
import type { NetworkWiring, NodeNetworkState, PortWiring, SecurityGroupRuleWiring } from './protocol.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const isMtu = (mtu: number): boolean => Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535;

/** What keeps a port from being realised, in words; undefined when its wiring is sound. All that reaches a command line is checked here. */
export function portProblem(port: PortWiring): string | undefined {
  if (![port.port_id, port.network_id, port.device_id].every(isUuid)) return `port ${port.port_id}: an id is not a UUID`;
  if (!MAC.test(port.mac_address)) return `port ${port.port_id}: '${port.mac_address}' is not a MAC address`;
  if (!isMtu(port.mtu)) return `port ${port.port_id}: MTU ${port.mtu} is out of range`;
  for (const ip of port.fixed_ips) {
    const kind = isIP(ip.ip_address);
    if (kind !== ip.ip_version || parseRange(`${ip.ip_address}/${ip.prefix_length}`) === undefined) {
      return `port ${port.port_id}: '${ip.ip_address}/${ip.prefix_length}' is not an IPv${ip.ip_version} address`;
    }
    if (ip.gateway_ip !== null && isIP(ip.gateway_ip) !== kind) return `port ${port.port_id}: gateway '${ip.gateway_ip}' is not of the address's family`;
    const bad = ip.routes.find((route) => parseRange(route.destination) === undefined || isIP(route.nexthop) === 0);
    if (bad !== undefined) return `port ${port.port_id}: route '${bad.destination}' via '${bad.nexthop}' is not one`;
  }
  const pair = port.allowed_address_pairs.find((one) => !MAC.test(one.mac_address) || parseRange(one.ip_address) === undefined);
  if (pair !== undefined) return `port ${port.port_id}: address pair '${pair.mac_address} ${pair.ip_address}' is not one`;
  return undefined;
}

export function networkProblem(network: NetworkWiring): string | undefined {
  if (!isUuid(network.network_id)) return `network ${network.network_id}: the id is not a UUID`;
  if (!Number.isInteger(network.zone) || network.zone < 1 || network.zone > 65535) return `network ${network.network_id}: zone ${network.zone} is out of range`;
  if (!isMtu(network.mtu)) return `network ${network.network_id}: MTU ${network.mtu} is out of range`;
  const vni = network.segmentation_id;
  if (network.type === 'vxlan' && vni !== null && (!Number.isInteger(vni) || vni < 1 || vni > 16777215)) return `network ${network.network_id}: VNI ${vni} is out of range`;
  const bad = network.host_addresses.find((address) => parseRange(address) === undefined || !address.includes('/'));
  return bad === undefined ? undefined : `network ${network.network_id}: host address '${bad}' is not an address with a length`;
}

function ruleProblem(rule: SecurityGroupRuleWiring): string | undefined {
  if (rule.remote_group_id !== null && !isUuid(rule.remote_group_id)) return `rule ${rule.id}: remote group is not a UUID`;
  const limits = [rule.port_range_min, rule.port_range_max];
  if (limits.some((port) => port !== null && (!Number.isInteger(port) || port < 0 || port > 65535))) return `rule ${rule.id}: port out of range`;
  const icmp = /icmp|^1$|^58$/.test(rule.protocol ?? '');
  if (!icmp && (rule.port_range_min ?? 0) > (rule.port_range_max ?? 65535)) return `rule ${rule.id}: its port range is empty`;
  if (icmp && limits.some((value) => value !== null && value > 255)) return `rule ${rule.id}: ICMP type or code out of range`;
  if (rule.protocol !== null && !/^[a-z0-9-]{1,16}$/i.test(rule.protocol)) return `rule ${rule.id}: protocol '${rule.protocol}' is not one`;
  return undefined;
}

export interface Sound {
  state: NodeNetworkState;
  /** Ports left out, with the reason. */
  bad: Map<string, string>;
}

/**
 * Keeps what can be realised. A port stands or falls with its network; a rule that makes no sense is left out
 * (it only ever allows), as are addresses of members that are none.
 */
export function soundWiring(state: NodeNetworkState, complain: (problem: string) => void): Sound {
  const bad = new Map<string, string>();
  const keep = <T>(items: T[], problemOf: (item: T) => string | undefined): T[] =>
    items.filter((item) => {
      const problem = problemOf(item);
      if (problem !== undefined) complain(problem);
      return problem === undefined;
    });
  const networks = keep(state.networks, networkProblem);
  const known = new Set(networks.map((network) => network.network_id));
  const ports = state.ports.filter((port) => {
    const problem = portProblem(port) ?? (known.has(port.network_id) ? undefined : `port ${port.port_id}: network ${port.network_id} is not given`);
    if (problem !== undefined) bad.set(port.port_id, problem);
    return problem === undefined;
  });
  const security_groups = keep(state.security_groups, (group) => (isUuid(group.id) ? undefined : `group ${group.id}: the id is not a UUID`)).map((group) => ({
    ...group,
    rules: keep(group.rules, ruleProblem),
  }));
  const group_members = keep(state.group_members, (one) => (isUuid(one.group_id) ? undefined : `group ${one.group_id}: the id is not a UUID`)).map((one) => ({
    ...one,
    addresses: one.addresses.filter((address) => parseRange(address) !== undefined),
  }));
  const peers = keep(state.peers, (peer) => (isIP(peer.tunnel_ip) === 0 ? `peer ${peer.node_id}: '${peer.tunnel_ip}' is not an address` : undefined)).map((peer) => ({
    ...peer,
    ports: peer.ports.filter((port) => MAC.test(port.mac_address)).map((port) => ({ ...port, ip_addresses: port.ip_addresses.filter((ip) => isIP(ip) !== 0) })),
  }));
  const routers = state.routers && soundRouters(state.routers, known, portProblem, bad, complain);
  return { state: { ...state, networks, ports, security_groups, group_members, peers, ...(routers === undefined ? {} : { routers }) }, bad };
}

export const emptyState = (): NodeNetworkState => ({
  generation: -1, networks: [], ports: [], security_groups: [], group_members: [], peers: [],
});

function overlay<T>(base: T[], extra: T[], key: (item: T) => string, wins: boolean): T[] {
  const merged = new Map(base.map((item) => [key(item), item]));
  for (const item of extra) if (wins || !merged.has(key(item))) merged.set(key(item), item);
  return [...merged.values()];
}

/** The node's state with a device's slice laid over: the slice's ports are the device's; of the rest the newer wins. */
export function withSlice(base: NodeNetworkState, device_id: string, slice: NodeNetworkState): NodeNetworkState {
  const newer = slice.generation > base.generation;
  return {
    generation: Math.max(base.generation, slice.generation),
    networks: overlay(base.networks, slice.networks, (one) => one.network_id, newer),
    ports: [...base.ports.filter((port) => port.device_id !== device_id), ...slice.ports.filter((port) => port.device_id === device_id)],
    security_groups: overlay(base.security_groups, slice.security_groups, (one) => one.id, newer),
    group_members: overlay(base.group_members, slice.group_members, (one) => one.group_id, newer),
    peers: overlay(base.peers, slice.peers, (one) => one.node_id, false),
    ...(base.routers === undefined ? {} : { routers: base.routers }),
  };
}
