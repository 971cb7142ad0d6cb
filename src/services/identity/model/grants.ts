/** Giving roles away and taking them back. */
import { badRequest, notFound } from '../../../kernel/fault.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { deleteApplicationCredentialsOf } from '../store/application-credentials.ts';
import { deleteAssignment, hasAssignment, insertAssignment, rolesOfGrant, type Grant } from '../store/grants.ts';
import { findGroup } from '../store/groups.ts';
import { findProject } from '../store/projects.ts';
import { findRole } from '../store/roles.ts';
import type { AssignmentRow, RoleRow } from '../store/tables.ts';
import { findUser } from '../store/users.ts';
import { change, type Changed, type Identity } from './identity.ts';

type Reader = Identity['db']['read'];

/** Faults: 404 unless actor and target are there. */
async function assertEnds(db: Reader, grant: Grant): Promise<void> {
  const actor = grant.actor_type === 'user' ? await findUser(db, grant.actor_id) : await findGroup(db, grant.actor_id);
  if (actor === undefined) throw noSuch(grant.actor_type, grant.actor_id);
  if (grant.target_type === 'system') return;
  const target = await findProject(db, grant.target_id);
  if (target === undefined || (grant.target_type === 'domain' && target.is_domain === 0)) throw noSuch(grant.target_type, grant.target_id);
}

/** A role of a domain is for the projects of that domain; on domains it only counts by what it implies, on the system not at all. */
async function assertFits(db: Reader, grant: Grant, role: RoleRow): Promise<void> {
  if (role.domain_id === '' || grant.target_type === 'domain') return;
  if (grant.target_type === 'system') {
    throw badRequest('identity.role-of-domain', `Role ${role.id} is a domain-specific role. Unable to use a domain-specific role in a system assignment.`);
  }
  if ((await findProject(db, grant.target_id))?.domain_id === role.domain_id) return;
  throw notAllowed('role-of-other-domain', `Project ${grant.target_id} must be in the same domain as the role ${role.id} being assigned.`);
}

export async function createGrant(identity: Identity, row: AssignmentRow): Promise<void> {
  await change(identity, async (tx, touch) => {
    const role = await findRole(tx, row.role_id);
    if (role === undefined) throw noSuch('role', row.role_id);
    await assertEnds(tx, row);
    await assertFits(tx, row, role);
    await insertAssignment(tx, row);
    touch(touched(row));
  });
}

export async function revokeGrant(identity: Identity, row: AssignmentRow): Promise<void> {
  await change(identity, async (tx, touch) => {
    if ((await findRole(tx, row.role_id)) === undefined) throw noSuch('role', row.role_id);
    if (!(await deleteAssignment(tx, row))) throw noGrant(row);
    // What the user handed on to programs was made of the roles they had here.
    if (row.actor_type === 'user' && row.target_type === 'project') await deleteApplicationCredentialsOf(tx, { user_id: row.actor_id, project_id: row.target_id });
    touch(touched(row));
  });
}

function touched(row: AssignmentRow): Changed {
  return row.actor_type === 'user' ? { user_id: row.actor_id } : 'everybody';
}

export async function assertGrant(identity: Identity, row: AssignmentRow): Promise<void> {
  if ((await findRole(identity.db.read, row.role_id)) === undefined) throw noSuch('role', row.role_id);
  await assertEnds(identity.db.read, row);
  if (!(await hasAssignment(identity.db.read, row))) throw noGrant(row);
}

export async function grantedRoles(identity: Identity, grant: Grant): Promise<RoleRow[]> {
  await assertEnds(identity.db.read, grant);
  return await rolesOfGrant(identity.db.read, grant);
}

function noGrant(row: AssignmentRow) {
  return notFound('identity.role-assignment-not-found',
    `Could not find role assignment with role: ${row.role_id}, user or group: ${row.actor_id}, project, domain, or system: ${row.target_id}.`);
}
