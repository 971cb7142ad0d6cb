import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { PolicyRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertPolicy(db: Db, row: PolicyRow): Promise<void> {
  await db.insertInto('identity_policies').values(row).execute();
}

export async function findPolicy(db: Db, id: string): Promise<PolicyRow | undefined> {
  return await db.selectFrom('identity_policies').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listPolicies(db: Db, options: ListOptions): Promise<Page<PolicyRow>> {
  return await listRows(db.selectFrom('identity_policies').selectAll(), options, 'id');
}

export async function updatePolicy(db: Db, id: string, values: Partial<PolicyRow>): Promise<void> {
  await db.updateTable('identity_policies').set(values).where('id', '=', id).execute();
}

export async function deletePolicy(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_policies').where('id', '=', id).execute();
}
