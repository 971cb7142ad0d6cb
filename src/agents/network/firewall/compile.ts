import { createHash } from 'node:crypto';
import type { NetworkWiring, NodeNetworkState, PortWiring, SecurityGroupWiring } from '../protocol.ts';
import { bridgeName, tapName } from '../drivers/linux/names.ts';
import { canonical, foldPrefixes, hexOf, linkLocal, parseRange, rangeText } from './addresses.ts';
import { groupChain, groupRules, memberSet } from './group-rules.ts';
import { addChain, addSet, emptyRuleset, type Ruleset } from './ruleset.ts';

const FW = 'inet fw';
const short = (id: string): string => id.slice(0, 11).replace('-', '');

/** A port's number in packet marks: from its id, so that it need not be kept; the next free one after a collision. */
export function portMarks(ports: readonly { port_id: string }[]): Map<string, number> {
  const marks = new Map<string, number>();
  const taken = new Set<number>();
  for (const { port_id } of [...ports].sort((a, b) => (a.port_id < b.port_id ? -1 : 1))) {
    let mark = createHash('sha1').update(port_id).digest().readUInt32BE(0) || 1;
    while (taken.has(mark)) mark = mark >= 0xffffffff ? 1 : mark + 1;
    taken.add(mark);
    marks.set(port_id, mark);
  }
  return marks;
}

/** MAC → addresses and prefixes it may speak for. */
function identities(port: PortWiring): Map<string, string[]> {
  const own = port.mac_address.toLowerCase();
  const macs = new Map<string, string[]>([[own, port.fixed_ips.map((ip) => ip.ip_address)]]);
  for (const pair of port.allowed_address_pairs) {
    const mac = pair.mac_address.toLowerCase();
    macs.set(mac, [...(macs.get(mac) ?? []), pair.ip_address]);
  }
  return macs;
}

const list = (items: Iterable<string>): string => `{ ${[...items].join(', ')} }`;

function antiSpoofing(port: PortWiring, mark: number): string[] {
  const macs = identities(port);
  const v4: string[] = [];
  const v6: string[] = [];
  const arp: string[] = [];
  const targets: string[] = [];
  for (const [mac, texts] of macs) {
    const four = foldPrefixes(texts, 4);
    v4.push(...four.map((address) => `${mac} . ${address}`));
    arp.push(...[...new Set([...four, '0.0.0.0'])].map((address) => `${mac} . ${mac} . ${address}`));
    const six = foldPrefixes([...texts, linkLocal(mac)], 6);
    v6.push(...six.map((address) => `${mac} . ${address}`));
    targets.push(...six.map(rawRange));
  }
  const drop = 'counter drop';
  return [
    `meta mark set ${mark}`,
    `ether type != { ip, arp, ip6 } ${drop}`,
    `ether saddr != ${list(macs.keys())} ${drop}`,
    ...(arp.length > 0 ? [`ether type arp ether saddr . arp saddr ether . arp saddr ip ${list(arp)} accept`] : []),
    `udp sport 67 udp dport 68 ${drop}`,
    `udp sport 547 udp dport 546 ${drop}`,
    ...(v4.length > 0 ? [`ether saddr . ip saddr ${list(v4)} accept`] : []),
    `ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept`,
    `icmpv6 type { nd-router-advert, nd-redirect } ${drop}`,
    `icmpv6 type nd-neighbor-advert @th,64,128 != ${list(new Set(targets))} ${drop}`,
    // Asking for an address as one's own makes its owner give it up.
    `ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 != ${list(new Set(targets))} ${drop}`,
    // A header that hides behind a fragment's is seen by the receiver alone.
    `frag nexthdr { 0, 43, 44, 51, 60, 135 } ${drop}`,
    `ether saddr . ip6 saddr ${list(v6)} accept`,
    `ip6 saddr :: icmpv6 type { mld-listener-report, nd-router-solicit, nd-neighbor-solicit, mld2-listener-report } accept`,
    drop,
  ];
}

