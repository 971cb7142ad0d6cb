import { type Kysely, sql, type Transaction } from 'kysely';
import type { ConversionState, ImageRow, ImageTables } from './tables.ts';

/** Only while it is in one of these states; false when it is not. */
export async function setConversion(tx: Transaction<ImageTables>, id: string, from: ConversionState[], set: Partial<ImageRow>): Promise<boolean> {
  const result = await tx.updateTable('image_images').set(set).where('id', '=', id).where('conversion_state', 'in', from).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Ids of images that wait for a conversion, from after this one. */
export async function listWaiting(db: Kysely<ImageTables>, after: string, limit: number): Promise<string[]> {
  const rows = await db.selectFrom('image_images').select('id').where('conversion_state', '=', sql.lit('waiting')).where('id', '>', after).orderBy('id').limit(limit).execute();
  return rows.map(({ id }) => id);
}
