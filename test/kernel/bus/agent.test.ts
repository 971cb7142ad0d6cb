import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startAgent, type Agent, type AgentOptions } from '../../../src/agents/assemble.ts';
import type { FakeDriver } from '../../../src/agents/compute/drivers/fake/index.ts';
import { computeMethods, type GuestReport, type GuestSpec, type HostResources } from '../../../src/agents/compute/protocol.ts';
import type { FakeNetworkDriver } from '../../../src/agents/network/drivers/fake/index.ts';
import { networkMethods, type NodeNetworkState, type PortReport, type PortWiring } from '../../../src/agents/network/protocol.ts';
import { reportCompute } from '../../../src/agents/report-compute.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { house, quick, TOKEN, until, type House } from './fixtures.ts';

const SERVER = '11111111-1111-4111-8111-111111111111';
const port: PortWiring = {
  port_id: '22222222-2222-4222-8222-222222222222', network_id: '33333333-3333-4333-8333-333333333333', device_id: SERVER, mac_address: 'fa:16:3e:00:00:01',
  admin_state_up: true, mtu: 1450, fixed_ips: [], allowed_address_pairs: [], port_security_enabled: true, security_group_ids: [],
};
const state = (generation: number, ports: PortWiring[]): NodeNetworkState => ({ generation, networks: [], ports, security_groups: [], group_members: [], peers: [] });
const spec: GuestSpec = {
  server_id: SERVER, name: 'one', hostname: 'one', project_id: 'p', user_id: 'u', flavor_name: 'f',
  image: { id: 'i', digest: 'd', size: 1, container_format: 'docker', disk_format: 'raw' },
  limits: { vcpus: 1, memory_mb: 64, swap_mb: 0, disk_gb: 1, pids: 10 },
  command: null, environment: {}, files: [], ssh_keys: [], dns: { servers: [], search: [] }, metadata: {}, network: state(1, [port]),
};

/** What a controller sees of its nodes, and the network state it wants. */
interface Seen {
  events: [string, any][];
  reports: PortReport[][];
  fetches: number;
  desired: NodeNetworkState;
}

function listen(h: House, seen: Seen): void {
  h.link.onEvent((_node, event, params) => void seen.events.push([event, params]));
  h.link.handle(networkMethods.desired, () => ((seen.fetches += 1), seen.desired));
  h.link.handle(networkMethods.report, (_node, { ports }) => (seen.reports.push(ports), null));
}

async function cloudOfOne(t: TestContext, change: Partial<AgentOptions> = {}): Promise<{ h: House; seen: Seen; agent: Agent; compute: FakeDriver; network: FakeNetworkDriver }> {
  const seen: Seen = { events: [], reports: [], fetches: 0, desired: state(1, []) };
  const h = await house(t);
  listen(h, seen);
  const agent = startAgent({
    controller_url: `ws://127.0.0.1:${h.port}`, identity_file: join(h.dir, 'identity.json'), join_token: TOKEN, hostname: 'node-1', roles: ['compute', 'network'],
    cloud: 'gytest', docker_socket: '/nowhere', state_dir: h.dir, drivers: { compute: 'fake', network: 'fake' }, log: silentLog, backoff: quick, ...change,
  });
  t.after(() => agent.close());
  await until(() => h.link.isConnected(agent.node_id));
  return { h, seen, agent, compute: agent.compute as FakeDriver, network: agent.network as FakeNetworkDriver };
}

