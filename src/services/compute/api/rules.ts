/** Nova's rules are written with the same few pieces. */
import type { Method } from '../../../kernel/api/endpoint.ts';
import { policyRule, type PolicyRule } from '../../../kernel/policy/rule.ts';

export const ADMIN = 'rule:context_is_admin';
export const MEMBER = 'rule:project_member_or_admin';
export const READER = 'rule:project_reader_or_admin';
export const MANAGER = 'rule:project_manager_or_admin';
export const ANYBODY = '@';

/** A rule `os_compute_api:<name>` for tokens of projects; `operations` are like `GET /flavors`. */
export function rule(name: string, text: string, description: string, ...operations: `${Method} /${string}`[]): PolicyRule {
  return policyRule(`os_compute_api:${name}`, text, ['project'], description, ...operations.map((operation) => operation.replace(' ', ' /v2.1')));
}
