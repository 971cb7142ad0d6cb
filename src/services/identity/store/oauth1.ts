import type { Kysely } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { listRows, type ListOptions } from './list.ts';
import type { AccessTokenRow, ConsumerRow, RequestTokenRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertConsumer(db: Db, row: ConsumerRow): Promise<void> {
  await db.insertInto('identity_consumers').values(row).execute();
}

export async function findConsumer(db: Db, id: string): Promise<ConsumerRow | undefined> {
  return await db.selectFrom('identity_consumers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listConsumers(db: Db, options: ListOptions): Promise<Page<ConsumerRow>> {
  return await listRows(db.selectFrom('identity_consumers').selectAll(), options, 'id');
}

export async function updateConsumer(db: Db, row: ConsumerRow): Promise<void> {
  await db.updateTable('identity_consumers').set(row).where('id', '=', row.id).execute();
}

export async function deleteConsumer(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_consumers').where('id', '=', id).execute();
}

export async function insertRequestToken(db: Db, row: RequestTokenRow): Promise<void> {
  await db.insertInto('identity_request_tokens').values(row).execute();
}

export async function findRequestToken(db: Db, id: string): Promise<RequestTokenRow | undefined> {
  return await db.selectFrom('identity_request_tokens').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function updateRequestToken(db: Db, id: string, values: Pick<RequestTokenRow, 'user_id' | 'verifier' | 'role_ids'>): Promise<void> {
  await db.updateTable('identity_request_tokens').set(values).where('id', '=', id).execute();
}

/** False when somebody else was faster. */
export async function deleteRequestToken(db: Db, id: string): Promise<boolean> {
  const result = await db.deleteFrom('identity_request_tokens').where('id', '=', id).executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export async function insertAccessToken(db: Db, row: AccessTokenRow): Promise<void> {
  await db.insertInto('identity_access_tokens').values(row).execute();
}

export async function findAccessToken(db: Db, id: string): Promise<AccessTokenRow | undefined> {
  return await db.selectFrom('identity_access_tokens').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listAccessTokens(db: Db, user_id: string, options: ListOptions): Promise<Page<AccessTokenRow>> {
  return await listRows(db.selectFrom('identity_access_tokens').selectAll().where('user_id', '=', user_id), options, 'id');
}

export async function deleteAccessToken(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_access_tokens').where('id', '=', id).execute();
}

/** Those of both kinds that ended before an instant. */
export async function deleteEndedTokens(db: Db, before: string): Promise<number> {
  const requests = await db.deleteFrom('identity_request_tokens').where('expires_at', '<', before).executeTakeFirst();
  const accesses = await db.deleteFrom('identity_access_tokens').where('expires_at', '<', before).executeTakeFirst();
  return Number(requests.numDeletedRows + accesses.numDeletedRows);
}
