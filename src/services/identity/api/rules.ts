/** Keystone's rules are written with the same few pieces. */
import { policyRule, type PolicyRule, type ScopeType } from '../../../kernel/policy/rule.ts';

export const ADMIN = 'rule:identity_admin';
export const SYSTEM_READER = '(role:reader and system_scope:all)';
export const ADMIN_OR_SYSTEM_READER = `${ADMIN} or ${SYSTEM_READER}`;
export const SERVICE_OR_ADMIN = `rule:service_role or ${ADMIN}`;

export const SYSTEM_OR_PROJECT: ScopeType[] = ['system', 'project'];
export const ANY_SCOPE: ScopeType[] = ['system', 'domain', 'project'];

/** @param operation `GET /v3/users/{user_id}` */
export function rule(name: string, text: string, scope: ScopeType[], operation: string | string[], description: string): PolicyRule {
  return policyRule(`identity:${name}`, text, scope, description, ...[operation].flat());
}

/** Rules that others of this service refer to. */
export const sharedRules: PolicyRule[] = [
  policyRule('identity_admin', 'rule:admin_required', [], 'Who is an administrator of the whole cloud to this service.'),
  policyRule('token_subject', 'user_id:%(target.token.user_id)s', [], 'The user of the token in question.'),
  policyRule(
    'domain_managed_target_role',
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
    [],
    'Roles that a manager of a domain may hand out.',
  ),
];
