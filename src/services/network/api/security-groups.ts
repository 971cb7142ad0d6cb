import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { securityGroupNotFound } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { createSecurityGroup, deleteSecurityGroup, ensureDefaultGroup, parseGroupName, updateSecurityGroup, type NewSecurityGroup, type SecurityGroupChange } from '../model/security-groups.ts';
import { boolean } from '../model/validate.ts';
import { securityGroupView } from '../model/views.ts';
import { defaultGroupId, findSecurityGroup, listSecurityGroups, rulesOfGroups } from '../store/security-groups.ts';
import type { SecurityGroupRow } from '../store/tables.ts';
import { tagsOf } from '../store/tags.ts';
import { standardAttributes, text, type Attributes } from './attributes.ts';
import type { ListCall } from './list-query.ts';
import { isAdmin, resourceEndpoints, reveal, visibleProject, type Resource, type View } from './resource.ts';

export const securityGroupAttributes: Attributes = {
  ...standardAttributes,
  name: { post: true, put: true, default: '', parse: parseGroupName, column: text('name') },
  stateful: { post: true, put: true, default: true, parse: boolean, column: { name: 'stateful', type: 'boolean', sort: true, filter: true } },
  security_group_rules: {},
  shared: {},
  tags: {},
};

async function views(env: NetworkDeps, rows: readonly SecurityGroupRow[]): Promise<View[]> {
  const ids = rows.map((row) => row.id);
  const rules = Map.groupBy(await rulesOfGroups(env.db.read, ids), (rule) => rule.security_group_id);
  const tags = await tagsOf(env.db.read, ids);
  return rows.map((row) => securityGroupView(row, rules.get(row.id) ?? [], tags.get(row.id) ?? []));
}

/** A project has its default group from the first look on. */
export async function touchDefaultGroup(env: NetworkDeps, call: Call, list: ListCall): Promise<void> {
  const asked = list.filters.find((filter) => filter.column === 'project_id') as { value: string[] } | undefined;
  const project = asked?.value[0] ?? call.auth.project_id;
  const own = project === call.auth.project_id || isAdmin(call);
  if (project === undefined || project === '' || !own || (await defaultGroupId(env.db.read, project)) !== undefined) return;
  await env.db.transaction((tx) => ensureDefaultGroup(env, tx, project));
}

export function securityGroupEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<SecurityGroupRow> = {
    name: 'security_group', collection: 'security_groups', path: 'security-groups', table: 'network_security_groups', attributes: securityGroupAttributes,
    async list(call, list) {
      await touchDefaultGroup(env, call, list);
      const { rows, more } = await listSecurityGroups(env.db.read, visibleProject(call), list);
      const items = (await views(env, rows)).map((view) => reveal(call, resource, view, list.fields));
      return { items, first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findSecurityGroup(env.db.read, id);
      if (row === undefined) throw securityGroupNotFound(id);
      return row;
    },
    target: (row) => ({ project_id: row.project_id, tenant_id: row.project_id }),
    notFound: securityGroupNotFound,
    view: async (_call, row) => (await views(env, [row]))[0]!,
    createTarget: (_call, item) => ({ project_id: item['project_id'] }),
    async create(_call, tx, items) {
      const ids: string[] = [];
      for (const item of items) ids.push((await createSecurityGroup(env, tx, item as unknown as NewSecurityGroup)).id);
      return ids;
    },
    update: async (_call, tx, id, change) => void (await updateSecurityGroup(env, tx, id, change as SecurityGroupChange)),
    remove: (call, tx, id) => deleteSecurityGroup(env, tx, id, isAdmin(call)),
  };
  return resourceEndpoints(env, resource);
}
