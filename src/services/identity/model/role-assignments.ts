/** Which roles somebody has, as given or as they take effect. */
import type { AssignmentRow } from '../store/tables.ts';
import { impliedClosure, listAssignments, membersOfGroups, namesOf, projectsBelow, type AssignmentFilter } from '../store/role-assignments.ts';
import { projectSubtree } from '../store/projects.ts';
import type { Identity } from './identity.ts';

export interface AssignmentQuery {
  role_id?: string | undefined;
  user_id?: string | undefined;
  group_id?: string | undefined;
  project_id?: string | undefined;
  domain_id?: string | undefined;
  system?: boolean | undefined;
  inherited?: boolean | undefined;
  effective: boolean;
  include_subtree: boolean;
}

/** An assignment, and where it comes from when it is not given as it stands. */
export interface Assignment extends AssignmentRow {
  group_id?: string;
  /** The project or domain that it is inherited from. */
  from?: { type: 'project' | 'domain'; id: string };
  prior_role_id?: string;
}

export async function findAssignments(identity: Identity, query: AssignmentQuery): Promise<Assignment[]> {
  const limit = identity.config.list_limit;
  const db = identity.db.read;
  const project_ids = query.project_id === undefined ? [] : [query.project_id];
  if (query.include_subtree && query.project_id !== undefined) project_ids.push(...(await projectSubtree(db, query.project_id, limit)).map((row) => row.id));
  const filter = filterOf(query, project_ids);
  if (!query.effective) return await listAssignments(db, filter, limit);
  const given = await listAssignments(db, { ...filter, role_id: undefined, with_groups: true, inherited_by: query.project_id }, limit);
  const wanted = await expand(identity, given, query, new Set(project_ids));
  return wanted.slice(0, limit);
}

function filterOf(query: AssignmentQuery, project_ids: readonly string[]): AssignmentFilter {
  const actor = query.user_id !== undefined ? { type: 'user' as const, id: query.user_id } : query.group_id !== undefined ? { type: 'group' as const, id: query.group_id } : undefined;
  const target = query.system === true
    ? { type: 'system' as const, ids: ['system'] }
    : query.domain_id !== undefined ? { type: 'domain' as const, ids: [query.domain_id] } : project_ids.length > 0 ? { type: 'project' as const, ids: project_ids } : undefined;
  return { role_id: query.role_id, actor, target, inherited: query.inherited };
}

async function expand(identity: Identity, given: readonly AssignmentRow[], query: AssignmentQuery, project_ids: ReadonlySet<string>): Promise<Assignment[]> {
  const limit = identity.config.list_limit;
  const db = identity.db.read;
  const groups = [...new Set(given.filter((row) => row.actor_type === 'group').map((row) => row.actor_id))];
  const members = groupBy(await membersOfGroups(db, groups, limit), (row) => row.group_id);
  const roots = [...new Set(given.filter((row) => row.inherited === 1).map((row) => row.target_id))];
  const below = groupBy(await projectsBelow(db, roots, limit), (row) => row.root);
  const implied = groupBy(await impliedClosure(db, [...new Set(given.map((row) => row.role_id))]), (row) => row.prior_role_id);

  const byUser = given.flatMap((row): Assignment[] => row.actor_type === 'user'
    ? [row]
    : (members.get(row.actor_id) ?? []).map((member) => ({ ...row, actor_type: 'user' as const, actor_id: member.user_id, group_id: row.actor_id })));
  const byTarget = byUser.flatMap((row): Assignment[] => row.inherited === 0
    ? [row]
    : (below.get(row.target_id) ?? []).map(({ project_id }) => ({
        ...row, target_type: 'project' as const, target_id: project_id, from: { type: row.target_type as 'project' | 'domain', id: row.target_id },
      })));
  const byRole = byTarget.flatMap((row): Assignment[] => [
    row,
    ...(implied.get(row.role_id) ?? []).map(({ implied_role_id }) => ({ ...row, role_id: implied_role_id, prior_role_id: row.role_id })),
  ]);
  const roles = await namesOf(db, 'identity_roles', [...new Set(byRole.map((row) => row.role_id))]);
  return byRole.filter((row) => roles.get(row.role_id)?.domain_id === ''
    && (query.role_id === undefined || row.role_id === query.role_id)
    && (query.user_id === undefined || row.actor_id === query.user_id)
    && (project_ids.size === 0 || (row.target_type === 'project' && project_ids.has(row.target_id)))
    && (query.domain_id === undefined || row.target_type === 'domain'));
}

function groupBy<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  return Map.groupBy(rows, key);
}
