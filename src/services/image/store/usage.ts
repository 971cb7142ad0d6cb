/** What the images of a project take. */
import { type Kysely, sql } from 'kysely';
import type { ImageTables } from './tables.ts';

export interface ImageUsage {
  /** Bytes; each store counts, and what was pushed that no image has. */
  stored: number;
  /** Bytes that wait for, or are in, an import. */
  staged: number;
  count: number;
  /** Images into which data are flowing. */
  uploading: number;
}

export async function usageOf(db: Kysely<ImageTables>, owner: string): Promise<ImageUsage> {
  const copies = sql`(case when stores is null then 1 else 1 + length(stores) - length(replace(stores, ',', '')) end)`;
  const row = await db
    .selectFrom('image_images')
    .select((eb) => [
      eb.fn.countAll<number | string>().as('count'),
      sql<number | string | null>`sum(case when digest is null and recipe_id is null then 0 else size * ${copies} end)`.as('stored'),
      sql<number | string | null>`sum(case when status in ('uploading', 'importing') then coalesce(size, 0) else 0 end)`.as('staged'),
      sql<number | string | null>`sum(case when status in ('saving', 'uploading', 'importing') or import_task is not null then 1 else 0 end)`.as('uploading'),
    ])
    .where('owner', '=', owner)
    .executeTakeFirstOrThrow();
  return { stored: Number(row.stored) + (await looseOf(db, owner)), staged: Number(row.staged), count: Number(row.count), uploading: Number(row.uploading) };
}

/** What lies in the repositories of a project beside its images: blobs, manifests, and uploads on their way. */
async function looseOf(db: Kysely<ImageTables>, project_id: string): Promise<number> {
  const { rows } = await sql<{ size: number | string | null }>`
    select sum(size) as size from image_blobs where digest in (select l.digest from image_repositories r join image_repository_blobs l on l.repository_id = r.id where r.project_id = ${project_id}
      and not exists (select 1 from image_recipe_blobs p join image_images i on i.recipe_id = p.recipe_id where p.digest = l.digest and i.owner = ${project_id}))
    union all
    select sum(m.size) as size from image_repositories r join image_repository_manifests l on l.repository_id = r.id join image_manifests m on m.digest = l.digest
      where r.project_id = ${project_id} and not exists (select 1 from image_published p where p.repository_id = l.repository_id and p.digest = l.digest)
    union all
    select sum(u.size) as size from image_repositories r join image_uploads u on u.repository_id = r.id where r.project_id = ${project_id}`.execute(db);
  return rows.reduce((total, { size }) => total + Number(size ?? 0), 0);
}
