/** Cinder's rules are written with the same few pieces. */
import type { Method } from '../../kernel/api/endpoint.ts';
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';

export const ADMIN = 'rule:admin_api';
export const MEMBER = 'rule:project_member_or_admin';
export const READER = 'rule:project_reader_or_admin';
export const ANYBODY = '@';

/** A rule for tokens of projects; `operations` are like `GET /volumes`. */
export function rule(name: string, text: string, description: string, ...operations: `${Method} /${string}`[]): PolicyRule {
  return policyRule(name, text, [], description, ...operations.map((operation) => operation.replace(' ', ' /v3')));
}
