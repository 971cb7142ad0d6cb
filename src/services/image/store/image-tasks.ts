import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely';
import { findMarker, page, type Page, type SortKey } from '../../../kernel/db/list-query.ts';
import type { ImageTables, ImageTaskRow, TaskStatus } from './tables.ts';

export async function insertImageTask(tx: Transaction<ImageTables>, row: ImageTaskRow): Promise<void> {
  await tx.insertInto('image_tasks').values(row).execute();
}

export async function findImageTask(db: Kysely<ImageTables>, id: string): Promise<ImageTaskRow | undefined> {
  return db.selectFrom('image_tasks').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Of one image, oldest first. */
export async function tasksOfImage(db: Kysely<ImageTables>, image_id: string, now: string): Promise<ImageTaskRow[]> {
  const rows = await db.selectFrom('image_tasks').selectAll().where('image_id', '=', image_id).orderBy('created_at').limit(1000).execute();
  return rows.filter(({ expires_at }) => expires_at === null || expires_at >= now);
}

export async function updateImageTask(tx: Transaction<ImageTables>, id: string, set: Partial<ImageTaskRow>): Promise<void> {
  await tx.updateTable('image_tasks').set(set).where('id', '=', id).execute();
}

export async function deleteExpiredTasks(tx: Transaction<ImageTables>, now: string): Promise<number> {
  const result = await tx.deleteFrom('image_tasks').where('expires_at', '<', now).executeTakeFirst();
  return Number(result.numDeletedRows);
}

export interface TaskListing {
  status: TaskStatus | undefined;
  type: string | undefined;
  owner: string | undefined;
  now: string;
  sort: SortKey[];
  marker_id: string | undefined;
  limit: number;
}

/** One page; undefined when the marker is not among what the listing shows. */
export async function listImageTasks(db: Kysely<ImageTables>, listing: TaskListing): Promise<Page<ImageTaskRow> | undefined> {
  let query = db.selectFrom('image_tasks').where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>=', listing.now)]));
  if (listing.status !== undefined) query = query.where('status', '=', listing.status);
  if (listing.type !== undefined) query = query.where('type', '=', listing.type as ImageTaskRow['type']);
  if (listing.owner !== undefined) query = query.where('owner', '=', listing.owner);
  const options = { sort: listing.sort, limit: listing.limit };
  const rows = query.selectAll() as SelectQueryBuilder<any, any, ImageTaskRow>;
  if (listing.marker_id === undefined) return page(rows, options);
  const marker = await findMarker(query, options, listing.marker_id);
  return marker && page(rows, { ...options, marker });
}
