/** Networking's own calls for other services: see `NetworkApi`. */
import type { NetworkApi } from '../client.ts';
import type { NetworkDeps } from '../deps.ts';
import { floatingIpApi } from './floating-ips.ts';
import { networkApi } from './networks.ts';
import { securityGroupRuleApi } from './security-group-rules.ts';
import { securityGroupApi } from './security-groups.ts';

export const createNetworkApi = (env: NetworkDeps): NetworkApi => ({
  ...securityGroupApi(env), ...securityGroupRuleApi(env), ...networkApi(env), ...floatingIpApi(env),
});
