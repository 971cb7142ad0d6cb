import { sql, type Kysely } from 'kysely';
import type { RoleRow, Tables, TrustRow } from './tables.ts';

type Db = Kysely<Tables>;

export async function insertTrust(db: Db, row: TrustRow, role_ids: readonly string[]): Promise<void> {
  await db.insertInto('identity_trusts').values(row).execute();
  await db.insertInto('identity_trust_roles').values(role_ids.map((role_id) => ({ trust_id: row.id, role_id }))).execute();
}

export async function findTrust(db: Db, id: string): Promise<TrustRow | undefined> {
  return await db.selectFrom('identity_trusts').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listTrusts(db: Db, of: { trustor_user_id?: string | undefined; trustee_user_id?: string | undefined }, limit: number): Promise<TrustRow[]> {
  let query = db.selectFrom('identity_trusts').selectAll().orderBy('id').limit(limit);
  if (of.trustor_user_id !== undefined) query = query.where('trustor_user_id', '=', of.trustor_user_id);
  if (of.trustee_user_id !== undefined) query = query.where('trustee_user_id', '=', of.trustee_user_id);
  return await query.execute();
}

export async function trustsMadeFrom(db: Db, id: string): Promise<TrustRow[]> {
  return await db.selectFrom('identity_trusts').selectAll().where('redelegated_trust_id', '=', id).execute();
}

export async function rolesOfTrust(db: Db, trust_id: string): Promise<RoleRow[]> {
  return await db
    .selectFrom('identity_trust_roles as t')
    .innerJoin('identity_roles as r', 'r.id', 't.role_id')
    .selectAll('r')
    .where('t.trust_id', '=', trust_id)
    .orderBy('r.name')
    .execute();
}

/** Takes one use; false when none is left. */
export async function consumeTrust(db: Db, id: string): Promise<boolean> {
  const result = await db
    .updateTable('identity_trusts')
    .set({ remaining_uses: sql<number>`remaining_uses - 1` })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('remaining_uses', 'is', null), eb('remaining_uses', '>', 0)]))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export async function deleteTrust(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_trusts').where('id', '=', id).execute();
}
