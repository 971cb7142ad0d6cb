/** What the list of role assignments is made of. */
import { sql, type Kysely } from 'kysely';
import type { AssignmentRow, Tables } from './tables.ts';
import type { Inference } from './roles.ts';

type Db = Kysely<Tables>;

export interface AssignmentFilter {
  role_id?: string | undefined;
  actor?: { type: 'user' | 'group'; id: string } | undefined;
  /** Assignments to the user's groups count as well. */
  with_groups?: boolean;
  target?: { type: 'project' | 'domain' | 'system'; ids: readonly string[] } | undefined;
  inherited?: boolean | undefined;
  /** Also what this project inherits from above. */
  inherited_by?: string | undefined;
}

export async function listAssignments(db: Db, filter: AssignmentFilter, limit: number): Promise<AssignmentRow[]> {
  let query = db.selectFrom('identity_assignments as a').selectAll('a').orderBy('a.actor_id').orderBy('a.target_id').orderBy('a.role_id').limit(limit);
  const { actor, target, inherited_by } = filter;
  if (filter.role_id !== undefined) query = query.where('a.role_id', '=', filter.role_id);
  if (filter.inherited !== undefined) query = query.where('a.inherited', '=', filter.inherited ? 1 : 0);
  if (actor !== undefined) {
    const own = sql<boolean>`(a.actor_type = ${actor.type} and a.actor_id = ${actor.id})`;
    const byGroup = sql<boolean>`(a.actor_type = 'group' and a.actor_id in (select m.group_id from identity_memberships m where m.user_id = ${actor.id}))`;
    query = query.where(filter.with_groups === true ? sql<boolean>`(${own} or ${byGroup})` : own);
  }
  if (target !== undefined) {
    const direct = sql<boolean>`(a.target_type = ${target.type} and a.target_id in (${sql.join(target.ids)}))`;
    const above = sql<boolean>`(a.inherited = 1 and a.target_id in (${ancestorsOf(inherited_by ?? '')}))`;
    query = query.where(inherited_by === undefined ? direct : sql<boolean>`(${direct} or ${above})`);
  }
  return await query.execute();
}

const ancestorsOf = (project_id: string) => sql`
  with recursive lineage(id, parent_id) as (
    select p.id, p.parent_id from identity_projects p where p.id = ${project_id}
    union all select p.id, p.parent_id from identity_projects p join lineage l on p.id = l.parent_id)
  select l.id from lineage l where l.id != ${project_id}`;

interface Below {
  /** Whose inherited assignment it is: a project or a domain. */
  root: string;
  project_id: string;
}

/** All projects below each of the given ones. */
export async function projectsBelow(db: Db, ids: readonly string[], limit: number): Promise<Below[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<Below>`
    with recursive tree(root, project_id) as (
      select p.parent_id, p.id from identity_projects p where p.parent_id in (${sql.join(ids)})
      union all select t.root, p.id from identity_projects p join tree t on p.parent_id = t.project_id)
    select t.root, t.project_id from tree t limit ${limit}`.execute(db);
  return rows;
}

export async function membersOfGroups(db: Db, group_ids: readonly string[], limit: number): Promise<{ user_id: string; group_id: string }[]> {
  if (group_ids.length === 0) return [];
  return await db.selectFrom('identity_memberships').selectAll().where('group_id', 'in', group_ids).limit(limit).execute();
}

/** Each of the given roles with all it implies, however far. */
export async function impliedClosure(db: Db, role_ids: readonly string[]): Promise<Inference[]> {
  if (role_ids.length === 0) return [];
  const { rows } = await sql<Inference>`
    with recursive closure(prior_role_id, implied_role_id) as (
      select i.prior_role_id, i.implied_role_id from identity_implied_roles i where i.prior_role_id in (${sql.join(role_ids)})
      union select c.prior_role_id, i.implied_role_id from identity_implied_roles i join closure c on i.prior_role_id = c.implied_role_id)
    select c.prior_role_id, c.implied_role_id from closure c`.execute(db);
  return rows;
}

export interface NamedInDomain {
  id: string;
  name: string;
  domain_id: string;
}

export async function namesOf(db: Db, table: 'identity_users' | 'identity_groups' | 'identity_roles' | 'identity_projects', ids: readonly string[]): Promise<Map<string, NamedInDomain>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom(table).select(['id', 'name', 'domain_id']).where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row]));
}
