/** What authentication asks of the rows. */
import { sql, type Kysely } from 'kysely';
import type { RevocationRow, RoleRow, Tables, UserRow } from './tables.ts';

type Db = Kysely<Tables>;

const OF_USER = [
  'id', 'name', 'enabled', 'default_project_id', 'password_hash', 'password_expires_at', 'options', 'created_at', 'last_active_on', 'failed_logins', 'failed_login_at',
] as const;

export type Named = { id: string } | { name: string };

export interface AccessUser extends Pick<UserRow, (typeof OF_USER)[number]> {
  domain_id: string;
  domain_name: string;
  domain_enabled: number;
}

const users = (db: Db) =>
  db
    .selectFrom('identity_users as u')
    .innerJoin('identity_projects as d', 'd.id', 'u.domain_id')
    .select(OF_USER.map((column) => `u.${column}` as const))
    .select(['d.id as domain_id', 'd.name as domain_name', 'd.enabled as domain_enabled']);

export async function accessUser(db: Db, id: string): Promise<AccessUser | undefined> {
  return await users(db).where('u.id', '=', id).executeTakeFirst();
}

export async function accessUserByName(db: Db, name: string, domain: Named): Promise<AccessUser | undefined> {
  const found = await accessDomain(db, domain);
  if (found === undefined) return undefined;
  return await users(db).where('u.domain_id', '=', found.id).where('u.name', '=', name).executeTakeFirst();
}

export interface AccessDomain {
  id: string;
  name: string;
  enabled: number;
}

export async function accessDomain(db: Db, domain: Named): Promise<AccessDomain | undefined> {
  const query = db.selectFrom('identity_projects').select(['id', 'name', 'enabled']).where('is_domain', '=', 1).where('domain_id', '=', '');
  return await ('id' in domain ? query.where('id', '=', domain.id) : query.where('name', '=', domain.name)).executeTakeFirst();
}

export interface AccessProject {
  id: string;
  name: string;
  enabled: number;
  parent_id: string | null;
  domain_id: string;
  domain_name: string;
  domain_enabled: number;
}

const projects = (db: Db) =>
  db
    .selectFrom('identity_projects as p')
    .innerJoin('identity_projects as d', 'd.id', 'p.domain_id')
    .select(['p.id', 'p.name', 'p.enabled', 'p.parent_id'])
    .select(['d.id as domain_id', 'd.name as domain_name', 'd.enabled as domain_enabled']);

/** Never a domain: one can't have a project-scoped token for it. */
export async function accessProject(db: Db, id: string): Promise<AccessProject | undefined> {
  return await projects(db).where('p.id', '=', id).executeTakeFirst();
}

export async function accessProjectByName(db: Db, name: string, domain: Named): Promise<AccessProject | undefined> {
  const found = await accessDomain(db, domain);
  if (found === undefined) return undefined;
  return await projects(db).where('p.domain_id', '=', found.id).where('p.name', '=', name).executeTakeFirst();
}

export type Target = { kind: 'project' | 'domain'; id: string } | { kind: 'system' };
export type AccessRole = Pick<RoleRow, 'id' | 'name' | 'domain_id'>;

/** Somebody with what their token brings along. */
export interface Bearer {
  user_id: string;
  /** Memberships that ended before do not count. */
  now: string;
  /** Groups in which an identity provider put them for the life of the token. */
  group_ids?: readonly string[] | undefined;
}

/** Rows of `group_id`. */
export function groupsOf({ user_id, now, group_ids = [] }: Bearer) {
  const given = group_ids.length === 0 ? sql`` : sql` union all select g.id from identity_groups g where g.id in (${sql.join(group_ids)})`;
  return sql`
    select m.group_id from identity_memberships m where m.user_id = ${user_id}
    union all select e.group_id from identity_expiring_memberships e where e.user_id = ${user_id} and e.expires_at > ${now}${given}`;
}

/** When the next of a user's memberships ends that end at all. */
export async function nextMembershipEnd(db: Db, { user_id, now }: Bearer): Promise<string | undefined> {
  const row = await db.selectFrom('identity_expiring_memberships').select('expires_at').where('user_id', '=', user_id).where('expires_at', '>', now).orderBy('expires_at').limit(1).executeTakeFirst();
  return row?.expires_at;
}

