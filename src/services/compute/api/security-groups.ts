/** Security groups through the Compute API: a proxy of networking, up to 2.35. */
import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ShownSecurityGroup } from '../../network/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { checkGroupId, foreignGroups, groupNames, groupView, groupWork } from '../model/security-groups.ts';
import { versions } from '../versions.ts';
import { pageLimit } from './common.ts';
import { MEMBER, READER, rule } from './rules.ts';

const UNTIL = versions.NO_PROXIES - 1;
const PATH = '/v2.1/os-security-groups';
const ONE = `${PATH}/{security_group_id}` as const;
const closed = { additionalProperties: false } as const;

export const securityGroupPolicies: PolicyRule[] = [
  rule('os-security-groups:get', READER, 'List security groups.', 'GET /os-security-groups'),
  rule('os-security-groups:show', READER, 'Show a security group.', 'GET /os-security-groups/{security_group_id}'),
  rule('os-security-groups:create', MEMBER, 'Create a security group.', 'POST /os-security-groups'),
  rule('os-security-groups:update', MEMBER, 'Update a security group.', 'PUT /os-security-groups/{security_group_id}'),
  rule('os-security-groups:delete', MEMBER, 'Delete a security group.', 'DELETE /os-security-groups/{security_group_id}'),
];

export const ruleReply = Type.Object(
  {
    id: Type.String(),
    parent_group_id: Type.String(),
    ip_protocol: nullable(Type.String()),
    from_port: nullable(Type.Integer({ minimum: -1 })),
    to_port: nullable(Type.Integer({ minimum: -1 })),
    group: Type.Object({ name: Type.Optional(Type.String()), tenant_id: Type.Optional(Type.String()) }, closed),
    ip_range: Type.Object({ cidr: Type.Optional(Type.String()) }, closed),
  },
  closed,
);
export const groupReply = Type.Object(
  { id: Type.String(), name: Type.String(), description: Type.String(), tenant_id: Type.String(), rules: Type.Array(ruleReply) },
  closed,
);
const oneReply = Type.Object({ security_group: groupReply }, closed);

const text = Type.String({ maxLength: 255 });
const body = Type.Object({ security_group: Type.Object({ name: text, description: text }) });
const natural = Type.Optional(Type.Integer({ minimum: 0 }));
const listQuery = Type.Object({ limit: natural, offset: natural, all_tenants: Type.Optional(Type.String()) });

type Caller = Pick<Call, 'auth' | 'allows'>;

/** By project and name, with the names of the groups that their rules let in. */
export async function groupViews(deps: Pick<ComputeDeps, 'network'>, caller: Caller, groups: readonly ShownSecurityGroup[]) {
  const foreign = foreignGroups(groups);
  const others = foreign.length === 0 ? [] : await deps.network.api.findSecurityGroups(caller, foreign);
  const names = groupNames([...groups, ...others]);
  const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
  return groups.map((group) => groupView(group, names)).sort((a, b) => compare(a.tenant_id, b.tenant_id) || compare(a.name, b.name));
}

async function one(deps: ComputeDeps, caller: Caller, work: Promise<ShownSecurityGroup>) {
  return { security_group: (await groupViews(deps, caller, [await groupWork(work)]))[0]! };
}

export const securityGroupEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'security-groups:list', method: 'GET', path: PATH, summary: 'List security groups', policy: 'os_compute_api:os-security-groups:get', status: 200, until: UNTIL,
    query: listQuery,
    reply: Type.Object({ security_groups: Type.Array(groupReply) }, closed),
    async handler(call) {
      const { limit, offset = 0, all_tenants } = call.query;
      // Nova takes a limit of 0 for none.
      const page = { all_projects: all_tenants !== undefined, offset, limit: pageLimit(deps.config, limit === 0 ? undefined : limit) };
      return { security_groups: await groupViews(deps, call, await deps.network.api.listSecurityGroups(call, page)) };
    },
  }),
  endpoint({
    id: 'security-groups:show', method: 'GET', path: ONE, summary: 'Show a security group', policy: 'os_compute_api:os-security-groups:show', status: 200, until: UNTIL,
    reply: oneReply,
    async handler(call) {
      const { security_group_id } = call.params;
      checkGroupId(security_group_id);
      return one(deps, call, deps.network.api.showSecurityGroup(call, security_group_id));
    },
  }),
  endpoint({
    id: 'security-groups:create', method: 'POST', path: PATH, summary: 'Create a security group', policy: 'os_compute_api:os-security-groups:create', status: 200, until: UNTIL,
    body,
    reply: oneReply,
    handler(call) {
      const { name, description } = call.body.security_group;
      return one(deps, call, deps.network.api.createSecurityGroup(call, { name, description }));
    },
  }),
  endpoint({
    id: 'security-groups:update', method: 'PUT', path: ONE, summary: 'Update a security group', policy: 'os_compute_api:os-security-groups:update', status: 200, until: UNTIL,
    body,
    reply: oneReply,
    async handler(call) {
      const { security_group_id } = call.params;
      checkGroupId(security_group_id);
      const { name, description } = call.body.security_group;
      return one(deps, call, deps.network.api.updateSecurityGroup(call, security_group_id, { name, description }));
    },
  }),
  endpoint({
    id: 'security-groups:delete', method: 'DELETE', path: ONE, summary: 'Delete a security group', policy: 'os_compute_api:os-security-groups:delete', status: 202, until: UNTIL,
    async handler(call) {
      const { security_group_id } = call.params;
      checkGroupId(security_group_id);
      await groupWork(deps.network.api.deleteSecurityGroup(call, security_group_id));
      return undefined;
    },
  }),
];
