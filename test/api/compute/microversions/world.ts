/** A whole controller with one of everything that the Compute API shows, on an agent with fake drivers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Agent, startAgent } from '../../../../src/agents/assemble.ts';
import { silentLog } from '../../../../src/kernel/log/log.ts';
import { JOIN_TOKEN, startTestCloud, type TestCloud } from '../../../support/cloud.ts';
import { dockerArchive } from '../../../support/docker-archive.ts';
import type { TestResponse } from '../../../support/surface.ts';

export interface VersionWorld {
  cloud: TestCloud;
  /** Of an administrator, and of one who only has the role `member`, in one project. */
  tokens: { admin: string; member: string };
  ids: Record<'project' | 'other_project' | 'user' | 'image' | 'server' | 'group' | 'network' | 'port' | 'floating_ip' | 'security_group' | 'action' | 'aggregate' | 'hypervisor' | 'service', string>;
  /** Up to 2.52. */
  numbers: Record<'hypervisor' | 'service', number>;
  host: string;
  /** Without servers. */
  other_host: string;
  /** Minor numbers. */
  newest: number;
  call(method: string, path: string, minor: number, body?: unknown, who?: 'admin' | 'member'): Promise<TestResponse>;
}

export const PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEoSyJ2KyZcQbZ0wOSkBqfJ5v8sxYbUlcqD3T2nVQ9pM somebody@example.org';

type Must = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<any>;

