/** What the images of a project take. */
import { type Kysely, sql } from 'kysely';
import type { ImageTables } from './tables.ts';

export interface ImageUsage {
  /** Bytes; each store counts. */
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
  return { stored: Number(row.stored), staged: Number(row.staged), count: Number(row.count), uploading: Number(row.uploading) };
}
