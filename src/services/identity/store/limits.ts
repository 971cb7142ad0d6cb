import { sql, type Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { LimitRow, RegisteredLimitRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertRegisteredLimit(db: Db, row: RegisteredLimitRow): Promise<void> {
  await db.insertInto('identity_registered_limits').values(row).execute();
}

export async function findRegisteredLimit(db: Db, id: string): Promise<RegisteredLimitRow | undefined> {
  return await db.selectFrom('identity_registered_limits').selectAll().where('id', '=', id).executeTakeFirst();
}

export type LimitedResource = Pick<RegisteredLimitRow, 'service_id' | 'region_id' | 'resource_name'>;

export async function findRegisteredLimitOf(db: Db, { service_id, region_id, resource_name }: LimitedResource): Promise<RegisteredLimitRow | undefined> {
  return await db.selectFrom('identity_registered_limits').selectAll().where('service_id', '=', service_id).where('region_id', '=', region_id).where('resource_name', '=', resource_name).executeTakeFirst();
}

export async function listRegisteredLimits(db: Db, options: ListOptions): Promise<Page<RegisteredLimitRow>> {
  return await listRows(db.selectFrom('identity_registered_limits').selectAll(), options, 'id');
}

export async function updateRegisteredLimit(db: Db, row: RegisteredLimitRow): Promise<void> {
  await db.updateTable('identity_registered_limits').set(row).where('id', '=', row.id).execute();
}

export async function deleteRegisteredLimit(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_registered_limits').where('id', '=', id).execute();
}

/** With the limits of projects that go with them. */
export async function deleteLimitsOfRegion(db: Db, region_id: string): Promise<void> {
  await db.deleteFrom('identity_registered_limits').where('region_id', '=', region_id).execute();
}

/** Whether any project or domain has a limit of its own. */
export async function isReferred(db: Db, registered_limit_id: string): Promise<boolean> {
  return (await db.selectFrom('identity_limits').select('id').where('registered_limit_id', '=', registered_limit_id).limit(1).executeTakeFirst()) !== undefined;
}

export async function insertLimit(db: Db, row: LimitRow): Promise<void> {
  await db.insertInto('identity_limits').values(row).execute();
}

export async function findLimit(db: Db, id: string): Promise<LimitRow | undefined> {
  return await db.selectFrom('identity_limits').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Whose limits a caller may see. */
export type Visible = 'all' | { project_id: string } | { domain_id: string };

export async function listLimits(db: Db, options: ListOptions, visible: Visible): Promise<Page<LimitRow>> {
  const all = db.selectFrom('identity_limits').selectAll();
  if (visible === 'all') return await listRows(all, options, 'id');
  if ('project_id' in visible) return await listRows(all.where('project_id', '=', visible.project_id), options, 'id');
  const { domain_id } = visible;
  const within = db.selectFrom('identity_projects').select('id').where('domain_id', '=', domain_id);
  return await listRows(all.where((eb) => eb.or([eb('domain_id', '=', domain_id), eb('project_id', 'in', within)])), options, 'id');
}

export async function updateLimit(db: Db, id: string, values: Partial<LimitRow>): Promise<void> {
  await db.updateTable('identity_limits').set(values).where('id', '=', id).execute();
}

export async function deleteLimit(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_limits').where('id', '=', id).execute();
}

export async function limitOfDomain(db: Db, registered_limit_id: string, domain_id: string): Promise<number | undefined> {
  const row = await db.selectFrom('identity_limits').select('resource_limit').where('registered_limit_id', '=', registered_limit_id).where('domain_id', '=', domain_id).executeTakeFirst();
  return row?.resource_limit;
}

/** Whether a project of the domain has a greater limit; -1 is the greatest. */
export async function isExceededWithin(db: Db, registered_limit_id: string, domain_id: string, limit: number): Promise<boolean> {
  const row = await db
    .selectFrom('identity_limits as l')
    .innerJoin('identity_projects as p', 'p.id', 'l.project_id')
    .select('l.id')
    .where('l.registered_limit_id', '=', registered_limit_id)
    .where('p.domain_id', '=', domain_id)
    .where((eb) => eb.or([eb('l.resource_limit', '>', limit), eb('l.resource_limit', '=', -1)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface EffectiveLimit {
  default_limit: number;
  project_limit: number | null;
  domain_limit: number | null;
}

/** What counts for one project; a limit registered for the region goes before one for all of them. */
export async function readEffectiveLimit(db: Db, { service, resource_name, project_id }: { service: string; resource_name: string; project_id: string }, region_id: string): Promise<EffectiveLimit | undefined> {
  return await db
    .selectFrom('identity_registered_limits as r')
    .innerJoin('identity_services as s', 's.id', 'r.service_id')
    .leftJoin('identity_limits as l', (join) => join.onRef('l.registered_limit_id', '=', 'r.id').on('l.project_id', '=', project_id))
    .leftJoin('identity_projects as p', (join) => join.on('p.id', '=', project_id))
    .leftJoin('identity_limits as d', (join) => join.onRef('d.registered_limit_id', '=', 'r.id').onRef('d.domain_id', '=', 'p.domain_id'))
    .select(['r.default_limit', 'l.resource_limit as project_limit', 'd.resource_limit as domain_limit'])
    .where('r.resource_name', '=', resource_name)
    .where('r.region_id', 'in', ['', region_id])
    .where('s.type', '=', service)
    .orderBy('r.region_id', 'desc')
    .orderBy('r.id')
    .limit(1)
    .executeTakeFirst();
}

/** Projects further from their domain than the model of limits allows; a few of them. */
export async function projectsBelow(db: Db, levels: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with recursive tree(id, depth) as (
      select d.id, 0 from identity_projects d where d.domain_id = '' and d.parent_id is null
      union all select p.id, t.depth + 1 from identity_projects p join tree t on p.parent_id = t.id)
    select t.id from tree t where t.depth > ${levels} order by t.id limit 10`.execute(db);
  return rows.map(({ id }) => id);
}
