/** What a user meets on the first day, on a machine with nothing set up: the steps build on each other. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { bareMachine } from './machine.ts';
import type { BareMachine } from './machine.ts';

let machine: BareMachine;
before(async () => {
  machine = await bareMachine();
});
after(() => machine.end());

interface Ready {
  event: string;
  hello_url: string;
  auth_url: string;
  users: { username: string; password: string }[];
}

async function up(...args: string[]): Promise<Ready> {
  const { status, stdout, stderr } = await machine.gantry('up', '-o', 'json', ...args);
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const { time: _, milliseconds: __, ...ready } = JSON.parse(stdout.trim().split('\n').at(-1)!) as Ready & { time: string; milliseconds: number };
  assert.equal(ready.event, 'ready');
  return ready;
}

const hello = (): Promise<{ stdout: string }> => machine.run(`docker ps --filter label=gantry.name=hello --format '{{.ID}}'`);
let first: Ready;

test('up: an engine, all APIs, the world, and hello answers', async () => {
  first = await up('--name', 'tup');
  const page = await machine.run(`curl -fsS ${first.hello_url}`);
  assert.match(page.stdout, /Hello from hello/);
  const clouds = parse(readFileSync(join(machine.home, '.config/openstack/clouds.yaml'), 'utf8')).clouds;
  assert.equal(clouds.tup.auth.auth_url, first.auth_url);
  assert.deepEqual(Object.keys(clouds), ['tup', 'tup-system', 'tup-demo']);
});

test('up again: the same, and nothing new', async () => {
  const before = (await machine.processes()).length;
  assert.deepEqual(await up(), first);
  assert.equal((await machine.processes()).length, before);
});

test('status, env and creds say the same', async () => {
  const status = await machine.gantry('status', '-o', 'json');
  assert.equal(status.status, 0, status.stdout + status.stderr);
  const { services } = JSON.parse(status.stdout) as { services: { service: string; healthy: boolean; version: string }[] };
  for (const name of ['identity', 'image', 'compute', 'placement', 'network', 'controller', 'agent', 'dockerd', 'engine']) {
    assert.ok(services.some((one) => one.service === name && one.healthy), name);
  }
  const launcher = join(import.meta.dirname, '../../../gantry');
  const variables = await machine.run(`eval "$(${launcher} env --data-dir ${machine.data_dir})"; echo "$OS_AUTH_URL $OS_PASSWORD"`);
  assert.equal(variables.stdout.trim(), `${first.auth_url} ${first.users[0]!.password}`);
});

test('up heals a controller, an agent and supervisors that were killed', async () => {
  await machine.run(`kill -9 $(cut -d' ' -f1 ${machine.data_dir}/run/controller.supervisor) $(cut -d' ' -f1 ${machine.data_dir}/run/agent.pid) $(cut -d' ' -f1 ${machine.data_dir}/run/agent.supervisor)`);
  assert.deepEqual(await up(), first);
  assert.equal((await machine.gantry('status')).status, 0);
});

test('up heals a guest that was killed, and an engine that was', async () => {
  await machine.run(`docker kill $(docker ps -q --filter label=gantry.name=hello)`);
  assert.deepEqual(await up(), first);
  await machine.run(`kill -9 $(cut -d' ' -f1 ${machine.data_dir}/run/dockerd.supervisor) $(cut -d' ' -f1 ${machine.data_dir}/run/dockerd.pid) $(cut -d' ' -f1 ${machine.data_dir}/run/containerd.supervisor) $(cut -d' ' -f1 ${machine.data_dir}/run/containerd.pid)`);
  assert.deepEqual(await up(), first);
});

test('down and up keep the server and its data', async () => {
  const container = (await hello()).stdout;
  await machine.run(`docker exec ${container.trim()} sh -c 'echo kept >/root/note'`);
  const down = await machine.gantry('down');
  assert.equal(down.status, 0, down.stderr);
  assert.deepEqual(await machine.processes(), []);
  assert.deepEqual(await up(), first);
  assert.equal((await hello()).stdout, container);
  assert.equal((await machine.run(`docker exec ${container.trim()} cat /root/note`)).stdout, 'kept\n');
});

test('a port in use is named, before anything is changed', async () => {
  const { stderr, status } = await machine.gantry('up', '--port', '5999');
  assert.equal(status, 1);
  assert.match(stderr, /GY-UP-PORT: the cloud runs on 127\.0\.0\.1:5000/);
});

test('down --purge leaves nothing', async () => {
  const { status, stderr } = await machine.gantry('down', '--purge');
  assert.equal(status, 0, stderr);
  assert.deepEqual(await machine.processes(), []);
  assert.ok(!existsSync(machine.data_dir));
  assert.ok(!existsSync(join(machine.home, '.config/openstack/clouds.yaml')));
  const left = async (script: string): Promise<string> => (await machine.run(script)).stdout.trim();
  assert.equal(await left('ls -d /run/netns /run/gantry /usr/local/lib/gantry 2>/dev/null'), '');
  assert.equal(await left(`ip -o link show | awk -F': ' '{print $2}'`), 'lo');
  assert.equal(await left(`nft list tables | grep -v 'ip6* \\(filter\\|nat\\)'`), '');
  assert.equal(await left('iptables-save | grep -i docker'), '');
});
