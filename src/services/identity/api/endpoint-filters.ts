import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import { oneOf } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import {
  addToProject, assertAssociated, createEndpointGroup, deleteEndpointGroup, endpointsOfProject, removeFromProject, updateEndpointGroup, type EndpointGroupInput,
} from '../model/endpoint-filters.ts';
import type { Identity } from '../model/identity.ts';
import { endpointsMatching, findEndpointGroup, groupsOfProject, listEndpointGroups, projectsOf, type EndpointFilters, type Way } from '../store/endpoint-filters.ts';
import { findProject, tagsOfProjects } from '../store/projects.ts';
import { findEndpoint } from '../store/services.ts';
import type { EndpointGroupRow } from '../store/tables.ts';
import { showEndpoint } from './services.ts';
import { crudEndpoints, crudRules, type Resource } from './crud.ts';
import { entryReply, linkTo, listReply, whole, type Shown } from './lists.ts';
import { showProject } from './projects.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf, optionalText } from './schemas.ts';

const BASE = '/v3/OS-EP-FILTER';
const filters = Type.Object({
  service_id: Type.Optional(Type.String()), region_id: Type.Optional(Type.String()), interface: Type.Optional(oneOf('public', 'internal', 'admin')), enabled: Type.Optional(Type.Boolean()),
}, { additionalProperties: false });
const name = Type.String({ minLength: 1, maxLength: 255 });
const groups: Resource = {
  one: 'endpoint_group', many: 'endpoint_groups', path: `${BASE}/endpoint_groups`, parameter: 'endpoint_group_id',
  create: bodyOf('endpoint_group', Type.Object({ name, description: optionalText, filters })),
  update: bodyOf('endpoint_group', Type.Object({ name: Type.Optional(name), description: optionalText, filters: Type.Optional(filters) }, { minProperties: 1 })),
};
const ENDPOINT_IN_PROJECT = `${BASE}/projects/{project_id}/endpoints/{endpoint_id}`;
const GROUP_IN_PROJECT = `${BASE}/endpoint_groups/{endpoint_group_id}/projects/{project_id}`;
const read = (name_: string, path: string, words: string): PolicyRule => rule(name_, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${path}`, words);

export const endpointFilterRules: PolicyRule[] = [
  ...crudRules(groups),
  read('list_projects_associated_with_endpoint_group', `${groups.path}/{endpoint_group_id}/projects`, 'List the projects that see a group of endpoints.'),
  read('list_endpoints_associated_with_endpoint_group', `${groups.path}/{endpoint_group_id}/endpoints`, 'List the endpoints of a group.'),
  read('get_endpoint_group_in_project', GROUP_IN_PROJECT, 'Ask whether a project sees a group of endpoints.'),
  read('list_endpoint_groups_for_project', `${BASE}/projects/{project_id}/endpoint_groups`, 'List the groups of endpoints that a project sees.'),
  rule('add_endpoint_group_to_project', ADMIN, SYSTEM_OR_PROJECT, `PUT ${GROUP_IN_PROJECT}`, 'Let a project see a group of endpoints.'),
  rule('remove_endpoint_group_from_project', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${GROUP_IN_PROJECT}`, 'Hide a group of endpoints from a project.'),
  read('list_projects_for_endpoint', `${BASE}/endpoints/{endpoint_id}/projects`, 'List the projects that see an endpoint.'),
  rule('add_endpoint_to_project', ADMIN, SYSTEM_OR_PROJECT, `PUT ${ENDPOINT_IN_PROJECT}`, 'Let a project see an endpoint.'),
  read('check_endpoint_in_project', ENDPOINT_IN_PROJECT, 'Ask whether a project sees an endpoint.'),
  read('list_endpoints_for_project', `${BASE}/projects/{project_id}/endpoints`, 'List the endpoints that a project sees.'),
  rule('remove_endpoint_from_project', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ENDPOINT_IN_PROJECT}`, 'Hide an endpoint from a project.'),
];

export function endpointFilterEndpoints(identity: Identity): Endpoint[] {
  const show = (call: AnyCall, row: EndpointGroupRow): Shown => ({
    id: row.id, name: row.name, description: row.description, filters: JSON.parse(row.filters) as object, ...linkTo(identity, call, 'OS-EP-FILTER', 'endpoint_groups', row.id),
  });
  const find = async (id: string): Promise<EndpointGroupRow> => {
    const row = await findEndpointGroup(identity.db.read, id);
    if (row === undefined) throw noSuch('endpoint group', id);
    return row;
  };
  return [
    ...crudEndpoints(identity, groups, {
      filters: { name: 'name' },
      list: (options) => listEndpointGroups(identity.db.read, options),
      find: (id) => findEndpointGroup(identity.db.read, id),
      show,
      create: (body) => createEndpointGroup(identity, body as Parameters<typeof createEndpointGroup>[1]),
      update: (id, body) => updateEndpointGroup(identity, id, body as EndpointGroupInput),
      remove: (id) => deleteEndpointGroup(identity, id),
    }),
    ...associationEndpoints(identity, 'endpoint', ENDPOINT_IN_PROJECT),
    ...associationEndpoints(identity, 'endpoint_group', GROUP_IN_PROJECT),
    ...viewEndpoints(identity, show, find),
  ];
}

function associationEndpoints(identity: Identity, way: Way, path: string): Endpoint[] {
  const ids = (call: PathCall): [Way, string, string] => [way, (call).params['project_id'] as string, (call).params[`${way}_id`] as string];
  const check = way === 'endpoint' ? 'check_endpoint_in_project' : 'get_endpoint_group_in_project';
  const words = way.replace('_', ' ');
  return [
    endpoint({
      id: `identity:add_${way}_to_project`, method: 'PUT', path, summary: `Let a project see an ${words}`, policy: `identity:add_${way}_to_project`, status: 204,
      async handler(call) {
        await addToProject(identity, ...ids(call));
        return reply();
      },
    }),
    endpoint({
      id: `identity:${check}`, method: 'GET', path, summary: `Ask whether a project sees an ${words}`, policy: `identity:${check}`, status: way === 'endpoint' ? 204 : 200,
      ...(way === 'endpoint' ? {} : { reply: entryReply('project_endpoint_group', ['endpoint_group_id', 'project_id']) }),
      async handler(call) {
        const [, project_id, id] = ids(call);
        await assertAssociated(identity, way, project_id, id);
        if (way === 'endpoint') return reply();
        return { project_endpoint_group: { endpoint_group_id: id, project_id, ...linkTo(identity, call, 'OS-EP-FILTER', 'endpoint_groups', id, 'projects', project_id) } };
      },
    }),
    endpoint({
      id: `identity:remove_${way}_from_project`, method: 'DELETE', path, summary: `Hide an ${words} from a project`, policy: `identity:remove_${way}_from_project`, status: 204,
      async handler(call) {
        await removeFromProject(identity, ...ids(call));
        return reply();
      },
    }),
  ];
}

function viewEndpoints(identity: Identity, show: (call: AnyCall, row: EndpointGroupRow) => Shown, find: (id: string) => Promise<EndpointGroupRow>): Endpoint[] {
  const db = identity.db.read;
  const shownProjects = async (call: PathCall, way: Way, id: string) => {
    const rows = await projectsOf(db, way, id, identity.config.list_limit);
    const tags = await tagsOfProjects(db, rows.map((row) => row.id));
    return whole(identity, call, 'projects', rows.map((row) => showProject(identity, call, row, tags)));
  };
  const assertProject = async (id: string): Promise<void> => {
    if ((await findProject(db, id)) === undefined) throw noSuch('project', id);
  };
  const get = (id: string, path: string, list: string, summary: string, handler: (call: PathCall) => Promise<Record<string, unknown>>): Endpoint =>
    endpoint({ id: `identity:${id}`, method: 'GET', path: BASE + path, summary, policy: `identity:${id}`, reply: listReply(list), status: 200, handler: async (call) => await handler(call) });
  return [
    get('list_projects_for_endpoint', '/endpoints/{endpoint_id}/projects', 'projects', 'List the projects that see an endpoint', async (call) => {
      const id = call.params['endpoint_id'] as string;
      if ((await findEndpoint(db, id)) === undefined) throw noSuch('endpoint', id);
      return await shownProjects(call, 'endpoint', id);
    }),
    get('list_projects_associated_with_endpoint_group', '/endpoint_groups/{endpoint_group_id}/projects', 'projects', 'List the projects that see a group', async (call) =>
      await shownProjects(call, 'endpoint_group', (await find(call.params['endpoint_group_id'] as string)).id)),
    get('list_endpoints_associated_with_endpoint_group', '/endpoint_groups/{endpoint_group_id}/endpoints', 'endpoints', 'List the endpoints of a group', async (call) => {
      const group = await find(call.params['endpoint_group_id'] as string);
      const rows = await endpointsMatching(db, JSON.parse(group.filters) as EndpointFilters, identity.config.list_limit);
      return whole(identity, call, 'endpoints', rows.map((row) => showEndpoint(identity, call, row)));
    }),
    get('list_endpoints_for_project', '/projects/{project_id}/endpoints', 'endpoints', 'List the endpoints that a project sees', async (call) => {
      await assertProject(call.params['project_id'] as string);
      const rows = await endpointsOfProject(identity, call.params['project_id'] as string);
      return whole(identity, call, 'endpoints', rows.map((row) => showEndpoint(identity, call, row)));
    }),
    get('list_endpoint_groups_for_project', '/projects/{project_id}/endpoint_groups', 'endpoint_groups', 'List the groups that a project sees', async (call) => {
      await assertProject(call.params['project_id'] as string);
      const rows = await groupsOfProject(db, call.params['project_id'] as string);
      return whole(identity, call, 'endpoint_groups', rows.map((row) => show(call, row)));
    }),
  ];
}
