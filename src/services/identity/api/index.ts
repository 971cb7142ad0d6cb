import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { accessTokenEndpoints, accessTokenRules } from './access-tokens.ts';
import { applicationCredentialEndpoints, applicationCredentialRules } from './application-credentials.ts';
import { authEndpoints, authRules } from './auth.ts';
import { catalogEndpoints, catalogRules } from './services.ts';
import { consumerEndpoints, consumerRules } from './consumers.ts';
import { credentialEndpoints, credentialRules } from './credentials.ts';
import { discoveryEndpoints } from './versions.ts';
import { domainConfigEndpoints, domainConfigRules } from './domain-config.ts';
import { domainEndpoints, domainRules } from './domains.ts';
import { ec2TokenEndpoints, ec2TokenRules } from './ec2-tokens.ts';
import { endpointFilterEndpoints, endpointFilterRules } from './endpoint-filters.ts';
import { federatedLoginEndpoints } from './federated-login.ts';
import { federationEndpoints, federationRules } from './federation.ts';
import { grantEndpoints, grantRules } from './grants.ts';
import { groupEndpoints, groupRules } from './groups.ts';
import { impliedRoleEndpoints, impliedRoleRules } from './implied-roles.ts';
import { limitEndpoints, limitRules } from './limits.ts';
import { policyAssociationEndpoints, policyAssociationRules } from './policy-associations.ts';
import { oauth1Endpoints, oauth1Rules } from './oauth1.ts';
import { policyEndpoints, policyRules } from './policies.ts';
import { projectCascadeEndpoints } from './project-cascade.ts';
import { projectTagEndpoints, projectTagRules } from './project-tags.ts';
import { projectEndpoints, projectRules } from './projects.ts';
import { registeredLimitEndpoints, registeredLimitRules } from './registered-limits.ts';
import { revocationEventEndpoints, revocationEventRules } from './revocation-events.ts';
import { roleAssignmentEndpoints, roleAssignmentRules } from './role-assignments.ts';
import { roleEndpoints, roleRules } from './roles.ts';
import { sharedRules } from './rules.ts';
import { tokenEndpoints, tokenRules } from './tokens.ts';
import { trustEndpoints, trustRules } from './trusts.ts';
import { userEndpoints, userRules } from './users.ts';

export const identityRules: PolicyRule[] = [
  ...sharedRules, ...tokenRules, ...authRules, ...catalogRules, ...domainRules, ...projectRules, ...projectTagRules,
  ...userRules, ...groupRules, ...roleRules, ...impliedRoleRules, ...grantRules, ...roleAssignmentRules,
  ...ec2TokenRules, ...consumerRules, ...oauth1Rules, ...accessTokenRules, ...domainConfigRules, ...registeredLimitRules, ...limitRules,
  ...applicationCredentialRules, ...trustRules, ...credentialRules, ...policyRules, ...endpointFilterRules,
  ...policyAssociationRules, ...federationRules, ...revocationEventRules,
];

const RESOURCES = [
  tokenEndpoints, authEndpoints, catalogEndpoints, domainEndpoints, projectEndpoints, projectTagEndpoints,
  userEndpoints, groupEndpoints, roleEndpoints, impliedRoleEndpoints, grantEndpoints, roleAssignmentEndpoints,
  ec2TokenEndpoints, consumerEndpoints, oauth1Endpoints, accessTokenEndpoints, domainConfigEndpoints, registeredLimitEndpoints, limitEndpoints,
  applicationCredentialEndpoints, trustEndpoints, credentialEndpoints, policyEndpoints, endpointFilterEndpoints,
  policyAssociationEndpoints, federationEndpoints, federatedLoginEndpoints, projectCascadeEndpoints, revocationEventEndpoints,
];

export function identityEndpoints(identity: Identity): Endpoint[] {
  const endpoints = RESOURCES.flatMap((resource) => resource(identity));
  return [...discoveryEndpoints(identity, () => endpoints), ...endpoints];
}
