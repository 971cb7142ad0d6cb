import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { RoleRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertRole(db: Db, row: RoleRow): Promise<void> {
  await db.insertInto('identity_roles').values(row).execute();
}

export async function findRole(db: Db, id: string): Promise<RoleRow | undefined> {
  return await db.selectFrom('identity_roles').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findRoleByName(db: Db, domain_id: string, name: string): Promise<RoleRow | undefined> {
  return await db.selectFrom('identity_roles').selectAll().where('domain_id', '=', domain_id).where('name', '=', name).executeTakeFirst();
}

export async function findRoles(db: Db, ids: readonly string[]): Promise<RoleRow[]> {
  if (ids.length === 0) return [];
  return await db.selectFrom('identity_roles').selectAll().where('id', 'in', ids).orderBy('name').orderBy('id').execute();
}

export async function listRoles(db: Db, options: ListOptions): Promise<Page<RoleRow>> {
  return await listRows(db.selectFrom('identity_roles').selectAll(), options);
}

export async function updateRole(db: Db, id: string, values: Partial<RoleRow>): Promise<void> {
  await db.updateTable('identity_roles').set(values).where('id', '=', id).execute();
}

export async function deleteRole(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_roles').where('id', '=', id).execute();
}

export interface Inference {
  prior_role_id: string;
  implied_role_id: string;
}

export async function listInferences(db: Db, limit: number): Promise<Inference[]> {
  return await db.selectFrom('identity_implied_roles').selectAll().orderBy('prior_role_id').orderBy('implied_role_id').limit(limit).execute();
}

export async function listImplied(db: Db, prior_role_id: string): Promise<RoleRow[]> {
  return await db
    .selectFrom('identity_implied_roles as i')
    .innerJoin('identity_roles as r', 'r.id', 'i.implied_role_id')
    .selectAll('r')
    .where('i.prior_role_id', '=', prior_role_id)
    .orderBy('r.name')
    .execute();
}

export async function isImplied(db: Db, inference: Inference): Promise<boolean> {
  const row = await db
    .selectFrom('identity_implied_roles')
    .select('prior_role_id')
    .where('prior_role_id', '=', inference.prior_role_id)
    .where('implied_role_id', '=', inference.implied_role_id)
    .executeTakeFirst();
  return row !== undefined;
}

export async function insertInference(db: Db, inference: Inference): Promise<void> {
  await db.insertInto('identity_implied_roles').values(inference).onConflict((conflict) => conflict.doNothing()).execute();
}

export async function deleteInference(db: Db, inference: Inference): Promise<boolean> {
  const result = await db
    .deleteFrom('identity_implied_roles')
    .where('prior_role_id', '=', inference.prior_role_id)
    .where('implied_role_id', '=', inference.implied_role_id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
