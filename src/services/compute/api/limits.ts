import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { until } from '../../../kernel/api/microversion.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { limitsOf, usedBy } from '../model/quota-usage.ts';
import { versions } from '../versions.ts';
import { strictQuery } from './common.ts';
import { ADMIN, ANYBODY, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const limit = Type.Integer({ minimum: -1 });
const network = until(versions.NO_PROXIES - 1, limit);
const files = until(versions.NO_PERSONALITY - 1, limit);

const absolute = Type.Object({
  maxTotalInstances: limit,
  maxTotalCores: limit,
  maxTotalRAMSize: limit,
  maxTotalKeypairs: limit,
  maxServerMeta: limit,
  maxServerGroups: limit,
  maxServerGroupMembers: limit,
  maxImageMeta: until(versions.NO_IMAGE_METADATA - 1, limit),
  maxPersonality: files,
  maxPersonalitySize: files,
  maxTotalFloatingIps: network,
  maxSecurityGroups: network,
  maxSecurityGroupRules: network,
  totalInstancesUsed: limit,
  totalCoresUsed: limit,
  totalRAMUsed: limit,
  totalServerGroupsUsed: limit,
  totalFloatingIpsUsed: network,
  totalSecurityGroupsUsed: network,
});

async function limitsView(deps: ComputeDeps, project_id: string) {
  const owner = { project_id, user_id: undefined };
  const quotas = await limitsOf(readerOf(deps), deps, owner);
  const used = await usedBy(readerOf(deps), owner);
  return {
    maxTotalInstances: quotas.instances,
    maxTotalCores: quotas.cores,
    maxTotalRAMSize: quotas.ram,
    maxTotalKeypairs: quotas.key_pairs,
    maxServerMeta: quotas.metadata_items,
    maxServerGroups: quotas.server_groups,
    maxServerGroupMembers: quotas.server_group_members,
    maxImageMeta: quotas.metadata_items,
    maxPersonality: quotas.injected_files,
    maxPersonalitySize: quotas.injected_file_content_bytes,
    maxTotalFloatingIps: quotas.floating_ips,
    maxSecurityGroups: quotas.security_groups,
    maxSecurityGroupRules: quotas.security_group_rules,
    totalInstancesUsed: used['instances'] ?? 0,
    totalCoresUsed: used['cores'] ?? 0,
    totalRAMUsed: used['ram'] ?? 0,
    totalServerGroupsUsed: used['server_groups'] ?? 0,
    totalFloatingIpsUsed: used['floating_ips'] ?? 0,
    totalSecurityGroupsUsed: used['security_groups'] ?? 0,
  };
}

/** Naming a project, even the own one, is for those who may see others. */
function projectOf(call: Pick<Call, 'query' | 'auth' | 'enforce'>): string {
  const asked = call.query['tenant_id'];
  if (typeof asked !== 'string') return call.auth.project_id ?? '';
  call.enforce('os_compute_api:limits:other_project');
  return asked;
}

export const limitEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'limits:show', method: 'GET', path: '/v2.1/limits', summary: 'Show what a project may have, and what it has', policy: 'os_compute_api:limits', status: 200,
    query: Type.Object({ tenant_id: Type.Optional(Type.String()) }),
    reply: Type.Object({ limits: Type.Object({ rate: Type.Array(Type.Unknown()), absolute }) }),
    async handler(call) {
      // Clients send `reserved` at every version; the field that it once asked for is gone.
      strictQuery(call, ['tenant_id', 'reserved']);
      return { limits: { rate: [], absolute: await limitsView(deps, projectOf(call)) } };
    },
  }),
];

export const limitPolicies: PolicyRule[] = [
  rule('limits', ANYBODY, 'Show the limits of the own project.', 'GET /limits'),
  rule('limits:other_project', ADMIN, 'Show the limits of any project.', 'GET /limits'),
];
