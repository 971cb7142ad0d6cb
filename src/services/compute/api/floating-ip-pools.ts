/** Pools of floating IPs through the Compute API, up to 2.35: the external networks. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { poolName } from '../model/floating-ips.ts';
import { versions } from '../versions.ts';
import { ANYBODY, rule } from './rules.ts';

export const floatingIpPoolPolicies: PolicyRule[] = [rule('os-floating-ip-pools', ANYBODY, 'List pools of floating IPs.', 'GET /os-floating-ip-pools')];

const closed = { additionalProperties: false } as const;

export const floatingIpPoolEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'floating-ip-pools:list', method: 'GET', path: '/v2.1/os-floating-ip-pools', summary: 'List pools of floating IPs', policy: 'os_compute_api:os-floating-ip-pools',
    status: 200, until: versions.NO_PROXIES - 1,
    reply: Type.Object({ floating_ip_pools: Type.Array(Type.Object({ name: Type.String() }, closed)) }, closed),
    async handler(call) {
      const pools = await deps.network.api.listNetworks(call, { external: true });
      return { floating_ip_pools: pools.map((pool) => ({ name: poolName(pool) })) };
    },
  }),
];
