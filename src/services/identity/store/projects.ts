import { sql, type Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { ProjectRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertProject(db: Db, row: ProjectRow): Promise<void> {
  await db.insertInto('identity_projects').values(row).execute();
}

export async function findProject(db: Db, id: string): Promise<ProjectRow | undefined> {
  return await db.selectFrom('identity_projects').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findProjectByName(db: Db, domain_id: string, name: string): Promise<ProjectRow | undefined> {
  return await db.selectFrom('identity_projects').selectAll().where('domain_id', '=', domain_id).where('name', '=', name).executeTakeFirst();
}

export interface TagFilter {
  all: readonly string[];
  any: readonly string[];
  not_all: readonly string[];
  not_any: readonly string[];
}

/** Domains have the domain id ''. */
export async function listProjects(db: Db, options: ListOptions, tags: TagFilter | undefined): Promise<Page<ProjectRow>> {
  let query = db.selectFrom('identity_projects').selectAll();
  if (tags !== undefined) {
    const tagged = (names: readonly string[], least: number) => sql<string>`(
      select t.project_id from identity_project_tags t where t.name in (${sql.join(names)}) group by t.project_id having count(*) >= ${sql.lit(least)})`;
    if (tags.all.length > 0) query = query.where(sql<boolean>`id in ${tagged(tags.all, tags.all.length)}`);
    if (tags.any.length > 0) query = query.where(sql<boolean>`id in ${tagged(tags.any, 1)}`);
    if (tags.not_all.length > 0) query = query.where(sql<boolean>`id not in ${tagged(tags.not_all, tags.not_all.length)}`);
    if (tags.not_any.length > 0) query = query.where(sql<boolean>`id not in ${tagged(tags.not_any, 1)}`);
  }
  return await listRows(query, options);
}

export async function updateProject(db: Db, id: string, values: Partial<ProjectRow>): Promise<void> {
  await db.updateTable('identity_projects').set(values).where('id', '=', id).execute();
}

export async function deleteProject(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_projects').where('id', '=', id).execute();
}

/** Parents of a project up to, and without, the domain; nearest first. */
export async function projectParents(db: Db, id: string): Promise<ProjectRow[]> {
  const { rows } = await sql<ProjectRow & { depth: number }>`
    with recursive lineage(id, parent_id, depth) as (
      select p.id, p.parent_id, 0 from identity_projects p where p.id = ${id}
      union all select p.id, p.parent_id, l.depth + 1 from identity_projects p join lineage l on p.id = l.parent_id)
    select p.*, l.depth from identity_projects p join lineage l on l.id = p.id where l.depth > 0 and p.is_domain = 0 order by l.depth`.execute(db);
  return rows.map(({ depth: _depth, ...row }) => row);
}

/** All projects below, parents before children; at most `limit`. */
export async function projectSubtree(db: Db, id: string, limit: number): Promise<ProjectRow[]> {
  const { rows } = await sql<ProjectRow & { depth: number }>`
    with recursive tree(id, depth) as (
      select p.id, 1 from identity_projects p where p.parent_id = ${id}
      union all select p.id, t.depth + 1 from identity_projects p join tree t on p.parent_id = t.id)
    select p.*, t.depth from identity_projects p join tree t on t.id = p.id order by t.depth, p.name limit ${limit}`.execute(db);
  return rows.map(({ depth: _depth, ...row }) => row);
}

export async function hasChildren(db: Db, id: string): Promise<boolean> {
  return (await db.selectFrom('identity_projects').select('id').where('parent_id', '=', id).limit(1).executeTakeFirst()) !== undefined;
}

export async function tagsOfProjects(db: Db, ids: readonly string[]): Promise<Map<string, string[]>> {
  const tags = new Map<string, string[]>();
  if (ids.length === 0) return tags;
  const rows = await db.selectFrom('identity_project_tags').selectAll().where('project_id', 'in', ids).orderBy('name').execute();
  for (const { project_id, name } of rows) tags.set(project_id, [...(tags.get(project_id) ?? []), name]);
  return tags;
}

export async function replaceTags(db: Db, project_id: string, names: readonly string[]): Promise<void> {
  await db.deleteFrom('identity_project_tags').where('project_id', '=', project_id).execute();
  if (names.length > 0) await db.insertInto('identity_project_tags').values(names.map((name) => ({ project_id, name }))).execute();
}

export async function insertTag(db: Db, project_id: string, name: string): Promise<void> {
  await db.insertInto('identity_project_tags').values({ project_id, name }).onConflict((conflict) => conflict.doNothing()).execute();
}

export async function deleteTag(db: Db, project_id: string, name: string): Promise<boolean> {
  const result = await db.deleteFrom('identity_project_tags').where('project_id', '=', project_id).where('name', '=', name).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
