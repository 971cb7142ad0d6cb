import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestResponse } from '../../support/surface.ts';
import { callAt, oldApiWorld, type Tenant } from './old-api.ts';

const world = oldApiWorld();

const NOBODY = '99999999-9999-4999-8999-999999999999';

/** At 2.35, the last version with security groups. */
function call(method: string, path: string, body?: unknown, tenant: Pick<Tenant, 'token'> = world.mine, version = '2.35'): Promise<TestResponse> {
  return callAt(world, method, path, { tenant, version, body });
}

async function make(name: string, tenant?: Tenant): Promise<any> {
  const made = await call('POST', '/os-security-groups', { security_group: { name, description: `of ${name}` } }, tenant);
  assert.equal(made.status, 200, made.text);
  return made.json.security_group;
}

const addRule = (rule: object, tenant?: Tenant) => call('POST', '/os-security-group-rules', { security_group_rule: rule }, tenant);
const show = async (id: string): Promise<any> => (await call('GET', `/os-security-groups/${id}`)).json.security_group;
const list = async (query = '', tenant?: Pick<Tenant, 'token'>): Promise<any[]> => (await call('GET', `/os-security-groups${query}`, undefined, tenant)).json.security_groups;

function refused(answer: TestResponse, status: number, message?: string | RegExp): void {
  assert.equal(answer.status, status, answer.text);
  const [fault] = Object.values<{ code: number; message: string }>(answer.json);
  assert.equal(fault!.code, status);
  if (typeof message === 'string') assert.equal(fault!.message, message);
  else if (message !== undefined) assert.match(fault!.message, message);
}

test('a group is made, shown, changed, listed and deleted, and is the one that networking has', async () => {
  const group = await make(' web  servers ');
  assert.deepEqual(group, { id: group.id, name: ' web  servers ', description: 'of  web  servers ', tenant_id: world.mine.project_id, rules: [] });
  assert.deepEqual(await show(group.id), group);
  const there = (await world.cloud.call('GET', `/networking/v2.0/security-groups/${group.id}`, { token: world.mine.token })).json.security_group;
  assert.deepEqual([there.name, there.project_id, there.stateful], [group.name, world.mine.project_id, true]);
  const changed = await call('PUT', `/os-security-groups/${group.id}`, { security_group: { name: 'web', description: '' } });
  assert.deepEqual([changed.status, changed.json.security_group], [200, { ...group, name: 'web', description: '' }]);
  assert.deepEqual((await list()).map(({ name }) => name), ['default', 'web'], 'by name, with the default group of the project');
  const gone = await call('DELETE', `/os-security-groups/${group.id}`);
  assert.deepEqual([gone.status, gone.text], [202, '']);
  for (const [method, body] of [['GET'], ['PUT', { security_group: { name: 'x', description: '' } }], ['DELETE']] as const) {
    refused(await call(method, `/os-security-groups/${group.id}`, body), 404, `Security group ${group.id} does not exist`);
    refused(await call(method, '/os-security-groups/web', body), 400, 'Security group id should be uuid');
  }
});

test('the default group shows that its members let each other in', async () => {
  const group = (await list('', world.other)).find(({ name }) => name === 'default');
  const rules = group.rules.map(({ id: _id, ...rule }: any) => rule);
  const rule = { parent_group_id: group.id, ip_protocol: null, from_port: null, to_port: null, group: { name: 'default', tenant_id: world.other.project_id }, ip_range: {} };
  assert.deepEqual(rules, [rule, rule], 'IPv4 and IPv6, and nothing that goes out');
  refused(await call('DELETE', `/os-security-groups/${group.id}`, undefined, world.other), 400, 'Insufficient rights for removing default security group.');
  refused(await call('PUT', `/os-security-groups/${group.id}`, { security_group: { name: 'mine', description: '' } }, world.other), 400, 'Updating default security group not allowed.');
});

test('a project sees and touches its own groups alone', async () => {
  const group = await make('private', world.other);
  assert.ok(!(await list('?all_tenants=1')).some(({ id }) => id === group.id));
  assert.ok((await list('?all_tenants=1', { token: await world.cloud.token() })).some(({ id }) => id === group.id), 'administrators see all that they ask for');
  assert.ok(!(await list('', { token: await world.cloud.token() })).some(({ id }) => id === group.id));
  refused(await call('GET', `/os-security-groups/${group.id}`), 404);
  refused(await call('PUT', `/os-security-groups/${group.id}`, { security_group: { name: 'x', description: '' } }), 404);
  refused(await call('DELETE', `/os-security-groups/${group.id}`), 404);
  const tcp = { ip_protocol: 'tcp', from_port: 1, to_port: 2 };
  refused(await addRule({ parent_group_id: group.id, ...tcp }), 404);
  const own = await make('own');
  refused(await addRule({ parent_group_id: own.id, group_id: group.id, ...tcp }), 404);
  const { id } = (await addRule({ parent_group_id: group.id, ...tcp }, world.other)).json.security_group_rule;
  refused(await call('DELETE', `/os-security-group-rules/${id}`), 404);
  assert.equal((await list('', world.other)).find((one) => one.id === group.id).rules.length, 1);
});

