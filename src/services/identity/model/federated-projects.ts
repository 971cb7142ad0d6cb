/** Projects and roles that a mapping gives to those who come by an identity provider. */
import { hexId } from '../../../kernel/ids.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { accessDomain } from '../store/access.ts';
import { deleteAssignment, insertAssignment, projectAssignmentsOfUser } from '../store/grants.ts';
import { findProjectByName, insertProject } from '../store/projects.ts';
import { findRoleByName } from '../store/roles.ts';
import type { AssignmentRow, IdentityProviderRow } from '../store/tables.ts';
import type { Touch, Tx } from './identity.ts';
import type { MappedProject } from './mapping-rules.ts';

interface Prepared { name: string; domain_id: string; role_ids: string[] }

/** All is looked up before anything is made. Faults: 404 for an unknown role or domain, 403 for a role of another domain. */
export async function prepareProjects(tx: Tx, provider: IdentityProviderRow, user_domain: string, projects: readonly MappedProject[]): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const { name, roles, domain } of projects) {
    const asked = domain?.id ?? domain?.name;
    const place = asked === undefined ? { id: provider.domain_id } : await accessDomain(tx, domain?.id === undefined ? { name: asked } : { id: asked });
    if (place === undefined) throw noSuch('domain', asked ?? '');
    const role_ids: string[] = [];
    for (const role of roles) role_ids.push(await roleId(tx, role.name, user_domain, provider));
    prepared.push({ name, domain_id: place.id, role_ids });
  }
  return prepared;
}

async function roleId(tx: Tx, name: string, domain_id: string, provider: IdentityProviderRow): Promise<string> {
  const role = (await findRoleByName(tx, '', name)) ?? (await findRoleByName(tx, domain_id, name));
  if (role === undefined) throw noSuch('role', name);
  if (role.domain_id !== '' && role.domain_id !== provider.domain_id) throw notAllowed('role-of-other-domain', `Role: ${name} is a domain-specific role of another domain than that of the identity provider: ${provider.id}.`);
  return role.id;
}

/** @param whole the mapping says all: other roles on projects are taken back. */
export async function assignProjects(tx: Tx, user_id: string, projects: readonly Prepared[], whole: boolean, touch: Touch): Promise<void> {
  if (projects.length === 0 && !whole) return;
  const had = await projectAssignmentsOfUser(tx, user_id);
  const wanted = new Set<string>();
  for (const project of projects) {
    const target_id = (await findProjectByName(tx, project.domain_id, project.name))?.id ?? (await createProject(tx, project));
    for (const role_id of project.role_ids) {
      wanted.add(`${target_id} ${role_id}`);
      if (had.some((row) => row.target_id === target_id && row.role_id === role_id)) continue;
      const row: AssignmentRow = { actor_type: 'user', actor_id: user_id, target_type: 'project', target_id, role_id, inherited: 0 };
      await insertAssignment(tx, row);
      touch({ user_id });
    }
  }
  for (const row of whole ? had : []) {
    if (wanted.has(`${row.target_id} ${row.role_id}`)) continue;
    await deleteAssignment(tx, row);
    touch({ user_id });
  }
}

async function createProject(tx: Tx, { name, domain_id }: Prepared): Promise<string> {
  const id = hexId();
  await insertProject(tx, { id, name, domain_id, parent_id: domain_id, is_domain: 0, enabled: 1, description: '', options: '{}', extra: '{}' });
  return id;
}
