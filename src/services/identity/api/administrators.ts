/** What `[identity] administrators` chooses between: the defaults of the rules that differ, everything else is the same. */
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { IdentityConfig } from '../config.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT } from './rules.ts';

interface Administrators {
  /** Rules by name, and what is other about them than where they are declared. */
  rules: Readonly<Record<string, Partial<Pick<PolicyRule, 'default' | 'scope'>>>>;
  /** Kinds of resources of which everybody is told 404 when there is none, before it is asked who wants to know. */
  told: readonly string[];
}

const TAG_WRITER = `${ADMIN} or (role:manager and domain_id:%(target.project.domain_id)s) or (role:admin and project_id:%(target.project.id)s)`;
const ASSIGNMENT_READER = `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s) or (role:admin and project_id:%(target.project.id)s)`;
const OWN_ACCESS_TOKEN = { default: `${ADMIN} or (role:admin and rule:owner)`, scope: SYSTEM_OR_PROJECT };

/** As keystone's rules of the Zed release with scopes enforced, and the managers of domains that came later. */
const system: Administrators = {
  rules: {
    identity_admin: { default: 'rule:system_admin' },
    'identity:list_domains': { default: ADMIN_OR_SYSTEM_READER },
    'identity:get_role': { default: ADMIN_OR_SYSTEM_READER },
    'identity:list_roles': { default: ADMIN_OR_SYSTEM_READER },
    'identity:list_role_assignments': { default: ASSIGNMENT_READER },
    'identity:list_role_assignments_for_tree': { default: ASSIGNMENT_READER },
    'identity:update_project_tags': { default: TAG_WRITER },
    'identity:create_project_tag': { default: TAG_WRITER },
    'identity:delete_project_tags': { default: TAG_WRITER },
    'identity:delete_project_tag': { default: TAG_WRITER },
    'identity:get_credential': { scope: SYSTEM_OR_PROJECT },
    'identity:list_credentials': { scope: SYSTEM_OR_PROJECT },
    'identity:create_credential': { scope: SYSTEM_OR_PROJECT },
    'identity:update_credential': { scope: SYSTEM_OR_PROJECT },
    'identity:delete_credential': { scope: SYSTEM_OR_PROJECT },
    'identity:authorize_request_token': { default: 'role:admin' },
    'identity:get_access_token': OWN_ACCESS_TOKEN,
    'identity:list_access_tokens': OWN_ACCESS_TOKEN,
    'identity:delete_access_token': OWN_ACCESS_TOKEN,
    'identity:list_access_token_roles': OWN_ACCESS_TOKEN,
    'identity:get_access_token_role': OWN_ACCESS_TOKEN,
  },
  told: ['endpoint'],
};

export const ADMINISTRATORS: Readonly<Record<IdentityConfig['administrators'], Administrators>> = { any: { rules: {}, told: [] }, system };

/** The rules as they are by default in this cloud. @throws Error for a change of a rule that is not declared. */
export function rulesFor(who: IdentityConfig['administrators'], declared: readonly PolicyRule[]): PolicyRule[] {
  const { rules } = ADMINISTRATORS[who];
  const unknown = Object.keys(rules).filter((name) => !declared.some((rule) => rule.name === name));
  if (unknown.length > 0) throw new Error(`no such rules: ${unknown.join(', ')}`);
  return declared.map((rule) => ({ ...rule, ...rules[rule.name] }));
}
