import type { Kysely, Transaction } from 'kysely';
import type { MetadefAssociationRow, MetadefResourceTypeRow } from './tables.ts';
import type { ImageTables } from '../tables.ts';

export async function listResourceTypes(db: Kysely<ImageTables>, limit: number): Promise<MetadefResourceTypeRow[]> {
  return db.selectFrom('image_metadef_resource_types').selectAll().orderBy('name').limit(limit).execute();
}

/** Those that are there already stay as they are. */
export async function addResourceTypes(tx: Transaction<ImageTables>, rows: readonly MetadefResourceTypeRow[]): Promise<void> {
  if (rows.length > 0) await tx.insertInto('image_metadef_resource_types').values(rows).onConflict((conflict) => conflict.column('name').doNothing()).execute();
}

export async function insertAssociations(tx: Transaction<ImageTables>, rows: readonly MetadefAssociationRow[]): Promise<void> {
  if (rows.length > 0) await tx.insertInto('image_metadef_associations').values(rows).execute();
}

/** Of several namespaces at once, by resource type. */
export async function listAssociations(db: Kysely<ImageTables>, namespace_ids: readonly string[]): Promise<MetadefAssociationRow[]> {
  if (namespace_ids.length === 0) return [];
  return db.selectFrom('image_metadef_associations').selectAll().where('namespace_id', 'in', namespace_ids).orderBy('namespace_id').orderBy('resource_type').execute();
}

export async function findAssociation(db: Kysely<ImageTables>, namespace_id: string, resource_type: string): Promise<MetadefAssociationRow | undefined> {
  return db.selectFrom('image_metadef_associations').selectAll().where('namespace_id', '=', namespace_id).where('resource_type', '=', resource_type).executeTakeFirst();
}

export async function deleteAssociation(tx: Transaction<ImageTables>, namespace_id: string, resource_type: string): Promise<void> {
  await tx.deleteFrom('image_metadef_associations').where('namespace_id', '=', namespace_id).where('resource_type', '=', resource_type).execute();
}