test('readers read', async () => {
  assert.deepEqual((await list('', world.reader)).map(({ name }) => name), ['default']);
  refused(await call('POST', '/os-security-groups', { security_group: { name: 'x', description: '' } }, world.reader), 403);
  const [group] = await list('', world.reader);
  refused(await call('DELETE', `/os-security-groups/${group.id}`, undefined, world.reader), 403);
  refused(await addRule({ parent_group_id: group.id, ip_protocol: 'tcp', from_port: 1, to_port: 2 }, world.reader), 403);
  refused(await call('DELETE', `/os-security-group-rules/${group.rules[0].id}`, undefined, world.reader), 403);
});

test('lists come in parts', async () => {
  const pager = await world.cloud.tenant('pager');
  for (const name of ['a', 'b', 'c']) await make(name, pager);
  const all = (await list('', pager)).map(({ id }) => id);
  assert.equal(all.length, 4);
  const parts = [await list('?limit=3', pager), await list('?limit=3&offset=3', pager)];
  assert.deepEqual(parts.map((part) => part.length), [3, 1]);
  assert.deepEqual(new Set(parts.flat().map(({ id }) => id)), new Set(all));
  assert.equal((await list('?limit=0', pager)).length, 4, 'no limit');
  for (const query of ['limit=-1', 'limit=x', 'offset=-1']) refused(await call('GET', `/os-security-groups?${query}`), 400);
});

test('groups that cannot be are refused', async () => {
  for (const group of [{ name: 'x' }, { description: 'x' }, { name: 'x'.repeat(256), description: '' }, { name: 'x', description: 'x'.repeat(256) }, { name: 1, description: '' }]) {
    refused(await call('POST', '/os-security-groups', { security_group: group }), 400);
  }
  refused(await call('POST', '/os-security-groups', { group: {} }), 400);
  refused(await call('POST', '/os-security-groups', { security_group: { name: 'default', description: '' } }), 400, 'Default security group already exists.');
  const full = await world.cloud.tenant('full');
  const quota = await world.cloud.call('PUT', `/networking/v2.0/quotas/${full.project_id}`, { body: { quota: { security_group: 1 } } });
  assert.equal(quota.status, 200, quota.text);
  refused(await call('POST', '/os-security-groups', { security_group: { name: 'x', description: '' } }, full), 403, /^Quota exceeded/);
});

test('rules let in what they say', async () => {
  const [group, remote] = [await make('rules'), await make('remote')];
  const parent_group_id = group.id;
  const made: any[] = [];
  const expect = async (asked: object, shown: object): Promise<void> => {
    const answer = await addRule({ parent_group_id, ...asked });
    assert.equal(answer.status, 200, answer.text);
    const { id, ...rule } = answer.json.security_group_rule;
    assert.deepEqual(rule, { parent_group_id, group: {}, ip_range: {}, ...shown });
    made.push({ id, ...rule });
  };
  const range = (cidr: string) => ({ ip_range: { cidr } });
  const from = { group: { name: 'remote', tenant_id: world.mine.project_id } };
  await expect({ ip_protocol: 'tcp', from_port: 22, to_port: 22 }, { ip_protocol: 'tcp', from_port: 22, to_port: 22, ...range('0.0.0.0/0') });
  await expect({ ip_protocol: 'TCP', from_port: '80', to_port: '81', cidr: '10.2.3.124/24' }, { ip_protocol: 'tcp', from_port: 80, to_port: 81, ...range('10.2.3.124/24') });
  await expect({ ip_protocol: 'udp', from_port: 1, to_port: 65_535, cidr: '2001:db8::/32' }, { ip_protocol: 'udp', from_port: 1, to_port: 65_535, ...range('2001:db8::/32') });
  await expect({ ip_protocol: 'icmp', from_port: -1, to_port: -1 }, { ip_protocol: 'icmp', from_port: -1, to_port: -1, ...range('0.0.0.0/0') });
  await expect({ ip_protocol: 'icmp', from_port: 8, to_port: 0 }, { ip_protocol: 'icmp', from_port: 8, to_port: 0, ...range('0.0.0.0/0') });
  await expect({ group_id: remote.id }, { ip_protocol: null, from_port: null, to_port: null, ...from });
  await expect({ group_id: remote.id, ip_protocol: 'tcp' }, { ip_protocol: 'tcp', from_port: 1, to_port: 65_535, ...from });
  await expect({ group_id: remote.id, ip_protocol: 'icmp' }, { ip_protocol: 'icmp', from_port: -1, to_port: -1, ...from });
  const byId = (a: any, b: any): number => (a.id < b.id ? -1 : 1);
  assert.deepEqual((await show(parent_group_id)).rules.sort(byId), made.sort(byId));
  const there = (await world.cloud.call('GET', `/networking/v2.0/security-group-rules?security_group_id=${parent_group_id}&direction=ingress`, { token: world.mine.token })).json.security_group_rules;
  assert.equal(there.length, made.length);
  assert.deepEqual(there.filter((rule: any) => rule.ethertype === 'IPv6').map((rule: any) => rule.remote_ip_prefix), ['2001:db8::/32']);
  refused(await addRule({ parent_group_id, ip_protocol: 'tcp', from_port: 22, to_port: 22 }), 400, /already exists/);
  assert.equal((await call('DELETE', `/os-security-groups/${remote.id}`)).status, 202);
  assert.equal((await show(parent_group_id)).rules.length, 5, 'rules for a group go with it');
  const gone = await call('DELETE', `/os-security-group-rules/${made.find((rule) => rule.from_port === 22).id}`);
  assert.deepEqual([gone.status, gone.text], [202, '']);
  assert.ok(!(await show(parent_group_id)).rules.some((rule: any) => rule.from_port === 22));
  refused(await call('DELETE', `/os-security-group-rules/${NOBODY}`), 404, `Security group rule ${NOBODY} does not exist`);
  refused(await call('DELETE', '/os-security-group-rules/1'), 400);
});

