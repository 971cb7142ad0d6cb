import { sql, type Kysely } from 'kysely';
import type { ComputeTables } from './tables.ts';

/** The limits that were set for a project, by resource. */
export async function projectQuotas(db: Kysely<ComputeTables>, project_id: string): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('compute_quotas')
    .select(['resource', 'hard_limit'])
    .where('project_id', '=', project_id)
    .where('user_id', '=', '')
    .execute();
  return new Map(rows.map((row) => [row.resource, row.hard_limit]));
}

/** Whoever counts against a project's quota takes this first: two never count at once. */
export async function lockProject(tx: Kysely<ComputeTables>, project_id: string): Promise<void> {
  await tx
    .insertInto('compute_project_locks')
    .values({ project_id, taken: 1 })
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ taken: sql`1 - compute_project_locks.taken` }))
    .execute();
}