test('an agent reports itself, carries out calls, and tells of changes', async (t) => {
  const { h, seen, agent, compute } = await cloudOfOne(t);
  await until(() => seen.events.some(([event]) => event === 'compute.inventory'));
  const [, inventory] = seen.events.find(([event]) => event === 'compute.inventory') ?? [];
  assert.deepEqual(inventory.guests, []);
  assert.equal((inventory.resources as HostResources).hostname, 'node-1');
  const [node] = await h.link.nodes();
  assert.deepEqual([node?.hostname, node?.roles, node?.resources?.['hypervisor_type']], ['node-1', ['compute', 'network'], 'fake']);

  const report = await h.link.call<GuestReport>(agent.node_id, computeMethods.spawn, { spec });
  assert.equal(report.power_state, 'running');
  compute.exit(SERVER, 3);
  await until(() => seen.events.some(([event, params]) => event === computeMethods.changed && params.power_state === 'crashed' && params.exit_code === 3));
  assert.equal((await h.link.call<GuestReport[]>(agent.node_id, computeMethods.list)).length, 1);
});

test('an agent brings its network to the wanted state: at first, on a poke, and after every reconnection', async (t) => {
  const { h, seen, agent, network } = await cloudOfOne(t);
  await until(() => seen.reports.length === 1);
  await network.plug(SERVER, state(1, [port]));
  seen.desired = state(2, [port]);
  await h.link.call(agent.node_id, networkMethods.poke, { generation: 2 });
  await until(() => seen.reports.at(-1)?.[0]?.status === 'ACTIVE');
  const before = seen.fetches;
  await h.stop();
  await until(() => !agent.link.connected());
  await h.start();
  listen(h, seen);
  await until(() => seen.fetches > before);
  await until(() => seen.events.filter(([event]) => event === 'compute.inventory').length >= 2);
});

test('a node without the role of compute answers no compute call', async (t) => {
  const { h, seen, agent } = await cloudOfOne(t, { roles: ['network'] });
  assert.equal(agent.compute, undefined);
  await assert.rejects(h.link.call(agent.node_id, computeMethods.list), /no method compute\.list/);
  await until(() => seen.fetches === 1);
});

test('an engine that is down at first is reported when it is up; a change during the listing is told after it', async () => {
  const told: [string, any][] = [];
  let hook = (): void | Promise<void> => {};
  let listener = (_report: GuestReport): void => {};
  let down = 2;
  const report = { server_id: SERVER, power_state: 'crashed' } as GuestReport;
  const stop = reportCompute({
    driver: {
      resources: async () => {
        if ((down -= 1) >= 0) throw new Error('the engine is down');
        return { hostname: 'os-name', vcpus: 2 } as HostResources;
      },
      list: async () => {
        listener(report);
        return [{ ...report, power_state: 'running' }];
      },
      onChange: (own) => void (listener = own),
    },
    link: {
      connected: () => true,
      call: async <T>(method: string, params: unknown) => (told.push([method, params]), undefined as T),
      emit: (event, params) => told.push([event, params]) > 0,
      onConnect: (own) => ((hook = own), () => {}),
    },
    hostname: 'node-1', log: silentLog, retry_ms: 1, interval_ms: 60_000,
  });
  void hook();
  await until(() => told.length === 4);
  stop();
  listener(report);
  assert.deepEqual(told.map(([what]) => what), ['node.resources', computeMethods.changed, 'compute.inventory', computeMethods.changed]);
  assert.equal(told[0]?.[1].hostname, 'node-1');
});

test('the process joins by its configuration file, and ends with 0 on TERM', async (t) => {
  const h = await house(t);
  mkdirSync(join(h.dir, 'secrets'));
  writeFileSync(join(h.dir, 'secrets', 'join-token'), `${TOKEN}\n`);
  const file = join(h.dir, 'gantry.toml');
  writeFileSync(file, `[cloud]\nname = "gytest"\n[agent]\nhostname = "child"\ncompute_driver = "fake"\nnetwork_driver = "fake"\ncontroller_url = "ws://127.0.0.1:${h.port}"\n`);
  const main = new URL('../../../src/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'agent', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  await until(async () => (await h.link.nodes())[0]?.resources?.['hypervisor_type'] === 'fake');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null], output);
  assert.match(output, /the agent stops/);
  assert.equal(output.includes(TOKEN), false);
});
