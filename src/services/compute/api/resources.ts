/** All resources of compute that are not servers or parts of one. */
import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { aggregateEndpoints, aggregatePolicies } from './aggregates.ts';
import { assistedVolumeSnapshotEndpoints, assistedVolumeSnapshotPolicies } from './assisted-volume-snapshots.ts';
import { availabilityZoneEndpoints, availabilityZonePolicies } from './availability-zones.ts';
import { consoleAuthTokenEndpoints, consoleAuthTokenPolicies } from './console-auth-tokens.ts';
import { baremetalNodeEndpoints, baremetalNodePolicies } from './baremetal-nodes.ts';
import { extensionEndpoints, extensionPolicies } from './extensions.ts';
import { flavorAccessEndpoints, flavorAccessPolicies } from './flavor-access.ts';
import { flavorExtraSpecEndpoints, flavorExtraSpecPolicies } from './flavor-extra-specs.ts';
import { flavorEndpoints, flavorPolicies } from './flavors.ts';
import { floatingIpPoolEndpoints, floatingIpPoolPolicies } from './floating-ip-pools.ts';
import { floatingIpEndpoints, floatingIpPolicies } from './floating-ips.ts';
import { hostEndpoints, hostPolicies } from './hosts.ts';
import { hypervisorEndpoints, hypervisorPolicies } from './hypervisors.ts';
import { imageMetadataEndpoints } from './image-metadata.ts';
import { imagePrefetchEndpoints, imagePrefetchPolicies } from './image-prefetch.ts';
import { imageEndpoints } from './images.ts';
import { instanceUsageAuditLogEndpoints, instanceUsageAuditLogPolicies } from './instance-usage-audit-log.ts';
import { keypairEndpoints, keypairPolicies } from './keypairs.ts';
import { limitEndpoints, limitPolicies } from './limits.ts';
import { migrationEndpoints, migrationPolicies } from './migrations.ts';
import { networkEndpoints, networkPolicies } from './networks.ts';
import { quotaClassSetEndpoints, quotaClassSetPolicies } from './quota-class-sets.ts';
import { quotaSetEndpoints, quotaSetPolicies } from './quota-sets.ts';
import { remoteConsoleEndpoints, remoteConsolePolicies } from './remote-consoles.ts';
import { removedEndpoints } from './removed.ts';
import { securityGroupRuleEndpoints, securityGroupRulePolicies } from './security-group-rules.ts';
import { securityGroupEndpoints, securityGroupPolicies } from './security-groups.ts';
import { serverExternalEventEndpoints, serverExternalEventPolicies } from './server-external-events.ts';
import { serverMigrationEndpoints, serverMigrationPolicies } from './server-migrations.ts';
import { serviceEndpoints, servicePolicies } from './services.ts';
import { simpleTenantUsageEndpoints, simpleTenantUsagePolicies } from './simple-tenant-usage.ts';
import { volumeEndpoints, volumePolicies } from './volumes.ts';
import { tenantNetworkEndpoints, tenantNetworkPolicies } from './tenant-networks.ts';

export const resourceEndpoints = (deps: ComputeDeps): Endpoint[] => [
  ...extensionEndpoints(),
  ...flavorEndpoints(deps),
  ...flavorAccessEndpoints(deps),
  ...flavorExtraSpecEndpoints(deps),
  ...imageEndpoints(deps),
  ...imageMetadataEndpoints(deps),
  ...imagePrefetchEndpoints(deps),
  ...keypairEndpoints(deps),
  ...limitEndpoints(deps),
  ...quotaSetEndpoints(deps),
  ...quotaClassSetEndpoints(deps),
  ...availabilityZoneEndpoints(deps),
  ...serviceEndpoints(deps),
  ...hostEndpoints(deps),
  ...hypervisorEndpoints(deps),
  ...aggregateEndpoints(deps),
  ...serverExternalEventEndpoints(deps),
  ...simpleTenantUsageEndpoints(deps),
  ...instanceUsageAuditLogEndpoints(deps),
  ...migrationEndpoints(deps),
  ...serverMigrationEndpoints(deps),
  ...securityGroupEndpoints(deps),
  ...securityGroupRuleEndpoints(deps),
  ...floatingIpEndpoints(deps),
  ...floatingIpPoolEndpoints(deps),
  ...networkEndpoints(deps),
  ...tenantNetworkEndpoints(deps),
  ...volumeEndpoints(deps),
  ...remoteConsoleEndpoints(deps),
  ...consoleAuthTokenEndpoints(deps),
  ...baremetalNodeEndpoints(),
  ...assistedVolumeSnapshotEndpoints(),
  ...removedEndpoints(),
];

export const resourcePolicies: PolicyRule[] = [
  ...extensionPolicies,
  ...flavorPolicies,
  ...flavorAccessPolicies,
  ...flavorExtraSpecPolicies,
  ...imagePrefetchPolicies,
  ...keypairPolicies,
  ...limitPolicies,
  ...quotaSetPolicies,
  ...quotaClassSetPolicies,
  ...availabilityZonePolicies,
  ...servicePolicies,
  ...hostPolicies,
  ...hypervisorPolicies,
  ...aggregatePolicies,
  ...serverExternalEventPolicies,
  ...simpleTenantUsagePolicies,
  ...instanceUsageAuditLogPolicies,
  ...migrationPolicies,
  ...serverMigrationPolicies,
  ...securityGroupPolicies,
  ...securityGroupRulePolicies,
  ...floatingIpPolicies,
  ...floatingIpPoolPolicies,
  ...networkPolicies,
  ...tenantNetworkPolicies,
  ...volumePolicies,
  ...baremetalNodePolicies,
  ...assistedVolumeSnapshotPolicies,
  ...remoteConsolePolicies,
  ...consoleAuthTokenPolicies,
];
