import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { Auth } from '../../../kernel/context.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import { parseFields } from '../model/fields.ts';
import { callerOf } from '../model/caller.ts';
import type { Identity } from '../model/identity.ts';
import { createProject, deleteProject, updateProject, type ProjectInput } from '../model/projects.ts';
import { findProject, listProjects, projectParents, projectSubtree, tagsOfProjects, type TagFilter } from '../store/projects.ts';
import type { ProjectRow } from '../store/tables.ts';
import { ownProjects } from '../store/user-projects.ts';
import { collection, entryReply, exactly, linkTo, listReply, readList, type Shown, withinOwnDomain } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule } from './rules.ts';
import { bodyOf, idString, immutableOptions, nameString, optionalFlag, optionalId, optionalText, tagList } from './schemas.ts';

const LIST = '/v3/projects';
const ONE = '/v3/projects/{project_id}';
export const PROJECT_READER = `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.project.domain_id)s) or project_id:%(target.project.id)s`;
export const PROJECT_MANAGER = `${ADMIN} or (role:manager and domain_id:%(target.project.domain_id)s)`;

export const projectRules: PolicyRule[] = [
  rule('get_project', PROJECT_READER, ANY_SCOPE, `GET ${ONE}`, 'Show a project.'),
  rule('list_projects', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s)`, ANY_SCOPE, `GET ${LIST}`, 'List projects.'),
  rule('create_project', PROJECT_MANAGER, ANY_SCOPE, `POST ${LIST}`, 'Create a project.'),
  rule('update_project', PROJECT_MANAGER, ANY_SCOPE, `PATCH ${ONE}`, 'Change a project.'),
  rule('delete_project', PROJECT_MANAGER, ANY_SCOPE, `DELETE ${ONE}`, 'Delete a project.'),
];

const fields = {
  description: optionalText, domain_id: optionalId, parent_id: optionalId, enabled: optionalFlag, is_domain: optionalFlag,
  tags: Type.Optional(tagList), options: immutableOptions,
};
const createBody = bodyOf('project', Type.Object({ ...fields, name: nameString(64) }));
const updateBody = bodyOf('project', Type.Object({ ...fields, domain_id: Type.Optional(Type.Union([idString, Type.Null()])), name: Type.Optional(nameString(64)) }));

/** The wire form of a project; its tags were read beforehand. */
export function showProject(identity: Identity, call: AnyCall, row: ProjectRow, tags: ReadonlyMap<string, string[]>): Shown {
  return {
    ...parseFields(row.extra),
    id: row.id, name: row.name, domain_id: row.domain_id === '' ? null : row.domain_id, description: row.description, enabled: row.enabled === 1,
    parent_id: row.parent_id, is_domain: row.is_domain === 1, tags: tags.get(row.id) ?? [], options: parseFields(row.options),
    ...linkTo(identity, call, 'projects', row.id),
  };
}

/** What a rule about one project is checked against. */
export async function projectTarget(identity: Identity, project_id: string): Promise<Record<string, unknown>> {
  const row = await findProject(identity.db.read, project_id);
  return row === undefined ? {} : { project: { id: row.id, domain_id: row.domain_id === '' ? undefined : row.domain_id } };
}

/** Where a new resource belongs when its body does not say: the caller's own domain. */
function callersDomain(auth: Auth): string {
  return auth.domain_id ?? auth.project_domain_id ?? 'default';
}

/** Where the user or group of this body belongs. */
export function domainOfNew(call: AnyCall, key: 'user' | 'group'): string {
  return givenDomain(call, key) ?? callersDomain(call.auth);
}

/** What the rules look at: as in keystone, whoever manages a domain has to name it. */
export function givenDomain(call: AnyCall, key: 'user' | 'group'): string | undefined {
  return (call.body as Record<string, { domain_id?: string } | undefined> | undefined)?.[key]?.domain_id;
}

export function projectEndpoints(identity: Identity): Endpoint[] {
  const one = (call: { params: { project_id: string } }) => projectTarget(identity, call.params.project_id);
  return [
    endpoint({
      id: 'identity:list_projects', method: 'GET', path: LIST, summary: 'List projects', policy: 'identity:list_projects', reply: listReply('projects'), status: 200,
      target: (call) => ({ domain_id: call.auth.domain_id }),
      handler: async (call) => await list(identity, call),
    }),
    endpoint({
      id: 'identity:create_project', method: 'POST', path: LIST, summary: 'Create a project', policy: 'identity:create_project',
      body: createBody, reply: entryReply('project'), status: 201,
      target: async (call) => ({ project: { domain_id: await domainOfNewProject(identity, call.auth, (call.body as { project?: ProjectInput } | undefined)?.project) } }),
      async handler(call) {
        const input = call.body.project as unknown as ProjectInput;
        const row = await createProject(identity, input, (await domainOfNewProject(identity, call.auth, input)) ?? '');
        return { project: showProject(identity, call, row, new Map([[row.id, input.tags ?? []]])) };
      },
    }),
    endpoint({
      id: 'identity:get_project', method: 'GET', path: ONE, summary: 'Show a project', policy: 'identity:get_project', target: one, reply: entryReply('project'), status: 200,
      handler: async (call) => ({ project: await withHierarchy(identity, call, call.params.project_id) }),
    }),
    endpoint({
      id: 'identity:update_project', method: 'PATCH', path: ONE, summary: 'Change a project', policy: 'identity:update_project', target: one,
      body: updateBody, reply: entryReply('project'), status: 200,
      async handler(call) {
        const row = await updateProject(identity, call.params.project_id, call.body.project as Partial<ProjectInput>, 'project');
        return { project: showProject(identity, call, row, await tagsOfProjects(identity.db.read, [row.id])) };
      },
    }),
    endpoint({
      id: 'identity:delete_project', method: 'DELETE', path: ONE, summary: 'Delete a project', policy: 'identity:delete_project', target: one, status: 204,
      async handler(call) {
        await deleteProject(identity, call.params.project_id);
        return reply();
      },
    }),
  ];
}

async function domainOfNewProject(identity: Identity, auth: Auth, input: ProjectInput | undefined): Promise<string | undefined> {
  if (input?.is_domain === true) return undefined;
  if (typeof input?.domain_id === 'string') return input.domain_id;
  if (typeof input?.parent_id !== 'string') return callersDomain(auth);
  const parent = await findProject(identity.db.read, input.parent_id);
  if (parent === undefined) return callersDomain(auth);
  return parent.is_domain === 1 ? parent.id : parent.domain_id;
}

async function list(identity: Identity, call: AnyCall): Promise<Record<string, unknown>> {
  const filters = { name: 'name', domain_id: 'domain_id', parent_id: 'parent_id', enabled: { flag: 'enabled' }, is_domain: { flag: 'is_domain' } };
  const options = withinOwnDomain(call, readList(identity, call, filters));
  if (!call.url.searchParams.has('is_domain')) options.hints = [...options.hints, exactly('is_domain', 0)];
  const page = await listProjects(identity.db.read, options, tagFilter(call));
  const tags = await tagsOfProjects(identity.db.read, page.rows.map((row) => row.id));
  return collection(identity, call, 'projects', page, (row) => showProject(identity, call, row, tags));
}

export function tagFilter(call: AnyCall): TagFilter | undefined {
  const names = (key: string): string[] => (call.url.searchParams.get(key) ?? '').split(',').filter((name) => name !== '').slice(0, 80);
  const filter = { all: names('tags'), any: names('tags-any'), not_all: names('not-tags'), not_any: names('not-tags-any') };
  return Object.values(filter).some((list) => list.length > 0) ? filter : undefined;
}

async function withHierarchy(identity: Identity, call: AnyCall, id: string): Promise<Record<string, unknown>> {
  const db = identity.db.read;
  const row = await findProject(db, id);
  if (row === undefined) throw noSuch('project', id);
  const asked = call.url.searchParams;
  const shown: Record<string, unknown> = { ...showProject(identity, call, row, await tagsOfProjects(db, [id])) };
  if (asked.has('parents_as_list') || asked.has('parents_as_ids')) {
    const parents = await projectParents(db, id);
    shown['parents'] = asked.has('parents_as_ids') ? parentIds(row, parents) : await accessible(identity, call, parents);
  }
  if (asked.has('subtree_as_list') || asked.has('subtree_as_ids')) {
    const subtree = await projectSubtree(db, id, identity.config.list_limit);
    shown['subtree'] = asked.has('subtree_as_ids') ? subtreeIds(id, subtree) : await accessible(identity, call, subtree);
  }
  return shown;
}

/** Only those where the caller has a role, as keystone does it. */
async function accessible(identity: Identity, call: AnyCall, rows: readonly ProjectRow[]): Promise<object[]> {
  const own = await ownProjects(identity.db.read, await callerOf(identity, call.auth), rows.map((row) => row.id));
  const seen = rows.filter((row) => own.has(row.id));
  const tags = await tagsOfProjects(identity.db.read, seen.map((row) => row.id));
  return seen.map((row) => ({ project: showProject(identity, call, row, tags) }));
}

type Tree = { [id: string]: Tree | null };

/** `{ parent: { grandparent: { domain: null } } }`; null at the top. */
function parentIds(row: ProjectRow, parents: readonly ProjectRow[]): Tree | null {
  if (row.parent_id === null) return null;
  return [...parents.map((parent) => parent.id), row.domain_id].reduceRight<Tree | null>((above, id) => ({ [id]: above }), null);
}

function subtreeIds(id: string, subtree: readonly ProjectRow[]): Tree | null {
  const children = new Map<string, ProjectRow[]>();
  for (const row of subtree) children.set(row.parent_id ?? '', [...(children.get(row.parent_id ?? '') ?? []), row]);
  const below = (parent: string): Tree | null => {
    const rows = children.get(parent);
    return rows === undefined ? null : Object.fromEntries(rows.map((row) => [row.id, below(row.id)]));
  };
  return below(id);
}
