/** Repositories of the registry: what is in each, and what may be seen of it from outside. */
import { type Kysely, sql, type SqlBool, type Transaction } from 'kysely';
import { uuid } from '../../../../kernel/ids.ts';
import type { ImageRow, ImageTables } from '../tables.ts';

type Db = Kysely<ImageTables>;
type Tx = Transaction<ImageTables>;

export interface Repository {
  id: string;
  project_id: string;
  name: string;
}

export async function findRepository(db: Db, project_id: string, name: string): Promise<Repository | undefined> {
  return db.selectFrom('image_repositories').select(['id', 'project_id', 'name']).where('project_id', '=', project_id).where('name', '=', name).executeTakeFirst();
}

export async function ensureRepository(tx: Tx, project_id: string, name: string, now: string): Promise<Repository> {
  await tx.insertInto('image_repositories').values({ id: uuid(), project_id, name, created_at: now, touched_at: now }).onConflict((c) => c.columns(['project_id', 'name']).doUpdateSet({ touched_at: now })).execute();
  return (await findRepository(tx, project_id, name)) as Repository;
}

/** Those with something in them that these eyes see, in the order of project and name. */
export async function listRepositories(db: Db, viewer: Viewer, after: Pick<Repository, 'project_id' | 'name'> | undefined, limit: number): Promise<Repository[]> {
  const own = sql<SqlBool>`r.project_id = ${viewer.project_id ?? ''}`;
  return db.selectFrom('image_repositories as r').select(['r.id', 'r.project_id', 'r.name'])
    .$if(after !== undefined, (query) => query.where(sql<SqlBool>`(r.project_id, r.name) > (${after?.project_id ?? ''}, ${after?.name ?? ''})`))
    .where(sql<SqlBool>`exists (select 1 from image_repository_tags t left join image_images i on i.id = t.image_id where t.repository_id = r.id and (${own} or ${seen(viewer)}))`)
    .orderBy('r.project_id').orderBy('r.name').limit(limit).execute();
}

/** Who looks in from outside: undefined project: anybody. */
export interface Viewer {
  project_id: string | undefined;
}

/** Condition on image `i`. */
function seen({ project_id }: Viewer) {
  const shared = sql<SqlBool>`i.visibility = 'shared' and exists (select 1 from image_members m where m.image_id = i.id and m.member_id = ${project_id ?? ''})`;
  return sql<SqlBool>`(i.status = 'active' and (i.visibility = 'public' or i.visibility = 'community' and ${project_id === undefined ? 0 : 1} = 1 or ${shared}))`;
}

export interface TagRow {
  tag: string;
  digest: string;
  image_id: string | null;
}

/** @param viewer undefined: somebody of the project. */
export async function findTag(db: Db, repository_id: string, tag: string, viewer: Viewer | undefined): Promise<TagRow | undefined> {
  return db.selectFrom('image_repository_tags as t').leftJoin('image_images as i', 'i.id', 't.image_id').select(['t.tag', 't.digest', 't.image_id'])
    .where('t.repository_id', '=', repository_id).where('t.tag', '=', tag).$if(viewer !== undefined, (query) => query.where(seen(viewer!))).executeTakeFirst();
}

export async function listTags(db: Db, repository_id: string, viewer: Viewer | undefined, after: string, limit: number): Promise<string[]> {
  const rows = await db.selectFrom('image_repository_tags as t').leftJoin('image_images as i', 'i.id', 't.image_id').select('t.tag')
    .where('t.repository_id', '=', repository_id).where('t.tag', '>', after).$if(viewer !== undefined, (query) => query.where(seen(viewer!))).orderBy('t.tag').limit(limit).execute();
  return rows.map(({ tag }) => tag);
}

export async function tagsOfDigest(db: Db, repository_id: string, digest: string): Promise<TagRow[]> {
  return db.selectFrom('image_repository_tags').select(['tag', 'digest', 'image_id']).where('repository_id', '=', repository_id).where('digest', '=', digest).limit(10_000).execute();
}

export async function setTag(tx: Tx, row: ImageTables['image_repository_tags']): Promise<void> {
  const { digest, image_id, updated_at } = row;
  await tx.insertInto('image_repository_tags').values(row).onConflict((c) => c.columns(['repository_id', 'tag']).doUpdateSet({ digest, image_id, updated_at })).execute();
}

export async function deleteTag(tx: Tx, repository_id: string, tag: string): Promise<void> {
  await tx.deleteFrom('image_repository_tags').where('repository_id', '=', repository_id).where('tag', '=', tag).execute();
}

