/** Keystone's rules are written with the same few pieces. */
import type { PolicyRule, ScopeType } from '../../../kernel/policy/rule.ts';

export const ADMIN = 'rule:admin_required';
export const SYSTEM_READER = '(role:reader and system_scope:all)';
export const ADMIN_OR_SYSTEM_READER = `${ADMIN} or ${SYSTEM_READER}`;

export const SYSTEM_OR_PROJECT: ScopeType[] = ['system', 'project'];
export const ANY_SCOPE: ScopeType[] = ['system', 'domain', 'project'];

/** @param operation `GET /v3/users/{user_id}` */
export function rule(name: string, text: string, scope: ScopeType[], operation: string | string[], description: string): PolicyRule {
  const operations = [operation].flat().map((each) => {
    const [method = '', path = ''] = each.split(' ');
    return { method, path };
  });
  return { name: `identity:${name}`, default: text, description, scope, operations };
}

/** Rules that others of this service refer to. */
export const sharedRules: PolicyRule[] = [
  { name: 'token_subject', default: 'user_id:%(target.token.user_id)s', description: 'The user of the token in question.', scope: [], operations: [] },
  {
    name: 'domain_managed_target_role',
    default: "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
    description: 'Roles that a manager of a domain may hand out.',
    scope: [],
    operations: [],
  },
];
