import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Auth } from '../../../src/kernel/context.ts';
import { compile } from '../../../src/kernel/policy/check.ts';
import { parseRule, RuleSyntaxError } from '../../../src/kernel/policy/parse.ts';
import type { RuleSource } from '../../../src/kernel/policy/rule.ts';
import { admin, auth, systemReader, unscoped } from './auth.ts';

const holds = (rule: RuleSource, who: Auth, target: Record<string, unknown> = {}): boolean =>
  compile(parseRule(rule), (name) => {
    if (name === 'context_is_admin') return (caller) => caller.roles.includes('admin');
    throw new Error(`no rule ${name}`);
  })(who, target);

test('checks compare credentials, roles and literals with the target', () => {
  const cases: [RuleSource, Auth, Record<string, unknown>, boolean][] = [
    ['', unscoped, {}, true],
    ['@', unscoped, {}, true],
    ['!', admin, {}, false],
    ['role:ADMIN', admin, {}, true],
    ['role:admin', auth({ roles: ['Admin'] }), {}, true],
    ['role:admin', auth(), {}, false],
    ['role:%(wanted)s', auth(), { wanted: 'Member' }, true],
    ['role:%(wanted)s', auth(), {}, false],
    ['roles:member', auth(), {}, true],
    ['user_id:%(user_id)s', auth(), { user_id: 'u1' }, true],
    ['user_id:%(user_id)s', auth(), { user_id: 'u2' }, false],
    ['user_id:%(user_id)s', auth(), {}, false],
    ['user_id:u1', auth(), {}, true],
    ['user_id:u%(n)s', auth(), { n: 1 }, true],
    ['project_id:%(target.project_id)s', auth(), { target: { project_id: 'p1' } }, true],
    ['project_id:%(target.project_id)s', auth(), { 'target.project_id': 'p1' }, true],
    ['project_id:%(target.project_id)s', auth(), { project_id: 'p1' }, true],
    ['project_id:%(target.project_id)s', auth(), { project_id: 'p2' }, false],
    ['tenant_id:%(network:tenant_id)s', auth(), { 'network:tenant_id': 'p1' }, true],
    ['project_id:%(project_id)s', unscoped, { project_id: null }, false],
    ['project_id:%(project_id)s', unscoped, { project_id: undefined }, false],
    ['project_id:%(constructor.name)s', auth({ project_id: 'Object' }), {}, false],
    ['system_scope:all', systemReader, {}, true],
    ['system_scope:all', admin, {}, false],
    ['is_admin:True', admin, {}, true],
    ['is_admin:True', auth(), {}, false],
    ['is_admin:False', auth(), {}, true],
    ['is_admin_project:False', auth(), {}, true],
    ["'public':%(visibility)s", auth(), { visibility: 'public' }, true],
    ['"public":%(visibility)s', auth(), { visibility: 'private' }, false],
    ['True:%(shared)s', auth(), { shared: true }, true],
    ['True:%(shared)s', auth(), { shared: false }, false],
    ['None:%(domain)s', auth(), { domain: null }, true],
    ['None:%(domain)s', auth(), {}, false],
    ['1:%(count)s', auth(), { count: 1 }, true],
    ["'100%':%(full)s%%", auth(), { full: 100 }, true],
    ['not role:admin', auth(), {}, true],
    ['not not role:admin', auth(), {}, false],
    ['@ or @ and !', auth(), {}, true],
    ['(@ or @) and !', auth(), {}, false],
    ['not ! and !', auth(), {}, false],
    ['NOT (! OR @) oR ((@))', auth(), {}, true],
    [[], auth(), {}, true],
    [[[]], auth(), {}, false],
    [['role:admin', ['role:member', 'user_id:u1']], auth(), {}, true],
    [[['role:admin', 'user_id:u1']], auth(), {}, false],
  ];
  for (const [rule, who, target, wanted] of cases) {
    assert.equal(holds(rule, who, target), wanted, `${JSON.stringify(rule)} on ${JSON.stringify(target)}`);
  }
});

