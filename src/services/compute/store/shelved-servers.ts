import type { Kysely } from 'kysely';
import type { ComputeTables, ServerRow, ShelvedServerRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export async function putShelved(tx: Reader, row: ShelvedServerRow): Promise<void> {
  await tx.insertInto('compute_shelved_servers').values(row).onConflict((c) => c.column('server_id').doUpdateSet({ image_id: row.image_id, image_json: row.image_json })).execute();
}

export async function findShelved(db: Reader, server_id: string): Promise<ShelvedServerRow | undefined> {
  return await db.selectFrom('compute_shelved_servers').selectAll().where('server_id', '=', server_id).executeTakeFirst();
}

export async function deleteShelved(tx: Reader, server_id: string): Promise<void> {
  await tx.deleteFrom('compute_shelved_servers').where('server_id', '=', server_id).execute();
}

/** Idle servers on the shelf since before, which still are on their nodes; the oldest first. */
export async function shelvedBefore(db: Reader, before: string, limit: number): Promise<ServerRow[]> {
  return await db.selectFrom('compute_shelved_servers').innerJoin('compute_servers', 'compute_servers.id', 'compute_shelved_servers.server_id').selectAll('compute_servers')
    .where('shelved_at', '<=', before).where('vm_state', '=', 'shelved').where('task_state', 'is', null).where('deleted', '=', 0).orderBy('shelved_at').limit(limit).execute();
}
