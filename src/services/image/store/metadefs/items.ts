/** Objects, properties and tags of a namespace: rows of one shape. */
import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely';
import { findMarker, page, type SortKey } from '../../../../kernel/db/list-query.ts';
import type { MetadefItemRow, MetadefKind } from './tables.ts';
import type { ImageTables } from '../tables.ts';

export interface ItemListing {
  sort: SortKey[];
  /** The name of the last item seen. */
  marker: string | undefined;
  limit: number;
}

export async function insertItems(tx: Transaction<ImageTables>, rows: readonly MetadefItemRow[]): Promise<void> {
  if (rows.length > 0) await tx.insertInto('image_metadef_items').values(rows).execute();
}

const ofKind = (db: Kysely<ImageTables>, namespace_id: string, kind: MetadefKind) => db.selectFrom('image_metadef_items').where('namespace_id', '=', namespace_id).where('kind', '=', kind);

export async function findItem(db: Kysely<ImageTables>, namespace_id: string, kind: MetadefKind, name: string): Promise<MetadefItemRow | undefined> {
  return ofKind(db, namespace_id, kind).selectAll().where('name', '=', name).executeTakeFirst();
}

/** Undefined when there is no item with the marker's name. */
export async function listItems(db: Kysely<ImageTables>, namespace_id: string, kind: MetadefKind, listing: ItemListing): Promise<MetadefItemRow[] | undefined> {
  const { limit } = listing;
  const all = ofKind(db, namespace_id, kind);
  const order = { sort: listing.sort, key: 'name' };
  const marker = listing.marker === undefined ? undefined : await findMarker(all, order, listing.marker);
  if (listing.marker !== undefined && marker === undefined) return undefined;
  return (await page(all.selectAll() as SelectQueryBuilder<any, any, MetadefItemRow>, { ...order, marker, limit })).rows;
}

/** Everything in a namespace, by name. */
export async function allItems(db: Kysely<ImageTables>, namespace_id: string): Promise<MetadefItemRow[]> {
  return db.selectFrom('image_metadef_items').selectAll().where('namespace_id', '=', namespace_id).orderBy('kind').orderBy('name').execute();
}

export async function countItems(db: Kysely<ImageTables>, namespace_id: string, kind: MetadefKind): Promise<number> {
  const row = await ofKind(db, namespace_id, kind).select((eb) => eb.fn.countAll().as('count')).executeTakeFirstOrThrow();
  return Number(row.count);
}

export async function updateItem(tx: Transaction<ImageTables>, row: Pick<MetadefItemRow, 'id' | 'name' | 'content' | 'updated_at'>): Promise<void> {
  const { id, ...columns } = row;
  await tx.updateTable('image_metadef_items').set(columns).where('id', '=', id).execute();
}

export async function deleteItem(tx: Transaction<ImageTables>, id: string): Promise<void> {
  await tx.deleteFrom('image_metadef_items').where('id', '=', id).execute();
}

export async function deleteItems(tx: Transaction<ImageTables>, namespace_id: string, kind: MetadefKind): Promise<void> {
  await tx.deleteFrom('image_metadef_items').where('namespace_id', '=', namespace_id).where('kind', '=', kind).execute();
}