test('what cannot be read is refused with its place', () => {
  const cases: [RuleSource, RegExp][] = [
    ['role:admin and', /a check is missing before the end/],
    ['or role:admin', /missing before "or" \(column 1\)/],
    ['(role:admin', /"\)" is missing before the end/],
    ['role:admin)', /"and" or "or" is missing before "\)" \(column 11\)/],
    ['role:a role:b', /"and" or "or" is missing before the next check \(column 8\)/],
    ['()', /a check is missing before "\)" \(column 2\)/],
    ['admin', /"admin" is not a check .*\(column 1\)/],
    ['not', /a check is missing/],
    ['rule:', /nothing follows "rule:"/],
    ['role:', /nothing follows "role:"/],
    ['user_id:%(user_id)', /after % must come/],
    ['user_id:%(n)d', /after % must come/],
    ["'public'", /not a check/],
    ['http://policy/check', /"http" are not supported/],
    [['role:a', ['nonsense']], /"nonsense" is not a check \(kind:match, @ or !\)$/],
  ];
  for (const [rule, message] of cases) {
    assert.throws(() => parseRule(rule), (error) => error instanceof RuleSyntaxError && message.test(error.message), JSON.stringify(rule));
  }
});

/** A formula with its meaning worked out by hand, beside its text with the fewest parentheses allowed. */
interface Formula { text: string; level: number; value(who: Auth, target: Record<string, unknown>): boolean }

const leaf = fc.oneof(
  fc.constant<Formula>({ text: '@', level: 3, value: () => true }),
  fc.constant<Formula>({ text: '!', level: 3, value: () => false }),
  fc.constantFrom('admin', 'Member', 'READER').map((role): Formula => ({
    text: `role:${role}`, level: 3, value: (who) => who.roles.includes(role.toLowerCase()),
  })),
  fc.constantFrom('owner', 'other.id').map((key): Formula => ({
    text: `user_id:%(${key})s`, level: 3,
    value: (who, target) => who.user_id === (key === 'owner' ? target['owner'] : (target['other'] as { id?: string } | undefined)?.id),
  })),
  fc.boolean().map((flag): Formula => ({
    text: `${flag ? 'True' : 'False'}:%(shared)s`, level: 3, value: (_who, target) => target['shared'] === flag,
  })),
);
const wrap = (formula: Formula, level: number): string => (formula.level < level ? `(${formula.text})` : formula.text);
const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
  formula: fc.oneof(
    { depthSize: 'medium' },
    leaf,
    tie('formula').map((of): Formula => ({ text: `not ${wrap(of, 3)}`, level: 3, value: (w, t) => !of.value(w, t) })),
    fc.tuple(tie('formula'), tie('formula')).map(([a, b]): Formula => ({
      text: `${wrap(a, 2)} and ${wrap(b, 2)}`, level: 2, value: (w, t) => a.value(w, t) && b.value(w, t),
    })),
    fc.tuple(tie('formula'), tie('formula')).map(([a, b]): Formula => ({
      text: `${wrap(a, 1)} or ${wrap(b, 1)}`, level: 1, value: (w, t) => a.value(w, t) || b.value(w, t),
    })),
  ),
}));
const caller = fc.record({ user_id: fc.constantFrom('u1', 'u2'), roles: fc.subarray(['admin', 'member', 'reader']) }).map(auth);
const target = fc.record(
  { owner: fc.constantFrom('u1', 'u2'), other: fc.record({ id: fc.constantFrom('u1', 'u2') }), shared: fc.boolean() },
  { requiredKeys: [] },
);

test('any formula means what its parts mean', () => {
  fc.assert(
    fc.property(formula, caller, target, (f, who, what) => {
      assert.equal(holds(f.text, who, what), f.value(who, what), f.text);
    }),
    { numRuns: 2000 },
  );
});

test('no text makes the parser fail in another way', () => {
  const piece = fc.constantFrom('(', ')', ' ', 'and', 'or', 'not', '@', '!', 'role:', 'rule:x', "'a':", '%(b)s', '%', ':', 'x', '"');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(piece, { maxLength: 12 }).map((all) => all.join(''))), (text) => {
      try {
        parseRule(text);
      } catch (error) {
        assert.ok(error instanceof RuleSyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
