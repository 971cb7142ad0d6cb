import type { Kysely, Transaction } from 'kysely';
import type { HoldRow, ImageTables } from './tables.ts';

/** A holder holds one image: a new one takes the place of the old. */
export async function putHold(tx: Transaction<ImageTables>, row: HoldRow): Promise<void> {
  const { image_id, manifest_digest, system } = row;
  await tx.insertInto('image_holds').values(row).onConflict((c) => c.column('holder').doUpdateSet({ image_id, manifest_digest, system })).execute();
}

export async function deleteHold(tx: Transaction<ImageTables>, holder: string): Promise<void> {
  await tx.deleteFrom('image_holds').where('holder', '=', holder).execute();
}

export async function findHold(db: Kysely<ImageTables>, holder: string): Promise<HoldRow | undefined> {
  return db.selectFrom('image_holds').selectAll().where('holder', '=', holder).executeTakeFirst();
}

/** The container form of an image that somebody holds. */
export async function heldManifest(db: Kysely<ImageTables>, image_id: string): Promise<string | undefined> {
  const row = await db.selectFrom('image_holds').select('manifest_digest').where('image_id', '=', image_id).where('manifest_digest', 'is not', null).limit(1).executeTakeFirst();
  return row?.manifest_digest ?? undefined;
}

export async function adoptHold(tx: Transaction<ImageTables>, holder: string, from: string): Promise<void> {
  const found = await findHold(tx, from);
  if (found === undefined) return;
  await putHold(tx, { ...found, holder });
  await deleteHold(tx, from);
}
