import type { Kysely } from 'kysely';
import type { AssignmentRow, RoleRow, Tables } from './tables.ts';

type Db = Kysely<Tables>;

/** Who has something, where, and whether it is for what lies below. */
export type Grant = Omit<AssignmentRow, 'role_id'>;

function granted(db: Db, grant: Grant) {
  return db
    .selectFrom('identity_assignments as a')
    .where('a.actor_id', '=', grant.actor_id)
    .where('a.actor_type', '=', grant.actor_type)
    .where('a.target_id', '=', grant.target_id)
    .where('a.target_type', '=', grant.target_type)
    .where('a.inherited', '=', grant.inherited);
}

export async function insertAssignment(db: Db, row: AssignmentRow): Promise<void> {
  await db.insertInto('identity_assignments').values(row).onConflict((conflict) => conflict.doNothing()).execute();
}

export async function hasAssignment(db: Db, row: AssignmentRow): Promise<boolean> {
  return (await granted(db, row).select('a.role_id').where('a.role_id', '=', row.role_id).executeTakeFirst()) !== undefined;
}

export async function rolesOfGrant(db: Db, grant: Grant): Promise<RoleRow[]> {
  return await granted(db, grant).innerJoin('identity_roles as r', 'r.id', 'a.role_id').selectAll('r').orderBy('r.name').orderBy('r.id').execute();
}

/** @returns whether it was there. */
export async function deleteAssignment(db: Db, row: AssignmentRow): Promise<boolean> {
  const result = await db
    .deleteFrom('identity_assignments')
    .where('actor_id', '=', row.actor_id)
    .where('actor_type', '=', row.actor_type)
    .where('target_id', '=', row.target_id)
    .where('target_type', '=', row.target_type)
    .where('inherited', '=', row.inherited)
    .where('role_id', '=', row.role_id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export async function deleteAssignmentsOfActor(db: Db, actor_type: 'user' | 'group', actor_id: string): Promise<void> {
  await db.deleteFrom('identity_assignments').where('actor_type', '=', actor_type).where('actor_id', '=', actor_id).execute();
}

export async function deleteAssignmentsOnTarget(db: Db, target_type: 'project' | 'domain', target_id: string): Promise<void> {
  await db.deleteFrom('identity_assignments').where('target_type', '=', target_type).where('target_id', '=', target_id).execute();
}

/** What a user was given on projects themselves. */
export async function projectAssignmentsOfUser(db: Db, user_id: string): Promise<AssignmentRow[]> {
  return await db.selectFrom('identity_assignments').selectAll()
    .where('actor_id', '=', user_id).where('actor_type', '=', 'user').where('target_type', '=', 'project').where('inherited', '=', 0).execute();
}
