import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyMapping, MappingError, type MappingRule } from '../../../src/services/identity/model/mapping-rules.ts';

const said = { name: ['Bob'], first: ['Bob'], last: ['Thompson'], kind: ['Tester'], groups: ['g1', 'g2', 'dev-ops'], mail: ['bob@example.com'] };
const user: MappingRule = { local: [{ user: { name: '{0}' } }], remote: [{ type: 'name' }] };

test('placeholders stand for what the conditions without a test found, in order', () => {
  const rules: MappingRule[] = [{
    local: [{ user: { name: '{0} {1}', email: '{2}' } }, { group: { id: 'fixed' } }],
    remote: [{ type: 'first' }, { type: 'kind', any_one_of: ['Tester', 'Employee'] }, { type: 'last' }, { type: 'mail' }],
  }];
  assert.deepEqual(applyMapping(rules, said), { user: { name: 'Bob Thompson', email: 'bob@example.com', type: 'ephemeral' }, group_ids: ['fixed'], group_names: [], projects: [] });
});

test('any_one_of and not_any_of decide, by word or by pattern', () => {
  const with_ = (remote: MappingRule['remote'][number]) => () => applyMapping([{ ...user, remote: [{ type: 'name' }, remote] }], said).user.name;
  assert.equal(with_({ type: 'kind', any_one_of: ['Tester'] })(), 'Bob');
  assert.throws(with_({ type: 'kind', any_one_of: ['Test'] }), MappingError);
  assert.equal(with_({ type: 'kind', any_one_of: ['^Te'], regex: true })(), 'Bob');
  assert.equal(with_({ type: 'kind', any_one_of: ['(?i)^te'], regex: true })(), 'Bob');
  assert.throws(with_({ type: 'groups', not_any_of: ['g2'] }), MappingError);
  assert.throws(with_({ type: 'groups', not_any_of: ['^dev'], regex: true }), MappingError);
  assert.equal(with_({ type: 'groups', not_any_of: ['g3'] })(), 'Bob');
  assert.throws(with_({ type: 'absent', not_any_of: ['x'] }), MappingError, 'what was not said satisfies nothing');
  assert.throws(with_({ type: 'constructor' }), MappingError);
});

test('whitelists and blacklists choose groups', () => {
  const groups = (remote: MappingRule['remote'][number]) =>
    applyMapping([user, { local: [{ groups: '{0}', domain: { name: 'd' } }], remote: [remote] }], said).group_names.map(({ name }) => name);
  assert.deepEqual(groups({ type: 'groups' }), ['g1', 'g2', 'dev-ops']);
  assert.deepEqual(groups({ type: 'groups', whitelist: ['g2', 'g9'] }), ['g2']);
  assert.deepEqual(groups({ type: 'groups', whitelist: [] }), []);
  assert.deepEqual(groups({ type: 'groups', blacklist: ['g2'] }), ['g1', 'dev-ops']);
  assert.deepEqual(groups({ type: 'groups', blacklist: ['^g\\d'], regex: true }), ['dev-ops']);
});

test('groups come by id, by name, by a written list, and as objects', () => {
  const mapped = applyMapping([user, {
    local: [{ group_ids: "['a', 'b']" }, { group: { name: 'n', domain: { id: 'x' } } }, { groups: 'solo', domain: { id: 'y' } }],
    remote: [{ type: 'name' }],
  }], said);
  assert.deepEqual(mapped.group_ids, ['a', 'b']);
  assert.deepEqual(mapped.group_names, [{ name: 'n', domain: { id: 'x' } }, { name: 'solo', domain: { id: 'y' } }]);
  const objects = applyMapping([user, { local: [{ groups: '{0}' }], remote: [{ type: 'groups' }] }], { ...said, groups: ['JSON:{"name":"o","domain":{"id":"z"}}'] });
  assert.deepEqual(objects.group_names, [{ name: 'o', domain: { id: 'z' } }]);
  assert.throws(() => applyMapping([user, { local: [{ groups: 'solo' }], remote: [{ type: 'name' }] }], said), /domain/);
});

test('users and projects take the domain of their rule from version 2.0 on', () => {
  const rule: MappingRule = { local: [{ user: { name: '{0}', type: 'local' }, projects: [{ name: 'p {0}', roles: [{ name: 'member' }] }], domain: { id: 'd' } }], remote: [{ type: 'name' }] };
  const old = applyMapping([rule], said, '1.0');
  assert.equal(old.user.domain, undefined);
  assert.equal(old.projects[0]?.domain, undefined);
  const now = applyMapping([rule], said, '2.0');
  assert.deepEqual(now.user, { name: 'Bob', type: 'local', domain: { id: 'd' } });
  assert.deepEqual(now.projects, [{ name: 'p Bob', roles: [{ name: 'member' }], domain: { id: 'd' } }]);
});

test('what refers to nothing, and several where one is wanted, is a mistake', () => {
  assert.throws(() => applyMapping([{ local: [{ user: { name: '{1}' } }], remote: [{ type: 'name' }] }], said), MappingError);
  assert.throws(() => applyMapping([{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'groups' }] }], said), MappingError);
  assert.throws(() => applyMapping([{ local: [{ projects_json: '{0}' }], remote: [{ type: 'name' }] }], said, '3.0'), MappingError);
  assert.throws(() => applyMapping([user], {}), MappingError);
});
