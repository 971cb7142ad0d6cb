/** All resources of compute that are not servers or parts of one. */
import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { aggregateEndpoints, aggregatePolicies } from './aggregates.ts';
import { availabilityZoneEndpoints, availabilityZonePolicies } from './availability-zones.ts';
import { extensionEndpoints, extensionPolicies } from './extensions.ts';
import { flavorAccessEndpoints, flavorAccessPolicies } from './flavor-access.ts';
import { flavorExtraSpecEndpoints, flavorExtraSpecPolicies } from './flavor-extra-specs.ts';
import { flavorEndpoints, flavorPolicies } from './flavors.ts';
import { hostEndpoints, hostPolicies } from './hosts.ts';
import { hypervisorEndpoints, hypervisorPolicies } from './hypervisors.ts';
import { imageMetadataEndpoints } from './image-metadata.ts';
import { imageEndpoints } from './images.ts';
import { keypairEndpoints, keypairPolicies } from './keypairs.ts';
import { limitEndpoints, limitPolicies } from './limits.ts';
import { migrationEndpoints, migrationPolicies } from './migrations.ts';
import { quotaClassSetEndpoints, quotaClassSetPolicies } from './quota-class-sets.ts';
import { quotaSetEndpoints, quotaSetPolicies } from './quota-sets.ts';
import { removedEndpoints } from './removed.ts';
import { serviceEndpoints, servicePolicies } from './services.ts';
import { simpleTenantUsageEndpoints, simpleTenantUsagePolicies } from './simple-tenant-usage.ts';

export const resourceEndpoints = (deps: ComputeDeps): Endpoint[] => [
  ...extensionEndpoints(),
  ...flavorEndpoints(deps),
  ...flavorAccessEndpoints(deps),
  ...flavorExtraSpecEndpoints(deps),
  ...imageEndpoints(deps),
  ...imageMetadataEndpoints(deps),
  ...keypairEndpoints(deps),
  ...limitEndpoints(deps),
  ...quotaSetEndpoints(deps),
  ...quotaClassSetEndpoints(deps),
  ...availabilityZoneEndpoints(deps),
  ...serviceEndpoints(deps),
  ...hostEndpoints(deps),
  ...hypervisorEndpoints(deps),
  ...aggregateEndpoints(deps),
  ...simpleTenantUsageEndpoints(deps),
  ...migrationEndpoints(),
  ...removedEndpoints(),
];

export const resourcePolicies: PolicyRule[] = [
  ...extensionPolicies,
  ...flavorPolicies,
  ...flavorAccessPolicies,
  ...flavorExtraSpecPolicies,
  ...keypairPolicies,
  ...limitPolicies,
  ...quotaSetPolicies,
  ...quotaClassSetPolicies,
  ...availabilityZonePolicies,
  ...servicePolicies,
  ...hostPolicies,
  ...hypervisorPolicies,
  ...aggregatePolicies,
  ...simpleTenantUsagePolicies,
  ...migrationPolicies,
];
