import type { NetworkApi, NetworkCaller, NewIngressRule, ShownSecurityGroup } from '../client.ts';
import { securityGroupRuleNotFound } from '../faults.ts';
import { isAdmin, projectOf, requireRule, seen } from '../model/callers.ts';
import type { NetworkDeps } from '../deps.ts';
import { createRules, deleteRule, parseEthertype, parsePort, parseProtocol, parseRemotePrefix } from '../model/security-group-rules.ts';
import { findRule, type SeenRule } from '../store/security-groups.ts';
import { groupSeen } from './security-groups.ts';

export function securityGroupRuleApi(env: NetworkDeps): Pick<NetworkApi, 'createIngressRule' | 'deleteSecurityGroupRule'> {
  return {
    createIngressRule: (caller, wanted) => create(env, caller, wanted),
    async deleteSecurityGroupRule(caller, id) {
      const rule = seen(caller, 'get_security_group_rule', await findRule(env.db.read, id), ruleTarget, securityGroupRuleNotFound(id));
      requireRule(caller, 'delete_security_group_rule', ruleTarget(rule));
      await env.db.transaction((tx) => deleteRule(env, tx, id));
    },
  };
}

const ruleTarget = (rule: Pick<SeenRule, 'project_id' | 'group_project_id'>) => ({
  project_id: rule.project_id, tenant_id: rule.project_id, 'security_group:project_id': rule.group_project_id,
});

async function create(env: NetworkDeps, caller: NetworkCaller, wanted: NewIngressRule): Promise<ShownSecurityGroup['rules'][number]> {
  const project_id = projectOf(caller);
  const group = await groupSeen(env, caller, wanted.security_group_id);
  requireRule(caller, 'create_security_group_rule', ruleTarget({ project_id, group_project_id: group.project_id }));
  const rule = {
    project_id, description: '', direction: 'ingress' as const, security_group_id: group.id, remote_group_id: wanted.remote_group_id,
    ethertype: parseEthertype(wanted.ethertype, 'ethertype'),
    protocol: parseProtocol(wanted.protocol, 'protocol'),
    port_range_min: parsePort(wanted.port_range_min, 'port_range_min'),
    port_range_max: parsePort(wanted.port_range_max, 'port_range_max'),
    remote_ip_prefix: parseRemotePrefix(wanted.remote_ip_prefix, 'remote_ip_prefix'),
  };
  const [made] = await env.db.transaction((tx) => createRules(env, tx, [rule], isAdmin(caller)));
  return made!;
}
