import type { Kysely, Transaction } from 'kysely';
import type { ImageTables, UploadRow } from '../tables.ts';

export async function insertUpload(tx: Transaction<ImageTables>, row: UploadRow): Promise<void> {
  await tx.insertInto('image_uploads').values(row).execute();
}

export async function findUpload(db: Kysely<ImageTables>, id: string): Promise<UploadRow | undefined> {
  return db.selectFrom('image_uploads').selectAll().where('id', '=', id).executeTakeFirst();
}

/** What has arrived; false when the session is gone, or has gone on otherwise. */
export async function noteUpload(tx: Transaction<ImageTables>, id: string, from: number, size: number, touched_at: string): Promise<boolean> {
  const result = await tx.updateTable('image_uploads').set({ size, touched_at }).where('id', '=', id).where('size', '=', from).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function deleteUpload(tx: Transaction<ImageTables>, id: string): Promise<boolean> {
  return Number((await tx.deleteFrom('image_uploads').where('id', '=', id).executeTakeFirst()).numDeletedRows) === 1;
}

/** Sessions that nobody went on with since. */
export async function staleUploads(db: Kysely<ImageTables>, before: string, limit: number): Promise<string[]> {
  return (await db.selectFrom('image_uploads').select('id').where('touched_at', '<', before).orderBy('touched_at').limit(limit).execute()).map(({ id }) => id);
}
