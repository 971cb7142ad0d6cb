import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely';
import { findMarker, page, type Page, type SortKey } from '../../../../kernel/db/list-query.ts';
import type { MetadefNamespaceRow } from './tables.ts';
import type { ImageTables } from '../tables.ts';

type Query = SelectQueryBuilder<ImageTables, 'image_metadef_namespaces', object>;

export interface NamespaceListing {
  /** Whose eyes: a project's, or all (administrator). */
  project_id: string | undefined;
  visibility: 'public' | 'private' | undefined;
  /** Only namespaces that apply to one of these. */
  resource_types: readonly string[] | undefined;
  sort: SortKey[];
  /** The name of the last namespace seen. */
  marker: string | undefined;
  limit: number;
}

export async function findNamespace(db: Kysely<ImageTables>, namespace: string): Promise<MetadefNamespaceRow | undefined> {
  return db.selectFrom('image_metadef_namespaces').selectAll().where('namespace', '=', namespace).executeTakeFirst();
}

/** The namespace, kept from other writers until the transaction ends. */
export async function lockNamespace(tx: Transaction<ImageTables>, id: string): Promise<MetadefNamespaceRow | undefined> {
  return tx.updateTable('image_metadef_namespaces').set((eb) => ({ protected: eb.ref('protected') })).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function insertNamespace(tx: Transaction<ImageTables>, row: MetadefNamespaceRow): Promise<void> {
  await tx.insertInto('image_metadef_namespaces').values(row).execute();
}

export async function updateNamespace(tx: Transaction<ImageTables>, { id, ...columns }: MetadefNamespaceRow): Promise<void> {
  await tx.updateTable('image_metadef_namespaces').set(columns).where('id', '=', id).execute();
}

export async function deleteNamespace(tx: Transaction<ImageTables>, id: string): Promise<void> {
  await tx.deleteFrom('image_metadef_namespaces').where('id', '=', id).execute();
}

/** Undefined when the marker is not among what these eyes see. */
export async function listNamespaces(db: Kysely<ImageTables>, listing: NamespaceListing): Promise<Page<MetadefNamespaceRow> | undefined> {
  const seen = visible(db.selectFrom('image_metadef_namespaces') as Query, listing.project_id);
  const { sort, limit } = listing;
  const order = { sort, key: 'namespace' };
  const marker = listing.marker === undefined ? undefined : await findMarker(seen, order, listing.marker);
  if (listing.marker !== undefined && marker === undefined) return undefined;
  const query = narrowed(db, seen, listing).selectAll() as SelectQueryBuilder<any, any, MetadefNamespaceRow>;
  return page(query, { ...order, marker, limit });
}

function visible(query: Query, project_id: string | undefined): Query {
  if (project_id === undefined) return query;
  return query.where((eb) => eb.or([eb('owner', '=', project_id), eb('visibility', '=', 'public')]));
}

function narrowed(db: Kysely<ImageTables>, query: Query, { visibility, resource_types }: NamespaceListing): Query {
  const some = visibility === undefined ? query : query.where('visibility', '=', visibility);
  if (resource_types === undefined) return some;
  return some.where('id', 'in', db.selectFrom('image_metadef_associations').select('namespace_id').where('resource_type', 'in', resource_types));
}
