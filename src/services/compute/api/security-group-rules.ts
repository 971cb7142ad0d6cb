/** Rules of security groups through the Compute API, up to 2.35: ingress only. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { checkGroupId, groupNames, groupWork, ingressRule, ruleView } from '../model/security-groups.ts';
import { versions } from '../versions.ts';
import { MEMBER, rule } from './rules.ts';
import { ruleReply } from './security-groups.ts';

const UNTIL = versions.NO_PROXIES - 1;
const PATH = '/v2.1/os-security-group-rules';

export const securityGroupRulePolicies: PolicyRule[] = [
  rule('os-security-groups:rule:create', MEMBER, 'Create a rule of a security group.', 'POST /os-security-group-rules'),
  rule('os-security-groups:rule:delete', MEMBER, 'Delete a rule of a security group.', 'DELETE /os-security-group-rules/{security_group_rule_id}'),
];

const uuid = Type.String({ format: 'uuid' });
const anything = Type.Optional(Type.Unknown());
const body = Type.Object({
  security_group_rule: Type.Object({
    parent_group_id: uuid, group_id: Type.Optional(nullable(uuid)), from_port: anything, to_port: anything, ip_protocol: anything, cidr: anything,
  }),
});

export const securityGroupRuleEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'security-group-rules:create', method: 'POST', path: PATH, summary: 'Create a rule of a security group', policy: 'os_compute_api:os-security-groups:rule:create', status: 200, until: UNTIL,
    body,
    reply: Type.Object({ security_group_rule: ruleReply }, { additionalProperties: false }),
    async handler(call) {
      const asked = call.body.security_group_rule;
      const { api } = deps.network;
      await api.showSecurityGroup(call, asked.parent_group_id);
      const remote = typeof asked.group_id === 'string' ? [await api.showSecurityGroup(call, asked.group_id)] : [];
      const made = await groupWork(api.createIngressRule(call, ingressRule(asked)));
      return { security_group_rule: ruleView(asked.parent_group_id, made, groupNames(remote)) };
    },
  }),
  endpoint({
    id: 'security-group-rules:delete', method: 'DELETE', path: `${PATH}/{security_group_rule_id}`, summary: 'Delete a rule of a security group',
    policy: 'os_compute_api:os-security-groups:rule:delete', status: 202, until: UNTIL,
    async handler(call) {
      const { security_group_rule_id } = call.params;
      checkGroupId(security_group_rule_id);
      await groupWork(deps.network.api.deleteSecurityGroupRule(call, security_group_rule_id));
      return undefined;
    },
  }),
];
