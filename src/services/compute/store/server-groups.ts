import type { Kysely } from 'kysely';
import type { ComputeTables, ServerGroupRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export async function insertGroup(tx: Reader, row: ServerGroupRow): Promise<void> {
  await tx.insertInto('compute_server_groups').values(row).execute();
}

export async function findGroup(db: Reader, id: string): Promise<ServerGroupRow | undefined> {
  return await db.selectFrom('compute_server_groups').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function deleteGroup(tx: Reader, id: string): Promise<boolean> {
  const done = await tx.deleteFrom('compute_server_groups').where('id', '=', id).executeTakeFirst();
  await tx.updateTable('compute_servers').set({ server_group_id: null }).where('server_group_id', '=', id).execute();
  return done.numDeletedRows > 0n;
}

/** Oldest first, as nova lists them; of one project or of all. */
export async function listGroups(db: Reader, project_id: string | undefined, limit: number, offset: number): Promise<ServerGroupRow[]> {
  let query = db.selectFrom('compute_server_groups').selectAll();
  if (project_id !== undefined) query = query.where('project_id', '=', project_id);
  return await query.orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute();
}

export async function countGroups(db: Reader, project_id: string): Promise<number> {
  const row = await db
    .selectFrom('compute_server_groups')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('project_id', '=', project_id)
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

/** The living servers of these groups. */
export async function membersOf(db: Reader, group_ids: readonly string[]): Promise<{ id: string; server_group_id: string | null; node_id: string | null }[]> {
  if (group_ids.length === 0) return [];
  return await db
    .selectFrom('compute_servers')
    .select(['id', 'server_group_id', 'node_id'])
    .where('server_group_id', 'in', group_ids)
    .where('deleted', '=', 0)
    .orderBy('created_at')
    .execute();
}
