/** All resources of compute that are not servers or parts of one. */
import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { flavorAccessEndpoints, flavorAccessPolicies } from './flavor-access.ts';
import { flavorExtraSpecEndpoints, flavorExtraSpecPolicies } from './flavor-extra-specs.ts';
import { flavorEndpoints, flavorPolicies } from './flavors.ts';
import { keypairEndpoints, keypairPolicies } from './keypairs.ts';

export const resourceEndpoints = (deps: ComputeDeps): Endpoint[] => [
  ...flavorEndpoints(deps),
  ...flavorAccessEndpoints(deps),
  ...flavorExtraSpecEndpoints(deps),
  ...keypairEndpoints(deps),
];

export const resourcePolicies: PolicyRule[] = [...flavorPolicies, ...flavorAccessPolicies, ...flavorExtraSpecPolicies, ...keypairPolicies];
