import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '../../../src/kernel/fault.ts';
import { createEnforcer } from '../../../src/kernel/policy/enforce.ts';
import { parsePolicyFile, readPolicyFile } from '../../../src/kernel/policy/file.ts';
import { policyReference } from '../../../src/kernel/policy/reference.ts';
import { PolicyError, type PolicyRule, type ScopeType } from '../../../src/kernel/policy/rule.ts';
import { admin, auth, systemReader, unscoped } from './auth.ts';

const rule = (name: string, text: string, scope: ScopeType[] = ['project']): PolicyRule => ({
  name, default: text, description: `About ${name}.`, scope, operations: [{ method: 'GET', path: `/${name}` }],
});
const refuses = (wanted: RegExp[], make: () => unknown): void => {
  assert.throws(make, (error) => {
    assert.ok(error instanceof PolicyError, String(error));
    assert.equal(error.problems.length, wanted.length, error.message);
    wanted.forEach((pattern, n) => assert.match(error.problems[n] ?? '', pattern));
    return true;
  });
};

test('base rules give the personas of secure RBAC', () => {
  const e = createEnforcer([
    rule('show', 'rule:project_reader_or_admin'),
    rule('write', 'rule:project_member_or_admin'),
    rule('agents', 'rule:admin_required'),
  ]);
  const mine = { project_id: 'p1' };
  const reader = auth({ roles: ['reader'] });
  assert.equal(e.check('show', reader, mine), true);
  assert.equal(e.check('show', reader, { project_id: 'p2' }), false);
  assert.equal(e.check('write', reader, mine), false);
  assert.equal(e.check('write', auth(), mine), true);
  assert.equal(e.check('write', admin, mine), true);
  assert.equal(e.check('agents', auth()), false);
  assert.equal(e.check('agents', admin), true);
});

test('without a target the resource is the caller’s own', () => {
  const e = createEnforcer([rule('create', 'rule:project_member'), rule('self', 'rule:owner')]);
  assert.equal(e.check('create', auth()), true);
  assert.equal(e.check('create', auth(), {}), false);
  assert.equal(e.check('create', unscoped), false);
  assert.equal(e.check('self', unscoped), true);
});

test('a token of a scope that the rule does not list is refused', () => {
  const rules = [rule('p', '@'), rule('s', '@', ['system', 'domain']), rule('any', '@', [])];
  const e = createEnforcer(rules);
  const domain = auth({ project_id: undefined, domain_id: 'd1' });
  const passed = (name: string): boolean[] => [auth(), unscoped, domain, systemReader].map((who) => e.check(name, who));
  assert.deepEqual(passed('p'), [true, true, false, false]);
  assert.deepEqual(passed('s'), [false, false, true, true]);
  assert.deepEqual(passed('any'), [true, true, true, true]);
  assert.equal(createEnforcer(rules, {}, { enforce_scope: false }).check('p', systemReader), true);
});

test('enforce throws the fault that users see', () => {
  const e = createEnforcer([rule('os_compute_api:os-services:list', 'rule:admin_api')]);
  e.enforce('os_compute_api:os-services:list', admin);
  assert.throws(() => e.enforce('os_compute_api:os-services:list', auth()), (error) => {
    assert.ok(isFault(error));
    assert.deepEqual([error.status, error.code], [403, 'policy.forbidden']);
    assert.equal(error.message, "Policy doesn't allow os_compute_api:os-services:list to be performed.");
    return true;
  });
  assert.throws(() => e.check('nowhere', admin), /policy rule nowhere is not declared/);
});

