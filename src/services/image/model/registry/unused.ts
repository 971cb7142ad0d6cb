import type { Transaction } from 'kysely';
import { isNamedIn, isPublished, tagsOfDigest, unlinkManifest } from '../../store/registry/repositories.ts';
import type { ImageTables } from '../../store/tables.ts';

/** Manifests of an image that is gone leave their repository, unless something there still names them. */
export async function dropUnused(tx: Transaction<ImageTables>, covered: readonly { repository_id: string; digest: string }[]): Promise<void> {
  for (const { repository_id, digest } of covered) {
    const used = (await isPublished(tx, repository_id, digest)) || (await tagsOfDigest(tx, repository_id, digest)).length > 0 || (await isNamedIn(tx, repository_id, digest));
    if (!used) await unlinkManifest(tx, repository_id, digest);
  }
}