function rawRange(text: string): string {
  const range = parseRange(text);
  if (range === undefined) throw new Error(`not an address: ${text}`);
  if (range.prefix === 128) return hexOf(rangeText(range));
  return `0x${range.first.toString(16)}-0x${range.last.toString(16)}`;
}

/** What passes whatever the groups say: neighbour discovery, multicast listening, a DHCP client's own exchange. */
const ALWAYS = 'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept';

/** Every guest may ask for its metadata: its answers come from an address that no guest can have. */
const METADATA_OUT = ['ip daddr 169.254.169.254 tcp dport 80 accept', 'ip6 daddr fe80::a9fe:a9fe tcp dport 80 accept'];
const METADATA_IN = ['ip saddr 169.254.169.254 tcp sport 80 accept', 'ip6 saddr fe80::a9fe:a9fe tcp sport 80 accept'];

function addBase(ruleset: Ruleset): void {
  addChain(ruleset, 'bridge sw forward', '{ type filter hook forward priority -10; policy accept; }', [
    'meta mark set 0',
    'meta mark set oifname map @outs',
  ]);
  addChain(ruleset, `${FW} raw`, '{ type filter hook prerouting priority -300; policy accept; }', [
    'iifname vmap @zones',
    'meta mark @loose_marks iifname . ether daddr != @kept_macs notrack',
    'meta mark != @kept_marks iifname . ether daddr @loose_macs notrack',
  ]);
  addChain(ruleset, `${FW} egress`, '{ type filter hook prerouting priority -150; policy accept; }', [
    'ct state established,related meta mark != @loose_marks accept',
    ALWAYS,
    'udp sport 68 udp dport 67 accept',
    'udp sport 546 udp dport 547 accept',
    ...METADATA_OUT,
    'meta mark vmap @outgoing',
  ]);
  addChain(ruleset, `${FW} ingress`, '{ type filter hook forward priority 0; policy accept; }', [
    'ct state established,related meta mark != @loose_marks accept',
    ALWAYS,
    'udp sport 67 udp dport 68 accept',
    'udp sport 547 udp dport 546 accept',
    ...METADATA_IN,
    'meta mark vmap @incoming',
  ]);
}

interface Elements {
  outs: string[];
  zones: string[];
  outgoing: string[];
  incoming: string[];
  loose_marks: string[];
  kept_marks: string[];
  loose_macs: string[];
  kept_macs: string[];
}

const emptyElements = (): Elements => ({
  outs: [], zones: [], outgoing: [], incoming: [], loose_marks: [], kept_marks: [], loose_macs: [], kept_macs: [],
});

function addElements(ruleset: Ruleset, elements: Elements): void {
  addSet(ruleset, 'map', 'bridge sw outs', 'type ifname : mark;', elements.outs);
  addSet(ruleset, 'map', `${FW} zones`, 'type ifname : verdict;', elements.zones);
  addSet(ruleset, 'map', `${FW} outgoing`, 'type mark : verdict;', elements.outgoing);
  addSet(ruleset, 'map', `${FW} incoming`, 'type mark : verdict;', elements.incoming);
  addSet(ruleset, 'set', `${FW} loose_marks`, 'type mark;', elements.loose_marks);
  addSet(ruleset, 'set', `${FW} kept_marks`, 'type mark;', elements.kept_marks);
  addSet(ruleset, 'set', `${FW} loose_macs`, 'type ifname . ether_addr;', new Set(elements.loose_macs));
  addSet(ruleset, 'set', `${FW} kept_macs`, 'type ifname . ether_addr;', new Set(elements.kept_macs));
}

function addNetwork(ruleset: Ruleset, elements: Elements, network: NetworkWiring): void {
  const chain = `zone_${short(network.network_id)}`;
  addChain(ruleset, `${FW} ${chain}`, '', [`ct zone set ${network.zone}`]);
  elements.zones.push(`"${bridgeName(network.network_id)}" : jump ${chain}`);
}

