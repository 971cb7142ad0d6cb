import type { Transaction } from 'kysely';
import { listManifestBlobs } from '../../store/manifests.ts';
import { isNamedIn, isPublished, tagsOfDigest, unlinkBlob, unlinkManifest } from '../../store/registry/repositories.ts';
import type { ImageTables } from '../../store/tables.ts';

/** Manifests of an image that is gone leave their repository, unless something there still names them. */
export async function dropUnused(tx: Transaction<ImageTables>, covered: readonly { repository_id: string; digest: string }[]): Promise<void> {
  for (const { repository_id, digest } of covered) {
    const used = (await isPublished(tx, repository_id, digest)) || (await tagsOfDigest(tx, repository_id, digest)).length > 0 || (await isNamedIn(tx, repository_id, digest));
    if (!used) await dropManifest(tx, repository_id, digest);
  }
}

/** A manifest leaves its repository, and the blobs that only it named there: they count in the quota no longer. */
export async function dropManifest(tx: Transaction<ImageTables>, repository_id: string, digest: string): Promise<void> {
  await unlinkManifest(tx, repository_id, digest);
  for (const link of await listManifestBlobs(tx, digest)) {
    if (link.role !== 'manifest' && !(await isNamedIn(tx, repository_id, link.digest))) await unlinkBlob(tx, repository_id, link.digest);
  }
}
