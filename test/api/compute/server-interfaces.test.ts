/** NICs that come and go while a server lives, over a whole controller and an agent with fake drivers. */
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
let first: string;
let second: string;
let server_id: string;
const NOBODY = '99999999-9999-4999-8999-999999999999';

before(async () => {
  node = await startNodeCloud();
  ({ cloud, must } = node);
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
  const image = await makeBootable(must, cloud);
  first = await network('first', '10.40.0.0/24');
  second = await network('second', '10.41.0.0/24');
  while ((await must('GET', '/compute/v2.1/os-hypervisors')).hypervisors.length === 0) await delay(10);
  server_id = (await must('POST', '/compute/v2.1/servers', { server: { name: 'one', imageRef: image.id, flavorRef: 'c1', networks: [{ uuid: first }] } }, mine)).server.id;
  await until(({ status }) => status === 'ACTIVE');
});
after(() => node.stop());

async function network(name: string, cidr: string, tenant = mine): Promise<string> {
  const { id } = (await must('POST', '/networking/v2.0/networks', { network: { name } }, tenant)).network;
  await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: id, cidr, ip_version: 4 } }, tenant);
  return id;
}

async function until(done: (server: any) => boolean): Promise<any> {
  for (;;) {
    const found = (await must('GET', `/compute/v2.1/servers/${server_id}`, undefined, mine)).server;
    if (done(found)) return found;
    assert.notEqual(found.status, 'ERROR', JSON.stringify(found.fault));
    await delay(10);
  }
}

function call(method: string, path: string, body?: unknown, tenant = mine, version = '2.70'): Promise<TestResponse> {
  return cloud.call(method, `/compute/v2.1/servers/${server_id}${path}`, { token: tenant.token, headers: { 'openstack-api-version': `compute ${version}` }, ...(body === undefined ? {} : { body }) });
}
const attach = (interfaceAttachment: object, tenant?: Tenant, version?: string) => call('POST', '/os-interface', { interfaceAttachment }, tenant, version);
const detach = (port_id: string, tenant?: Tenant) => call('DELETE', `/os-interface/${port_id}`, undefined, tenant);
const ports = async (): Promise<any[]> => (await call('GET', '/os-interface')).json.interfaceAttachments;
const act = (body: object, version = '2.43') => call('POST', '/action', body, mine, version);

async function gone(port_id: string): Promise<void> {
  while ((await ports()).some((one) => one.port_id === port_id)) await delay(10);
}

function refused(answer: TestResponse, status: number, message: string | RegExp): void {
  assert.equal(answer.status, status, answer.text);
  const [fault] = Object.values<{ message: string }>(answer.json);
  if (typeof message === 'string') assert.equal(fault!.message, message);
  else assert.match(fault!.message, message);
}

test('an interface on a network is attached with a port of its own, and detached with it', async () => {
  const made = await attach({ net_id: second, fixed_ips: [{ ip_address: '10.41.0.77' }], tag: 'store' });
  assert.equal(made.status, 200, made.text);
  const { interfaceAttachment: nic } = made.json;
  assert.deepEqual([nic.net_id, nic.tag, nic.fixed_ips[0].ip_address], [second, 'store', '10.41.0.77']);
  const shown = await until(({ addresses }) => addresses.second !== undefined);
  assert.equal(shown.addresses.second[0].addr, '10.41.0.77');
  for (;;) {
    const { port } = await must('GET', `/networking/v2.0/ports/${nic.port_id}`, undefined, mine);
    assert.deepEqual([port.device_id, port['security_groups'].length], [server_id, 1]);
    if (port.status === 'ACTIVE') break;
    await delay(10);
  }
  refused(await attach({ net_id: second, tag: 'store' }), 400, /Tag store is already in use/);
  assert.equal((await detach(nic.port_id)).status, 202);
  await gone(nic.port_id);
  assert.equal((await cloud.call('GET', `/networking/v2.0/ports/${nic.port_id}`, { token: mine.token })).status, 404);
  await until(({ addresses }) => addresses.second === undefined);
  const { instanceActions } = (await call('GET', '/os-instance-actions')).json;
  assert.deepEqual(instanceActions.slice(0, 2).map(({ action }: any) => action), ['detach_interface', 'attach_interface']);
});

test('a port that was there is taken as it is, and outlives the attachment', async () => {
  const { port } = await must('POST', '/networking/v2.0/ports', { port: { network_id: second, name: 'kept' } }, mine);
  const made = await attach({ port_id: port.id }, mine, '2.1');
  assert.equal(made.status, 200, made.text);
  assert.equal('tag' in made.json.interfaceAttachment, false);
  refused(await attach({ port_id: port.id }), 409, `Port ${port.id} is still in use.`);
  assert.equal((await detach(port.id)).status, 202);
  await gone(port.id);
  const after = (await must('GET', `/networking/v2.0/ports/${port.id}`, undefined, mine)).port;
  assert.deepEqual([after.device_id, after.name], ['', 'kept']);
});

