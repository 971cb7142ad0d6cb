import type { Kysely } from 'kysely';
import type { ComputeTables, FlavorRow } from './tables.ts';

export async function findFlavor(db: Kysely<ComputeTables>, id: string): Promise<FlavorRow | undefined> {
  return await db.selectFrom('compute_flavors').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function hasFlavorAccess(db: Kysely<ComputeTables>, flavor_id: string, project_id: string): Promise<boolean> {
  const row = await db
    .selectFrom('compute_flavor_access')
    .select('flavor_id')
    .where('flavor_id', '=', flavor_id)
    .where('project_id', '=', project_id)
    .executeTakeFirst();
  return row !== undefined;
}
