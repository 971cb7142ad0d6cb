import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { duplicateRuleInPost, invalidCidr, ruleExists, ruleInvalid, securityGroupNotFound, securityGroupRuleNotFound } from '../faults.ts';
import { nodesOfGroups } from '../store/ports.ts';
import { deleteRuleRow, findRule, findRuleByKey, findSecurityGroup, insertRules, lockSecurityGroup } from '../store/security-groups.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow, Tx } from '../store/tables.ts';
import { formatAddress, parsePrefix } from './address.ts';
import { instant, nodesChanged, type NetworkDeps } from '../deps.ts';
import { takeQuota } from './quotas.ts';
import { show, type Parse } from './validate.ts';

export type NewRule = Omit<SecurityGroupRuleRow, 'id' | 'rule_key' | 'revision_number' | 'created_at' | 'updated_at'>;

/** Names that a rule may give a protocol (neutron_lib.constants.IP_PROTOCOL_MAP). */
const PROTOCOLS: Readonly<Record<string, number>> = {
  ah: 51, dccp: 33, egp: 8, esp: 50, gre: 47, hopopt: 0, icmp: 1, igmp: 2, ip: 0, ipip: 4, 'ipv6-encap': 41, 'ipv6-frag': 44, 'ipv6-icmp': 58,
  icmpv6: 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, 'ipv6-route': 43, ospf: 89, pgm: 113, rsvp: 46, sctp: 132, tcp: 6, udp: 17, udplite: 136, vrrp: 112,
};
const WITH_PORTS = new Set([33, 132, 6, 17, 136]);
const ICMP = new Set([1, 58]);
const IPV6_ONLY = new Set(['ipv6-encap', 'ipv6-frag', 'ipv6-icmp', 'icmpv6', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route', '41', '44', '58', '59', '60', '43']);
const ANY_PROTOCOL = new Set<unknown>([null, 'any']);

export const parseProtocol: Parse<string | null> = (value) => {
  if (ANY_PROTOCOL.has(value)) return null;
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  if (/^\d+$/.test(text) && Number(text) <= 255) return String(Number(text));
  if (Object.hasOwn(PROTOCOLS, text.toLowerCase())) return text.toLowerCase();
  const known = `(None, 'any', ${Object.keys(PROTOCOLS).map((name) => `'${name}'`).join(', ')})`;
  throw ruleInvalid('SecurityGroupRuleInvalidProtocol', `Security group rule protocol ${show(value)} not supported. Only protocol values ${known} and integer representations [0 to 255] are supported.`);
};

export const parseEthertype: Parse<'IPv4' | 'IPv6'> = (value) => {
  const found = (['IPv4', 'IPv6'] as const).find((name) => typeof value === 'string' && value.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  throw ruleInvalid('SecurityGroupRuleInvalidEtherType', `Security group rule for ethertype '${show(value)}' not supported. Allowed values are ['IPv4', 'IPv6'].`);
};

export const parsePort: Parse<number | null> = (value) => {
  if (value === null) return null;
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  throw ruleInvalid('SecurityGroupInvalidPortValue', `Invalid value for port ${show(value)}`);
};

/** Kept as it was written, with a mask; its normalized form is shown beside it. */
export const parseRemotePrefix: Parse<string | null> = (value) => {
  if (value === null || value === '') return null;
  const prefix = typeof value === 'string' ? parsePrefix(value, true) : undefined;
  if (prefix === undefined) throw invalidCidr(show(value));
  return `${formatAddress(prefix.address, prefix.version)}/${prefix.length}`;
};

function protocolNumber(protocol: string): number {
  return PROTOCOLS[protocol] ?? Number(protocol);
}

type Matching = Pick<NewRule, 'direction' | 'ethertype' | 'protocol' | 'port_range_min' | 'port_range_max' | 'remote_ip_prefix' | 'remote_group_id'>;

/** Equal for two rules that match the same: names and numbers of a protocol are the same, and so are no prefix and everything. */
export function ruleKey(rule: Matching): string {
  const prefix = rule.remote_ip_prefix === '0.0.0.0/0' || rule.remote_ip_prefix === '::/0' ? null : rule.remote_ip_prefix;
  const protocol = rule.protocol === null ? null : protocolNumber(rule.protocol);
  return [rule.direction, rule.ethertype, rule.port_range_max, rule.port_range_min, protocol, rule.remote_group_id, prefix].map((part) => part ?? '+').join('_');
}

/** The rule as it is kept. Faults: 400 in neutron's words. */
export function checkRule<Rule extends Matching>(asked: Rule): Rule {
  const rule = { ...asked };
  if (rule.ethertype === 'IPv6' && rule.protocol !== null) {
    if (rule.protocol === 'icmp' || rule.protocol === 'icmpv6') rule.protocol = 'ipv6-icmp';
    else if (rule.protocol === '1') rule.protocol = '58';
  }
  if (rule.port_range_min === 1 && rule.port_range_max === 65_535) rule.port_range_min = rule.port_range_max = null;
  checkPorts(rule);
  const version = rule.remote_ip_prefix === null ? undefined : parsePrefix(rule.remote_ip_prefix)!.version;
  if (version !== undefined && rule.ethertype !== `IPv${version}`) {
    throw ruleInvalid('SecurityGroupRuleParameterConflict', `Conflicting value ethertype ${rule.ethertype} for CIDR ${rule.remote_ip_prefix}`);
  }
  if (rule.ethertype === 'IPv4' && rule.protocol !== null && IPV6_ONLY.has(rule.protocol)) {
    throw ruleInvalid('SecurityGroupEthertypeConflictWithProtocol', `Invalid ethertype ${rule.ethertype} for protocol ${rule.protocol}.`);
  }
  if (rule.remote_ip_prefix !== null && rule.remote_group_id !== null) {
    throw ruleInvalid('SecurityGroupMultipleRemoteEntites', 'Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.');
  }
  return rule;
}

function checkPorts({ port_range_min: min, port_range_max: max, protocol }: Matching): void {
  if (min === null && max === null) return;
  if (protocol === null) throw ruleInvalid('SecurityGroupProtocolRequiredWithPorts', 'Must also specify protocol if port range is given.');
  const number = protocolNumber(protocol);
  if (WITH_PORTS.has(number)) {
    if (min === 0 || max === 0) throw ruleInvalid('SecurityGroupInvalidPortValue', 'Invalid value for port 0');
    if (min === null || max === null || min > max) throw ruleInvalid('SecurityGroupInvalidPortRange', 'For TCP/UDP protocols, port_range_min must be <= port_range_max');
  } else if (ICMP.has(number)) checkIcmp(min, max);
  else throw ruleInvalid('SecurityGroupInvalidProtocolForPort', `Ports cannot be specified for protocol ${number}. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.`);
}

function checkIcmp(min: number | null, max: number | null): void {
  for (const [attr, field, value] of [['port_range_min', 'type', min], ['port_range_max', 'code', max]] as const) {
    if (value !== null && value > 255) throw ruleInvalid('SecurityGroupInvalidIcmpValue', `Invalid value for ICMP ${field} (${attr}) ${value}. It must be 0 to 255.`);
  }
  if (min === null && max !== null) throw ruleInvalid('SecurityGroupMissingIcmpType', `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`);
}

/** All of one group, all or none. Faults: 400; 404 group; 409 a rule that is there already, OverQuota. */
export async function createRules(env: NetworkDeps, tx: Tx, asked: readonly NewRule[], anyGroup: boolean): Promise<SecurityGroupRuleRow[]> {
  const rules = asked.map(checkRule);
  const [first] = rules as [NewRule];
  if (rules.some((rule) => rule.security_group_id !== first.security_group_id)) throw ruleInvalid('SecurityGroupNotSingleGroupRules', 'Only allowed to update rules for one security profile at a time');
  if (rules.some((rule) => rule.project_id !== first.project_id)) throw ruleInvalid('SecurityGroupRulesNotSingleProject', 'Multiple project_ids in bulk security group rule create not allowed');
  const visible = (group: SecurityGroupRow | undefined): boolean => group !== undefined && (anyGroup || group.project_id === first.project_id);
  for (const id of new Set(rules.map((rule) => rule.remote_group_id))) {
    if (id !== null && !visible(await findSecurityGroup(tx, id))) throw securityGroupNotFound(id);
  }
  await takeQuota(env, tx, first.project_id, { security_group_rule: rules.length });
  const now = instant(env);
  if (!visible(await lockSecurityGroup(tx, first.security_group_id, now))) throw securityGroupNotFound(first.security_group_id);
  const rows = rules.map((rule): SecurityGroupRuleRow => ({ id: uuid(), ...rule, rule_key: ruleKey(rule), created_at: now, updated_at: now, revision_number: 0 }));
  await refuseTwins(tx, rows);
  await insertRules(tx, rows).catch((error: unknown) => {
    throw isUniqueViolation(error) ? duplicateRuleInPost() : error;
  });
  await nodesChanged(env, tx, await nodesOfGroups(tx, [first.security_group_id]));
  return rows;
}

async function refuseTwins(tx: Tx, rows: readonly SecurityGroupRuleRow[]): Promise<void> {
  if (new Set(rows.map((row) => row.rule_key)).size < rows.length) throw duplicateRuleInPost();
  for (const row of rows) {
    const twin = await findRuleByKey(tx, row.security_group_id, row.rule_key);
    if (twin !== undefined) throw ruleExists(twin);
  }
}

export async function deleteRule(env: NetworkDeps, tx: Tx, id: string): Promise<void> {
  const rule = await findRule(tx, id);
  if (rule === undefined) throw securityGroupRuleNotFound(id);
  await lockSecurityGroup(tx, rule.security_group_id, instant(env));
  await deleteRuleRow(tx, id);
  await nodesChanged(env, tx, await nodesOfGroups(tx, [rule.security_group_id]));
}
