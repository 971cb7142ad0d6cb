import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { CredentialRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertCredential(db: Db, row: CredentialRow): Promise<void> {
  await db.insertInto('identity_credentials').values(row).execute();
}

export async function findCredential(db: Db, id: string): Promise<CredentialRow | undefined> {
  return await db.selectFrom('identity_credentials').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listCredentials(db: Db, options: ListOptions): Promise<Page<CredentialRow>> {
  return await listRows(db.selectFrom('identity_credentials').selectAll(), options, 'id');
}

export async function countCredentials(db: Db, user_id: string): Promise<number> {
  const { count } = await db.selectFrom('identity_credentials').select((eb) => eb.fn.countAll<number>().as('count')).where('user_id', '=', user_id).executeTakeFirstOrThrow();
  return Number(count);
}

export async function updateCredential(db: Db, id: string, values: Partial<CredentialRow>): Promise<void> {
  await db.updateTable('identity_credentials').set(values).where('id', '=', id).execute();
}

export async function deleteCredential(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_credentials').where('id', '=', id).execute();
}

export async function deleteCredentialsOfProjects(db: Db, project_ids: readonly string[]): Promise<void> {
  if (project_ids.length > 0) await db.deleteFrom('identity_credentials').where('project_id', 'in', project_ids).execute();
}

export async function credentialsOfUser(db: Db, user_id: string, type: string): Promise<CredentialRow[]> {
  return await db.selectFrom('identity_credentials').selectAll().where('user_id', '=', user_id).where('type', '=', type).orderBy('id').execute();
}

/** Each passcode is good once, and none before it any more. @returns false for one that was used */
export async function usePasscode(db: Db, credential_id: string, step: number): Promise<boolean> {
  const result = await db
    .insertInto('identity_used_passcodes')
    .values({ credential_id, step })
    .onConflict((conflict) => conflict.column('credential_id').doUpdateSet({ step }).where('identity_used_passcodes.step', '<', step))
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}
