/** A day of a user with Debian's unmodified `openstack` client, on real Docker and real networks. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findLeaks, settledLeaks } from '../../../conformance/leaks.ts';
import { buildGuestImage } from '../../../src/cli/guest-image.ts';
import { runProgram, startRealCloud, within, type RealCloud, type Tenant } from '../../support/real-cloud.ts';

const NAME = 'gtcl';
const CIDR = '192.168.40.0/24';
let cloud: RealCloud;
let alpha: Tenant;
let beta: Tenant;
let archive: string;

before(async () => {
  cloud = await startRealCloud({ name: NAME, toml: '[compute]\ncpu_allocation_ratio = 32\nshutdown_timeout = 5\n' });
  [alpha, beta] = [await cloud.tenant('alpha'), await cloud.tenant('beta')];
  archive = await savedByDocker(join(cloud.data_dir, 'hello.tar'));
  await openstack(cloud.env, 'flavor create --ram 64 --disk 1 --vcpus 1 nano');
});

after(async () => {
  await cloud?.stop();
});

/** An archive as Docker itself writes it. */
async function savedByDocker(path: string): Promise<string> {
  const tag = `gantry-test-${NAME}:latest`;
  const own = `${path}.own`;
  writeFileSync(own, buildGuestImage());
  const loaded = await must(['docker', 'load', '-q', '-i', own]);
  const id = /sha256:[0-9a-f]{64}/.exec(loaded)?.[0];
  assert.ok(id, loaded);
  await must(['docker', 'tag', id, tag]);
  await must(['docker', 'save', '-o', path, tag]);
  await must(['docker', 'rmi', tag]);
  return path;
}

