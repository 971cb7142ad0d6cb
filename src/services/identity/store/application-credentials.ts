import type { Kysely } from 'kysely';
import type { AccessRuleRow, ApplicationCredentialRow, RoleRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function findApplicationCredential(db: Db, id: string): Promise<ApplicationCredentialRow | undefined> {
  return await db.selectFrom('identity_application_credentials').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findApplicationCredentialByName(db: Db, user_id: string, name: string): Promise<ApplicationCredentialRow | undefined> {
  return await db.selectFrom('identity_application_credentials').selectAll().where('user_id', '=', user_id).where('name', '=', name).executeTakeFirst();
}

export async function listApplicationCredentials(db: Db, user_id: string, name: string | undefined, limit: number): Promise<ApplicationCredentialRow[]> {
  const query = db.selectFrom('identity_application_credentials').selectAll().where('user_id', '=', user_id).orderBy('name').limit(limit);
  return await (name === undefined ? query : query.where('name', '=', name)).execute();
}

export async function countApplicationCredentials(db: Db, user_id: string): Promise<number> {
  const row = await db
    .selectFrom('identity_application_credentials')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', user_id)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export async function insertApplicationCredential(db: Db, row: ApplicationCredentialRow, role_ids: readonly string[], rule_ids: readonly string[]): Promise<void> {
  await db.insertInto('identity_application_credentials').values(row).execute();
  const application_credential_id = row.id;
  if (role_ids.length > 0) {
    await db.insertInto('identity_application_credential_roles').values(role_ids.map((role_id) => ({ application_credential_id, role_id }))).execute();
  }
  if (rule_ids.length > 0) {
    await db.insertInto('identity_application_credential_rules').values(rule_ids.map((access_rule_id) => ({ application_credential_id, access_rule_id }))).execute();
  }
}

export async function deleteApplicationCredential(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_application_credential_rules').where('application_credential_id', '=', id).execute();
  await db.deleteFrom('identity_application_credentials').where('id', '=', id).execute();
}

/** Deletes those of a user, a project or both; @returns their ids. */
export async function deleteApplicationCredentialsOf(db: Db, of: { user_id?: string; project_id?: string }): Promise<string[]> {
  let query = db.selectFrom('identity_application_credentials').select('id');
  if (of.user_id !== undefined) query = query.where('user_id', '=', of.user_id);
  if (of.project_id !== undefined) query = query.where('project_id', '=', of.project_id);
  const ids = (await query.execute()).map(({ id }) => id);
  if (ids.length > 0) {
    await db.deleteFrom('identity_application_credential_rules').where('application_credential_id', 'in', ids).execute();
    await db.deleteFrom('identity_application_credentials').where('id', 'in', ids).execute();
  }
  return ids;
}

type OfCredential<T> = T & { application_credential_id: string };

export async function rolesOfApplicationCredentials(db: Db, ids: readonly string[]): Promise<OfCredential<Pick<RoleRow, 'id' | 'name' | 'domain_id'>>[]> {
  if (ids.length === 0) return [];
  return await db
    .selectFrom('identity_application_credential_roles as c')
    .innerJoin('identity_roles as r', 'r.id', 'c.role_id')
    .select(['c.application_credential_id', 'r.id', 'r.name', 'r.domain_id'])
    .where('c.application_credential_id', 'in', ids)
    .orderBy('r.name')
    .execute();
}

export async function rulesOfApplicationCredentials(db: Db, ids: readonly string[]): Promise<OfCredential<AccessRuleRow>[]> {
  if (ids.length === 0) return [];
  return await db
    .selectFrom('identity_application_credential_rules as c')
    .innerJoin('identity_access_rules as r', 'r.id', 'c.access_rule_id')
    .selectAll('r')
    .select('c.application_credential_id')
    .where('c.application_credential_id', 'in', ids)
    .orderBy('r.id')
    .execute();
}

export async function listAccessRules(db: Db, user_id: string, limit: number): Promise<AccessRuleRow[]> {
  return await db.selectFrom('identity_access_rules').selectAll().where('user_id', '=', user_id).orderBy('id').limit(limit).execute();
}

export async function findAccessRule(db: Db, user_id: string, id: string): Promise<AccessRuleRow | undefined> {
  return await db.selectFrom('identity_access_rules').selectAll().where('user_id', '=', user_id).where('id', '=', id).executeTakeFirst();
}

export async function findSameAccessRule(db: Db, rule: Omit<AccessRuleRow, 'id'>): Promise<AccessRuleRow | undefined> {
  return await db
    .selectFrom('identity_access_rules')
    .selectAll()
    .where('user_id', '=', rule.user_id)
    .where('service', '=', rule.service)
    .where('path', '=', rule.path)
    .where('method', '=', rule.method)
    .executeTakeFirst();
}

export async function insertAccessRule(db: Db, row: AccessRuleRow): Promise<void> {
  await db.insertInto('identity_access_rules').values(row).execute();
}

export async function isAccessRuleUsed(db: Db, id: string): Promise<boolean> {
  const row = await db.selectFrom('identity_application_credential_rules').select('access_rule_id').where('access_rule_id', '=', id).limit(1).executeTakeFirst();
  return row !== undefined;
}

export async function deleteAccessRule(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_access_rules').where('id', '=', id).execute();
}
