import { sql, type Expression, type ExpressionBuilder, type Kysely, type SqlBool } from 'kysely';
import { findMarker, page, type Page, type SortKey } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, FlavorAccessRow, FlavorRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;
type Build = ExpressionBuilder<ComputeTables, 'compute_flavors'>;

export async function findFlavor(db: Reader, id: string): Promise<FlavorRow | undefined> {
  return await db.selectFrom('compute_flavors').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function hasFlavorAccess(db: Reader, flavor_id: string, project_id: string): Promise<boolean> {
  const row = await db
    .selectFrom('compute_flavor_access')
    .select('flavor_id')
    .where('flavor_id', '=', flavor_id)
    .where('project_id', '=', project_id)
    .executeTakeFirst();
  return row !== undefined;
}

/** @throws a unique violation on `id` or `name`. */
export async function insertFlavor(tx: Reader, row: FlavorRow): Promise<void> {
  await tx.insertInto('compute_flavors').values(row).execute();
}

/** @returns the row as it is now; undefined when there is none. */
export async function updateFlavor(tx: Reader, id: string, change: Partial<Omit<FlavorRow, 'id'>>): Promise<FlavorRow | undefined> {
  return await tx.updateTable('compute_flavors').set(change).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function deleteFlavor(tx: Reader, id: string): Promise<boolean> {
  await tx.deleteFrom('compute_flavor_access').where('flavor_id', '=', id).execute();
  return (await tx.deleteFrom('compute_flavors').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n;
}

export interface FlavorQuery {
  /** Undefined: of both kinds. */
  is_public: boolean | undefined;
  /** Private ones of this project are shown beside the public ones. */
  project_id: string | undefined;
  min_ram_mb: number | undefined;
  min_disk_gb: number | undefined;
  sort: SortKey[];
  marker: string | undefined;
  limit: number;
}

/** One page; undefined when there is no such marker. */
export async function listFlavors(db: Reader, query: FlavorQuery): Promise<Page<FlavorRow> | undefined> {
  const visible = db.selectFrom('compute_flavors').selectAll().where((eb) => isVisible(eb, query));
  const marker = query.marker === undefined ? undefined : await findMarker(visible, { sort: query.sort }, query.marker);
  if (query.marker !== undefined && marker === undefined) return undefined;
  let selected = visible;
  if (query.min_ram_mb !== undefined) selected = selected.where('ram_mb', '>=', query.min_ram_mb);
  if (query.min_disk_gb !== undefined) selected = selected.where('disk_gb', '>=', query.min_disk_gb);
  return await page(selected, { sort: query.sort, marker, limit: query.limit });
}

function isVisible(eb: Build, { is_public, project_id }: FlavorQuery): Expression<SqlBool> {
  if (is_public === undefined) return sql<SqlBool>`1 = 1`;
  const wanted = eb('is_public', '=', is_public ? 1 : 0);
  if (!is_public || project_id === undefined) return wanted;
  return eb.or([wanted, eb('id', 'in', eb.selectFrom('compute_flavor_access').select('flavor_id').where('project_id', '=', project_id))]);
}

/** More projects than one private flavor is given to: a bound, not a page. */
const MAX_ACCESS = 10_000;

export async function accessOf(db: Reader, flavor_id: string): Promise<FlavorAccessRow[]> {
  return await db.selectFrom('compute_flavor_access').selectAll().where('flavor_id', '=', flavor_id).orderBy('project_id').limit(MAX_ACCESS).execute();
}

/** @returns false when it was there. */
export async function insertAccess(tx: Reader, row: FlavorAccessRow): Promise<boolean> {
  const done = await tx.insertInto('compute_flavor_access').values(row).onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function deleteAccess(tx: Reader, row: FlavorAccessRow): Promise<boolean> {
  const query = tx.deleteFrom('compute_flavor_access').where('flavor_id', '=', row.flavor_id).where('project_id', '=', row.project_id);
  return (await query.executeTakeFirst()).numDeletedRows > 0n;
}
