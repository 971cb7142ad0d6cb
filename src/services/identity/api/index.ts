import type { Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import { discoveryEndpoints } from './discovery.ts';
import { sharedRules } from './rules.ts';
import { tokenEndpoints, tokenRules } from './tokens.ts';

export const identityRules: PolicyRule[] = [...sharedRules, ...tokenRules];

export function identityEndpoints(identity: Identity): Endpoint[] {
  const endpoints: Endpoint[] = [...tokenEndpoints(identity)];
  return [...discoveryEndpoints(identity, () => endpoints), ...endpoints];
}