function addGroup(ruleset: Ruleset, group: SecurityGroupWiring): void {
  for (const direction of ['ingress', 'egress'] as const) {
    addChain(ruleset, `${FW} ${groupChain(group.id, direction)}`, '', groupRules(group, direction));
  }
}

function addMembers(ruleset: Ruleset, group_id: string, addresses: string[]): void {
  for (const version of [4, 6] as const) {
    const spec = `type ipv${version}_addr; flags interval;`;
    addSet(ruleset, 'set', `${FW} ${memberSet(group_id, version)}`, spec, foldPrefixes(addresses, version));
  }
}

/** The chain keys that exist for a port and for nothing else. */
export function portChains(port_id: string): string[] {
  return [`netdev port as_${short(port_id)}`, `${FW} out_${short(port_id)}`, `${FW} in_${short(port_id)}`];
}

function addPort(ruleset: Ruleset, elements: Elements, port: PortWiring, mark: number, groups: Map<string, SecurityGroupWiring>): void {
  const tap = tapName(port.port_id);
  const [spoof = '', out = '', into = ''] = portChains(port.port_id);
  const mine = port.security_group_ids.map((id) => groups.get(id)).filter((group) => group !== undefined);
  const tracked = mine.every((group) => group.stateful);
  const macs = [...identities(port).keys()];
  const invalid = tracked ? ['ct state invalid counter drop'] : [];
  const jumps = (direction: 'ingress' | 'egress'): string[] => mine.map((group) => `jump ${groupChain(group.id, direction)}`);
  addChain(ruleset, spoof, `{ type filter hook ingress device "${tap}" priority -500; policy drop; }`, antiSpoofing(port, mark));
  addChain(ruleset, out, '', [...invalid, ...jumps('egress'), 'counter drop']);
  const stray = `ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 ether daddr != ${list(macs)} counter drop`;
  addChain(ruleset, into, '', [stray, ...invalid, ...jumps('ingress'), 'counter drop']);
  elements.outs.push(`"${tap}" : ${mark}`);
  elements.outgoing.push(`${mark} : goto out_${short(port.port_id)}`);
  elements.incoming.push(`${mark} : goto in_${short(port.port_id)}`);
  const bridge = bridgeName(port.network_id);
  elements[tracked ? 'kept_marks' : 'loose_marks'].push(`${mark}`);
  elements[tracked ? 'kept_macs' : 'loose_macs'].push(...macs.map((mac) => `"${bridge}" . ${mac}`));
}

/**
 * The whole packet filter of a node for the ports that are realised on it (a cable exists). Pure.
 * Egress is judged at prerouting by the mark that the tap's ingress hook set; ingress at forward by the mark
 * of the tap it leaves through, so broadcasts and foreign MACs are judged too.
 * @see Neutron api-ref, security groups; allowed address pairs; `stateful`.
 */
export function compileRuleset(state: NodeNetworkState, realised: readonly PortWiring[]): Ruleset {
  const ruleset = emptyRuleset();
  const elements = emptyElements();
  const groups = new Map(state.security_groups.map((group) => [group.id, group]));
  const marks = portMarks(realised);
  addBase(ruleset);
  for (const network of state.networks) addNetwork(ruleset, elements, network);
  for (const group of state.security_groups) addGroup(ruleset, group);
  for (const [group_id, addresses] of remoteGroups(state)) addMembers(ruleset, group_id, addresses);
  for (const port of realised) {
    if (port.port_security_enabled) addPort(ruleset, elements, port, marks.get(port.port_id) ?? 0, groups);
  }
  addElements(ruleset, elements);
  return ruleset;
}

/** Every group that a rule names, also one without members. */
function remoteGroups(state: NodeNetworkState): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const group of state.security_groups) {
    for (const rule of group.rules) if (rule.remote_group_id !== null) members.set(rule.remote_group_id, []);
  }
  for (const { group_id, addresses } of state.group_members) {
    if (members.has(group_id)) members.set(group_id, addresses.map((address) => (address.includes('/') ? address : canonical(address))));
  }
  return members;
}