test('overrides replace defaults, base rules too', () => {
  const e = createEnforcer([rule('a', '!'), rule('b', 'is_admin:True'), rule('c', '!')], {
    a: '', context_is_admin: 'role:operator', c: [['role:member', 'user_id:u1'], ['role:auditor']],
  });
  assert.equal(e.check('a', unscoped), true);
  assert.equal(e.check('b', admin), false);
  assert.equal(e.check('b', auth({ roles: ['operator'] })), true);
  assert.equal(e.check('c', auth()), true);
  assert.equal(e.check('c', auth({ user_id: 'u9' })), false);
  assert.equal(e.rules().find(({ name }) => name === 'a')?.default, '');
});

test('a service replaces a base rule for itself, but declares nothing twice', () => {
  const e = createEnforcer([rule('owner', 'project_id:%(project_id)s', []), rule('a', 'rule:owner')]);
  assert.equal(e.check('a', auth({ user_id: 'x' }), { project_id: 'p1' }), true);
  refuses([/policy rule a: declared twice, as "@" and "!"/], () => createEnforcer([rule('a', '@'), rule('a', '!')]));
});

test('every bad rule is named at start', () => {
  refuses(
    [/p\.yaml:3: there is no rule "server:creat"/, /p\.yaml:2: "role" is not a check/, /policy rule b: it refers to "rule:gone"/, /policy rule c: a token carries no "shoe_size"/],
    () => {
      const file = parsePolicyFile('# ours\n"a": "role"\n"server:creat": ""\n', 'p.yaml');
      return createEnforcer([rule('a', '@'), rule('b', 'rule:gone'), rule('c', 'shoe_size:44')], file.overrides, file);
    },
  );
});

test('cycles are found, through is_admin too', () => {
  refuses([/rule b: the rules go round in a circle: b -> c -> b/], () =>
    createEnforcer([rule('a', 'rule:b'), rule('b', 'role:x and not rule:c'), rule('c', '@ or rule:b')]));
  refuses([/policy override context_is_admin: .*context_is_admin -> admin_required -> context_is_admin/], () =>
    createEnforcer([], { context_is_admin: 'rule:admin_required' }));
  refuses([/context_is_admin -> context_is_admin/], () => createEnforcer([], { context_is_admin: 'is_admin:True' }));
});

test('a policy file is YAML or JSON; what is wrong is told with its line', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-policy-'));
  try {
    const path = join(dir, 'policy.json');
    writeFileSync(path, '{\n "a": "role:x",\n "b": [["role:y"], "role:z"]\n}');
    const file = readPolicyFile(path);
    assert.deepEqual(file.overrides, { a: 'role:x', b: [['role:y'], 'role:z'] });
    assert.equal(file.where('b'), `${path}:3`);
  } finally {
    rmSync(dir, { recursive: true });
  }
  assert.deepEqual(parsePolicyFile('# nothing set\n', 'p').overrides, {});
  refuses([/^p:2: "b" must be text or a list/], () => parsePolicyFile('a: ""\nb: 5\n', 'p'));
  refuses([/^p:2: .*unique/i], () => parsePolicyFile('a: ""\na: "@"\n', 'p'));
  refuses([/^p:2: "a" must be text/], () => parsePolicyFile('\na:\n', 'p'));
  refuses([/^p:1: a policy file is a map/], () => parsePolicyFile('- a\n', 'p'));
  refuses([/^p:2: /], () => parsePolicyFile('a: "x"\nb: @\n', 'p'));
});

test('the reference has one row per rule and keeps the table whole', () => {
  const rules = [{ ...rule('a', 'role:x', ['system', 'project']), description: 'One | two\nthree.' }, rule('b', '', [])];
  const text = policyReference('Policies', 'All of them.', [{ title: 'Letters', text: 'Two.', rules }]);
  assert.deepEqual(text.split('\n'), [
    '# Policies', '', 'All of them.', '', '## Letters', '', 'Two.', '',
    '| rule | default | scope | operations | meaning |',
    '| --- | --- | --- | --- | --- |',
    '| `a` | `role:x` | system, project | `GET /a` | One \\| two three. |',
    '| `b` | every valid token | any | `GET /b` | About b. |',
    '',
  ]);
});
