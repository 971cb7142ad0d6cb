/** Networking's own calls for other services: see `NetworkApi`. */
import type { NetworkApi } from '../client.ts';
import type { NetworkEnvironment } from '../model/environment.ts';
import { floatingIpApi } from './floating-ips.ts';
import { networkApi } from './networks.ts';
import { securityGroupRuleApi } from './security-group-rules.ts';
import { securityGroupApi } from './security-groups.ts';

export const createNetworkApi = (env: NetworkEnvironment): NetworkApi => ({
  ...securityGroupApi(env), ...securityGroupRuleApi(env), ...networkApi(env), ...floatingIpApi(env),
});