async function must(command: string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const ran = await runProgram(command, env === undefined ? {} : { env });
  if (ran.code !== 0) throw new Error(`${command.join(' ')}: ${ran.code} ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/** @param command split at blanks. @returns what the client printed. */
const openstack = (env: NodeJS.ProcessEnv, command: string): Promise<string> => must(['/usr/bin/openstack', ...command.split(' ')], env);

async function asJson(env: NodeJS.ProcessEnv, command: string): Promise<any> {
  return JSON.parse(await openstack(env, `${command} -f json`));
}

async function statusOf(env: NodeJS.ProcessEnv, server: string): Promise<string> {
  return (await asJson(env, `server show ${server}`)).status;
}

async function untilStatus(env: NodeJS.ProcessEnv, server: string, status: string): Promise<void> {
  let seen = '';
  await within(60_000, `${server} is not ${status}`, () => seen, async () => {
    seen = await statusOf(env, server);
    return seen === status;
  });
}

/** Boots with the client and waits. @returns id and first IPv4 address. */
async function boot(tenant: Tenant, name: string, options: string): Promise<{ id: string; address: string }> {
  const server = await asJson(tenant.env, `server create --image hello --flavor nano ${options} --wait ${name}`);
  assert.equal(server.status, 'ACTIVE');
  const address = Object.values(server.addresses as Record<string, string[]>).flat().find((one) => /^\d+\./.test(one));
  assert.ok(address, JSON.stringify(server.addresses));
  return { id: server.id, address };
}

const inside = (id: string, ...command: string[]): ReturnType<typeof runProgram> => runProgram(['docker', 'exec', `${NAME}-${id}`, ...command], { timeout_ms: 30_000 });

/** The page that a guest sees at that address; undefined when it gets none. */
async function page(id: string, address: string): Promise<string | undefined> {
  const { code, stdout } = await inside(id, 'timeout', '3', 'wget', '-q', '-O', '-', `http://${address}/`);
  return code === 0 ? stdout : undefined;
}

async function pings(id: string, address: string): Promise<boolean> {
  return (await inside(id, 'ping', '-c', '1', '-W', '2', address)).code === 0;
}

async function soon(what: string, check: () => Promise<boolean>): Promise<void> {
  await within(30_000, what, () => '', check);
}

test('a tenant makes image, network, port, group and key, and boots a server', async () => {
  const { env } = alpha;
  await openstack(env, `image create --container-format docker --disk-format raw --file ${archive} hello`);
  assert.equal((await asJson(env, 'image show hello')).status, 'active');
  await openstack(env, 'network create office');
  await openstack(env, `subnet create --network office --subnet-range ${CIDR} office`);
  await openstack(env, 'security group create web');
  await openstack(env, 'security group rule create --protocol tcp --dst-port 80 web');
  const port = await asJson(env, 'port create --network office --fixed-ip ip-address=192.168.40.77 --security-group web spare');
  assert.equal(port.status, 'DOWN');
  assert.match(await openstack(env, 'keypair create mine'), /PRIVATE KEY/);
  await openstack(env, 'server create --image hello --flavor nano --port spare --key-name mine --wait shop');

  const [shop] = await asJson(env, 'server list');
  assert.equal(shop.Name, 'shop');
  assert.equal(shop.Status, 'ACTIVE');
  assert.deepEqual(shop.Networks, { office: ['192.168.40.77'] });
  const shown = await asJson(env, 'server show shop');
  assert.equal(shown.key_name, 'mine');
  assert.equal(shown['OS-EXT-STS:power_state'], 1);
  assert.equal((await asJson(env, 'port show spare')).status, 'ACTIVE');
  await soon('the console has the banner', async () => (await openstack(env, 'console log show shop')).includes('shop login:'));
  const keys = await inside(shown.id, 'cat', '/root/.ssh/authorized_keys');
  assert.match(keys.stdout, /^ssh-/, keys.stderr);
});

test('it is stopped, started, rebooted, paused and unpaused', async () => {
  const { env } = alpha;
  await openstack(env, 'server stop shop');
  await untilStatus(env, 'shop', 'SHUTOFF');
  await openstack(env, 'server start shop');
  await untilStatus(env, 'shop', 'ACTIVE');
  await openstack(env, 'server reboot --wait shop');
  await openstack(env, 'server reboot --hard --wait shop');
  assert.equal(await statusOf(env, 'shop'), 'ACTIVE');
  await openstack(env, 'server pause shop');
  await untilStatus(env, 'shop', 'PAUSED');
  await openstack(env, 'server unpause shop');
  await untilStatus(env, 'shop', 'ACTIVE');
  assert.deepEqual(await findLeaks(cloud.settings), []);
});

test('quota, hypervisors, services and agents are shown', async () => {
  const quota = await openstack(alpha.env, 'quota show');
  assert.match(quota, /instances\s+\|\s+10\b/);
  const [hypervisors, services, agents] = await Promise.all([asJson(cloud.env, 'hypervisor list'), asJson(cloud.env, 'compute service list'), asJson(cloud.env, 'network agent list')]);
  assert.deepEqual(hypervisors.map((one: any) => [one['Hypervisor Hostname'], one.State]), [[`${NAME}-node`, 'up']]);
  const compute = services.find((one: any) => one.Binary === 'nova-compute');
  assert.deepEqual([compute?.Host, compute?.State, compute?.Status], [`${NAME}-node`, 'up', 'enabled']);
  assert.ok(agents.length > 0 && agents.every((one: any) => one.Host === `${NAME}-node` && one.Alive === true), JSON.stringify(agents));
});

test('servers of a tenant reach each other as their security groups allow', async () => {
  const { env } = alpha;
  const shop = await asJson(env, 'server show shop');
  const client = await boot(alpha, 'client', '--network office');
  await soon('port 80 of group web is open', async () => (await page(client.id, '192.168.40.77'))?.includes('Hello from shop') === true);
  assert.equal(await pings(client.id, '192.168.40.77'), false, 'group web says nothing of ICMP');
  assert.equal(await page(shop.id, client.address), undefined, 'the default group lets in only its own members');

  const rule = await asJson(env, 'security group rule create --protocol icmp web');
  await soon('ping passes once a rule allows it', () => pings(client.id, '192.168.40.77'));
  await openstack(env, `security group rule delete ${rule.id}`);
  await soon('ping is refused once the rule is gone', async () => !(await pings(client.id, '192.168.40.77')));
  assert.ok(await page(client.id, '192.168.40.77'), 'the other rule still holds');

  await openstack(env, 'port set --security-group default spare');
  await soon('members of the default group reach each other', () => pings(client.id, '192.168.40.77'));
  await openstack(env, 'port unset --security-group default spare');
  await soon('and no longer once one has left it', async () => !(await pings(client.id, '192.168.40.77')));
});

test('two tenants with the same addresses do not meet', async () => {
  const { env } = beta;
  await openstack(env, `image create --container-format docker --disk-format raw --file ${archive} hello`);
  await openstack(env, 'network create office');
  await openstack(env, `subnet create --network office --subnet-range ${CIDR} office`);
  await openstack(env, 'security group create open');
  for (const protocol of ['tcp', 'icmp']) await openstack(env, `security group rule create --protocol ${protocol} open`);
  const network = (await asJson(env, 'network show office')).id;
  const twin = await boot(beta, 'twin', `--nic net-id=${network},v4-fixed-ip=192.168.40.77 --security-group open`);
  const own = await boot(beta, 'own', `--nic net-id=${network},v4-fixed-ip=192.168.40.200 --security-group open`);
  assert.equal(twin.address, '192.168.40.77');
  await soon("beta's guest sees beta's page", async () => (await page(own.id, '192.168.40.77'))?.includes('Hello from twin') === true);
  const client = await asJson(alpha.env, 'server show client');
  await soon("alpha's guest sees alpha's page", async () => (await page(client.id, '192.168.40.77'))?.includes('Hello from shop') === true);
  assert.ok(await pings(twin.id, '192.168.40.200'), 'beta reaches its own');
  assert.equal(await pings(client.id, '192.168.40.200'), false, "alpha does not reach an address that only beta's network has");
  for (const name of ['shop', 'client', 'office', 'web']) {
    const ran = await runProgram(['/usr/bin/openstack', ...(name === 'office' ? ['network', 'set', '--name', 'taken', (await asJson(alpha.env, 'network show office')).id] : name === 'web' ? ['security', 'group', 'show', name] : ['server', 'show', name])], { env });
    assert.notEqual(ran.code, 0, `beta may not know of ${name}`);
  }
});

test('what is deleted is gone', async () => {
  await Promise.all([openstack(alpha.env, 'server delete --wait shop client'), openstack(beta.env, 'server delete --wait twin own')]);
  assert.deepEqual(await asJson(cloud.env, 'server list --all-projects'), []);
  await openstack(alpha.env, 'port delete spare');
  for (const { env } of [alpha, beta]) {
    await openstack(env, 'network delete office');
    await openstack(env, 'image delete hello');
  }
  await openstack(alpha.env, 'security group delete web');
  assert.deepEqual(await settledLeaks(cloud.settings, 20_000), []);
});
