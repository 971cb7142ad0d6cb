/** Guests reach their metadata without a router, whatever their groups say; who asks is known by where the question came from. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import { linkLocal } from '../../../src/agents/network/firewall/addresses.ts';
import { createMetadataProxy, type MetadataProxy } from '../../../src/agents/network/metadata/proxy.ts';
import type { MetadataRequest } from '../../../src/agents/compute/protocol.ts';
import type { PortWiring } from '../../../src/agents/network/protocol.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { bring, change, freshDriver, group, guest, network, port, rule, sh, state } from './world.ts';

const CLOUD = 'gt9';
let driver: LinuxNetworkDriver;
let proxy: MetadataProxy;
const asked: MetadataRequest[] = [];
before(async () => {
  driver = await freshDriver(CLOUD);
  proxy = createMetadataProxy({
    networks: driver.metadata,
    log: silentLog,
    async ask(request) {
      asked.push(request);
      return { status: 200, type: 'text/plain', body: Buffer.from(`${request.server_id} ${request.method} ${request.path} ${Buffer.from(request.body ?? '', 'base64').toString()}`).toString('base64') };
    },
  });
});
after(async () => {
  await proxy.close();
  await driver.purge();
  await driver.close();
});

const closed = group([]);
const loose = group([rule({ direction: 'egress' })], { stateful: false });
const one = network();
const two = network();
const a = port(one, ['10.0.0.5/24'], [closed]);
const b = port(one, ['10.0.0.6/24'], [loose]);
const twin = port(two, ['10.0.0.5/24', 'fd00::5/64'], [closed]);
const whole = state({ networks: [one, two], ports: [a, b, twin], security_groups: [closed, loose] });

const curl = async (of: PortWiring, words: string): Promise<string> => (await guest(CLOUD, of.device_id).in(`curl -gsS --noproxy '*' -m 5 --retry 20 --retry-delay 1 --retry-connrefused ${words} 2>&1`)).out.trim().split('\n').at(-1)!;

test('each guest is known by its network and address, also of overlapping networks', async () => {
  await bring(driver, whole);
  for (const who of [a, b, twin]) assert.equal(await curl(who, 'http://169.254.169.254/latest/meta-data'), `${who.device_id} GET /latest/meta-data`);
  assert.equal(await curl(a, "-H 'X-Forwarded-For: 10.0.0.6' -H 'X-Instance-ID: x' 'http://169.254.169.254/a%20b?c'"), `${a.device_id} GET /a b`);
  assert.equal(await curl(b, '-d secret http://169.254.169.254/openstack/latest/password'), `${b.device_id} POST /openstack/latest/password secret`);
  assert.match(await curl(b, `-d ${'x'.repeat(5000)} http://169.254.169.254/`), /too large/);
});

test('IPv6 needs no address but the one of the cable', async () => {
  for (const who of [a, twin]) {
    await guest(CLOUD, who.device_id).in(`ip -6 addr show dev eth0 | grep -q fe80 || ip addr add ${linkLocal(who.mac_address)}/64 dev eth0 nodad`);
    assert.equal(await curl(who, 'http://[fe80::a9fe:a9fe%eth0]/x'), `${who.device_id} GET /x`);
  }
});

test('nothing else answers there, and a guest with the address of another is not heard', async () => {
  assert.match(await curl(a, '--retry 0 http://169.254.169.254:22/'), /refused|timed out|Could not connect|Failed to connect/i);
  const before = asked.length;
  await guest(CLOUD, a.device_id).in('ip addr add 10.0.0.6/24 dev eth0');
  assert.match(await curl(a, '--retry 0 --interface 10.0.0.6 http://169.254.169.254/'), /timed out|Could not connect|Failed to connect/i);
  assert.equal(asked.length, before);
});

test('a lost leg is healed, and what no guest needs goes', async () => {
  const links = `nsenter --net=/run/netns/${CLOUD} ip -br link`;
  await sh(`nsenter --net=/run/netns/${CLOUD} ip link del mdt${one.network_id.slice(0, 11)}`);
  await driver.apply(whole);
  assert.equal(await curl(b, 'http://169.254.169.254/again'), `${b.device_id} GET /again`);
  await guest(CLOUD, b.device_id).in('ip route del 169.254.169.254');
  await driver.apply(whole);
  assert.equal(await curl(b, 'http://169.254.169.254/again'), `${b.device_id} GET /again`);
  await driver.unplug(twin.device_id);
  await driver.apply(change(whole, { networks: [one], ports: [a, b] }));
  assert.ok(!(await sh(links)).out.includes(`mdt${two.network_id.slice(0, 11)}`));
  assert.ok(!(await sh('ls /run/netns')).out.includes(`${CLOUD}-m-${two.network_id}`));
});