async function makePlaces(must: Must): Promise<Record<'network' | 'public', string>> {
  const publicNetwork = { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' };
  const { id: public_id } = (await must('POST', '/networking/v2.0/networks', { network: publicNetwork })).network;
  await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: public_id, cidr: '10.10.1.0/24', ip_version: 4 } });
  const { id: network } = (await must('POST', '/networking/v2.0/networks', { network: { name: 'private' } })).network;
  const { subnet } = await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: network, cidr: '10.30.0.0/16', ip_version: 4 } });
  const { router } = await must('POST', '/networking/v2.0/routers', { router: { external_gateway_info: { network_id: public_id } } });
  await must('PUT', `/networking/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
  return { network, public: public_id };
}

async function makeImage(cloud: TestCloud, must: Must): Promise<string> {
  const { id } = await must('POST', '/image/v2/images', { name: 'hello', container_format: 'docker', disk_format: 'raw', visibility: 'public', architecture: 'x86_64', auto_disk_config: 'True' });
  const sent = await cloud.call('PUT', `/image/v2/images/${id}/file`, { body: dockerArchive(), headers: { 'content-type': 'application/octet-stream' } });
  assert.equal(sent.status, 204);
  return id;
}

async function makeMember(cloud: TestCloud, must: Must, project: string): Promise<{ id: string; token: string }> {
  const { user } = await must('POST', '/identity/v3/users', { user: { name: 'plain', domain_id: 'default', password: 'password-of-plain' } });
  const { roles } = await must('GET', '/identity/v3/roles?name=member');
  await must('PUT', `/identity/v3/projects/${project}/users/${user.id}/roles/${roles[0].id}`);
  return { id: user.id, token: await cloud.token({ name: 'plain', password: 'password-of-plain', project: 'admin' }) };
}

async function makeFlavors(must: Must, project: string): Promise<void> {
  for (const id of ['c1', 'private']) {
    await must('POST', '/compute/v2.1/flavors', { flavor: { id, name: id, ram: id === 'c1' ? 64 : 96, disk: 1, vcpus: 1, 'os-flavor-access:is_public': id === 'c1' } });
    await must('POST', `/compute/v2.1/flavors/${id}/os-extra_specs`, { extra_specs: { 'hw:numa_nodes': '1' } });
  }
  await must('POST', '/compute/v2.1/flavors/private/action', { addTenantAccess: { tenant: project } });
}

type Compute = (method: string, path: string, body?: unknown) => Promise<any>;

async function makeZones(compute: Compute): Promise<string> {
  const { aggregate: zone } = await compute('POST', '/os-aggregates', { aggregate: { name: 'zone', availability_zone: 'zone-1' } });
  await compute('POST', `/os-aggregates/${zone.id}/action`, { add_host: { host: 'node-1' } });
  const { aggregate } = await compute('POST', '/os-aggregates', { aggregate: { name: 'aggregate' } });
  await compute('POST', `/os-aggregates/${aggregate.id}/action`, { add_host: { host: 'node-1' } });
  await compute('POST', `/os-aggregates/${aggregate.id}/action`, { set_metadata: { metadata: { ssd: 'true' } } });
  return String(aggregate.id);
}

async function waitStatus(compute: Compute, id: string, status: string): Promise<void> {
  for (;;) {
    const { server } = await compute('GET', `/servers/${id}`);
    if (server.status === status) return;
    assert.notEqual(server.status, 'ERROR', JSON.stringify(server.fault));
    await delay(10);
  }
}

/** One that has everything, and one with next to nothing. */
async function makeServers(compute: Compute, ids: { image: string; network: string; group: string }): Promise<string> {
  const { server } = await compute('POST', '/servers', {
    server: {
      name: 'one', imageRef: ids.image, flavorRef: 'c1', networks: [{ uuid: ids.network, tag: 'nic' }], key_name: 'key', user_data: 'aGVsbG8=', metadata: { colour: 'red' }, tags: ['blue'],
      accessIPv4: '10.9.8.7', accessIPv6: '2001:db8::1', description: 'one of them', availability_zone: 'zone-1', security_groups: [{ name: 'web' }],
    },
    'os:scheduler_hints': { group: ids.group },
  });
  const other = await compute('POST', '/servers', { server: { name: 'two', imageRef: ids.image, flavorRef: 'c1', networks: 'none' } });
  for (const id of [server.id, other.server.id]) await waitStatus(compute, id, 'ACTIVE');
  for (const action of ['pause', 'unpause']) {
    await compute('POST', `/servers/${server.id}/action`, { [action]: null });
    await waitStatus(compute, server.id, action === 'pause' ? 'PAUSED' : 'ACTIVE');
  }
  for (const flavor of ['private', 'c1']) {
    await compute('POST', `/servers/${other.server.id}/action`, { resize: { flavorRef: flavor } });
    await waitStatus(compute, other.server.id, 'VERIFY_RESIZE');
    await compute('POST', `/servers/${other.server.id}/action`, { confirmResize: null });
    await waitStatus(compute, other.server.id, 'ACTIVE');
  }
  return server.id;
}

async function makeSecurityGroup(must: Must): Promise<string> {
  const { id: security_group_id } = (await must('POST', '/networking/v2.0/security-groups', { security_group: { name: 'web' } })).security_group;
  await must('POST', '/networking/v2.0/security-group-rules', {
    security_group_rule: { security_group_id, direction: 'ingress', protocol: 'tcp', port_range_min: 80, port_range_max: 81, remote_ip_prefix: '10.0.0.0/8' },
  });
  return security_group_id;
}

/** Ids of what is made by itself. */
async function found(compute: Compute, server: string): Promise<Record<'port' | 'action' | 'hypervisor' | 'service', string>> {
  const { interfaceAttachments } = await compute('GET', `/servers/${server}/os-interface`);
  const { instanceActions } = await compute('GET', `/servers/${server}/os-instance-actions`);
  const { hypervisors } = await compute('GET', '/os-hypervisors?hypervisor_hostname_pattern=node-1');
  const { services } = await compute('GET', '/os-services?host=node-1&binary=nova-compute');
  return { port: interfaceAttachments[0].port_id, action: instanceActions.at(-1).request_id, hypervisor: hypervisors[0].id, service: services[0].id };
}

async function numbersOf(must: Must): Promise<VersionWorld['numbers']> {
  const first = { 'openstack-api-version': 'compute 2.1' };
  const { hypervisors } = await must('GET', '/compute/v2.1/os-hypervisors/node-1/search', undefined, first);
  const { services } = await must('GET', '/compute/v2.1/os-services?host=node-1&binary=nova-compute', undefined, first);
  return { hypervisor: hypervisors[0].id, service: services[0].id };
}

const NO_LIMITS = `[compute]
quota_instances = -1
quota_cores = -1
quota_ram = -1
quota_key_pairs = -1
quota_server_groups = -1
[network]
quota_port = -1
quota_floatingip = -1
`;

const startAgents = (cloud: TestCloud): Agent[] =>
  ['node-1', 'node-2'].map((hostname) =>
    startAgent({
      controller_url: cloud.url.replace('http', 'ws'), identity_file: join(cloud.directory, `${hostname}.json`), join_token: JOIN_TOKEN, hostname,
      roles: ['compute', 'network'], cloud: 'gtest', docker_socket: '', state_dir: join(cloud.directory, hostname), drivers: { compute: 'fake', network: 'fake' }, log: silentLog,
    }),
  );

/** @param closing is told how to take away what has come up, also when the rest does not. */
export async function versionWorld(closing: (close: () => Promise<void>) => void): Promise<VersionWorld> {
  const cloud = await startTestCloud({ toml: NO_LIMITS });
  const agents = startAgents(cloud);
  closing(async () => {
    for (const agent of agents) await agent.close();
    await cloud.stop();
  });
  const must: Must = async (method, path, body, headers = { 'openstack-api-version': 'compute latest' }) => {
    const answer = await cloud.call(method, path, { headers, ...(body === undefined ? {} : { body }) });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  const compute: Compute = (method, path, body) => must(method, `/compute/v2.1${path}`, body);
  const project: string = (await must('GET', '/identity/v3/projects?name=admin')).projects[0].id;
  const { project: other } = await must('POST', '/identity/v3/projects', { project: { name: 'other', domain_id: 'default' } });
  const [member, image, places] = [await makeMember(cloud, must, project), await makeImage(cloud, must), await makePlaces(must)];
  await makeFlavors(must, project);
  const user: string = (await must('GET', '/identity/v3/users?name=admin')).users[0].id;
  for (const name of ['key', 'second']) await compute('POST', '/os-keypairs', { keypair: { name, public_key: PUBLIC_KEY } });
  const { id: group } = (await compute('POST', '/os-server-groups', { server_group: { name: 'group', policy: 'soft-anti-affinity' } })).server_group;
  const security_group = await makeSecurityGroup(must);
  while ((await compute('GET', '/os-hypervisors')).hypervisors.length < 2) await delay(10);
  const aggregate = await makeZones(compute);
  const server = await makeServers(compute, { image, network: places.network, group });
  const ours = await found(compute, server);
  const { floatingip } = await must('POST', '/networking/v2.0/floatingips', { floatingip: { floating_network_id: places.public, port_id: ours.port } });
  const tokens = { admin: await cloud.token(), member: member.token };
  const { version } = (await compute('GET', '/')).version;
  return {
    cloud, tokens,
    ids: { project, other_project: other.id, user, image, server, group, network: places.network, floating_ip: floatingip.id, security_group, aggregate, ...ours },
    numbers: await numbersOf(must), host: 'node-1', other_host: 'node-2', newest: Number(version.split('.')[1]),
    call: (method, path, minor, body, who = 'admin') =>
      cloud.call(method, `/compute${path.startsWith('/v2') || path === '/' ? '' : '/v2.1'}${path}`, {
        token: tokens[who], headers: { 'openstack-api-version': `compute 2.${minor}` }, ...(body === undefined ? {} : { body }),
      }),
  };
}
