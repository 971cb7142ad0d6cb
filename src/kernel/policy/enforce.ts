import type { Auth } from '../context.ts';
import { forbidden } from '../fault.ts';
import { baseRules } from './base-rules.ts';
import { ADMIN_RULE, compile, isCredential, type Check, type Target } from './check.ts';
import { parseRule, ruleReferences } from './parse.ts';
import { PolicyError, type Expression, type PolicyRule, type RuleSource, type ScopeType } from './rule.ts';

export interface Enforcer {
  /** @param target fields of the resource; left out: one that belongs to the caller (`user_id`, `project_id`, `domain_id`). */
  check(name: string, auth: Auth, target?: Record<string, unknown>): boolean;
  /** @throws Fault 403 `policy.forbidden`. */
  enforce(name: string, auth: Auth, target?: Record<string, unknown>): void;
  /** Declared rules, then base rules; `default` is the text in force, overrides included where they are text. */
  rules(): PolicyRule[];
}

export interface EnforcerOptions {
  /** Refuse tokens of a scope that the rule does not list. Default: true. */
  enforce_scope?: boolean;
  /** Where an override was written (`policy.yaml:12`), for messages. */
  where?: (name: string) => string;
}

/**
 * Parses all rules once.
 * @throws PolicyError naming every bad override, unknown reference and cycle.
 */
export function createEnforcer(
  rules: readonly PolicyRule[],
  overrides: Readonly<Record<string, RuleSource>> = {},
  options: EnforcerOptions = {},
): Enforcer {
  const problems: string[] = [];
  const known = collect(rules, problems);
  const where = (name: string): string =>
    Object.hasOwn(overrides, name) ? (options.where?.(name) ?? `policy override ${name}`) : `policy rule ${name}`;
  for (const name of Object.keys(overrides)) {
    if (!known.has(name)) problems.push(`${where(name)}: there is no rule "${name}"`);
  }
  const parsed = parseAll(known, overrides, where, problems);
  findUnknownNames(parsed, known, where, problems);
  if (problems.length === 0) findCycles(parsed, where, problems);
  if (problems.length > 0) throw new PolicyError(problems);

  const checks = compileAll(parsed);
  const scoped = options.enforce_scope ?? true;
  const check = (name: string, auth: Auth, target?: Target): boolean => {
    const rule = known.get(name);
    const test = checks.get(name);
    if (rule === undefined || test === undefined) throw new Error(`policy rule ${name} is not declared`);
    if (scoped && rule.scope.length > 0 && !rule.scope.includes(scopeOf(auth))) return false;
    return test(auth, target ?? ownTarget(auth));
  };
  const inForce = [...known.values()].map((rule) => withOverride(rule, overrides));
  return {
    check,
    enforce(name, auth, target) {
      if (!check(name, auth, target)) {
        throw forbidden('policy.forbidden', `Policy doesn't allow ${name} to be performed.`, { type: 'PolicyNotAuthorized' });
      }
    },
    rules: () => inForce,
  };
}

/** As oslo.policy decides it: what is neither system nor domain is project, unscoped tokens too. */
function scopeOf(auth: Auth): ScopeType {
  if (auth.system_scope !== undefined) return 'system';
  return auth.domain_id !== undefined ? 'domain' : 'project';
}

function ownTarget(auth: Auth): Target {
  return { user_id: auth.user_id, project_id: auth.project_id, tenant_id: auth.project_id, domain_id: auth.domain_id };
}

function collect(rules: readonly PolicyRule[], problems: string[]): Map<string, PolicyRule> {
  const known = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const before = known.get(rule.name);
    if (before !== undefined && before.default !== rule.default) {
      problems.push(`policy rule ${rule.name}: declared twice, as "${before.default}" and "${rule.default}"`);
    }
    if (before === undefined) known.set(rule.name, rule);
  }
  for (const rule of baseRules) {
    if (!known.has(rule.name)) known.set(rule.name, rule);
  }
  return known;
}

function parseAll(
  known: Map<string, PolicyRule>,
  overrides: Readonly<Record<string, RuleSource>>,
  where: (name: string) => string,
  problems: string[],
): Map<string, Expression> {
  const parsed = new Map<string, Expression>();
  for (const rule of known.values()) {
    try {
      parsed.set(rule.name, parseRule(Object.hasOwn(overrides, rule.name) ? (overrides[rule.name] ?? '') : rule.default));
    } catch (error) {
      problems.push(`${where(rule.name)}: ${(error as Error).message}`);
    }
  }
  return parsed;
}

function findUnknownNames(
  parsed: Map<string, Expression>,
  known: Map<string, PolicyRule>,
  where: (name: string) => string,
  problems: string[],
): void {
  for (const [name, expression] of parsed) {
    for (const reference of ruleReferences(expression)) {
      if (!known.has(reference)) problems.push(`${where(name)}: it refers to "rule:${reference}", which does not exist`);
    }
    for (const credential of credentials(expression)) {
      if (!isCredential(credential)) problems.push(`${where(name)}: a token carries no "${credential}"`);
    }
  }
}

function credentials(expression: Expression): string[] {
  if (expression.op === 'credential') return [expression.name];
  if (expression.op === 'not') return credentials(expression.of);
  return expression.op === 'and' || expression.op === 'or' ? expression.of.flatMap(credentials) : [];
}

function findCycles(parsed: Map<string, Expression>, where: (name: string) => string, problems: string[]): void {
  const done = new Set<string>();
  const visit = (name: string, path: string[]): void => {
    if (done.has(name)) return;
    const start = path.indexOf(name);
    if (start >= 0) {
      const cycle = path.slice(start);
      problems.push(`${where(name)}: the rules go round in a circle: ${[...cycle, name].join(' -> ')}`);
      return;
    }
    const expression = parsed.get(name);
    if (expression !== undefined) {
      for (const next of dependencies(expression)) visit(next, [...path, name]);
    }
    done.add(name);
  };
  for (const name of parsed.keys()) visit(name, []);
}

function dependencies(expression: Expression): string[] {
  const admin = credentials(expression).includes('is_admin') ? [ADMIN_RULE] : [];
  return [...ruleReferences(expression), ...admin];
}

function compileAll(parsed: Map<string, Expression>): Map<string, Check> {
  const checks = new Map<string, Check>();
  const lookup = (name: string): Check => {
    const check = checks.get(name);
    if (check === undefined) throw new Error(`policy rule ${name} is not declared`);
    return check;
  };
  for (const [name, expression] of parsed) checks.set(name, compile(expression, lookup));
  return checks;
}

function withOverride(rule: PolicyRule, overrides: Readonly<Record<string, RuleSource>>): PolicyRule {
  const source = Object.hasOwn(overrides, rule.name) ? overrides[rule.name] : undefined;
  return typeof source === 'string' ? { ...rule, default: source } : rule;
}
