import type { Kysely, Transaction } from 'kysely';
import type { ImageTables, UploadRow } from '../tables.ts';

export async function insertUpload(tx: Transaction<ImageTables>, row: UploadRow): Promise<void> {
  await tx.insertInto('image_uploads').values(row).execute();
}

export async function findUpload(db: Kysely<ImageTables>, id: string): Promise<UploadRow | undefined> {
  return db.selectFrom('image_uploads').selectAll().where('id', '=', id).executeTakeFirst();
}

/** How many a project has begun and not ended. */
export async function countUploads(db: Kysely<ImageTables>, project_id: string): Promise<number> {
  const row = await db.selectFrom('image_repositories as r').innerJoin('image_uploads as u', 'u.repository_id', 'r.id').select((eb) => eb.fn.countAll<number | string>().as('count')).where('r.project_id', '=', project_id).executeTakeFirstOrThrow();
  return Number(row.count);
}

/** @param now after which a writer that said so counts no longer. @returns false: somebody else writes to it, or it is gone. */
export async function claimUpload(tx: Transaction<ImageTables>, id: string, claim: { writer: string; writing_until: string }, { instead, now }: { instead: string | null; now: string }): Promise<boolean> {
  const result = await tx.updateTable('image_uploads').set(claim).where('id', '=', id)
    .where((eb) => eb.or([eb('writer', 'is', null), eb('writing_until', '<', now), eb('writer', '=', instead ?? '')])).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function leaveUpload(tx: Transaction<ImageTables>, id: string, writer: string): Promise<void> {
  await tx.updateTable('image_uploads').set({ writer: null, writing_until: null }).where('id', '=', id).where('writer', '=', writer).execute();
}

/** What has arrived; false when the session is gone, or has gone on otherwise. */
export async function noteUpload(tx: Transaction<ImageTables>, id: string, from: number, size: number, touched_at: string): Promise<boolean> {
  const result = await tx.updateTable('image_uploads').set({ size, touched_at }).where('id', '=', id).where('size', '=', from).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function deleteUpload(tx: Transaction<ImageTables>, id: string): Promise<boolean> {
  return Number((await tx.deleteFrom('image_uploads').where('id', '=', id).executeTakeFirst()).numDeletedRows) === 1;
}

/** Sessions that nobody went on with since, and nobody writes to. */
export async function staleUploads(db: Kysely<ImageTables>, before: string, now: string, limit: number): Promise<string[]> {
  return (await db.selectFrom('image_uploads').select('id').where('touched_at', '<', before).where((eb) => eb.or([eb('writing_until', 'is', null), eb('writing_until', '<', now)])).orderBy('touched_at').limit(limit).execute()).map(({ id }) => id);
}