test('rules that make no sense are refused, and nothing changes', async () => {
  const group = await make('senseless');
  const remote = await make('far');
  const tcp = { ip_protocol: 'tcp', from_port: 22, to_port: 22 };
  const no = async (rule: object, message: string | RegExp): Promise<void> => refused(await addRule({ parent_group_id: group.id, ...rule }), 400, message);
  const short = 'Not enough parameters to build a valid rule.';
  for (const rule of [{}, { ip_protocol: 'tcp' }, { ip_protocol: 'tcp', from_port: 22 }, { from_port: 1, to_port: 2 }, { cidr: '10.0.0.0/8' }]) await no(rule, short);
  for (const rule of [{ ip_protocol: 'tcp', from_port: 22 }, { from_port: 1, to_port: 2 }]) await no({ group_id: remote.id, ...rule }, short);
  await no({ ...tcp, ip_protocol: '999x' }, 'Invalid IP protocol 999x.');
  await no({ group_id: remote.id, ip_protocol: 'sctp' }, 'Invalid IP protocol sctp.');
  await no({ ...tcp, ip_protocol: { a: 1 } }, /^Invalid IP protocol/);
  await no({ ...tcp, from_port: 'x' }, 'Invalid input received: To and From ports must be integers');
  await no({ ip_protocol: 'icmp', from_port: 1.5, to_port: 0 }, 'Invalid input received: Type and Code must be integers for ICMP protocol type');
  await no({ ...tcp, to_port: 21 }, 'Invalid port range 22:21. Former value cannot be greater than the later');
  for (const bad of [{ from_port: 0 }, { to_port: 65_536 }, { from_port: -1, to_port: -1 }]) await no({ ...tcp, ...bad }, /Valid TCP ports should be between 1-65535$/);
  for (const bad of [{ from_port: 256 }, { to_port: 256 }, { from_port: -2 }]) await no({ ip_protocol: 'icmp', from_port: 0, to_port: 0, ...bad }, /For ICMP, the type:code must be valid$/);
  for (const cidr of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/8/8', 'all', '2001:db8::/129', '%zz', 5]) await no({ ...tcp, cidr }, `${cidr} is not a valid IP network.`);
  await no({ ...tcp, cidr: '10.0.0.0/0' }, 'Bad prefix for network in cidr 10.0.0.0/0');
  refused(await addRule(tcp), 400);
  refused(await addRule({ parent_group_id: '1', ...tcp }), 400);
  refused(await addRule({ parent_group_id: group.id, group_id: '1' }), 400);
  refused(await addRule({ parent_group_id: NOBODY, ...tcp }), 404, `Security group ${NOBODY} does not exist`);
  refused(await addRule({ parent_group_id: group.id, group_id: NOBODY }), 404, `Security group ${NOBODY} does not exist`);
  assert.deepEqual((await show(group.id)).rules, []);
});

test('from 2.36 on there are no security groups here', async () => {
  const { id } = await make('elsewhere');
  for (const version of ['2.36', 'latest']) {
    for (const [method, path] of [['GET', ''], ['POST', ''], ['GET', `/${id}`], ['PUT', `/${id}`], ['DELETE', `/${id}`]] as const) {
      refused(await call(method, `/os-security-groups${path}`, method.startsWith('P') ? {} : undefined, world.mine, version), 404);
    }
    refused(await call('POST', '/os-security-group-rules', {}, world.mine, version), 404);
    refused(await call('DELETE', `/os-security-group-rules/${NOBODY}`, undefined, world.mine, version), 404);
  }
  assert.equal((await call('GET', `/os-security-groups/${id}`, undefined, world.mine, '2.1')).status, 200);
});
