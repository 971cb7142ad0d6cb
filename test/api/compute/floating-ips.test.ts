/** Floating IPs, pools and networks of the Compute API of old, over a whole controller and an agent with fake drivers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestCloud } from '../../support/cloud.ts';
import { makeBootable, type NodeCloud, startNodeCloud } from '../../support/fake-node.ts';
import type { TestResponse } from '../../support/surface.ts';

type Tenant = Awaited<ReturnType<TestCloud['tenant']>>;

let node: NodeCloud;
let cloud: TestCloud;
let must: NodeCloud['must'];
let mine: Tenant;
let other: Tenant;
let public_id: string;
let private_id: string;
let server: any;
const NOBODY = '99999999-9999-4999-8999-999999999999';

before(async () => {
  node = await startNodeCloud();
  ({ cloud, must } = node);
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
  const image = await makeBootable(must, cloud);
  public_id = (await must('POST', '/networking/v2.0/networks', { network: { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' } })).network.id;
  const allocation_pools = [{ start: '10.10.1.10', end: '10.10.1.14' }];
  await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: public_id, cidr: '10.10.1.0/24', ip_version: 4, allocation_pools } });
  private_id = (await must('POST', '/networking/v2.0/networks', { network: { name: 'private' } }, mine)).network.id;
  const { subnet } = await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: private_id, cidr: '10.30.0.0/24', ip_version: 4, allocation_pools: [{ start: '10.30.0.10', end: '10.30.0.99' }] } }, mine);
  const { router } = await must('POST', '/networking/v2.0/routers', { router: { external_gateway_info: { network_id: public_id } } }, mine);
  await must('PUT', `/networking/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id }, mine);
  while ((await must('GET', '/compute/v2.1/os-hypervisors')).hypervisors.length === 0) await delay(10);
  const made = await must('POST', '/compute/v2.1/servers', { server: { name: 'one', imageRef: image.id, flavorRef: 'c1', networks: [{ uuid: private_id }] } }, mine);
  server = await until(made.server.id, ({ status }) => status === 'ACTIVE');
});
after(() => node.stop());

function call(method: string, path: string, body?: unknown, tenant: Tenant | undefined = mine, version = '2.35'): Promise<TestResponse> {
  return cloud.call(method, path, { ...(tenant === undefined ? {} : { token: tenant.token }), headers: { 'openstack-api-version': `compute ${version}` }, ...(body === undefined ? {} : { body }) });
}

async function until(id: string, done: (server: any) => boolean): Promise<any> {
  for (;;) {
    const found = (await must('GET', `/compute/v2.1/servers/${id}`, undefined, mine)).server;
    if (done(found)) return found;
    assert.notEqual(found.status, 'ERROR', JSON.stringify(found.fault));
    await delay(10);
  }
}

const floating = (method: string, path = '', body?: unknown, tenant?: Tenant) => call(method, `/compute/v2.1/os-floating-ips${path}`, body, tenant);
const act = (body: object, tenant?: Tenant, version?: string) => call('POST', `/compute/v2.1/servers/${server.id}/action`, body, tenant, version);
const addressesOf = (shown: any): string[] => shown.addresses.private.map(({ addr }: { addr: string }) => addr);

async function allocate(tenant?: Tenant): Promise<any> {
  const made = await floating('POST', '', { pool: 'public' }, tenant);
  assert.equal(made.status, 200, made.text);
  return made.json.floating_ip;
}

function refused(answer: TestResponse, status: number, message?: string | RegExp): void {
  assert.equal(answer.status, status, answer.text);
  const [fault] = Object.values<{ code: number; message: string }>(answer.json);
  if (typeof message === 'string') assert.equal(fault!.message, message);
  else if (message !== undefined) assert.match(fault!.message, message);
}

test('a floating IP is allocated, tied to a server, untied and released', async () => {
  const one = await allocate();
  assert.match(one.ip, /^10\.10\.1\.1[0-4]$/);
  assert.deepEqual(one, { id: one.id, ip: one.ip, fixed_ip: null, instance_id: null, pool: 'public' });
  assert.deepEqual((await floating('GET', `/${one.id}`)).json, { floating_ip: one });
  const fixed_ip = addressesOf(server)[0];
  const tied = await act({ addFloatingIp: { address: one.ip } });
  assert.deepEqual([tied.status, tied.text], [202, '']);
  assert.deepEqual((await floating('GET')).json, { floating_ips: [{ ...one, fixed_ip, instance_id: server.id }] });
  await until(server.id, (shown) => addressesOf(shown).includes(one.ip));
  assert.equal((await act({ removeFloatingIp: { address: one.ip } })).status, 202);
  assert.deepEqual((await floating('GET', `/${one.id}`)).json, { floating_ip: one });
  await until(server.id, (shown) => !addressesOf(shown).includes(one.ip));
  refused(await act({ removeFloatingIp: { address: one.ip } }), 409, `Floating IP ${one.ip} is not associated with instance ${server.id}.`);
  assert.equal((await act({ addFloatingIp: { address: one.ip, fixed_address: fixed_ip } }, mine, '2.43')).status, 202);
  const gone = await floating('DELETE', `/${one.id}`);
  assert.deepEqual([gone.status, gone.text], [202, ''], 'tied or not');
  await until(server.id, (shown) => !addressesOf(shown).includes(one.ip));
  for (const method of ['GET', 'DELETE']) refused(await floating(method, `/${one.id}`), 404, `Floating IP not found for ID ${one.id}`);
});

test('a server has one floating IP of a network at each address', async () => {
  const [one, two] = [await allocate(), await allocate()];
  assert.equal((await act({ addFloatingIp: { address: one.ip } })).status, 202);
  refused(await act({ addFloatingIp: { address: two.ip } }), 400, /already has a floating IP/);
  for (const { id } of [one, two]) assert.equal((await floating('DELETE', `/${id}`)).status, 202);
});

test('what cannot be tied is refused', async () => {
  const [one, theirs] = [await allocate(), await allocate(other)];
  refused(await act({ addFloatingIp: { address: one.ip, fixed_address: '10.30.0.250' } }), 400, 'Specified fixed address not assigned to instance');
  refused(await act({ addFloatingIp: { address: '10.10.1.200' } }), 404, 'floating IP not found');
  refused(await act({ removeFloatingIp: { address: '10.10.1.200' } }), 404, 'floating IP not found');
  refused(await act({ addFloatingIp: { address: theirs.ip } }), 404, 'floating IP not found');
  refused(await act({ addFloatingIp: { address: theirs.ip } }, other), 404, `Instance ${server.id} could not be found.`);
  for (const bad of [{}, { address: 'x' }, { address: one.ip, fixed_address: 'x' }, { address: one.ip, more: 1 }]) refused(await act({ addFloatingIp: bad }), 400);
  for (const bad of [{}, { address: 'x' }]) refused(await act({ removeFloatingIp: bad }), 400);
  for (const action of ['addFloatingIp', 'removeFloatingIp']) refused(await act({ [action]: { address: one.ip } }, mine, '2.44'), 404);
  for (const method of ['GET', 'DELETE']) refused(await floating(method, `/${theirs.id}`), 404, `Floating IP not found for ID ${theirs.id}`);
  assert.deepEqual((await floating('GET')).json.floating_ips, [one]);
  assert.equal((await floating('DELETE', `/${one.id}`)).status, 202);
  assert.equal((await floating('DELETE', `/${theirs.id}`, undefined, other)).status, 202);
});

test('pools are the external networks; without a name the only one is meant', async () => {
  const pools = () => call('GET', '/compute/v2.1/os-floating-ip-pools').then(({ json }) => json.floating_ip_pools);
  assert.deepEqual(await pools(), [{ name: 'public' }]);
  for (const body of [{ pool: public_id }, { pool: null }, {}]) {
    const made = await floating('POST', '', body);
    assert.deepEqual([made.status, made.json.floating_ip?.pool], [200, 'public'], made.text);
    assert.equal((await floating('DELETE', `/${made.json.floating_ip.id}`)).status, 202);
  }
  refused(await floating('POST', '', { pool: 'private' }), 404, 'Floating IP pool not found.');
  refused(await floating('POST', '', { pool: 1 }), 400);
  const twin = (await must('POST', '/networking/v2.0/networks', { network: { name: 'public', 'router:external': true } })).network.id;
  refused(await floating('POST', '', { pool: 'public' }), 400, "Multiple floating IP pools matches found for name 'public'");
  refused(await floating('POST', '', {}), 400, 'There are several floating IP pools: name one.');
  await must('DELETE', `/networking/v2.0/networks/${twin}`);
});

test('quotas and empty pools are said in the words of nova', async () => {
  const quota = (project: Tenant, floatingip: number) => must('PUT', `/networking/v2.0/quotas/${project.project_id}`, { quota: { floatingip } });
  await quota(other, 0);
  refused(await floating('POST', '', { pool: 'public' }, other), 403, 'IP allocation over quota in pool public.');
  refused(await floating('POST', '', {}, other), 403, 'IP allocation over quota.');
  await quota(mine, -1);
  const made: string[] = [];
  for (;;) {
    const answer = await floating('POST', '', { pool: 'public' });
    if (answer.status !== 200) {
      refused(answer, 404, 'No more floating IPs in pool public.');
      break;
    }
    made.push(answer.json.floating_ip.id);
  }
  assert.equal(made.length, 4, 'the router has the fifth address');
  for (const id of made) assert.equal((await floating('DELETE', `/${id}`)).status, 202);
});

test('networks are shown as they once were', async () => {
  const tenant = (await call('GET', '/compute/v2.1/os-tenant-networks')).json.networks;
  const byLabel = (a: any, b: any): number => (a.label < b.label ? -1 : 1);
  assert.deepEqual(tenant.sort(byLabel), [{ id: private_id, label: 'private', cidr: 'None' }, { id: public_id, label: 'public', cidr: 'None' }]);
  assert.deepEqual((await call('GET', `/compute/v2.1/os-tenant-networks/${private_id}`)).json, { network: tenant[0] });
  const { network } = (await call('GET', `/compute/v2.1/os-networks/${private_id}`)).json;
  const empty = Object.fromEntries(['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6'].map((field) => [field, null]));
  assert.deepEqual(network, { ...empty, id: private_id, label: 'private' });
  assert.deepEqual((await call('GET', '/compute/v2.1/os-networks')).json.networks.find(({ id }: any) => id === private_id), network);
  const full = (await cloud.call('GET', `/compute/v2.1/os-networks/${private_id}`)).json.network;
  assert.equal(Object.keys(full).length, 32, 'administrators see more nothing');
  assert.deepEqual([full.id, full.label, full.mtu], [private_id, 'private', null]);
  for (const path of ['os-networks', 'os-tenant-networks']) {
    refused(await call('GET', `/compute/v2.1/${path}/${NOBODY}`), 404, 'Network not found');
    refused(await call('GET', `/compute/v2.1/${path}/${private_id}`, undefined, other), 404, 'Network not found');
    assert.deepEqual((await call('GET', `/compute/v2.1/${path}`, undefined, other)).json.networks.map(({ label }: any) => label), ['public']);
    refused(await call('POST', `/compute/v2.1/${path}`, {}), 410);
    refused(await call('DELETE', `/compute/v2.1/${path}/${private_id}`), 410);
  }
});

test('from 2.36 on there is none of this here', async () => {
  for (const path of ['os-floating-ips', `os-floating-ips/${NOBODY}`, 'os-floating-ip-pools', 'os-networks', `os-networks/${private_id}`, 'os-tenant-networks', `os-tenant-networks/${private_id}`]) {
    refused(await call('GET', `/compute/v2.1/${path}`, undefined, mine, '2.36'), 404);
  }
  refused(await call('POST', '/compute/v2.1/os-floating-ips', {}, mine, '2.36'), 404);
  refused(await call('DELETE', `/compute/v2.1/os-floating-ips/${NOBODY}`, undefined, mine, '2.36'), 404);
});

test('the groups of a server are shown with the names of those that their rules let in', async () => {
  const group = async (name: string): Promise<any> => (await call('POST', '/compute/v2.1/os-security-groups', { security_group: { name, description: '' } })).json.security_group;
  const [web, far] = [await group('web'), await group('far')];
  const rule = (await call('POST', '/compute/v2.1/os-security-group-rules', { security_group_rule: { parent_group_id: web.id, group_id: far.id, ip_protocol: 'udp' } })).json.security_group_rule;
  assert.equal((await act({ addSecurityGroup: { name: web.id } })).status, 202);
  await until(server.id, (shown) => shown.security_groups.length === 2);
  const { security_groups } = (await call('GET', `/compute/v2.1/servers/${server.id}/os-security-groups`)).json;
  assert.deepEqual(security_groups.map(({ name }: any) => name), ['default', 'web']);
  assert.deepEqual(security_groups[1], { ...web, rules: [rule] });
  assert.deepEqual(rule.group, { name: 'far', tenant_id: mine.project_id });
  refused(await call('DELETE', `/compute/v2.1/os-security-groups/${web.id}`), 400, /in use/);
  assert.equal((await act({ removeSecurityGroup: { name: 'web' } })).status, 202);
  assert.equal((await call('DELETE', `/compute/v2.1/os-security-groups/${web.id}`)).status, 202);
});
