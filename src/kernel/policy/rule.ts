/** What kind of token a rule accepts. An unscoped token counts as `project`, as in oslo.policy. */
export type ScopeType = 'project' | 'domain' | 'system';

/** Text in oslo.policy's language, or its list syntax: the outer list is `or`, an inner one `and`. */
export type RuleSource = string | readonly (string | readonly string[])[];

/** A rule as a service declares it in code. */
export interface PolicyRule {
  /** OpenStack's name: `os_compute_api:servers:create`, `identity:list_users`. */
  name: string;
  default: string;
  /** One sentence for the policy reference. */
  description: string;
  /** Token scopes that may pass; empty: any. */
  scope: ScopeType[];
  /** Empty for a rule that only others refer to. */
  operations: { method: string; path: string }[];
}

/** @param operations each like `POST /v2.1/servers/{server_id}/action (lock)`: the action in brackets is for the reader */
export function policyRule(name: string, text: string, scope: ScopeType[], description: string, ...operations: string[]): PolicyRule {
  const parsed = operations.map((operation) => {
    const [method = '', ...path] = operation.split(' ');
    return { method, path: path.join(' ') };
  });
  return { name, default: text, description, scope, operations: parsed };
}

/** One piece of a right-hand side: fixed text, or a value out of the target. */
export type TemplatePart = { text: string } | { key: string };

/** A rule after parsing. */
export type Expression =
  | { op: 'true' }
  | { op: 'false' }
  | { op: 'not'; of: Expression }
  | { op: 'and' | 'or'; of: Expression[] }
  | { op: 'rule'; name: string }
  | { op: 'role'; match: TemplatePart[] }
  /** `'public':%(visibility)s`: both sides are text, Python's names for true, false and none. */
  | { op: 'literal'; value: string; match: TemplatePart[] }
  /** `user_id:%(user_id)s`: a credential of the caller. */
  | { op: 'credential'; name: string; match: TemplatePart[] };

/** A policy that cannot be used: every problem found, one line each. */
export class PolicyError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'PolicyError';
    this.problems = problems;
  }
}
