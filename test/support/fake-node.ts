/** A whole controller and one node with fake drivers that is linked to it, with an image, a flavor and a network. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Agent, type AgentOptions, startAgent } from '../../src/agents/assemble.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { JOIN_TOKEN, startTestCloud, type TestCloud } from './cloud.ts';
import { dockerArchive } from './docker-archive.ts';

export interface FakeNodeCloud {
  cloud: TestCloud;
  agent: Agent;
  /** Latest microversion, the admin's token; @throws on a status of 300 or more. */
  must(method: string, path: string, body?: unknown): Promise<any>;
  /** @returns the server when it is no longer in BUILD. */
  boot(name: string, over?: object): Promise<any>;
  /** Links the node anew after `agent.close()`. */
  relink(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFakeNodeCloud(toml?: string): Promise<FakeNodeCloud> {
  const cloud = await startTestCloud(toml === undefined ? {} : { toml });
  const link = (): Agent => linkFakeNode(cloud);
  const must = async (method: string, path: string, body?: unknown): Promise<any> => {
    const reply = await cloud.call(method, path, { headers: { 'openstack-api-version': 'compute latest' }, ...(body === undefined ? {} : { body }) });
    assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.json;
  };
  const world: FakeNodeCloud = {
    cloud, must,
    agent: link(),
    async boot(name, over = {}) {
      const { server } = await must('POST', '/compute/v2.1/servers', { server: { name, imageRef: image.id, flavorRef: 'c1', networks: [{ uuid: network.id }], ...over } });
      for (;;) {
        const now = (await must('GET', `/compute/v2.1/servers/${server.id}`)).server;
        if (now.status !== 'BUILD') return now;
        await delay(10);
      }
    },
    async relink() {
      world.agent = link();
      while (!world.agent.link.connected()) await delay(5);
    },
    async stop() {
      await world.agent.close();
      await cloud.stop();
    },
  };
  const image = await makeBootable(must, cloud);
  const { network } = await must('POST', '/networking/v2.0/networks', { network: { name: 'private' } });
  await must('POST', '/networking/v2.0/subnets', { subnet: { network_id: network.id, cidr: '10.0.0.0/24', ip_version: 4 } });
  while ((await must('GET', '/compute/v2.1/os-hypervisors')).hypervisors.length === 0) await delay(10);
  return world;
}

export interface NodeCloud {
  cloud: TestCloud;
  agent: Agent;
  /** As the tenant, else as admin; @throws on a status of 300 or more. */
  must(method: string, path: string, body?: unknown, tenant?: { token: string }): Promise<any>;
  stop(): Promise<void>;
}

/** A whole controller with one simulated node, and nothing in it. */
export async function startNodeCloud(roles?: AgentOptions['roles'], toml?: string): Promise<NodeCloud> {
  const cloud = await startTestCloud(toml === undefined ? {} : { toml });
  const agent = linkFakeNode(cloud, roles);
  while (!agent.link.connected()) await delay(5);
  return {
    cloud, agent,
    async must(method, path, body, tenant) {
      const answer = await cloud.call(method, path, { ...(tenant === undefined ? {} : { token: tenant.token }), ...(body === undefined ? {} : { body }) });
      assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
      return answer.json;
    },
    async stop() {
      await agent.close();
      await cloud.stop();
    },
  };
}

type Must = (method: string, path: string, body?: unknown) => Promise<any>;

/** A node whose drivers only simulate; with roles other than the usual `compute` and `network`, those. */
function linkFakeNode(cloud: TestCloud, roles: AgentOptions['roles'] = ['compute', 'network']): Agent {
  return startAgent({
    controller_url: cloud.url.replace('http', 'ws'), identity_file: join(cloud.directory, 'identity.json'), join_token: JOIN_TOKEN, hostname: 'node-1', roles,
    cloud: 'gtest', docker_socket: '', state_dir: join(cloud.directory, 'agent'), drivers: { compute: 'fake', network: 'fake', volume: 'fake' }, log: silentLog,
  });
}

/** A public image, and a flavor `c1`. */
export async function makeBootable(must: Must, cloud: TestCloud): Promise<{ id: string }> {
  const image = await must('POST', '/image/v2/images', { name: 'hello', container_format: 'docker', disk_format: 'raw', visibility: 'public' });
  assert.equal((await cloud.call('PUT', `/image/v2/images/${image.id}/file`, { body: dockerArchive(), headers: { 'content-type': 'application/octet-stream' } })).status, 204);
  await must('POST', '/compute/v2.1/flavors', { flavor: { id: 'c1', name: 'c1', ram: 64, disk: 1, vcpus: 1 } });
  return image;
}
