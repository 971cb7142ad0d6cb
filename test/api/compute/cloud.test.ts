/** Compute among its real neighbours: a whole controller, and agents with fake drivers linked to it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Agent, startAgent } from '../../../src/agents/assemble.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { JOIN_TOKEN, startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { dockerArchive } from '../../support/docker-archive.ts';

let cloud: TestCloud;
let agent: Agent;
let image_id: string;
let network_id: string;

const latest = { 'openstack-api-version': 'compute latest' };

before(async () => {
  cloud = await startTestCloud();
  agent = startAgent({
    controller_url: cloud.url.replace('http', 'ws'), identity_file: join(cloud.directory, 'identity.json'), join_token: JOIN_TOKEN, hostname: 'node-1',
    roles: ['compute', 'network'], cloud: 'gtest', docker_socket: '', state_dir: join(cloud.directory, 'agent'), drivers: { compute: 'fake', network: 'fake' }, log: silentLog,
  });
  const made = await must('POST', '/image/v2/images', { name: 'hello', container_format: 'docker', disk_format: 'raw' });
  image_id = made.id;
  assert.equal((await cloud.call('PUT', `/image/v2/images/${image_id}/file`, { body: dockerArchive(), headers: { 'content-type': 'application/octet-stream' } })).status, 204);
  await must('POST', '/compute/v2.1/flavors', { flavor: { id: 'c1', name: 'c1', ram: 64, disk: 1, vcpus: 1 } });
  network_id = (await must('POST', '/networking/v2.0/networks', { network: { name: 'private' } })).network.id;
  await must('POST', '/networking/v2.0/subnets', { subnet: { network_id, cidr: '10.0.0.0/24', ip_version: 4 } });
});
after(async () => {
  await agent.close();
  await cloud.stop();
});

async function must(method: string, path: string, body?: unknown): Promise<any> {
  const reply = await cloud.call(method, path, { headers: latest, ...(body === undefined ? {} : { body }) });
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.json;
}

async function until(id: string, done: (server: any) => boolean): Promise<any> {
  for (;;) {
    const { server } = await must('GET', `/compute/v2.1/servers/${id}`);
    if (done(server)) return server;
    await delay(10);
  }
}

/** Boots when the node has come; a cloud without one says "no valid host". */
async function boot(name: string): Promise<any> {
  while ((await must('GET', '/compute/v2.1/os-hypervisors')).hypervisors.length === 0) await delay(10);
  const { server } = await must('POST', '/compute/v2.1/servers', { server: { name, imageRef: image_id, flavorRef: 'c1', networks: [{ uuid: network_id }] } });
  return await until(server.id, ({ status }) => status !== 'BUILD');
}

test('a server is ACTIVE with a port that is, and nothing is left when it is gone', async () => {
  const server = await boot('one');
  assert.equal(server.status, 'ACTIVE', JSON.stringify(server.fault));
  const { ports } = await must('GET', `/networking/v2.0/ports?device_id=${server.id}`);
  assert.equal(ports.length, 1);
  assert.equal(ports[0].status, 'ACTIVE');
  assert.equal(server.addresses.private[0].addr, ports[0].fixed_ips[0].ip_address);
  assert.equal(ports[0]['binding:host_id'], 'node-1');
  const provider = ports[0]['binding:host_id'] && (await must('GET', '/placement/resource_providers')).resource_providers[0].uuid;
  assert.deepEqual(Object.keys((await must('GET', `/placement/resource_providers/${provider}/allocations`)).allocations), [server.id]);
  await must('DELETE', `/compute/v2.1/servers/${server.id}`);
  while ((await cloud.call('GET', `/compute/v2.1/servers/${server.id}`)).status !== 404) await delay(10);
  assert.deepEqual((await must('GET', `/networking/v2.0/ports?device_id=${server.id}`)).ports, []);
  assert.deepEqual((await must('GET', `/placement/resource_providers/${provider}/allocations`)).allocations, {});
  assert.deepEqual(await agent.compute!.list(), []);
});

test('the groups of a server are those of its ports', async () => {
  const { id } = await boot('grouped');
  const { security_group: group } = await must('POST', '/networking/v2.0/security-groups', { security_group: { name: 'web' } });
  await must('POST', '/networking/v2.0/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'ingress', protocol: 'tcp', port_range_min: 80, port_range_max: 80 } });
  await must('POST', `/compute/v2.1/servers/${id}/action`, { addSecurityGroup: { name: 'web' } });
  await until(id, (server) => server.security_groups.length === 2);
  const shown = (await must('GET', `/compute/v2.1/servers/${id}/os-security-groups`)).security_groups.find((one: any) => one.name === 'web');
  assert.deepEqual([shown.rules[0].ip_protocol, shown.rules[0].from_port, shown.rules[0].ip_range.cidr], ['tcp', 80, '0.0.0.0/0']);
  const [port] = (await must('GET', `/networking/v2.0/ports?device_id=${id}`)).ports;
  assert.ok(port.security_groups.includes(group.id));
  await must('POST', `/compute/v2.1/servers/${id}/action`, { removeSecurityGroup: { name: group.id } });
  await until(id, (server) => server.security_groups.length === 1);
  const again = await cloud.call('POST', `/compute/v2.1/servers/${id}/action`, { body: { removeSecurityGroup: { name: 'web' } } });
  assert.equal(again.status, 404, again.text);
  const unknown = await cloud.call('POST', `/compute/v2.1/servers/${id}/action`, { body: { addSecurityGroup: { name: 'nope' } } });
  assert.equal(unknown.status, 404, unknown.text);
});

test('servers outlive the controller: what it was doing goes on after a crash', async () => {
  const { id } = await boot('survivor');
  await must('POST', '/compute/v2.1/servers', { server: { name: 'half', imageRef: image_id, flavorRef: 'c1', networks: 'none', metadata: { 'slow:spawn': '200ms' } } });
  const half = (await must('GET', '/compute/v2.1/servers?name=half')).servers[0].id;
  await until(half, (server) => server['OS-EXT-STS:task_state'] === 'spawning');
  const port = Number(new URL(cloud.url).port);
  await cloud.crash();
  cloud = await cloud.restart();
  await agent.close();
  agent = startAgent({
    controller_url: cloud.url.replace('http', 'ws'), identity_file: join(cloud.directory, 'identity.json'), hostname: 'node-1', roles: ['compute', 'network'], cloud: 'gtest',
    docker_socket: '', state_dir: join(cloud.directory, 'agent'), drivers: { compute: 'fake', network: 'fake' }, log: silentLog,
  });
  assert.notEqual(port, 0);
  // The node came back empty: what was half made is made anew, what was there is seen to be gone.
  assert.equal((await until(half, ({ status }) => status !== 'BUILD')).status, 'ACTIVE');
  const lost = await until(id, ({ status }) => status === 'ERROR');
  assert.match(lost.fault.message, /gone from its node/);
});