test('what cannot be is refused in nova\'s words, and changes nothing', async () => {
  const before = await ports();
  refused(await attach({ net_id: second, port_id: NOBODY }), 400, 'Must not input both network_id and port_id');
  refused(await attach({ fixed_ips: [{ ip_address: '10.41.0.9' }] }), 400, 'Must input network_id when request IP address');
  refused(await attach({ net_id: NOBODY }), 404, `Network ${NOBODY} could not be found.`);
  refused(await attach({ port_id: NOBODY }), 404, `Port id ${NOBODY} could not be found.`);
  refused(await attach({}), 400, /More than one possible network found/);
  refused(await attach({ net_id: first, fixed_ips: [{ ip_address: before[0].fixed_ips[0].ip_address }] }), 409, /is already in use on instance/);
  refused(await attach({ net_id: second, tag: 'a,b' }), 400, /tag/);
  refused(await attach({ net_id: second, tag: 'early' }, mine, '2.48'), 400, /tag/);
  const theirs = await network('theirs', '10.42.0.0/24', other);
  refused(await attach({ net_id: theirs }), 404, `Network ${theirs} could not be found.`);
  assert.equal((await attach({ net_id: second }, other)).status, 404);
  refused(await detach(NOBODY), 404, /is not attached/);
  await must('POST', `/compute/v2.1/servers/${server_id}/action`, { lock: null });
  refused(await attach({ net_id: second }), 409, `Instance ${server_id} is locked`);
  refused(await detach(before[0].port_id), 409, `Instance ${server_id} is locked`);
  await must('POST', `/compute/v2.1/servers/${server_id}/action`, { unlock: null });
  assert.deepEqual((await ports()).map(({ port_id }) => port_id), before.map(({ port_id }) => port_id));
});

test('addresses are added to and taken from the port on a network, up to 2.43', async () => {
  const addresses = async () => (await ports())[0].fixed_ips.map(({ ip_address }: any) => ip_address);
  const [kept] = await addresses();
  assert.equal((await act({ addFixedIp: { networkId: first } })).status, 202);
  const both = await addresses();
  assert.equal(both.length, 2);
  assert.equal(both[0], kept);
  await until((server) => server.addresses.first.length === 2);
  assert.equal((await act({ removeFixedIp: { address: both[1] } })).status, 202);
  assert.deepEqual(await addresses(), [kept]);
  refused(await act({ removeFixedIp: { address: '10.40.0.200' } }), 400, `Instance ${server_id} does not have fixed IP '10.40.0.200'.`);
  refused(await act({ addFixedIp: { networkId: NOBODY } }), 404, `Network could not be found for instance ${server_id}.`);
  refused(await act({ addFixedIp: { networkId: first } }, '2.44'), 404, 'The resource could not be found.');
});

test('other services tell what happened: addresses are read again, and each event is judged', async () => {
  const tell = (events: object[], version = '2.93') =>
    cloud.call('POST', '/compute/v2.1/os-server-external-events', { body: { events }, headers: { 'openstack-api-version': `compute ${version}` } });
  const event = { name: 'network-changed', server_uuid: server_id, tag: NOBODY };
  const used = await tell([event]);
  assert.equal(used.status, 200, used.text);
  assert.deepEqual(used.json, { events: [{ ...event, status: 'completed', code: 200 }] });
  const mixed = await tell([event, { name: 'network-changed', server_uuid: NOBODY }, { name: 'power-update', server_uuid: server_id }, { name: 'volume-extended', server_uuid: server_id, tag: NOBODY }]);
  assert.equal(mixed.status, 207, mixed.text);
  assert.deepEqual(mixed.json.events.map(({ code, status }: any) => [code, status]), [[200, 'completed'], [404, 'failed'], [400, 'failed'], [422, 'failed']]);
  assert.equal((await tell([{ name: 'volume-extended', server_uuid: server_id, tag: NOBODY }], '2.50')).status, 400);
  assert.equal((await tell([])).status, 400);
  const denied = await cloud.call('POST', '/compute/v2.1/os-server-external-events', { token: mine.token, body: { events: [event] } });
  assert.equal(denied.status, 403);
});

test('attachments during a deletion leave no port behind', async () => {
  const made = await Promise.all(Array.from({ length: 5 }, () => attach({ net_id: second })));
  assert.ok(made.some(({ status }) => status === 200), made.map(({ text }) => text).join());
  const late = Array.from({ length: 5 }, () => attach({ net_id: second }));
  assert.equal((await call('DELETE', '')).status, 204);
  for (const { status, text } of await Promise.all(late)) assert.ok([200, 404, 409].includes(status), text);
  while ((await call('GET', '')).status !== 404) await delay(10);
  const { ports: left } = await must('GET', `/networking/v2.0/ports?device_id=${server_id}`);
  assert.deepEqual(left, []);
});
