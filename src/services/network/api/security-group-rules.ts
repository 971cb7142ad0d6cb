import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import { securityGroupNotFound, securityGroupRuleNotFound } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { createRules, deleteRule, parseEthertype, parsePort, parseProtocol, parseRemotePrefix, type NewRule } from '../model/security-group-rules.ts';
import { orNull, string, values } from '../model/validate.ts';
import { ruleView } from '../model/views.ts';
import { findRule, findSecurityGroup, listRules, type SeenRule } from '../store/security-groups.ts';
import { standardAttributes, text, type Attributes } from './attributes.ts';
import { isAdmin, resourceEndpoints, reveal, visibleProject, type Resource } from './resource.ts';
import { touchDefaultGroup } from './security-groups.ts';

const nullable = (name: string) => ({ ...text(name), nullable: true });
const port = (name: string) => ({ name, type: 'integer', sort: true, filter: true, nullable: true }) as const;

export const ruleAttributes: Attributes = {
  ...standardAttributes,
  security_group_id: { post: true, required: true, parse: string(36), column: text('security_group_id') },
  direction: { post: true, required: true, parse: values('ingress', 'egress'), column: text('direction') },
  ethertype: { post: true, default: 'IPv4', parse: parseEthertype, column: text('ethertype') },
  protocol: { post: true, default: null, parse: parseProtocol, column: nullable('protocol') },
  port_range_min: { post: true, default: null, parse: parsePort, column: port('port_range_min') },
  port_range_max: { post: true, default: null, parse: parsePort, column: port('port_range_max') },
  remote_ip_prefix: { post: true, default: null, parse: parseRemotePrefix, column: nullable('remote_ip_prefix') },
  remote_group_id: { post: true, default: null, parse: (value, name) => (value === '' ? null : orNull(string(36))(value, name)), column: nullable('remote_group_id') },
  normalized_cidr: {},
};
const { description } = standardAttributes;

export function securityGroupRuleEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<SeenRule> = {
    name: 'security_group_rule', collection: 'security_group_rules', path: 'security-group-rules', table: 'network_security_group_rules',
    attributes: { ...ruleAttributes, description: { ...description, put: false } },
    async list(call, list) {
      await touchDefaultGroup(env, call, list);
      const { rows, more } = await listRules(env.db.read, visibleProject(call), list);
      return { items: rows.map((row) => reveal(call, resource, ruleView(row), list.fields)), first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findRule(env.db.read, id);
      if (row === undefined) throw securityGroupRuleNotFound(id);
      return row;
    },
    target: (row) => ({ project_id: row.project_id, tenant_id: row.project_id, 'security_group:project_id': row.group_project_id }),
    notFound: securityGroupRuleNotFound,
    view: (_call, row) => ruleView(row),
    async createTarget(call, item) {
      const id = item['security_group_id'] as string;
      const group = await findSecurityGroup(env.db.read, id);
      if (group === undefined || !call.allows('get_security_group', { project_id: group.project_id })) throw securityGroupNotFound(id);
      return { project_id: item['project_id'], 'security_group:project_id': group.project_id };
    },
    create: async (call, tx, items) => (await createRules(env, tx, items.map(toRule), isAdmin(call))).map((row) => row.id),
    remove: (_call, tx, id) => deleteRule(env, tx, id),
  };
  return resourceEndpoints(env, resource);
}

function toRule(item: Record<string, unknown>): NewRule {
  const { tenant_id: _same, ...rule } = item;
  return rule as unknown as NewRule;
}
