/** Projects and domains: a domain is a project without a domain. */
import { badRequest } from '../../../kernel/fault.ts';
import { hexId } from '../../../kernel/ids.ts';
import { isUniqueViolation } from '../../../kernel/db/errors.ts';
import { onCommit } from '../../../kernel/db/database.ts';
import { noSuch, notAllowed, taken } from '../faults.ts';
import { insertRevocation } from '../store/access.ts';
import { deleteAssignmentsOnTarget } from '../store/grants.ts';
import { deleteCredentialsOfProjects } from '../store/credentials.ts';
import { domainContents, deleteDomainContents } from '../store/domains.ts';
import { deleteProject as removeProject, findProject, hasChildren, insertProject, projectParents, projectSubtree, replaceTags, updateProject as writeProject } from '../store/projects.ts';
import type { ProjectRow } from '../store/tables.ts';
import { clearDefaultProject } from '../store/users.ts';
import { assertMutable, extraOf, mergeOptions, type Fields } from './fields.ts';
import { enforcementModel } from './limits.ts';
import { change, type Identity, type Touch, type Tx } from './identity.ts';

export interface ProjectInput {
  name: string;
  description?: string | null;
  domain_id?: string | null;
  parent_id?: string | null;
  is_domain?: boolean;
  enabled?: boolean;
  tags?: string[];
  options?: Fields;
  [extra: string]: unknown;
}

const KNOWN = ['id', 'name', 'description', 'domain_id', 'parent_id', 'is_domain', 'enabled', 'tags', 'options', 'links', 'explicit_domain_id'];
const MAX_DEPTH = 5;

export async function createProject(identity: Identity, input: ProjectInput, domain_id: string): Promise<ProjectRow> {
  if (input.is_domain === true) {
    if (typeof input.parent_id === 'string') throw badRequest('identity.domain-not-root', 'only root projects are allowed to act as domains.');
    return await createDomain(identity, input);
  }
  return await change(identity, async (tx) => {
    const parent = await usableParent(identity, tx, input.parent_id ?? domain_id, domain_id);
    const row: ProjectRow = { ...rowOf(input), domain_id, parent_id: parent.id, is_domain: 0 };
    return await insert(tx, row, input.tags ?? [], 'project');
  });
}

/** @param input its field `explicit_domain_id` names the id, 32 hex digits. */
export async function createDomain(identity: Identity, input: ProjectInput): Promise<ProjectRow> {
  const asked = input['explicit_domain_id'];
  return await change(identity, async (tx) => {
    const row: ProjectRow = { ...rowOf(input), domain_id: '', parent_id: null, is_domain: 1 };
    if (typeof asked === 'string') row.id = asked;
    return await insert(tx, row, input.tags ?? [], 'domain');
  });
}

function rowOf(input: ProjectInput): Omit<ProjectRow, 'domain_id' | 'parent_id' | 'is_domain'> {
  return {
    id: hexId(),
    name: input.name,
    enabled: input.enabled === false ? 0 : 1,
    description: input.description ?? '',
    options: mergeOptions('{}', input.options),
    extra: extraOf(input, KNOWN),
  };
}

async function insert(tx: Tx, row: ProjectRow, tags: readonly string[], kind: 'project' | 'domain'): Promise<ProjectRow> {
  try {
    await insertProject(tx, row);
  } catch (error) {
    if (isUniqueViolation(error)) throw nameTaken(kind, row);
    throw error;
  }
  await replaceTags(tx, row.id, tags);
  return row;
}

function nameTaken(kind: 'project' | 'domain', row: ProjectRow) {
  return taken(kind, kind === 'domain'
    ? `it is not permitted to have two domains with the same name in the system: ${row.name}`
    : `it is not permitted to have two projects with either the same name or same id in the same domain: name is ${row.name}, project id ${row.id}`);
}

async function usableParent(identity: Identity, tx: Tx, parent_id: string, domain_id: string): Promise<ProjectRow> {
  const domain = await findProject(tx, domain_id);
  if (domain === undefined || domain.is_domain === 0) throw noSuch('domain', domain_id);
  const parent = parent_id === domain_id ? domain : await findProject(tx, parent_id);
  if (parent === undefined) throw noSuch('project', parent_id);
  if (parent.id !== domain_id && parent.domain_id !== domain_id) {
    throw badRequest('identity.parent-in-other-domain', `Cannot create project, since it specifies its domain_id ${domain_id}, but specifies a parent in a different domain (${parent.domain_id}).`);
  }
  const above = parent.is_domain === 1 ? [] : [parent, ...(await projectParents(tx, parent.id))];
  const disabled = [...above, domain].find((row) => row.enabled === 0);
  if (disabled !== undefined) throw badRequest('identity.parent-disabled', `cannot create a project in a branch containing a disabled project: ${disabled.id}`);
  if (above.length + 1 > Math.min(MAX_DEPTH, enforcementModel(identity).levels)) throw notAllowed('hierarchy-too-deep', `Max hierarchy depth reached for ${parent.id} branch.`);
  return parent;
}

