import type { SecurityGroupRuleWiring, SecurityGroupWiring } from '../protocol.ts';
import { foldPorts, foldPrefixes, parseRange } from './addresses.ts';
import { ICMP, ICMPV6, protocolNumber, WITH_PORTS } from './protocols.ts';

const hex = (id: string): string => id.replaceAll('-', '');
export const memberSet = (group_id: string, version: 4 | 6): string => `m${version}_${hex(group_id)}`;
export const groupChain = (group_id: string, direction: 'ingress' | 'egress'): string =>
  `${direction === 'ingress' ? 'gi' : 'go'}_${hex(group_id)}`;

const versionOf = (rule: SecurityGroupRuleWiring): 4 | 6 => (rule.ethertype === 'IPv4' ? 4 : 6);

/** Rules that differ only in ports and prefixes are one rule with sets: a linear scan of 1,000 rules costs a third of the connections. */
interface Bundle {
  version: 4 | 6;
  protocol: number | null;
  /** `*`, a prefix, or `@set`. */
  remote: string;
  ports: [number, number][];
  /** True: every port (or no notion of ports). */
  all: boolean;
  icmp: { type: number; code: number | null } | null;
}

function remoteOf(rule: SecurityGroupRuleWiring): string | undefined {
  const version = versionOf(rule);
  if (rule.remote_group_id !== null) return `@${memberSet(rule.remote_group_id, version)}`;
  if (rule.remote_ip_prefix === null) return '*';
  const range = parseRange(rule.remote_ip_prefix);
  if (range === undefined || range.version !== version) return undefined;
  return range.prefix === 0 ? '*' : rule.remote_ip_prefix;
}

/** @returns undefined for a rule that can match nothing (unknown protocol, prefix of the other family). */
function bundleOf(rule: SecurityGroupRuleWiring): Bundle | undefined {
  const version = versionOf(rule);
  const protocol = protocolNumber(rule.protocol, version);
  const remote = remoteOf(rule);
  if (protocol === undefined || remote === undefined) return undefined;
  const bundle: Bundle = { version, protocol, remote, ports: [], all: true, icmp: null };
  if (protocol !== null && WITH_PORTS.has(protocol) && (rule.port_range_min !== null || rule.port_range_max !== null)) {
    bundle.all = false;
    bundle.ports = [[rule.port_range_min ?? 0, rule.port_range_max ?? 65535]];
  }
  if ((protocol === ICMP || protocol === ICMPV6) && rule.port_range_min !== null) {
    bundle.icmp = { type: rule.port_range_min, code: rule.port_range_max };
  }
  return bundle;
}

/** Bundles of one protocol and remote: their ports together. */
function mergePorts(bundles: Bundle[]): Bundle[] {
  const merged = new Map<string, Bundle>();
  for (const bundle of bundles) {
    const key = `${bundle.version} ${bundle.protocol} ${bundle.remote} ${bundle.icmp?.type} ${bundle.icmp?.code}`;
    const before = merged.get(key);
    if (before === undefined) merged.set(key, { ...bundle, ports: [...bundle.ports] });
    else {
      before.all ||= bundle.all;
      before.ports.push(...bundle.ports);
    }
  }
  return [...merged.values()];
}

const setOf = (items: string[]): string => (items.length === 1 && items[0] !== undefined ? items[0] : `{ ${items.join(', ')} }`);

function protocolMatch(bundle: Bundle): string {
  const family = `meta nfproto ipv${bundle.version}`;
  if (bundle.protocol === null) return family;
  if (bundle.icmp !== null) {
    const name = bundle.protocol === ICMP ? 'icmp' : 'icmpv6';
    const code = bundle.icmp.code === null ? '' : ` ${name} code ${bundle.icmp.code}`;
    return `${family} ${name} type ${bundle.icmp.type}${code}`;
  }
  const ports = bundle.all ? '' : ` th dport ${setOf(foldPorts(bundle.ports))}`;
  return `${family} meta l4proto ${bundle.protocol}${ports}`;
}

/** The nft rules of one direction of a group; each ends in `accept`. Pure: the same rules in any order give the same text. */
export function groupRules(group: SecurityGroupWiring, direction: 'ingress' | 'egress'): string[] {
  const wanted = group.rules.filter((rule) => rule.direction === direction);
  const bundles = mergePorts(wanted.map(bundleOf).filter((bundle) => bundle !== undefined));
  const end = direction === 'ingress' ? 'saddr' : 'daddr';
  const prefixes = new Map<string, { version: 4 | 6; texts: string[] }>();
  const rules: string[] = [];
  for (const bundle of bundles) {
    const match = protocolMatch(bundle);
    const family = bundle.version === 4 ? 'ip' : 'ip6';
    if (bundle.remote === '*') rules.push(`${match} accept`);
    else if (bundle.remote.startsWith('@')) rules.push(`${match} ${family} ${end} ${bundle.remote} accept`);
    else {
      const same = prefixes.get(match) ?? { version: bundle.version, texts: [] };
      same.texts.push(bundle.remote);
      prefixes.set(match, same);
    }
  }
  for (const [match, { version, texts }] of prefixes) {
    rules.push(`${match} ${version === 4 ? 'ip' : 'ip6'} ${end} ${setOf(foldPrefixes(texts, version))} accept`);
  }
  return rules.sort();
}
