import { isForeignKeyViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { defaultGroupExists, defaultGroupRemoval, defaultGroupUpdate, securityGroupInUse, securityGroupNotFound } from '../faults.ts';
import { nodesOfGroups, serversOfGroup } from '../store/ports.ts';
import { claimDefaultGroup, defaultGroupId, deleteSecurityGroupRow, findSecurityGroup, groupHasPorts, groupsWatching, insertRules, insertSecurityGroup, lockSecurityGroup, updateSecurityGroupRow } from '../store/security-groups.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow, Tx } from '../store/tables.ts';
import { instant, nodesChanged, serversChanged, type NetworkDeps } from '../deps.ts';
import { bit } from './networks.ts';
import { takeQuota } from './quotas.ts';
import { ruleKey } from './security-group-rules.ts';
import { string, type Parse } from './validate.ts';

/** Nobody but networking itself makes a group of the name `default`. */
export const parseGroupName: Parse<string> = (value, attribute) => {
  const name = string(255)(value, attribute);
  if (name.toLowerCase() === 'default') throw defaultGroupExists();
  return name;
};

export interface NewSecurityGroup {
  project_id: string;
  name: string;
  description: string;
  stateful: boolean;
}

/** Its two first rules let everything out. */
export async function createSecurityGroup(env: NetworkDeps, tx: Tx, wanted: NewSecurityGroup): Promise<SecurityGroupRow> {
  await ensureDefaultGroup(env, tx, wanted.project_id);
  await takeQuota(env, tx, wanted.project_id, { security_group: 1, security_group_rule: 2 });
  return insertGroup(env, tx, wanted, uuid(), false);
}

async function insertGroup(env: NetworkDeps, tx: Tx, wanted: NewSecurityGroup, id: string, isDefault: boolean): Promise<SecurityGroupRow> {
  const now = instant(env);
  const row: SecurityGroupRow = {
    id, project_id: wanted.project_id, name: wanted.name, description: wanted.description, stateful: bit(wanted.stateful),
    created_at: now, updated_at: now, revision_number: 1,
  };
  await insertSecurityGroup(tx, row);
  const rules = [firstRule(row, 'egress', 'IPv4', null), firstRule(row, 'egress', 'IPv6', null)];
  if (isDefault) rules.push(firstRule(row, 'ingress', 'IPv4', id), firstRule(row, 'ingress', 'IPv6', id));
  await insertRules(tx, rules);
  return row;
}

function firstRule(group: SecurityGroupRow, direction: 'ingress' | 'egress', ethertype: 'IPv4' | 'IPv6', remote_group_id: string | null): SecurityGroupRuleRow {
  const rule = { direction, ethertype, remote_group_id, protocol: null, port_range_min: null, port_range_max: null, remote_ip_prefix: null };
  return {
    id: uuid(), project_id: group.project_id, description: '', created_at: group.created_at, updated_at: group.updated_at, revision_number: 0,
    security_group_id: group.id, ...rule, rule_key: ruleKey(rule),
  };
}

/** The project's default group, made on first touch: everything out, and in from its own members. @returns its id */
export async function ensureDefaultGroup(env: NetworkDeps, tx: Tx, project_id: string): Promise<string> {
  const known = await defaultGroupId(tx, project_id);
  if (known !== undefined) return known;
  const id = uuid();
  // The group first, for the reference; whoever loses the race takes it back.
  await insertGroup(env, tx, { project_id, name: 'default', description: 'Default security group', stateful: true }, id, true);
  if (await claimDefaultGroup(tx, project_id, id)) return id;
  await deleteSecurityGroupRow(tx, id);
  return (await defaultGroupId(tx, project_id)) ?? id;
}

export type SecurityGroupChange = Partial<Omit<NewSecurityGroup, 'project_id'>>;

/** Faults: 404; 409 renaming the default group, or changing statefulness of a group in use. */
export async function updateSecurityGroup(env: NetworkDeps, tx: Tx, id: string, change: SecurityGroupChange): Promise<SecurityGroupRow> {
  const before = await lockSecurityGroup(tx, id, instant(env));
  if (before === undefined) throw securityGroupNotFound(id);
  const isDefault = (await defaultGroupId(tx, before.project_id)) === id;
  if (isDefault && change.name !== undefined) throw defaultGroupUpdate();
  if (change.stateful !== undefined && bit(change.stateful) !== before.stateful && (await groupHasPorts(tx, id))) throw securityGroupInUse(id);
  const next: Partial<SecurityGroupRow> = {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(change.stateful === undefined ? {} : { stateful: bit(change.stateful) }),
  };
  if (Object.keys(next).length > 0) await updateSecurityGroupRow(tx, id, next);
  if (change.stateful !== undefined) await nodesChanged(env, tx, await nodesOfGroups(tx, [id]));
  if (change.name !== undefined) serversChanged(env, tx, await serversOfGroup(tx, id));
  return { ...before, ...next };
}

/** Faults: 404; 409 in use; 409 the default group, unless `anyGroup`. */
export async function deleteSecurityGroup(env: NetworkDeps, tx: Tx, id: string, anyGroup = false): Promise<void> {
  const row = await findSecurityGroup(tx, id);
  if (row === undefined) throw securityGroupNotFound(id);
  if (await groupHasPorts(tx, id)) throw securityGroupInUse(id);
  if (!anyGroup && (await defaultGroupId(tx, row.project_id)) === id) throw defaultGroupRemoval();
  const watching = await groupsWatching(tx, id);
  try {
    await deleteSecurityGroupRow(tx, id);
  } catch (error) {
    if (isForeignKeyViolation(error)) throw securityGroupInUse(id);
    throw error;
  }
  await nodesChanged(env, tx, await nodesOfGroups(tx, watching));
}
