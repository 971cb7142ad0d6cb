import { sql } from 'kysely';
import type { Reader } from './rows.ts';

/** @param project_id undefined: of all projects. The metadata are those of at most ten thousand volumes. */
export async function volumeTotals(db: Reader, project_id: string | undefined): Promise<{ many: number; size: number; metadata: string[] }> {
  const all = db.selectFrom('block_storage_volumes');
  const own = project_id === undefined ? all : all.where('project_id', '=', project_id);
  const totals = await own.select([sql<number>`count(*)`.as('many'), sql<number>`coalesce(sum(size), 0)`.as('size')]).executeTakeFirstOrThrow();
  const metadata = await own.select('metadata_json').where('metadata_json', '!=', '{}').limit(10_000).execute();
  return { many: Number(totals.many), size: Number(totals.size), metadata: metadata.map(({ metadata_json }) => metadata_json) };
}