/** Whether a manifest is in it and, for a viewer, belongs to an image that they see. */
export async function hasManifest(db: Db, repository_id: string, digest: string, viewer: Viewer | undefined): Promise<boolean> {
  if (viewer !== undefined) return (await publishedTo(db, repository_id, viewer).where('p.digest', '=', digest).executeTakeFirst()) !== undefined;
  return (await db.selectFrom('image_repository_manifests').select('digest').where('repository_id', '=', repository_id).where('digest', '=', digest).executeTakeFirst()) !== undefined;
}

const publishedTo = (db: Db, repository_id: string, viewer: Viewer) =>
  db.selectFrom('image_published as p').innerJoin('image_images as i', 'i.id', 'p.image_id').select('p.digest').where('p.repository_id', '=', repository_id).where(seen(viewer)).limit(1);

/** As `hasManifest`, of a blob. */
export async function hasBlob(db: Db, repository_id: string, digest: string, viewer: Viewer | undefined): Promise<boolean> {
  if (viewer !== undefined) {
    const found = await publishedTo(db, repository_id, viewer).innerJoin('image_manifest_blobs as b', 'b.manifest', 'p.digest').where('b.digest', '=', digest).executeTakeFirst();
    return found !== undefined;
  }
  return (await db.selectFrom('image_repository_blobs').select('digest').where('repository_id', '=', repository_id).where('digest', '=', digest).executeTakeFirst()) !== undefined;
}

export async function linkBlobs(tx: Tx, repository_id: string, digests: readonly string[], created_at: string): Promise<void> {
  const rows = [...new Set(digests)].map((digest) => ({ repository_id, digest, created_at }));
  for (let at = 0; at < rows.length; at += 100) {
    await tx.insertInto('image_repository_blobs').values(rows.slice(at, at + 100)).onConflict((c) => c.columns(['repository_id', 'digest']).doUpdateSet({ created_at })).execute();
  }
}

export async function linkedBlobs(db: Db, repository_id: string, digests: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < digests.length; at += 200) {
    const rows = await db.selectFrom('image_repository_blobs').select('digest').where('repository_id', '=', repository_id).where('digest', 'in', digests.slice(at, at + 200)).execute();
    for (const { digest } of rows) found.add(digest);
  }
  return found;
}

export async function unlinkBlob(tx: Tx, repository_id: string, digest: string): Promise<boolean> {
  const result = await tx.deleteFrom('image_repository_blobs').where('repository_id', '=', repository_id).where('digest', '=', digest).executeTakeFirst();
  return Number(result.numDeletedRows) === 1;
}

/** Leaves those that a manifest of the repository names. */
export async function unlinkUnnamed(tx: Tx, repository_id: string): Promise<void> {
  await tx.deleteFrom('image_repository_blobs').where('repository_id', '=', repository_id)
    .where(sql<SqlBool>`not exists (select 1 from image_manifest_blobs b join image_repository_manifests r on r.digest = b.manifest where b.digest = image_repository_blobs.digest and r.repository_id = image_repository_blobs.repository_id)`)
    .execute();
}

export async function linkManifest(tx: Tx, repository_id: string, digest: string, created_at: string): Promise<void> {
  await tx.insertInto('image_repository_manifests').values({ repository_id, digest, created_at }).onConflict((c) => c.columns(['repository_id', 'digest']).doNothing()).execute();
}

export async function unlinkManifest(tx: Tx, repository_id: string, digest: string): Promise<void> {
  await tx.deleteFrom('image_repository_manifests').where('repository_id', '=', repository_id).where('digest', '=', digest).execute();
}

