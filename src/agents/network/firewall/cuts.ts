import type { NodeNetworkState, PortWiring, SecurityGroupRuleWiring } from '../protocol.ts';
import { parseRange } from './addresses.ts';
import { protocolNumber, WITH_PORTS } from './protocols.ts';

/** More cuts than this are made by zone: the flows that are still allowed are picked up again by their next packet. */
const MANY = 1000;

const ruleKey = (rule: SecurityGroupRuleWiring): string =>
  [rule.direction, rule.ethertype, rule.protocol, rule.port_range_min, rule.port_range_max, rule.remote_ip_prefix, rule.remote_group_id].join(' ');

interface View {
  zones: Map<string, number>;
  rules: Map<string, SecurityGroupRuleWiring[]>;
  members: Map<string, Set<string>>;
}

function viewOf(state: NodeNetworkState): View {
  return {
    zones: new Map(state.networks.map((network) => [network.network_id, network.zone])),
    rules: new Map(state.security_groups.map((group) => [group.id, group.rules])),
    members: new Map(state.group_members.map((one) => [one.group_id, new Set(one.addresses)])),
  };
}

function rulesOf(port: PortWiring, view: View): Map<string, SecurityGroupRuleWiring> {
  const rules = port.security_group_ids.flatMap((id) => view.rules.get(id) ?? []);
  return new Map(rules.map((rule) => [ruleKey(rule), rule]));
}

const addressesOf = (port: PortWiring): string[] => [
  ...port.fixed_ips.map((ip) => ip.ip_address),
  ...port.allowed_address_pairs.map((pair) => pair.ip_address),
];

function cutsOfRule(rule: SecurityGroupRuleWiring, addresses: string[], remotes: string[] | undefined, zone: number): string[] {
  const version = rule.ethertype === 'IPv4' ? 4 : 6;
  const protocol = protocolNumber(rule.protocol, version);
  if (protocol === undefined) return [];
  const single = protocol !== null && WITH_PORTS.has(protocol) && rule.port_range_min !== null && rule.port_range_min === rule.port_range_max;
  const match = `${protocol === null ? '' : ` -p ${protocol}`}${single ? ` --dport ${rule.port_range_min}` : ''}`;
  const [mine, theirs] = rule.direction === 'ingress' ? ['-d', '-s'] : ['-s', '-d'];
  const own = addresses.filter((address) => parseRange(address)?.version === version);
  const far = remotes?.filter((address) => parseRange(address)?.version === version) ?? [''];
  return own.flatMap((address) =>
    far.map((remote) => `-w ${zone} -f ipv${version}${match} ${mine} ${address}${remote === '' ? '' : ` ${theirs} ${remote}`}`),
  );
}

function remotesOf(rule: SecurityGroupRuleWiring, members: Map<string, Set<string>>): string[] | undefined {
  if (rule.remote_group_id !== null) return [...(members.get(rule.remote_group_id) ?? [])];
  if (rule.remote_ip_prefix === null || parseRange(rule.remote_ip_prefix)?.prefix === 0) return undefined;
  return [rule.remote_ip_prefix];
}

function everything(port: PortWiring, zone: number): string[] {
  return addressesOf(port).flatMap((address) => {
    const family = `-w ${zone} -f ipv${parseRange(address)?.version ?? 4}`;
    return [`${family} -s ${address}`, `${family} -d ${address}`];
  });
}

/**
 * Arguments for `conntrack -D`, one per line, of the flows that stood on what `next` no longer allows: rules
 * gone, groups left, members gone, ports gone. Pure.
 */
export function revokedFlows(before: NodeNetworkState, next: NodeNetworkState): string[] {
  const old = viewOf(before);
  const now = viewOf(next);
  const ports = new Map(next.ports.map((port) => [port.port_id, port]));
  const cuts = new Set<string>();
  const zones = new Set<number>();
  for (const port of before.ports) {
    const zone = old.zones.get(port.network_id);
    if (zone === undefined || !port.port_security_enabled) continue;
    const successor = ports.get(port.port_id);
    const mine = successor === undefined ? everything(port, zone) : cutsOfPort(port, successor, old, now, zone);
    if (mine.length > 0) zones.add(zone);
    for (const cut of mine) cuts.add(cut);
  }
  return cuts.size > MANY ? [...zones].map((zone) => `-w ${zone}`) : [...cuts];
}

function cutsOfPort(port: PortWiring, successor: PortWiring, old: View, now: View, zone: number): string[] {
  if (!successor.port_security_enabled) return [];
  const kept = rulesOf(successor, now);
  const addresses = addressesOf(port);
  const cuts: string[] = [];
  for (const [key, rule] of rulesOf(port, old)) {
    if (!kept.has(key)) cuts.push(...cutsOfRule(rule, addresses, remotesOf(rule, old.members), zone));
    else if (rule.remote_group_id !== null) {
      const stay = now.members.get(rule.remote_group_id) ?? new Set();
      const gone = [...(old.members.get(rule.remote_group_id) ?? [])].filter((address) => !stay.has(address));
      if (gone.length > 0) cuts.push(...cutsOfRule(rule, addresses, gone, zone));
    }
  }
  return cuts;
}

/** `ipv4 2 tcp 6 431999 ESTABLISHED src=10.0.0.1 dst=… sport=… dport=80 src=… zone=1 …`: the original direction of a listed flow. */
function flowOf(line: string): Map<string, string> | undefined {
  const [family, , , protocol] = line.trim().split(/\s+/);
  if (family === undefined || protocol === undefined || !line.includes('src=')) return undefined;
  const flow = new Map([['-f', family], ['-p', protocol], ['-w', /zone=(\d+)/.exec(line)?.[1] ?? '0']]);
  for (const [option, field] of [['-s', 'src'], ['-d', 'dst'], ['--dport', 'dport']] as const) {
    const value = new RegExp(`\\b${field}=(\\S+)`).exec(line)?.[1];
    if (value !== undefined) flow.set(option, value);
  }
  return flow;
}

function concerns(cut: string, flow: Map<string, string>): boolean {
  const words = cut.split(' ');
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [option = '', value = ''] = [words[index], words[index + 1]];
    const now = flow.get(option) ?? '';
    const range = option === '-s' || option === '-d' ? parseRange(value) : undefined;
    const address = range === undefined ? undefined : parseRange(now);
    const same = range === undefined ? now === value : address !== undefined && address.version === range.version && range.first <= address.first && address.last <= range.last;
    if (!same) return false;
  }
  return true;
}

/**
 * The cuts that concern a flow which exists, by a listing of `conntrack -L -o extended`. Every cut makes the tool
 * walk the whole table (10 ms), and most concern nothing.
 */
export function liveCuts(cuts: string[], listing: string): string[] {
  const flows = listing.split('\n').map(flowOf).filter((flow) => flow !== undefined);
  return cuts.filter((cut) => flows.some((flow) => concerns(cut, flow)));
}
