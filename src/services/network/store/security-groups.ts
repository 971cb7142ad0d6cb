import type { Kysely, Updateable } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { securityGroupNotFound, securityGroupRuleNotFound } from '../faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { NetworkTables, SecurityGroupRow, SecurityGroupRuleRow, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

export function listSecurityGroups(db: Db, project: string | undefined, request: ListRequest): Promise<Page<SecurityGroupRow>> {
  let query = db.selectFrom('network_security_groups').selectAll('network_security_groups');
  if (project !== undefined) query = query.where('project_id', '=', project);
  return listPage(query, 'network_security_groups', request, securityGroupNotFound);
}

export function findSecurityGroup(db: Db, id: string): Promise<SecurityGroupRow | undefined> {
  return db.selectFrom('network_security_groups').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findSecurityGroups(db: Db, ids: readonly string[]): Promise<SecurityGroupRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('network_security_groups').selectAll().where('id', 'in', [...new Set(ids)]).execute();
}

/** Those of the project that bear one of these names or ids. */
export async function findGroupsNamed(db: Db, project: string, names: readonly string[]): Promise<SecurityGroupRow[]> {
  if (names.length === 0) return [];
  return db.selectFrom('network_security_groups').selectAll().where('project_id', '=', project)
    .where((eb) => eb.or([eb('id', 'in', names), eb('name', 'in', names)])).orderBy('id').execute();
}

export async function defaultGroupId(db: Db, project: string): Promise<string | undefined> {
  return (await db.selectFrom('network_default_security_groups').select('security_group_id').where('project_id', '=', project).executeTakeFirst())?.security_group_id;
}

export async function projectsWithDefaultGroup(db: Db, after: string, limit: number): Promise<string[]> {
  const rows = await db.selectFrom('network_default_security_groups').select('project_id').where('project_id', '>', after).orderBy('project_id').limit(limit).execute();
  return rows.map((row) => row.project_id);
}

/** Names the default group of a project, unless it has one: then false. */
export async function claimDefaultGroup(tx: Tx, project_id: string, security_group_id: string): Promise<boolean> {
  const result = await tx.insertInto('network_default_security_groups').values({ project_id, security_group_id }).onConflict((on) => on.column('project_id').doNothing()).executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) === 1;
}

export async function insertSecurityGroup(tx: Tx, row: SecurityGroupRow): Promise<void> {
  await tx.insertInto('network_security_groups').values(row).execute();
}

export async function updateSecurityGroupRow(tx: Tx, id: string, change: Updateable<SecurityGroupRow>): Promise<void> {
  await tx.updateTable('network_security_groups').set(change).where('id', '=', id).execute();
}

/** Counts a revision of the group and holds it for this transaction. */
export function lockSecurityGroup(tx: Tx, id: string, now: string): Promise<SecurityGroupRow | undefined> {
  return tx.updateTable('network_security_groups').set((eb) => ({ revision_number: eb('revision_number', '+', 1), updated_at: now }))
    .where('id', '=', id).returningAll().executeTakeFirst();
}

/** Its rules, and the rules of others that name it, go with it. */
export async function deleteSecurityGroupRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('network_tags').where('resource_id', '=', id).execute();
  await tx.deleteFrom('network_security_groups').where('id', '=', id).execute();
}

export async function groupHasPorts(db: Db, id: string): Promise<boolean> {
  return (await db.selectFrom('network_port_security_groups').select('port_id').where('security_group_id', '=', id).limit(1).executeTakeFirst()) !== undefined;
}

export async function rulesOfGroups(db: Db, group_ids: readonly string[]): Promise<SecurityGroupRuleRow[]> {
  if (group_ids.length === 0) return [];
  return db.selectFrom('network_security_group_rules').selectAll().where('security_group_id', 'in', group_ids).orderBy('security_group_id').orderBy('id').execute();
}

export type SeenRule = SecurityGroupRuleRow & { group_project_id: string };

export function findRule(db: Db, id: string): Promise<SeenRule | undefined> {
  return db.selectFrom('network_security_group_rules').innerJoin('network_security_groups', 'network_security_groups.id', 'network_security_group_rules.security_group_id')
    .selectAll('network_security_group_rules').select('network_security_groups.project_id as group_project_id')
    .where('network_security_group_rules.id', '=', id).executeTakeFirst();
}

/** @param project those of the project or of its groups; undefined: all. */
export function listRules(db: Db, project: string | undefined, request: ListRequest): Promise<Page<SecurityGroupRuleRow>> {
  let query = db.selectFrom('network_security_group_rules').selectAll('network_security_group_rules');
  if (project !== undefined) {
    query = query.where('id', 'in', (eb) =>
      eb.selectFrom('network_security_group_rules').select('id').where('project_id', '=', project)
        .union(eb.selectFrom('network_security_groups as g').innerJoin('network_security_group_rules as r', 'r.security_group_id', 'g.id').select('r.id').where('g.project_id', '=', project)));
  }
  return listPage(query, 'network_security_group_rules', request, securityGroupRuleNotFound);
}

export async function insertRules(tx: Tx, rows: readonly SecurityGroupRuleRow[]): Promise<void> {
  if (rows.length > 0) await tx.insertInto('network_security_group_rules').values(rows).execute();
}

export async function findRuleByKey(db: Db, security_group_id: string, rule_key: string): Promise<string | undefined> {
  return (await db.selectFrom('network_security_group_rules').select('id').where('security_group_id', '=', security_group_id).where('rule_key', '=', rule_key).executeTakeFirst())?.id;
}

export async function deleteRuleRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('network_security_group_rules').where('id', '=', id).execute();
}

/** Groups whose rules name this one as remote. */
export async function groupsWatching(db: Db, id: string): Promise<string[]> {
  const rows = await db.selectFrom('network_security_group_rules').select('security_group_id').distinct().where('remote_group_id', '=', id).execute();
  return rows.map((row) => row.security_group_id);
}

/** Addresses and allowed pairs of every port in these groups, cloud wide. */
export async function groupMembers(db: Db, group_ids: readonly string[]): Promise<{ security_group_id: string; fixed_ips: string; allowed_address_pairs: string }[]> {
  if (group_ids.length === 0) return [];
  return db.selectFrom('network_port_security_groups as b').innerJoin('network_ports as p', 'p.id', 'b.port_id')
    .select(['b.security_group_id', 'p.fixed_ips', 'p.allowed_address_pairs']).where('b.security_group_id', 'in', group_ids).execute();
}
