import { type Kysely, sql, type Transaction } from 'kysely';
import type { ImageTables, ManifestBlobRow, ManifestRow } from './tables.ts';

/** One that is there already stays as it is: its digest says what it holds. */
export async function insertManifest(tx: Transaction<ImageTables>, row: ManifestRow, links: ManifestBlobRow[]): Promise<void> {
  const { touched_at } = row;
  await tx.insertInto('image_manifests').values(row).onConflict((c) => c.column('digest').doUpdateSet({ touched_at })).execute();
  for (let at = 0; at < links.length; at += 100) {
    await tx.insertInto('image_manifest_blobs').values(links.slice(at, at + 100)).onConflict((c) => c.columns(['manifest', 'position']).doNothing()).execute();
  }
}

export async function findManifest(db: Kysely<ImageTables>, digest: string): Promise<ManifestRow | undefined> {
  return db.selectFrom('image_manifests').selectAll().where('digest', '=', digest).executeTakeFirst();
}

/** What a manifest names, in its order. */
export async function listManifestBlobs(db: Kysely<ImageTables>, manifest: string): Promise<ManifestBlobRow[]> {
  return db.selectFrom('image_manifest_blobs').selectAll().where('manifest', '=', manifest).orderBy('position').limit(10_000).execute();
}

export async function findManifestBlob(db: Kysely<ImageTables>, manifest: string, digest: string): Promise<ManifestBlobRow | undefined> {
  return db.selectFrom('image_manifest_blobs').selectAll().where('manifest', '=', manifest).where('digest', '=', digest).limit(1).executeTakeFirst();
}

/** @returns whether it is there. */
export async function touchManifest(tx: Transaction<ImageTables>, digest: string, touched_at: string): Promise<boolean> {
  const result = await tx.updateTable('image_manifests').set({ touched_at }).where('digest', '=', digest).executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

const unused = sql<boolean>`not exists (select 1 from image_repository_manifests r where r.digest = image_manifests.digest)
  and not exists (select 1 from image_images i where i.manifest_digest = image_manifests.digest)
  and not exists (select 1 from image_holds h where h.manifest_digest = image_manifests.digest)
  and not exists (select 1 from image_published p where p.digest = image_manifests.digest)
  and not exists (select 1 from image_manifest_blobs m where m.digest = image_manifests.digest and m.role = 'manifest')`;

/** Removes up to `limit` that no repository, image or index has. @returns how many. */
export async function deleteUnusedManifests(tx: Transaction<ImageTables>, before: string, limit: number): Promise<number> {
  const found = await tx.selectFrom('image_manifests').select('digest').where('touched_at', '<', before).where(unused).orderBy('touched_at').limit(limit).execute();
  if (found.length === 0) return 0;
  const result = await tx.deleteFrom('image_manifests').where('digest', 'in', found.map(({ digest }) => digest)).where('touched_at', '<', before).where(unused).executeTakeFirst();
  return Number(result.numDeletedRows);
}
