import { type AnyCall, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { findAssignments, type Assignment, type AssignmentQuery } from '../model/role-assignments.ts';
import { findProject } from '../store/projects.ts';
import { namesOf, type NamedInDomain } from '../store/role-assignments.ts';
import { v3Of } from './links.ts';
import { listReply, whole } from './lists.ts';
import { ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule } from './rules.ts';

const LIST = '/v3/role_assignments';
const READER = `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s)`;

export const roleAssignmentRules: PolicyRule[] = [
  rule('list_role_assignments', READER, ANY_SCOPE, `GET ${LIST}`, 'List role assignments.'),
  rule('list_role_assignments_for_tree', READER, ANY_SCOPE, `GET ${LIST}?include_subtree`, 'List the role assignments on a project and all below it.'),
];

export function roleAssignmentEndpoints(identity: Identity): Endpoint[] {
  return [
    endpoint({
      id: 'identity:list_role_assignments', method: 'GET', path: LIST, summary: 'List role assignments', policy: 'identity:list_role_assignments', reply: listReply('role_assignments'), status: 200,
      target: (call) => treeTarget(identity, call),
      async handler(call) {
        const query = readQuery(call);
        if (query.include_subtree) call.enforce('identity:list_role_assignments_for_tree', await treeTarget(identity, call));
        const found = await findAssignments(identity, query);
        const own = await inCallersDomain(identity, call, found);
        const names = isSet(call, 'include_names') ? await readNames(identity, own) : undefined;
        return whole(identity, call, 'role_assignments', own.map((row) => show(`${v3Of(identity, call)}`, row, names)));
      },
    }),
  ];
}

/** The project at the top of the tree that is asked for; else the caller's own domain. */
async function treeTarget(identity: Identity, call: AnyCall): Promise<Record<string, unknown>> {
  const project_id = call.url.searchParams.get('scope.project.id');
  if (!isSet(call, 'include_subtree') || project_id === null) return { domain_id: call.auth.domain_id };
  const row = await findProject(identity.db.read, project_id);
  return row === undefined ? {} : { domain_id: row.domain_id, project: { id: row.id } };
}

/** Given without a value it counts as true. */
function isSet(call: AnyCall, name: string): boolean {
  const value = call.url.searchParams.get(name);
  return value !== null && !/^(0|f|false|off|n|no)$/i.test(value);
}

function readQuery(call: AnyCall): AssignmentQuery {
  const asked = call.url.searchParams;
  const value = (name: string): string | undefined => asked.get(name) ?? undefined;
  const inherited = asked.has('scope.OS-INHERIT:inherited_to') ? asked.get('scope.OS-INHERIT:inherited_to') === 'projects' : undefined;
  const query: AssignmentQuery = {
    role_id: value('role.id'), user_id: value('user.id'), group_id: value('group.id'), project_id: value('scope.project.id'), domain_id: value('scope.domain.id'),
    system: value('scope.system') !== undefined, inherited, effective: isSet(call, 'effective'), include_subtree: isSet(call, 'include_subtree'),
  };
  const places = [query.project_id !== undefined, query.domain_id !== undefined, query.system].filter(Boolean).length;
  if (places > 1) throw badRequest('identity.query-invalid', 'Specify a domain, a project or the system, not several of them');
  if (query.user_id !== undefined && query.group_id !== undefined) throw badRequest('identity.query-invalid', 'Specify a user or group, not both');
  if (query.effective && query.group_id !== undefined) throw badRequest('identity.query-invalid', 'Combining effective and group filter will always result in an empty list.');
  if (query.effective && inherited === true && query.domain_id !== undefined) {
    throw badRequest('identity.query-invalid', 'Combining effective, domain and inherited filters will always result in an empty list.');
  }
  if (query.include_subtree && query.project_id === undefined) throw badRequest('identity.query-invalid', 'scope.project.id must be specified if include_subtree is also specified');
  return query;
}

/** A caller who is scoped to a domain sees what is within it. */
async function inCallersDomain(identity: Identity, call: AnyCall, rows: Assignment[]): Promise<Assignment[]> {
  const { domain_id } = call.auth;
  if (domain_id === undefined) return rows;
  const projects = await namesOf(identity.db.read, 'identity_projects', idsOf(rows, (row) => row.target_type === 'project', (row) => row.target_id));
  return rows.filter((row) => (row.target_type === 'domain' ? row.target_id === domain_id : projects.get(row.target_id)?.domain_id === domain_id));
}

function idsOf(rows: readonly Assignment[], which: (row: Assignment) => boolean, id: (row: Assignment) => string): string[] {
  return [...new Set(rows.filter(which).map(id))];
}

type Names = Map<string, NamedInDomain>;

async function readNames(identity: Identity, rows: readonly Assignment[]): Promise<Names> {
  const db = identity.db.read;
  const names = new Map([
    ...(await namesOf(db, 'identity_users', idsOf(rows, (row) => row.actor_type === 'user', (row) => row.actor_id))),
    ...(await namesOf(db, 'identity_groups', idsOf(rows, (row) => row.actor_type === 'group', (row) => row.actor_id))),
    ...(await namesOf(db, 'identity_roles', idsOf(rows, () => true, (row) => row.role_id))),
    ...(await namesOf(db, 'identity_projects', idsOf(rows, (row) => row.target_type !== 'system', (row) => row.target_id))),
  ]);
  const domains = [...new Set([...names.values()].map((named) => named.domain_id))].filter((id) => id !== '' && !names.has(id));
  for (const [id, domain] of await namesOf(db, 'identity_projects', domains)) names.set(id, domain);
  return names;
}

function show(v3: string, row: Assignment, names: Names | undefined): object {
  const named = (id: string): object => {
    const found = names?.get(id);
    if (found === undefined) return { id };
    const domain = found.domain_id === '' ? {} : { domain: { id: found.domain_id, name: names?.get(found.domain_id)?.name ?? '' } };
    return { id, name: found.name, ...domain };
  };
  const scope = row.target_type === 'system' ? { system: { all: true } } : { [row.target_type]: named(row.target_id) };
  return {
    [row.actor_type]: named(row.actor_id),
    role: named(row.role_id),
    scope: row.inherited === 1 ? { ...scope, 'OS-INHERIT:inherited_to': 'projects' } : scope,
    links: linksOf(v3, row),
  };
}

/** To the assignment as it was given, and to what made it take effect here. */
function linksOf(v3: string, row: Assignment): Record<string, string> {
  const place = row.from ?? { type: row.target_type, id: row.target_id };
  const actor = row.group_id === undefined ? `${row.actor_type}s/${row.actor_id}` : `groups/${row.group_id}`;
  const where = place.type === 'system' ? 'system' : `${place.type}s/${place.id}`;
  const inherited = row.inherited === 1;
  const role = row.prior_role_id ?? row.role_id;
  return {
    assignment: `${v3}/${inherited ? 'OS-INHERIT/' : ''}${where}/${actor}/roles/${role}${inherited ? '/inherited_to_projects' : ''}`,
    ...(row.group_id === undefined ? {} : { membership: `${v3}/groups/${row.group_id}/users/${row.actor_id}` }),
    ...(row.prior_role_id === undefined ? {} : { prior_role: `${v3}/prior_roles/${row.prior_role_id}/implies/${row.role_id}` }),
  };
}
