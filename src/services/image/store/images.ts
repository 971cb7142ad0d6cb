import { type ExpressionBuilder, type Kysely, type SelectQueryBuilder, sql, type Transaction } from 'kysely';
import { type Filter, findMarker, page, type Page, type SortKey, where } from '../../../kernel/db/list-query.ts';
import type { ImageRow, ImageStatus, ImageTables, MemberStatus, Visibility } from './tables.ts';

type Query = SelectQueryBuilder<ImageTables, 'image_images', object>;
type Build = ExpressionBuilder<ImageTables, 'image_images'>;

export async function insertImage(tx: Transaction<ImageTables>, row: ImageRow): Promise<void> {
  await tx.insertInto('image_images').values(row).execute();
  await writeFilters(tx, row);
}

export async function findImage(db: Kysely<ImageTables>, id: string): Promise<ImageRow | undefined> {
  return db.selectFrom('image_images').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The image, kept from other writers until the transaction ends; changed now. */
export async function lockImage(tx: Transaction<ImageTables>, id: string, now: string): Promise<ImageRow | undefined> {
  return tx.updateTable('image_images').set({ updated_at: now }).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function updateImage(tx: Transaction<ImageTables>, row: ImageRow): Promise<void> {
  const { id, ...columns } = row;
  await tx.updateTable('image_images').set(columns).where('id', '=', id).execute();
  await writeFilters(tx, row);
}

/** Moves on only from the states named; false when the image was in another. */
export async function moveImage(tx: Transaction<ImageTables>, id: string, from: ImageStatus[], set: Partial<ImageRow>): Promise<boolean> {
  const result = await tx.updateTable('image_images').set(set).where('id', '=', id).where('status', 'in', from).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

export async function deleteImage(tx: Transaction<ImageTables>, id: string): Promise<void> {
  await tx.deleteFrom('image_images').where('id', '=', id).execute();
}

/** Uploads that a crash broke off begin again. */
export async function requeueSaving(tx: Transaction<ImageTables>): Promise<void> {
  await tx.updateTable('image_images').set({ status: 'queued' }).where('status', '=', 'saving').execute();
}

async function writeFilters(tx: Transaction<ImageTables>, row: ImageRow): Promise<void> {
  await tx.deleteFrom('image_properties').where('image_id', '=', row.id).execute();
  await tx.deleteFrom('image_tags').where('image_id', '=', row.id).execute();
  const properties = Object.entries(JSON.parse(row.properties) as Record<string, string>).map(([name, value]) => ({ image_id: row.id, name, value }));
  if (properties.length > 0) await tx.insertInto('image_properties').values(properties).execute();
  const tags = (JSON.parse(row.tags) as string[]).map((value) => ({ image_id: row.id, value }));
  if (tags.length > 0) await tx.insertInto('image_tags').values(tags).execute();
}

export interface ImageListing {
  /** Whose eyes: a project's, or all (administrator). */
  project_id: string | undefined;
  visibility: Visibility | 'all' | undefined;
  member_status: MemberStatus | 'all';
  filters: Filter[];
  properties: Record<string, string>;
  tags: string[];
  sort: SortKey[];
  marker_id: string | undefined;
  limit: number;
}

/** One page of the images that the listing's eyes see; undefined when the marker is not among them. */
export async function listImages(db: Kysely<ImageTables>, listing: ImageListing): Promise<Page<ImageRow> | undefined> {
  const scope = scoped(db, listing);
  const options = { sort: listing.sort, limit: listing.limit };
  if (listing.marker_id === undefined) return page(scope.selectAll('image_images') as SelectQueryBuilder<any, any, ImageRow>, options);
  const marker = await findMarker(scope, options, listing.marker_id);
  return marker && page(scope.selectAll('image_images') as SelectQueryBuilder<any, any, ImageRow>, { ...options, marker });
}

function scoped(db: Kysely<ImageTables>, listing: ImageListing): Query {
  let query = db.selectFrom('image_images') as Query;
  const { project_id, visibility } = listing;
  if (visibility !== undefined && visibility !== 'all') query = query.where('visibility', '=', visibility);
  if (project_id !== undefined) query = query.where((eb) => visibleTo(eb, project_id, listing));
  query = where(query as never, listing.filters) as Query;
  for (const [name, value] of Object.entries(listing.properties)) {
    query = query.where((eb) => eb.exists(eb.selectFrom('image_properties').select(sql`1`.as('one')).whereRef('image_id', '=', 'image_images.id').where('name', '=', name).where('value', '=', value)));
  }
  for (const value of listing.tags) {
    query = query.where((eb) => eb.exists(eb.selectFrom('image_tags').select(sql`1`.as('one')).whereRef('image_id', '=', 'image_images.id').where('value', '=', value)));
  }
  return query;
}

function visibleTo(eb: Build, project_id: string, { visibility, member_status }: ImageListing) {
  const shared = eb.exists(
    eb.selectFrom('image_members').select(sql`1`.as('one')).whereRef('image_id', '=', 'image_images.id').where('member_id', '=', project_id)
      .$if(member_status !== 'all', (query) => query.where('status', '=', member_status as MemberStatus)),
  );
  const open = visibility === 'community' || visibility === 'all' ? eb('visibility', 'in', ['public', 'community']) : eb('visibility', '=', 'public');
  return eb.or([eb('owner', '=', project_id), open, eb.and([eb('visibility', '=', 'shared'), shared])]);
}

/** The newest active container image of that name. */
export async function findNamedImage(db: Kysely<ImageTables>, owner: string, name: string): Promise<ImageRow | undefined> {
  return db.selectFrom('image_images').selectAll().where('name', '=', name).where('owner', '=', owner).where('status', '=', 'active').where('manifest_digest', 'is not', null)
    .orderBy('created_at', 'desc').orderBy('id').limit(1).executeTakeFirst();
}

/** Container images by a part of their name: a project's own first, then the public ones. */
export async function searchImages(db: Kysely<ImageTables>, project_id: string | undefined, text: string, limit: number): Promise<Pick<ImageRow, 'id' | 'name' | 'owner' | 'properties'>[]> {
  const like = `%${text.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const matching = () => db.selectFrom('image_images').select(['id', 'name', 'owner', 'properties']).where('status', '=', 'active').where('os_hidden', '=', 0).where('manifest_digest', 'is not', null)
    .where(sql<boolean>`lower(name) like ${like} escape '\\'`).orderBy('created_at', 'desc').orderBy('id').limit(limit);
  const own = project_id === undefined ? [] : await matching().where('owner', '=', project_id).execute();
  const open = await matching().where('visibility', '=', 'public').where('owner', '<>', project_id ?? '').execute();
  return [...own, ...open];
}

/** A pushed image whose data have not been hashed yet. */
export async function findUnhashed(db: Kysely<ImageTables>, after: string): Promise<{ id: string; recipe_id: string } | undefined> {
  const row = await db.selectFrom('image_images').select(['id', 'recipe_id']).where('digest', 'is', null).where('recipe_id', 'is not', null).where('id', '>', after).orderBy('id').limit(1).executeTakeFirst();
  return row?.recipe_id == null ? undefined : { id: row.id, recipe_id: row.recipe_id };
}

/** Unless it has got other data meanwhile. */
export async function setHashes(tx: Transaction<ImageTables>, id: string, recipe_id: string, hashes: Pick<ImageRow, 'checksum' | 'os_hash_value' | 'digest'>): Promise<void> {
  await tx.updateTable('image_images').set(hashes).where('id', '=', id).where('recipe_id', '=', recipe_id).execute();
}

/** By id. */
export async function idsInStatus(db: Kysely<ImageTables>, status: ImageStatus[], after: string, limit: number): Promise<Pick<ImageRow, 'id' | 'status'>[]> {
  return db.selectFrom('image_images').select(['id', 'status']).where('status', 'in', status).where('id', '>', after).orderBy('id').limit(limit).execute();
}

/** Of all images with these data. */
export async function storesOfDigest(db: Kysely<ImageTables>, digest: string): Promise<(string | null)[]> {
  const rows = await db.selectFrom('image_images').select('stores').distinct().where('digest', '=', digest).execute();
  return rows.map(({ stores }) => stores);
}
