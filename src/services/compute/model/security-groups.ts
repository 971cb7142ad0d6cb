/** Security groups as nova's proxy has them (nova `network/security_group_api.py`). */
import { isIP } from 'node:net';
import { badRequest, type Fault, forbidden, isFault } from '../../../kernel/fault.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import type { NewIngressRule, ShownSecurityGroup } from '../../network/client.ts';

type Rule = ShownSecurityGroup['rules'][number];
export type GroupNames = ReadonlyMap<string, { name: string; tenant_id: string }>;

export const groupNames = (groups: readonly ShownSecurityGroup[]): GroupNames => new Map(groups.map(({ id, name, project_id }) => [id, { name, tenant_id: project_id }]));

/** Groups that the rules of these name and that are not among them. Pure. */
export const foreignGroups = (groups: readonly ShownSecurityGroup[]): string[] => {
  const remote = groups.flatMap(({ rules }) => rules.flatMap((rule) => (rule.direction === 'ingress' ? (rule.remote_group_id ?? []) : [])));
  return [...new Set(remote)].filter((id) => !groups.some((group) => group.id === id));
};

/** Ingress only; rules that name a group which the caller does not see are left out. Pure. */
export function groupView(group: ShownSecurityGroup, names: GroupNames) {
  const rules = group.rules.filter((rule) => rule.direction === 'ingress' && (rule.remote_group_id === null || names.has(rule.remote_group_id)));
  return { id: group.id, name: group.name, description: group.description, tenant_id: group.project_id, rules: rules.map((rule) => ruleView(group.id, rule, names)) };
}

/** ICMP and ports side by side: `from_port` is a type, -1 is any. Pure. */
export function ruleView(parent_group_id: string, rule: Rule, names: GroupNames) {
  const { id, protocol: ip_protocol, remote_group_id } = rule;
  const [from_port, to_port] = shownPorts(rule);
  const remote = remote_group_id === null ? undefined : names.get(remote_group_id);
  const cidr = rule.remote_ip_prefix ?? (rule.ethertype === 'IPv6' ? '::/0' : '0.0.0.0/0');
  return { id, parent_group_id, ip_protocol, from_port, to_port, group: remote ?? {}, ip_range: remote_group_id === null ? { cidr } : {} };
}

function shownPorts({ protocol, port_range_min, port_range_max }: Rule): [number | null, number | null] {
  if (protocol === null || port_range_min !== null || port_range_max !== null) return [port_range_min, port_range_max];
  return protocol === 'tcp' || protocol === 'udp' ? [1, 65_535] : [-1, -1];
}

/** @throws Fault 400 */
export function checkGroupId(id: string): void {
  if (!isUuidLike(id)) throw invalid('Security group id should be uuid');
}

export interface AskedRule {
  parent_group_id: string;
  group_id?: string | null;
  ip_protocol?: unknown;
  from_port?: unknown;
  to_port?: unknown;
  cidr?: unknown;
}

const invalid = (message: string): Fault => badRequest('compute.security-group-rule', message);
const PROTOCOLS = new Set(['tcp', 'udp', 'icmp']);

/**
 * What networking is to let in: from a group, or from a prefix with protocol and ports. Pure.
 * @throws Fault 400 for what makes no rule, and for part of a protocol with its ports: nova would let in everything instead.
 */
export function ingressRule(asked: AskedRule): NewIngressRule {
  const remote_group_id = asked.group_id ?? null;
  const remote_ip_prefix = remote_group_id === null ? cidrOf(asked.cidr) : null;
  const security_group_id = asked.parent_group_id;
  const base = { security_group_id, remote_group_id, remote_ip_prefix, ethertype: remote_ip_prefix?.includes(':') === true ? ('IPv6' as const) : ('IPv4' as const) };
  const given = (value: unknown): boolean => value !== undefined && value !== null;
  const ports = [asked.from_port, asked.to_port].filter(given);
  if (remote_group_id !== null && !given(asked.ip_protocol) && ports.length === 0) return { ...base, protocol: null, port_range_min: null, port_range_max: null };
  if (!given(asked.ip_protocol) || (remote_group_id === null ? ports.length < 2 : ports.length === 1)) throw invalid('Not enough parameters to build a valid rule.');
  const protocol = protocolOf(asked.ip_protocol);
  if (ports.length === 0) return { ...base, protocol, port_range_min: null, port_range_max: null };
  const [from, to] = [numberOf(asked.from_port, protocol), numberOf(asked.to_port, protocol)];
  checkRange(protocol, from, to);
  return { ...base, protocol, port_range_min: from === -1 ? null : from, port_range_max: to === -1 ? null : to };
}

function protocolOf(asked: unknown): string {
  const protocol = typeof asked === 'string' ? asked.toLowerCase() : '';
  if (PROTOCOLS.has(protocol)) return protocol;
  throw invalid(`Invalid IP protocol ${typeof asked === 'string' ? asked : JSON.stringify(asked)}.`);
}

function numberOf(asked: unknown, protocol: string): number {
  const number = typeof asked === 'string' && /^\s*[+-]?\d{1,9}\s*$/.test(asked) ? Number(asked) : asked;
  if (typeof number === 'number' && Number.isInteger(number)) return number;
  throw invalid(`Invalid input received: ${protocol === 'icmp' ? 'Type and Code must be integers for ICMP protocol type' : 'To and From ports must be integers'}`);
}

function checkRange(protocol: string, from: number, to: number): void {
  const refuse = (why: string): Fault => invalid(`Invalid port range ${from}:${to}. ${why}`);
  if (protocol === 'icmp') {
    if (from < -1 || from > 255 || to < -1 || to > 255) throw refuse('For ICMP, the type:code must be valid');
    return;
  }
  if (from > to) throw refuse('Former value cannot be greater than the later');
  if (from < 1 || to > 65_535) throw refuse(`Valid ${protocol.toUpperCase()} ports should be between 1-65535`);
}

function cidrOf(asked: unknown): string {
  if (asked === undefined || asked === null || asked === '') return '0.0.0.0/0';
  const cidr = typeof asked === 'string' ? decoded(asked) : '';
  const [net = '', length = '', ...more] = cidr.split('/');
  const version = isIP(net);
  if (version === 0 || more.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > (version === 4 ? 32 : 128)) {
    throw invalid(`${typeof asked === 'string' ? asked : JSON.stringify(asked)} is not a valid IP network.`);
  }
  if (Number(length) === 0 && net !== '0.0.0.0' && net !== '::') throw invalid(`Bad prefix for network in cidr ${cidr}`);
  return cidr;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // a lone % stands for itself, and is no part of a prefix
    return text;
  }
}

/** Says what networking refuses of a group with nova's statuses: conflicts are the caller's fault, a full quota is 403. */
export async function groupWork<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isFault(error) || error.status !== 409) throw error;
    throw error.type === 'OverQuota' ? forbidden('compute.security-group-quota', error.message, { cause: error }) : badRequest('compute.security-group-conflict', error.message, { cause: error });
  }
}
