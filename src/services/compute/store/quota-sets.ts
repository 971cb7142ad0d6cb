import { sql, type Kysely } from 'kysely';
import type { ComputeTables } from './tables.ts';

type Reader = Kysely<ComputeTables>;

interface QuotaClassTable {
  compute_quota_classes: { class_name: string; resource: string; hard_limit: number };
}

const classes = (db: Reader): Kysely<QuotaClassTable> => db as unknown as Kysely<QuotaClassTable>;

/** The limits that were set for a project, by resource. */
export async function projectQuotas(db: Reader, project_id: string): Promise<Map<string, number>> {
  return await userQuotas(db, project_id, '');
}

/** The limits that were set for a user in a project, by resource. */
export async function userQuotas(db: Reader, project_id: string, user_id: string): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('compute_quotas')
    .select(['resource', 'hard_limit'])
    .where('project_id', '=', project_id)
    .where('user_id', '=', user_id)
    .execute();
  return new Map(rows.map((row) => [row.resource, row.hard_limit]));
}

/** The highest limit that any user of a project has, by resource. */
export async function highestUserQuotas(db: Reader, project_id: string): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('compute_quotas')
    .select((eb) => ['resource', eb.fn.max('hard_limit').as('hard_limit')])
    .where('project_id', '=', project_id)
    .where('user_id', '!=', '')
    .groupBy('resource')
    .execute();
  return new Map(rows.map((row) => [row.resource, Number(row.hard_limit)]));
}

/** @param user_id empty for the project's own limits. */
export async function saveQuotas(tx: Reader, project_id: string, user_id: string, limits: Readonly<Record<string, number>>): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({ project_id, user_id, resource, hard_limit }));
  if (rows.length === 0) return;
  await tx
    .insertInto('compute_quotas')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['project_id', 'user_id', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })))
    .execute();
}

/** @param user_id undefined: those of the project and of all its users. */
export async function deleteQuotas(tx: Reader, project_id: string, user_id: string | undefined): Promise<void> {
  const query = tx.deleteFrom('compute_quotas').where('project_id', '=', project_id);
  await (user_id === undefined ? query : query.where('user_id', '=', user_id)).execute();
}

export async function classQuotas(db: Reader, class_name: string): Promise<Map<string, number>> {
  const rows = await classes(db).selectFrom('compute_quota_classes').select(['resource', 'hard_limit']).where('class_name', '=', class_name).execute();
  return new Map(rows.map((row) => [row.resource, row.hard_limit]));
}

export async function saveClassQuotas(tx: Reader, class_name: string, limits: Readonly<Record<string, number>>): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({ class_name, resource, hard_limit }));
  if (rows.length === 0) return;
  await classes(tx)
    .insertInto('compute_quota_classes')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['class_name', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })))
    .execute();
}

/** Whoever counts against a project's quota takes this first: two never count at once. */
export async function lockProject(tx: Reader, project_id: string): Promise<void> {
  await tx
    .insertInto('compute_project_locks')
    .values({ project_id, taken: 1 })
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ taken: sql`1 - compute_project_locks.taken` }))
    .execute();
}
