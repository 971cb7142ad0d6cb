import { sql } from 'kysely';
import type { Reader } from './rows.ts';

export type Limits = Record<string, number>;

const asMap = (rows: { resource: string; hard_limit: number }[]): Limits => Object.fromEntries(rows.map(({ resource, hard_limit }) => [resource, hard_limit]));

export async function projectLimits(db: Reader, project_id: string): Promise<Limits> {
  return asMap(await db.selectFrom('block_storage_quotas').select(['resource', 'hard_limit']).where('project_id', '=', project_id).execute());
}

export async function classLimits(db: Reader, class_name: string): Promise<Limits> {
  return asMap(await db.selectFrom('block_storage_quota_classes').select(['resource', 'hard_limit']).where('class_name', '=', class_name).execute());
}

export async function saveProjectLimits(tx: Reader, project_id: string, limits: Limits): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({ project_id, resource, hard_limit }));
  if (rows.length === 0) return;
  await tx.insertInto('block_storage_quotas').values(rows)
    .onConflict((conflict) => conflict.columns(['project_id', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') }))).execute();
}

export async function saveClassLimits(tx: Reader, class_name: string, limits: Limits): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({ class_name, resource, hard_limit }));
  if (rows.length === 0) return;
  await tx.insertInto('block_storage_quota_classes').values(rows)
    .onConflict((conflict) => conflict.columns(['class_name', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') }))).execute();
}

export async function forgetProjectLimits(tx: Reader, project_id: string): Promise<void> {
  await tx.deleteFrom('block_storage_quotas').where('project_id', '=', project_id).execute();
}

/** Whoever counts against a project's quota takes this first: two never count at once. */
export async function lockProject(tx: Reader, project_id: string): Promise<void> {
  await tx.insertInto('block_storage_project_locks').values({ project_id, taken: 1 })
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ taken: sql`1 - block_storage_project_locks.taken` })).execute();
}

export interface Use {
  /** Of all types together under ``. */
  type_id: string;
  many: number;
  gigabytes: number;
}

/** Volumes of a project by type. */
export async function volumeUse(db: Reader, project_id: string): Promise<Use[]> {
  return numbers(await db.selectFrom('block_storage_volumes').select(['type_id', sql<number>`count(*)`.as('many'), sql<number>`sum(size)`.as('gigabytes')])
    .where('project_id', '=', project_id).groupBy('type_id').execute());
}

/** Snapshots of a project by the type of their volume. */
export async function snapshotUse(db: Reader, project_id: string): Promise<Use[]> {
  return numbers(await db.selectFrom('block_storage_snapshots as s').innerJoin('block_storage_volumes as v', 'v.id', 's.volume_id')
    .select(['v.type_id as type_id', sql<number>`count(*)`.as('many'), sql<number>`sum(s.volume_size)`.as('gigabytes')])
    .where('s.project_id', '=', project_id).groupBy('v.type_id').execute());
}

export async function backupUse(db: Reader, project_id: string): Promise<Use> {
  const [use] = numbers(await db.selectFrom('block_storage_backups').select([sql<string>`''`.as('type_id'), sql<number>`count(*)`.as('many'), sql<number>`coalesce(sum(size), 0)`.as('gigabytes')])
    .where('project_id', '=', project_id).execute());
  return use!;
}

export async function groupUse(db: Reader, project_id: string): Promise<number> {
  return Number((await db.selectFrom('block_storage_groups').select(sql<number>`count(*)`.as('many')).where('project_id', '=', project_id).executeTakeFirstOrThrow()).many);
}

const numbers = (rows: { type_id: string; many: number; gigabytes: number }[]): Use[] =>
  rows.map(({ type_id, many, gigabytes }) => ({ type_id, many: Number(many), gigabytes: Number(gigabytes) }));