/** Faults: 404, 400 for what never changes, 403 for an immutable one or an `enabled` against the hierarchy, 409 name. */
export async function updateProject(identity: Identity, id: string, input: Partial<ProjectInput>, kind: 'project' | 'domain'): Promise<ProjectRow> {
  return await change(identity, async (tx, touch) => {
    const row = await findProject(tx, id);
    if (row === undefined || (kind === 'domain' && row.is_domain === 0)) throw noSuch(kind, id);
    assertMutable(kind, row, input);
    refuseMoves(row, input);
    await checkEnabled(tx, row, input.enabled);
    const values: Partial<ProjectRow> = { extra: extraOf(input, KNOWN, row.extra), options: mergeOptions(row.options, input.options) };
    if (input.name !== undefined) values.name = input.name;
    if (input.description !== undefined) values.description = input.description ?? '';
    if (input.enabled !== undefined) values.enabled = input.enabled ? 1 : 0;
    await write(tx, row, values, kind);
    if (input.tags !== undefined) await replaceTags(tx, id, input.tags);
    await touchProject(identity, tx, touch, row, values);
    return { ...row, ...values };
  });
}

function refuseMoves(row: ProjectRow, input: Partial<ProjectInput>): void {
  if (input.parent_id !== undefined && input.parent_id !== row.parent_id) throw notAllowed('parent-fixed', 'Update of `parent_id` is not allowed.');
  if (input.is_domain !== undefined && Number(input.is_domain) !== row.is_domain) throw badRequest('identity.is-domain-fixed', 'Update of `is_domain` is not allowed.');
  if (input.domain_id !== undefined && (input.domain_id ?? '') !== row.domain_id) throw badRequest('identity.domain-fixed', 'Cannot change Domain ID');
}

async function checkEnabled(tx: Tx, row: ProjectRow, enabled: boolean | undefined): Promise<void> {
  if (row.is_domain === 1 || enabled === undefined || enabled === (row.enabled === 1)) return;
  if (enabled) {
    const parents = await projectParents(tx, row.id);
    if (parents.some((parent) => parent.enabled === 0)) throw notAllowed('parent-disabled', `Cannot enable project ${row.id} since it has disabled parents`);
    return;
  }
  const below = await projectSubtree(tx, row.id, 100_000);
  if (below.some((project) => project.enabled === 1)) {
    throw notAllowed('subtree-enabled', `Cannot disable project ${row.id} since its subtree contains enabled projects.`);
  }
}

async function write(tx: Tx, row: ProjectRow, values: Partial<ProjectRow>, kind: 'project' | 'domain'): Promise<void> {
  try {
    await writeProject(tx, row.id, values);
  } catch (error) {
    if (isUniqueViolation(error)) throw nameTaken(kind, { ...row, ...values });
    throw error;
  }
}

/** Tokens of what was disabled stay dead when it is enabled again. */
export async function touchProject(identity: Identity, tx: Tx, touch: Touch, row: ProjectRow, values: Partial<ProjectRow>): Promise<void> {
  if (row.is_domain === 1) return touch('everybody');
  if (values.enabled === 0 && row.enabled === 1) {
    await endProjectTokens(identity, tx, row.id);
  }
  touch({ project_id: row.id });
}

export async function deleteProject(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const row = await findProject(tx, id);
    if (row === undefined) throw noSuch('project', id);
    assertMutable('project', row);
    if (row.is_domain === 1 && row.enabled === 1) {
      throw badRequest('identity.domain-enabled', `cannot delete an enabled project acting as a domain. Please disable the project ${id} first.`);
    }
    if (row.is_domain === 1) return await removeDomain(identity, tx, touch, row);
    if (await hasChildren(tx, id)) throw notAllowed('project-not-leaf', `Cannot delete the project ${id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`);
    await eraseProject(identity, tx, touch, id);
    tellDeleted(identity, tx, [id]);
  });
}

/** A project without any below it, and what was there for it alone. */
export async function eraseProject(identity: Identity, tx: Tx, touch: Touch, id: string): Promise<void> {
  await deleteAssignmentsOnTarget(tx, 'project', id);
  await clearDefaultProject(tx, id);
  await deleteCredentialsOfProjects(tx, [id]);
  await removeProject(tx, id);
  await endProjectTokens(identity, tx, id);
  touch({ project_id: id });
}

async function endProjectTokens(identity: Identity, tx: Tx, id: string): Promise<void> {
  await insertRevocation(tx, { kind: 'project', value: id, revoked_at: identity.clock.now().getTime() });
}

export async function deleteDomain(identity: Identity, id: string): Promise<void> {
  await change(identity, async (tx, touch) => {
    const row = await findProject(tx, id);
    if (row === undefined || row.is_domain === 0) throw noSuch('domain', id);
    assertMutable('domain', row);
    if (row.enabled === 1) throw notAllowed('domain-enabled', 'Cannot delete a domain that is enabled, please disable it first.');
    await removeDomain(identity, tx, touch, row);
  });
}

async function removeDomain(identity: Identity, tx: Tx, touch: Touch, row: ProjectRow): Promise<void> {
  const contents = await domainContents(tx, row.id);
  await deleteDomainContents(tx, row.id, contents);
  await deleteAssignmentsOnTarget(tx, 'domain', row.id);
  await removeProject(tx, row.id);
  touch('everybody');
  tellDeleted(identity, tx, contents.project_ids);
}

export function tellDeleted(identity: Identity, tx: Tx, ids: readonly string[]): void {
  onCommit(tx, () => {
    for (const id of ids) for (const listener of identity.listeners.project_deleted) listener(id);
  });
}
