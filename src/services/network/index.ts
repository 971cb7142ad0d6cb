/** Networking v2.0. */
import type { Clock } from '../../kernel/clock.ts';
import type { ConnectedNode } from '../../kernel/bus/node-link.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import { networkMethods } from '../../agents/network/protocol.ts';
import type { IdentityClient } from '../identity/client.ts';
import { agentEndpoints } from './api/agents.ts';
import { availabilityZoneEndpoints } from './api/availability-zones.ts';
import { extensionEndpoints } from './api/extensions.ts';
import { floatingIpEndpoints } from './api/floating-ips.ts';
import { networkIpAvailabilityEndpoints } from './api/network-ip-availabilities.ts';
import { networkEndpoints } from './api/networks.ts';
import { portEndpoints } from './api/ports.ts';
import { quotaEndpoints } from './api/quotas.ts';
import { routerEndpoints } from './api/routers.ts';
import { securityGroupRuleEndpoints } from './api/security-group-rules.ts';
import { securityGroupEndpoints } from './api/security-groups.ts';
import { serviceProviderEndpoints } from './api/service-providers.ts';
import { subnetEndpoints } from './api/subnets.ts';
import { tagEndpoints } from './api/tags.ts';
import { versionEndpoints } from './api/versions.ts';
import type { NetworkClient } from './client.ts';
import type { NetworkConfig } from './config.ts';
import { formatFault, invalid } from './faults.ts';
import { acceptReport, desiredState, serverSlice } from './jobs/desired-state.ts';
import { readReports } from './jobs/node-reports.ts';
import { forgetProject, forgetProjects } from './jobs/forget-projects.ts';
import { placeRoutersJob } from './jobs/place-routers.ts';
import { acceptFloatingIps, withRouters } from './jobs/router-state.ts';
import type { NetworkDeps, Nodes } from './deps.ts';
import { policies } from './policies.ts';
import { migrations } from './store/migrations/index.ts';
import { createNetworkApi } from './tasks/network-api.ts';
import { changeServerGroup, shownSecurityGroups } from './tasks/server-groups.ts';
import { addFixedIp, addNic, removeFixedIp, removeNic } from './tasks/server-interfaces.ts';
import { claimNics, nicsOf, planNics, releaseNics, resolveSecurityGroups, setPlugged, unbindNics } from './tasks/server-nics.ts';

export interface NetworkDependencies {
  db: Database<any>;
  clock: Clock;
  log: Log;
  config: NetworkConfig;
  nodes: Nodes;
  identity: Pick<IdentityClient, 'onProjectDeleted' | 'findProject'>;
}

export interface NetworkService {
  service: Service;
  client: NetworkClient;
  /** Answers to what nodes ask: hand each to `nodes.handle`. */
  nodeHandlers: Record<string, (node: Pick<ConnectedNode, 'id'>, parameters: any) => unknown>;
}

export function createNetworkService(deps: NetworkDependencies): NetworkService {
  const listeners: ((server_id: string) => void)[] = [];
  const env = createEnvironment(deps, listeners);
  deps.identity.onProjectDeleted((project_id) => {
    forgetProject(env, project_id).catch((error: unknown) => deps.log.error({ err: error, project_id }, 'what a deleted project leaves in networking could not be removed'));
  });
  return { service: declare(env, deps.identity), client: createClient(env, listeners), nodeHandlers: createNodeHandlers(env) };
}

function createEnvironment(deps: NetworkDependencies, listeners: readonly ((server_id: string) => void)[]): NetworkDeps {
  const { clock, log, config, nodes } = deps;
  return {
    db: as(deps.db), clock, log, config, nodes,
    poke(node_id, generation) {
      // Agents fetch their state by themselves now and then: a lost poke delays, no more.
      Promise.resolve(nodes.call(node_id, networkMethods.poke, { generation })).catch((error: unknown) => log.debug({ err: error, node_id }, 'poke not delivered'));
    },
    serverChanged(server_id) {
      for (const listener of listeners) listener(server_id);
    },
  };
}

function declare(env: NetworkDeps, identity: NetworkDependencies['identity']): Service {
  return {
    name: 'network',
    prefix: '/networking',
    policies,
    formatFault,
    invalid,
    tasks: [],
    jobs: [forgetProjects(env, identity), placeRoutersJob(env)],
    migrations,
    endpoints: [
      ...versionEndpoints(), ...extensionEndpoints(), ...networkEndpoints(env), ...subnetEndpoints(env), ...portEndpoints(env), ...securityGroupEndpoints(env),
      ...securityGroupRuleEndpoints(env), ...quotaEndpoints(env), ...agentEndpoints(env), ...availabilityZoneEndpoints(env), ...tagEndpoints(env),
      ...routerEndpoints(env), ...floatingIpEndpoints(env), ...serviceProviderEndpoints(), ...networkIpAvailabilityEndpoints(env),
    ],
  };
}

function createClient(env: NetworkDeps, listeners: ((server_id: string) => void)[]): NetworkClient {
  return {
    api: createNetworkApi(env),
    planNics: (auth, requested, count) => planNics(env, auth, requested, count),
    resolveSecurityGroups: (auth, names) => resolveSecurityGroups(env, auth, names),
    claimNics: (request) => claimNics(env, request),
    unbindNics: (server_id) => unbindNics(env, server_id),
    releaseNics: (server_id) => releaseNics(env, server_id),
    addNic: (request) => addNic(env, request),
    removeNic: (server_id, port_id) => removeNic(env, server_id, port_id),
    addFixedIp: (server_id, network_id) => addFixedIp(env, server_id, network_id),
    removeFixedIp: (server_id, address) => removeFixedIp(env, server_id, address),
    nicsOf: (server_ids) => nicsOf(env, server_ids),
    sliceFor: (server_id) => serverSlice(env, server_id),
    setPlugged: (server_id, plugged) => setPlugged(env, server_id, plugged),
    changeServerGroup: (server_id, change, group) => changeServerGroup(env, server_id, change, group),
    securityGroups: (ids) => shownSecurityGroups(env, ids),
    onServerNicsChanged: (listener) => void listeners.push(listener),
  };
}

function createNodeHandlers(env: NetworkDeps): NetworkService['nodeHandlers'] {
  return {
    [networkMethods.desired]: async (node) => withRouters(env, node.id, await desiredState(env, node.id)),
    [networkMethods.report]: async (node, parameters) => {
      const reports = readReports(parameters);
      await acceptReport(env, node.id, reports);
      await acceptFloatingIps(env, node.id, reports);
    },
  };
}
