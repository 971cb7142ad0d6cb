/** Which project sees which endpoints: named one by one, or by groups of endpoints with something in common. */
import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { EndpointGroupRow, EndpointRow, ProjectRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export interface EndpointFilters {
  service_id?: string;
  region_id?: string;
  interface?: EndpointRow['interface'];
  enabled?: boolean;
}

export async function insertEndpointGroup(db: Db, row: EndpointGroupRow): Promise<void> {
  await db.insertInto('identity_endpoint_groups').values(row).execute();
}

export async function findEndpointGroup(db: Db, id: string): Promise<EndpointGroupRow | undefined> {
  return await db.selectFrom('identity_endpoint_groups').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listEndpointGroups(db: Db, options: ListOptions): Promise<Page<EndpointGroupRow>> {
  return await listRows(db.selectFrom('identity_endpoint_groups').selectAll(), options, 'id');
}

export async function updateEndpointGroup(db: Db, id: string, values: Partial<EndpointGroupRow>): Promise<void> {
  await db.updateTable('identity_endpoint_groups').set(values).where('id', '=', id).execute();
}

export async function deleteEndpointGroup(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_endpoint_groups').where('id', '=', id).execute();
}

export async function endpointsMatching(db: Db, filters: EndpointFilters, limit: number): Promise<EndpointRow[]> {
  let query = db.selectFrom('identity_endpoints').selectAll().orderBy('id').limit(limit);
  if (filters.service_id !== undefined) query = query.where('service_id', '=', filters.service_id);
  if (filters.region_id !== undefined) query = query.where('region_id', '=', filters.region_id);
  if (filters.interface !== undefined) query = query.where('interface', '=', filters.interface);
  if (filters.enabled !== undefined) query = query.where('enabled', '=', filters.enabled ? 1 : 0);
  return await query.execute();
}

/** `endpoint` or `endpoint_group`: the two ways are kept alike. */
export type Way = 'endpoint' | 'endpoint_group';

const TABLES = { endpoint: 'identity_project_endpoints', endpoint_group: 'identity_project_endpoint_groups' } as const;

export async function associate(db: Db, way: Way, project_id: string, id: string): Promise<void> {
  const row = { project_id, [`${way}_id`]: id } as never;
  await db.insertInto(TABLES[way]).values(row).onConflict((conflict) => conflict.doNothing()).execute();
}

export async function isAssociated(db: Db, way: Way, project_id: string, id: string): Promise<boolean> {
  const row = await (db as Kysely<any>).selectFrom(TABLES[way]).select('project_id').where('project_id', '=', project_id).where(`${way}_id`, '=', id).executeTakeFirst();
  return row !== undefined;
}

export async function dissociate(db: Db, way: Way, project_id: string, id: string): Promise<boolean> {
  const result = await (db as Kysely<any>).deleteFrom(TABLES[way]).where('project_id', '=', project_id).where(`${way}_id`, '=', id).executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export async function projectsOf(db: Db, way: Way, id: string, limit: number): Promise<ProjectRow[]> {
  return await (db as Kysely<any>)
    .selectFrom(`${TABLES[way]} as a`)
    .innerJoin('identity_projects as p', 'p.id', 'a.project_id')
    .selectAll('p')
    .where(`a.${way}_id`, '=', id)
    .orderBy('p.name')
    .limit(limit)
    .execute() as ProjectRow[];
}

export async function groupsOfProject(db: Db, project_id: string): Promise<EndpointGroupRow[]> {
  return await db
    .selectFrom('identity_project_endpoint_groups as a')
    .innerJoin('identity_endpoint_groups as g', 'g.id', 'a.endpoint_group_id')
    .selectAll('g')
    .where('a.project_id', '=', project_id)
    .orderBy('g.id')
    .execute();
}

export async function namedEndpointsOfProject(db: Db, project_id: string): Promise<EndpointRow[]> {
  return await db
    .selectFrom('identity_project_endpoints as a')
    .innerJoin('identity_endpoints as e', 'e.id', 'a.endpoint_id')
    .selectAll('e')
    .where('a.project_id', '=', project_id)
    .orderBy('e.id')
    .execute();
}

/** Whether any project's view is narrowed at all. */
export async function anyAssociation(db: Db): Promise<boolean> {
  const one = await db.selectFrom('identity_project_endpoints').select('project_id').limit(1).executeTakeFirst();
  return one !== undefined || (await db.selectFrom('identity_project_endpoint_groups').select('project_id').limit(1).executeTakeFirst()) !== undefined;
}
