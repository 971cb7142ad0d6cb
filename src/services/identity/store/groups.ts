import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { GroupRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertGroup(db: Db, row: GroupRow): Promise<void> {
  await db.insertInto('identity_groups').values(row).execute();
}

export async function findGroup(db: Db, id: string): Promise<GroupRow | undefined> {
  return await db.selectFrom('identity_groups').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listGroups(db: Db, options: ListOptions): Promise<Page<GroupRow>> {
  return await listRows(db.selectFrom('identity_groups').selectAll(), options);
}

export async function listGroupsOfUser(db: Db, user_id: string, options: ListOptions): Promise<Page<GroupRow>> {
  const own = db.selectFrom('identity_memberships').select('group_id').where('user_id', '=', user_id);
  return await listRows(db.selectFrom('identity_groups').selectAll().where('id', 'in', own), options);
}

export async function updateGroup(db: Db, id: string, values: Partial<GroupRow>): Promise<void> {
  await db.updateTable('identity_groups').set(values).where('id', '=', id).execute();
}

export async function deleteGroup(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_groups').where('id', '=', id).execute();
}

export async function isMember(db: Db, user_id: string, group_id: string): Promise<boolean> {
  const row = await db.selectFrom('identity_memberships').select('user_id').where('user_id', '=', user_id).where('group_id', '=', group_id).executeTakeFirst();
  return row !== undefined;
}

export async function insertMember(db: Db, user_id: string, group_id: string): Promise<void> {
  await db.insertInto('identity_memberships').values({ user_id, group_id }).onConflict((conflict) => conflict.doNothing()).execute();
}

export async function deleteMember(db: Db, user_id: string, group_id: string): Promise<boolean> {
  const result = await db.deleteFrom('identity_memberships').where('user_id', '=', user_id).where('group_id', '=', group_id).executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export async function findGroupByName(db: Db, domain_id: string, name: string): Promise<GroupRow | undefined> {
  return await db.selectFrom('identity_groups').selectAll().where('domain_id', '=', domain_id).where('name', '=', name).executeTakeFirst();
}
