/** Where a user has any role: own or by groups, direct or inherited. */
import { sql, type Kysely } from 'kysely';
import { groupsOf, type Bearer } from './access.ts';
import type { ProjectRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

const granted = (bearer: Bearer) => sql`
  granted(target_type, target_id, inherited) as (
    select a.target_type, a.target_id, a.inherited from identity_assignments a where a.actor_id = ${bearer.user_id} and a.actor_type = 'user'
    union all select a.target_type, a.target_id, a.inherited from (${groupsOf(bearer)}) mine
      cross join identity_assignments a where a.actor_id = mine.group_id and a.actor_type = 'group')`;

// A cross join keeps SQLite from reading all projects in the order of the result.
const within = (bearer: Bearer) => sql`
  with recursive ${granted(bearer)},
  above(id) as (
    select g.target_id from granted g where g.inherited = 1
    union select p.id from identity_projects p join above b on p.parent_id = b.id),
  own(id) as (
    select g.target_id from granted g where g.target_type = 'project' and g.inherited = 0
    union select p.id from above b cross join identity_projects p where p.parent_id = b.id)`;

export async function projectsOfUser(db: Db, bearer: Bearer, limit: number): Promise<ProjectRow[]> {
  const { rows } = await sql<ProjectRow>`${within(bearer)} select p.* from own o cross join identity_projects p where p.id = o.id and p.is_domain = 0 order by p.name, p.id limit ${limit}`.execute(db);
  return rows;
}

/** Of the given projects those where the user has a role. */
export async function ownProjects(db: Db, bearer: Bearer, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await sql<{ id: string }>`
    ${within(bearer)} select p.id from own o cross join identity_projects p where p.id = o.id and p.is_domain = 0 and p.id in (${sql.join(ids)})`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

export async function domainsOfUser(db: Db, bearer: Bearer, limit: number): Promise<ProjectRow[]> {
  const { rows } = await sql<ProjectRow>`
    with ${granted(bearer)} select p.* from identity_projects p where p.is_domain = 1
      and p.id in (select g.target_id from granted g where g.target_type = 'domain' and g.inherited = 0) order by p.name, p.id limit ${limit}`.execute(db);
  return rows;
}

export async function hasSystemRole(db: Db, bearer: Bearer): Promise<boolean> {
  const { rows } = await sql`with ${granted(bearer)} select 1 from granted g where g.target_type = 'system' limit 1`.execute(db);
  return rows.length > 0;
}