/** All roles that a user has on a target: own, by groups, inherited, implied. */
export async function effectiveRoles(db: Db, bearer: Bearer, target: Target): Promise<AccessRole[]> {
  // Actors and targets are few; the join order makes each pair one look into the primary key.
  const { rows } = await sql<AccessRole>`
    with recursive ${target.kind === 'project' ? lineage(target.id) : sql``}
    targets(type, id, inherited) as (${targets(target)}),
    actors(type, id) as (
      select 'user', cast(${bearer.user_id} as text)
      union all select 'group', mine.group_id from (${groupsOf(bearer)}) mine),
    granted(role_id) as (
      select a.role_id from actors c cross join targets t join identity_assignments a
        on a.actor_id = c.id and a.actor_type = c.type and a.target_id = t.id and a.target_type = t.type and a.inherited = t.inherited
      union select i.implied_role_id from identity_implied_roles i join granted g on g.role_id = i.prior_role_id)
    select r.id, r.name, r.domain_id from granted g cross join identity_roles r where r.id = g.role_id order by r.name, r.id`.execute(db);
  return rows;
}

const lineage = (project_id: string) => sql`
  lineage(id, parent_id, is_domain) as (
    select p.id, p.parent_id, p.is_domain from identity_projects p where p.id = ${project_id}
    union all select p.id, p.parent_id, p.is_domain from identity_projects p join lineage l on p.id = l.parent_id),`;

function targets(target: Target) {
  if (target.kind === 'system') return sql`select 'system', 'system', 0`;
  if (target.kind === 'domain') return sql`select 'domain', cast(${target.id} as text), 0`;
  // The lineage ends with the domain, so that what is inherited from it counts as well.
  return sql`
    select 'project', l.id, 0 from lineage l where l.id = ${target.id}
    union all select case when l.is_domain = 1 then 'domain' else 'project' end, l.id, 1 from lineage l where l.id != ${target.id}`;
}

/** The given roles and all that they imply. */
export async function withImplied(db: Db, role_ids: readonly string[]): Promise<AccessRole[]> {
  if (role_ids.length === 0) return [];
  const { rows } = await sql<AccessRole>`
    with recursive granted(role_id) as (
      select r.id from identity_roles r where r.id in (${sql.join(role_ids)})
      union select i.implied_role_id from identity_implied_roles i join granted g on g.role_id = i.prior_role_id)
    select r.id, r.name, r.domain_id from granted g cross join identity_roles r where r.id = g.role_id order by r.name, r.id`.execute(db);
  return rows;
}

export type RevocationKey = Pick<RevocationRow, 'kind' | 'value'>;

/** Whether a token made at that instant (ms) and carrying these values has been revoked. */
export async function isRevoked(db: Db, keys: readonly RevocationKey[], issued_at: number): Promise<boolean> {
  const row = await db
    .selectFrom('identity_revocations')
    .select('kind')
    .where((eb) => eb.or(keys.map((key) => eb.and([eb('kind', '=', key.kind), eb('value', '=', key.value)]))))
    .where('revoked_at', '>=', issued_at)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function insertRevocation(db: Db, revocation: Omit<RevocationRow, 'made_at'> & { made_at?: number }): Promise<void> {
  const row = { made_at: revocation.revoked_at, ...revocation };
  await db
    .insertInto('identity_revocations')
    .values(row)
    .onConflict((conflict) => conflict.columns(['kind', 'value']).doUpdateSet({ revoked_at: row.revoked_at, made_at: row.made_at }))
    .execute();
}

/** Forgets revocations of tokens that have long run out. */
export async function deleteRevocations(db: Db, before: number): Promise<number> {
  const result = await db.deleteFrom('identity_revocations').where('revoked_at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}

/** Those made since an instant (ms), oldest first. */
export async function listRevocations(db: Db, since: number, limit: number): Promise<RevocationRow[]> {
  return await db.selectFrom('identity_revocations').selectAll().where('made_at', '>=', since).orderBy('made_at').limit(limit).execute();
}
