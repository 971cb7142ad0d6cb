import { sql, type Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { Tables, UserRow } from './tables.ts';

type Db = Kysely<Tables>;

/** What a user begins with who has no password yet. */
export const NEW_USER = {
  enabled: 1, default_project_id: null, password_hash: null, options: '{}', extra: '{}', created_at: null, last_active_on: null,
  password_created_at: null, password_expires_at: null, password_self_service: 0, failed_logins: 0, failed_login_at: null,
} as const satisfies Partial<UserRow>;

export async function insertUser(db: Db, row: UserRow): Promise<void> {
  await db.insertInto('identity_users').values(row).execute();
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return await db.selectFrom('identity_users').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findUserByName(db: Db, domain_id: string, name: string): Promise<UserRow | undefined> {
  return await db.selectFrom('identity_users').selectAll().where('domain_id', '=', domain_id).where('name', '=', name).executeTakeFirst();
}

/** Who they are elsewhere, as far as it is asked. */
export interface FederatedFilter { identity_provider_id?: string; protocol_id?: string; unique_id?: string }

export async function listUsers(db: Db, options: ListOptions, federated: FederatedFilter = {}): Promise<Page<UserRow>> {
  const users = db.selectFrom('identity_users').selectAll();
  const asked = Object.entries(federated) as [keyof FederatedFilter, string][];
  if (asked.length === 0) return await listRows(users, options);
  const known = asked.reduce((query, [column, value]) => query.where(column, '=', value), db.selectFrom('identity_federated_users').select('user_id'));
  return await listRows(users.where('id', 'in', known), options);
}

export async function listUsersInGroup(db: Db, group_id: string, options: ListOptions): Promise<Page<UserRow>> {
  const members = db.selectFrom('identity_memberships').select('user_id').where('group_id', '=', group_id);
  return await listRows(db.selectFrom('identity_users').selectAll().where('id', 'in', members), options);
}

export async function updateUser(db: Db, id: string, values: Partial<UserRow>): Promise<void> {
  await db.updateTable('identity_users').set(values).where('id', '=', id).execute();
}

export async function deleteUser(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_users').where('id', '=', id).execute();
}

/** One more wrong password; the first again when `again`. */
export async function countFailedLogin(db: Db, id: string, again: boolean, now: string): Promise<void> {
  await db.updateTable('identity_users').set({ failed_logins: again ? 1 : sql<number>`failed_logins + 1`, failed_login_at: now }).where('id', '=', id).execute();
}

/** Users of a deleted project keep no trace of it. */
export async function clearDefaultProject(db: Db, project_id: string): Promise<void> {
  await db.updateTable('identity_users').set({ default_project_id: null }).where('default_project_id', '=', project_id).execute();
}
