import type { Kysely } from 'kysely';
import type { ExpiringMembershipRow, FederatedUserRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

export async function findFederatedUser(db: Db, { identity_provider_id, protocol_id, unique_id }: Omit<FederatedUserRow, 'user_id'>): Promise<string | undefined> {
  const row = await db.selectFrom('identity_federated_users').select('user_id')
    .where('identity_provider_id', '=', identity_provider_id).where('protocol_id', '=', protocol_id).where('unique_id', '=', unique_id).executeTakeFirst();
  return row?.user_id;
}

export async function insertFederatedUser(db: Db, row: FederatedUserRow): Promise<void> {
  await db.insertInto('identity_federated_users').values(row).execute();
}

/** Each is lengthened when it was there. */
export async function putExpiringMemberships(db: Db, rows: readonly ExpiringMembershipRow[]): Promise<void> {
  for (const row of rows) {
    await db.insertInto('identity_expiring_memberships').values(row)
      .onConflict((conflict) => conflict.columns(['user_id', 'group_id']).doUpdateSet({ expires_at: row.expires_at, identity_provider_id: row.identity_provider_id }))
      .execute();
  }
}

export async function deleteEndedMemberships(db: Db, before: string): Promise<number> {
  const result = await db.deleteFrom('identity_expiring_memberships').where('expires_at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}

export async function federatedUsersOf(db: Db, user_id: string): Promise<FederatedUserRow[]> {
  return await db.selectFrom('identity_federated_users').selectAll().where('user_id', '=', user_id).orderBy('identity_provider_id').orderBy('protocol_id').orderBy('unique_id').execute();
}

export async function deleteFederatedUser(db: Db, user_id: string): Promise<void> {
  await db.deleteFrom('identity_federated_users').where('user_id', '=', user_id).execute();
}
