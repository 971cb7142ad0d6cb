/** A tag is an image of glance: the image keeps its id, and what the tag named before stays as a hidden one. */
import type { Transaction } from 'kysely';
import { forbidden } from '../../../../kernel/fault.ts';
import { uuid } from '../../../../kernel/ids.ts';
import type { RegistryDeps } from '../../deps.ts';
import { deleteImage, findImage, insertImage, updateImage } from '../../store/images.ts';
import { insertRecipe } from '../../store/recipes.ts';
import { deleteTag, formerImages, publish, publishedBy, type TagRow, tagsOfDigest } from '../../store/registry/repositories.ts';
import type { ImageRow, ImageTables, RecipeRow } from '../../store/tables.ts';
import { newImage } from '../images.ts';
import type { NewManifest } from '../manifests.ts';
import { dropManifest, dropUnused } from './unused.ts';

type Tx = Transaction<ImageTables>;

export interface Published {
  /** What a node runs. */
  manifest: NewManifest;
  archive: { row: RecipeRow; digests: string[] };
  /** All manifests that the tag makes readable. */
  covers: string[];
}

interface TagContext {
  repository_id: string;
  project_id: string;
  /** `demo/hello:latest` */
  ref: string;
  /** `demo/hello` */
  full: string;
  digest: string;
  now: string;
}

/** @returns the image of the tag; null when what was pushed cannot run. */
export async function publishImage(deps: RegistryDeps, tx: Tx, context: TagContext, old: TagRow | undefined, published: Published | undefined): Promise<string | null> {
  const former = old?.image_id == null ? undefined : await findImage(tx, old.image_id);
  if (published === undefined) {
    if (former) await hide(tx, context, former, old!.digest, former.id);
    return null;
  }
  if (former && old!.digest === context.digest) return former.id;
  await insertRecipe(tx, published.archive.row, published.archive.digests);
  if (former) await hide(tx, context, former, old!.digest, uuid());
  await dropFormer(tx, context);
  const base = former ?? newImage(deps, context.project_id, { name: context.ref, container_format: 'docker', disk_format: 'raw' });
  const row = withData(base, context, published);
  await (former ? updateImage(tx, row) : insertImage(tx, row));
  await publish(tx, row.id, context.repository_id, published.covers);
  return row.id;
}

function withData(base: ImageRow, { ref, digest, now }: TagContext, { manifest, archive }: Published): ImageRow {
  const properties = { ...(JSON.parse(base.properties) as Record<string, string>), 'docker:ref': ref, 'docker:digest': `sha256:${digest}` };
  return {
    ...base, properties: JSON.stringify(properties), status: base.status === 'queued' ? 'active' : base.status, size: archive.row.size, checksum: null, os_hash_value: null, digest: null,
    stores: null, manifest_digest: manifest.row.digest, recipe_id: archive.row.id, updated_at: now,
  };
}

/** What the tag named before, under an id of its own; nobody's servers or digests lose it. */
async function hide(tx: Tx, { full, repository_id, now }: TagContext, former: ImageRow, digest: string, id: string): Promise<void> {
  const covers = (await publishedBy(tx, former.id)).map((one) => one.digest);
  const properties = { ...(JSON.parse(former.properties) as Record<string, string>), 'docker:ref': `${full}@sha256:${digest}`, 'docker:digest': `sha256:${digest}` };
  const row: ImageRow = { ...former, id, os_hidden: 1, protected: 0, properties: JSON.stringify(properties), updated_at: now };
  await (id === former.id ? updateImage(tx, row) : insertImage(tx, row));
  await publish(tx, id, repository_id, covers);
}

/** A hidden image of what is tagged now is of no use any more. */
async function dropFormer(tx: Tx, { repository_id, digest }: TagContext): Promise<void> {
  for (const image of await formerImages(tx, repository_id, digest)) {
    const properties = JSON.parse(image.properties) as Record<string, string>;
    if (image.os_hidden === 1 && image.protected === 0 && properties['docker:digest'] === `sha256:${digest}`) await deleteImage(tx, image.id);
  }
}

const isProtected = (image: ImageRow) => forbidden('registry.protected', `Image ${image.id} is protected and cannot be deleted.`, { type: 'DENIED' });

/** The tag and its image. Faults: 403 protected. */
export async function removeTag(tx: Tx, repository_id: string, tag: TagRow): Promise<void> {
  const image = tag.image_id === null ? undefined : await findImage(tx, tag.image_id);
  if (image?.protected === 1) throw isProtected(image);
  const covered = image ? await publishedBy(tx, image.id) : [];
  await deleteTag(tx, repository_id, tag.tag);
  if (image) await deleteImage(tx, image.id);
  await dropUnused(tx, [...covered, { repository_id, digest: tag.digest }]);
}

/** A manifest with all its tags, and the images of both. Faults: 403 protected. */
export async function removeManifest(tx: Tx, repository_id: string, digest: string): Promise<void> {
  for (const tag of await tagsOfDigest(tx, repository_id, digest)) await removeTag(tx, repository_id, tag);
  for (const image of await formerImages(tx, repository_id, digest)) {
    if (image.protected === 1) throw isProtected(image);
    const covered = await publishedBy(tx, image.id);
    await deleteImage(tx, image.id);
    await dropUnused(tx, covered);
  }
  await dropManifest(tx, repository_id, digest);
}
