import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createLinuxNetworkDriver, type LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import { bridgeName, tapName } from '../../../src/agents/network/drivers/linux/names.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { bring, change, egressAll, freshDriver, group, guest, inNamespace, network, pings, port, rule, sh, sliceOf, state, tcp, type Guest } from './world.ts';
import { listen, openStream, reaches } from './traffic.ts';

const CLOUD = 'gt3';
let driver: LinuxNetworkDriver;
let a: Guest;
let b: Guest;
const open = group([...egressAll(), rule({ protocol: 'icmp' }), tcp(80)]);
const net = network();
const gateway = { gateway_ip: '10.10.0.254', routes: [{ destination: '10.77.0.0/16', nexthop: '10.10.0.253' }] };
const pa = port(net, ['10.10.0.1/24', '2001:db8::1/64'], [open]);
pa.fixed_ips = pa.fixed_ips.map((ip) => (ip.ip_version === 4 ? { ...ip, ...gateway } : ip));
const pb = port(net, ['10.10.0.2/24'], [open]);
const whole = state({ networks: [net], ports: [pa, pb], security_groups: [open] });
const bridge = bridgeName(net.network_id);
const tap = tapName(pa.port_id);

before(async () => {
  driver = await freshDriver(CLOUD);
  await bring(driver, whole);
  a = guest(CLOUD, pa.device_id);
  b = guest(CLOUD, pb.device_id);
});
after(async () => {
  await driver.purge();
  await driver.close();
});

/** Everything is as it was: reachable what should be, closed what should be. */
async function works(): Promise<void> {
  const server = await listen(b, 'tcp 80');
  const closed = await listen(b, 'tcp 81');
  try {
    assert.equal(await pings(a, '10.10.0.2'), true);
    assert.equal(await pings(b, '10.10.0.1'), true);
    assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), true);
    assert.equal(await reaches(a, 'tcp 10.10.0.2 81'), false);
  } finally {
    server.stop();
    closed.stop();
  }
}

const again = async (): Promise<void> => {
  const reports = await driver.apply(whole);
  assert.deepEqual(reports.map((report) => report.status), ['ACTIVE', 'ACTIVE'], JSON.stringify(reports));
};

test('a flushed packet filter comes back', async () => {
  await inNamespace(CLOUD, 'nft flush ruleset');
  await again();
  await works();
});

test('a single rule, set element or table that was removed comes back', async () => {
  for (const damage of ['flush chain inet fw egress', 'flush map inet fw incoming', 'delete table netdev port', 'flush chain bridge sw forward', 'add rule inet fw ingress accept']) {
    const { code, out } = await inNamespace(CLOUD, `nft ${damage}`);
    assert.equal(code, 0, out);
    await again();
    await works();
  }
});

test('a deleted bridge comes back with its cables', async () => {
  await inNamespace(CLOUD, `ip link del ${bridge}`);
  await again();
  await works();
});

test('a bridge that was taken down, or no longer asks for the filter, is set right', async () => {
  await inNamespace(CLOUD, `ip link set ${bridge} down type bridge nf_call_iptables 0`);
  await again();
  await works();
});

test('a deleted cable comes back under the same name, with its filter', async () => {
  await inNamespace(CLOUD, `ip link del ${tap}`);
  await again();
  await works();
  assert.match((await a.in('ip -br addr show eth0')).out, /10\.10\.0\.1\/24.*2001:db8::1\/64/);
  const spoof = await a.in('ip addr add 10.10.0.66/24 dev eth0 && busybox ping -c1 -W1 -I 10.10.0.66 10.10.0.2');
  assert.notEqual(spoof.code, 0, 'anti-spoofing hooks the new cable');
});

test('a cable cut from inside the guest comes back', async () => {
  await a.in('ip link del eth0');
  await again();
  await works();
});

test('changed addresses, routes, MAC and MTU inside the guest are set right', async () => {
  await a.in('ip addr flush dev eth0; ip addr add 10.10.0.99/24 dev eth0; ip link set eth0 address 02:00:00:00:00:09 mtu 1000');
  await again();
  const { out } = await a.in('ip addr show eth0; ip route');
  assert.match(out, /inet 10\.10\.0\.1\/24/);
  assert.match(out, /inet6 2001:db8::1\/64/);
  assert.doesNotMatch(out, /10\.10\.0\.99/);
  assert.match(out, new RegExp(`mtu 1450[\\s\\S]*${pa.mac_address}`));
  assert.match(out, /default via 10\.10\.0\.254 dev eth0/);
  assert.match(out, /10\.77\.0\.0\/16 via 10\.10\.0\.253 dev eth0/);
  await works();
});

test('an apply that finds all as it should be interrupts no flow', async () => {
  const server = await listen(b, 'tcp 80');
  const stream = await openStream(a, '10.10.0.2', 80);
  await again();
  await driver.apply(change(whole, {}));
  await driver.apply(whole);
  assert.equal(await stream.says('still here'), true);
  stream.stop();
  server.stop();
});

test('a helper that was killed is started again', async () => {
  const { out } = await sh(`for p in /proc/[0-9]*; do if [ "$(readlink $p/ns/net)" = "$(stat -L -c 'net:[%i]' /run/netns/${CLOUD})" ]; then echo \${p#/proc/}; fi; done`);
  const helpers = out.trim().split('\n').map(Number);
  assert.ok(helpers.length >= 2, 'ip and nft live in the namespace');
  for (const pid of helpers) process.kill(pid, 'SIGKILL');
  await driver.apply(whole).catch(() => undefined);
  await again();
  await works();
});

test('a removed namespace of the cloud is made again, and the helpers move into it', async () => {
  await sh(`ip netns del ${CLOUD}`);
  await again();
  await works();
});

test('a new driver adopts what it finds: nothing is torn down, a plug before the first apply harms nobody', async () => {
  const server = await listen(b, 'tcp 80');
  const stream = await openStream(a, '10.10.0.2', 80);
  await driver.close();
  driver = createLinuxNetworkDriver({ cloud: CLOUD, log: silentLog });
  const pc = port(net, ['10.10.0.3/24'], [open]);
  const three = change(whole, { ports: [...whole.ports, pc] });
  await driver.plug(pc.device_id, sliceOf(three, pc.device_id));
  assert.equal(await stream.says('after the plug'), true);
  assert.equal(await reaches(a, 'tcp 10.10.0.2 81'), false);
  assert.equal(await pings(a, '10.10.0.3'), true);
  await driver.apply(three);
  assert.equal(await stream.says('after the apply'), true);
  stream.stop();
  server.stop();
  await driver.unplug(pc.device_id);
  await works();
});
