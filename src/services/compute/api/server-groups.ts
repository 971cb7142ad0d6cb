import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since, until } from '../../../kernel/api/microversion.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { createGroup, removeGroup } from '../model/server-groups.ts';
import { findGroup, listGroups, membersOf } from '../store/server-groups.ts';
import type { ServerGroupRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { nameText, nonNegativeText, positiveInteger } from './parameters.ts';
import { isAdmin, readerOf } from './server-target.ts';

const path = '/v2.1/os-server-groups';
const policy = (name: string): string => `os_compute_api:os-server-groups:${name}`;
const closed = { additionalProperties: false } as const;
const kinds = (...names: string[]) => Type.Union(names.map((name) => Type.Literal(name)));
const hard = kinds('anti-affinity', 'affinity');
const all = kinds('anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity');
const one = { minItems: 1, maxItems: 1 };

const body = Type.Object(
  {
    server_group: Type.Object(
      {
        name: nameText,
        policies: Type.Optional(
          until(
            versions.SERVER_GROUP_POLICY - 1,
            Type.Union([until(versions.SERVER_GROUP_SOFT - 1, Type.Array(hard, one)), since(versions.SERVER_GROUP_SOFT, Type.Array(all, one))]),
          ),
        ),
        policy: Type.Optional(since(versions.SERVER_GROUP_POLICY, all)),
        rules: Type.Optional(since(versions.SERVER_GROUP_POLICY, Type.Object({ max_server_per_host: Type.Optional(positiveInteger) }, closed))),
      },
      closed,
    ),
  },
  closed,
);

const shown = Type.Object({ id: Type.String(), name: Type.String(), members: Type.Array(Type.String()) });
const oneGroup = Type.Object({ server_group: shown });
const query = Type.Object(
  { all_projects: Type.Optional(Type.String()), limit: Type.Optional(nonNegativeText), offset: Type.Optional(nonNegativeText) },
  { additionalProperties: true },
);

export const serverGroupEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'server-groups:create', method: 'POST', path, summary: 'Create a server group', policy: policy('create'), body, reply: oneGroup, status: 200,
    handler: async (call) => {
      const { name, policy: chosen, rules } = wanted(call.version, call.body);
      const row = await createGroup(deps, call.auth, name, chosen, rules);
      return { server_group: show(row, [], call.version) };
    },
  }),
  endpoint({
    id: 'server-groups:list', method: 'GET', path, summary: 'List server groups', policy: policy('index'), query,
    reply: Type.Object({ server_groups: Type.Array(shown) }), status: 200,
    handler: async (call) => {
      checkQuery(call as Call);
      const everyone = call.query.all_projects !== undefined && isAdmin(call) && call.allows(policy('index:all_projects'));
      const limit = Number(call.query.limit ?? 0) || deps.config.max_limit;
      const rows = await listGroups(readerOf(deps), everyone ? undefined : (call.auth.project_id ?? ''), Math.min(limit, deps.config.max_limit), Number(call.query.offset ?? 0));
      const members = await membersOf(readerOf(deps), rows.map(({ id }) => id));
      const of = (id: string): string[] => members.filter((member) => member.server_group_id === id).map((member) => member.id);
      return { server_groups: rows.map((row) => show(row, of(row.id), call.version)) };
    },
  }),
  endpoint({
    id: 'server-groups:show', method: 'GET', path: `${path}/{server_group_id}`, summary: 'Show a server group', policy: policy('show'), target: groupTarget(deps),
    reply: oneGroup, status: 200,
    handler: async (call) => {
      const row = await load(deps, call as Call);
      const members = await membersOf(readerOf(deps), [row.id]);
      return { server_group: show(row, members.map(({ id }) => id), call.version) };
    },
  }),
  endpoint({
    id: 'server-groups:delete', method: 'DELETE', path: `${path}/{server_group_id}`, summary: 'Delete a server group', policy: policy('delete'), target: groupTarget(deps),
    status: 204,
    handler: async (call) => {
      await removeGroup(deps, call.params.server_group_id);
      return undefined;
    },
  }),
];

function wanted(version: number, { server_group }: Static<typeof body>): { name: string; policy: string; rules: Record<string, number> } {
  const missing = (field: string): Error => badRequest('api.body-invalid', `Invalid input for field/attribute server_group. '${field}' is a required property`);
  const { name, policies, policy: chosen, rules } = server_group;
  if (version < versions.SERVER_GROUP_POLICY) {
    if (policies === undefined) throw missing('policies');
    return { name, policy: policies[0]!, rules: {} };
  }
  if (chosen === undefined) throw missing('policy');
  const most = rules?.max_server_per_host;
  if (chosen !== 'anti-affinity' && rules !== undefined && Object.keys(rules).length > 0) {
    throw badRequest('compute.group-rules', 'Only anti-affinity policy supports rules.');
  }
  return { name, policy: chosen, rules: most === undefined ? {} : { max_server_per_host: Number(most) } };
}

function checkQuery(call: Call): void {
  if (call.version < versions.STRICT_QUERIES) return;
  const unknown = Object.keys(call.query).find((name) => !['all_projects', 'limit', 'offset'].includes(name));
  if (unknown !== undefined) throw badRequest('api.query-invalid', `Invalid input for query parameters. Additional properties are not allowed ('${unknown}' was unexpected)`);
}

async function load(deps: ComputeDeps, call: Pick<Call, 'auth' | 'allows'> & { params: unknown }): Promise<ServerGroupRow> {
  const { server_group_id: id } = call.params as { server_group_id: string };
  const row = await findGroup(readerOf(deps), id);
  if (row === undefined || (row.project_id !== call.auth.project_id && !isAdmin(call))) {
    throw notFound('compute.server-group-not-found', `Instance group ${id} could not be found.`, { type: 'InstanceGroupNotFound' });
  }
  return row;
}

function groupTarget(deps: ComputeDeps) {
  return async (call: Pick<Call, 'auth' | 'allows'> & { params: unknown }): Promise<Record<string, unknown>> => {
    const { project_id, user_id } = await load(deps, call);
    return { project_id, user_id };
  };
}

function show(row: ServerGroupRow, members: string[], version: number) {
  const rules = JSON.parse(row.rules_json) as Record<string, number>;
  return {
    id: row.id,
    name: row.name,
    members,
    ...(version >= versions.SERVER_GROUP_POLICY ? { policy: row.policy, rules } : { policies: [row.policy], metadata: {} }),
    ...(version >= versions.SERVER_GROUP_OWNER ? { project_id: row.project_id, user_id: row.user_id } : {}),
  };
}