/** Whether a manifest or an index in the repository still names a blob or manifest. */
export async function isNamedIn(db: Db, repository_id: string, digest: string): Promise<boolean> {
  const row = await db.selectFrom('image_manifest_blobs as b').innerJoin('image_repository_manifests as r', 'r.digest', 'b.manifest').select('b.manifest')
    .where('b.digest', '=', digest).where('r.repository_id', '=', repository_id).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** What speaks about a manifest, in the order of digests; for a viewer, what belongs to images that they see. */
export async function listReferrers(db: Db, repository_id: string, subject: string, artifact_type: string | undefined, viewer: Viewer | undefined): Promise<Pick<ImageTables['image_manifests'], 'digest' | 'media_type' | 'artifact_type' | 'annotations' | 'size'>[]> {
  return db.selectFrom('image_manifests as m').innerJoin('image_repository_manifests as r', 'r.digest', 'm.digest').select(['m.digest', 'm.media_type', 'm.artifact_type', 'm.annotations', 'm.size'])
    .where('m.subject', '=', subject).where('r.repository_id', '=', repository_id).$if(artifact_type !== undefined, (query) => query.where('m.artifact_type', '=', artifact_type!))
    .$if(viewer !== undefined, (query) => query.where(sql<SqlBool>`exists (select 1 from image_published p join image_images i on i.id = p.image_id where p.repository_id = r.repository_id and p.digest = r.digest and ${seen(viewer!)})`))
    .orderBy('m.digest').limit(1000).execute();
}

/** Manifests that an image makes readable. */
export async function publish(tx: Tx, image_id: string, repository_id: string, digests: readonly string[]): Promise<void> {
  await tx.deleteFrom('image_published').where('image_id', '=', image_id).execute();
  const rows = [...new Set(digests)].map((digest) => ({ image_id, repository_id, digest }));
  for (let at = 0; at < rows.length; at += 100) await tx.insertInto('image_published').values(rows.slice(at, at + 100)).execute();
}

export async function publishedBy(db: Db, image_id: string): Promise<{ repository_id: string; digest: string }[]> {
  return db.selectFrom('image_published').select(['repository_id', 'digest']).where('image_id', '=', image_id).limit(10_000).execute();
}

/** The hidden images that keep a former digest. */
export async function formerImages(db: Db, repository_id: string, digest: string): Promise<ImageRow[]> {
  return db.selectFrom('image_published as p').innerJoin('image_images as i', 'i.id', 'p.image_id').selectAll('i').distinct()
    .where('p.repository_id', '=', repository_id).where('p.digest', '=', digest)
    .where((eb) => eb.not(eb.exists(eb.selectFrom('image_repository_tags as t').select('t.tag').whereRef('t.image_id', '=', 'i.id')))).limit(1000).execute();
}

/** Whether an image other than this makes the manifest readable there. */
export async function isPublished(db: Db, repository_id: string, digest: string): Promise<boolean> {
  const row = await db.selectFrom('image_published').select('image_id').where('repository_id', '=', repository_id).where('digest', '=', digest).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** Whether there are images of the manifest, and all of them are deactivated. */
export async function isDeactivated(db: Db, repository_id: string, digest: string): Promise<boolean> {
  const rows = await db.selectFrom('image_published as p').innerJoin('image_images as i', 'i.id', 'p.image_id').select('i.status').distinct()
    .where('p.repository_id', '=', repository_id).where('p.digest', '=', digest).execute();
  return rows.length > 0 && rows.every(({ status }) => status === 'deactivated');
}

/** Links to blobs that no manifest of their repository names, older than this. @returns how many went. */
export async function deleteStaleLinks(tx: Tx, before: string, limit: number): Promise<number> {
  const stale = await tx.selectFrom('image_repository_blobs as l').select(['l.repository_id', 'l.digest']).where('l.created_at', '<', before)
    .where(sql<SqlBool>`not exists (select 1 from image_manifest_blobs b join image_repository_manifests r on r.digest = b.manifest where b.digest = l.digest and r.repository_id = l.repository_id)`)
    .orderBy('l.created_at').limit(limit).execute();
  let gone = 0;
  for (const { repository_id, digest } of stale) {
    const result = await tx.deleteFrom('image_repository_blobs').where('repository_id', '=', repository_id).where('digest', '=', digest).where('created_at', '<', before).executeTakeFirst();
    gone += Number(result.numDeletedRows);
  }
  return gone;
}

/** Repositories with nothing in them, to which nobody has begun to push since. @returns how many went. */
export async function deleteEmptyRepositories(tx: Tx, before: string, limit: number): Promise<number> {
  const empty = ['manifests', 'blobs', 'tags'].map((kind) => `not exists (select 1 from image_repository_${kind} x where x.repository_id = image_repositories.id)`);
  const condition = sql<SqlBool>`${sql.raw([...empty, ...['published', 'uploads'].map((kind) => `not exists (select 1 from image_${kind} x where x.repository_id = image_repositories.id)`)].join(' and '))}`;
  const found = await tx.selectFrom('image_repositories').select('id').where('touched_at', '<', before).where(condition).orderBy('touched_at').limit(limit).execute();
  if (found.length === 0) return 0;
  const result = await tx.deleteFrom('image_repositories').where('id', 'in', found.map(({ id }) => id)).where('touched_at', '<', before).where(condition).executeTakeFirst();
  return Number(result.numDeletedRows);
}
