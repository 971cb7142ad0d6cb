import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import { hostLegName, tapName } from '../../../src/agents/network/drivers/linux/names.ts';
import type { PortWiring } from '../../../src/agents/network/protocol.ts';
import { bring, change, egressAll, freshDriver, group, guest, inNamespace, network, pings, port, rule, sh, sliceOf, state, tcp, uuid } from './world.ts';
import { listen } from './traffic.ts';

const CLOUD = 'gt4';
let driver: LinuxNetworkDriver;
before(async () => {
  driver = await freshDriver(CLOUD);
});
after(async () => {
  await driver.purge();
  await driver.close();
});

const all = group([...egressAll(), rule(), rule({ ethertype: 'IPv6' })]);
const statuses = async (whole: Parameters<LinuxNetworkDriver['apply']>[0]): Promise<string[]> => (await driver.apply(whole)).map((one) => one.status);
const namespaces = async (): Promise<string[]> => (await sh(`ls /run/netns | grep '^${CLOUD}'`)).out.trim().split('\n');
const taps = async (): Promise<string> => (await inNamespace(CLOUD, 'ip -br link | grep -c ^tap')).out.trim();

test('defect 5: a plug that fails says so, and the report of a broken port is ERROR with its reason', async () => {
  const net = network();
  const bad = port(net, ['10.10.0.1/24'], [all], { mac_address: '01:00:00:00:00:01' });
  const whole = state({ networks: [net], ports: [bad], security_groups: [all] });
  await assert.rejects(driver.plug(bad.device_id, whole), /ip link add eth0.*address 01:00:00:00:00:01.*(assign|Invalid|not available)/i);
  const good = port(net, ['10.10.0.2/24'], [all]);
  const both = change(whole, { ports: [bad, good] });
  await driver.plug(good.device_id, sliceOf(both, good.device_id));
  const extra = port(net, ['10.10.0.3/24'], [all], { device_id: good.device_id, mac_address: '01:00:00:00:00:02' });
  const reports = await driver.apply(change(whole, { ports: [good, extra] }));
  assert.equal(reports[1]?.status, 'ERROR');
  assert.match(reports[1]?.reason ?? '', /01:00:00:00:00:02/);
  await driver.unplug(good.device_id);
});

test('defect 12: a plug that fails halfway leaves no cable, namespace or rule', async () => {
  const net = network();
  const device_id = uuid();
  const ports = [port(net, ['10.10.0.1/24'], [all], { device_id }), port(net, ['10.10.0.2/24'], [all], { device_id, mac_address: '01:00:00:00:00:01' })];
  const whole = state({ networks: [net], ports, security_groups: [all] });
  await assert.rejects(driver.plug(device_id, whole));
  assert.equal((await namespaces()).includes(`${CLOUD}-${device_id}`), false);
  const links = (await inNamespace(CLOUD, 'ip -br link')).out;
  const rules = (await inNamespace(CLOUD, 'nft list ruleset')).out;
  for (const one of ports) {
    assert.equal(links.includes(tapName(one.port_id)), false);
    assert.equal(rules.includes(tapName(one.port_id)), false);
  }
});

test('defect 14: several addresses, IPv6, host routes, and the first gateway wins', async () => {
  const nets = [network(), network()];
  const device_id = uuid();
  const [first, second] = nets;
  assert.ok(first && second);
  const pa = port(first, ['10.10.0.5/24', '10.10.1.5/24', '2001:db8::5/64'], [all], { device_id });
  const pb = port(second, ['10.100.0.5/24'], [all], { device_id });
  const wire = (one: PortWiring, index: number, gateway_ip: string, routes: { destination: string; nexthop: string }[] = []): void => {
    const ip = one.fixed_ips[index];
    assert.ok(ip);
    one.fixed_ips[index] = { ...ip, gateway_ip, routes };
  };
  wire(pa, 0, '10.10.0.1', [{ destination: '10.20.0.0/16', nexthop: '10.10.0.9' }]);
  wire(pa, 1, '10.10.1.1');
  wire(pa, 2, '2001:db8::1', [{ destination: '2001:db8:77::/48', nexthop: '2001:db8::9' }]);
  wire(pb, 0, '10.100.0.1');
  const whole = state({ networks: nets, ports: [pa, pb], security_groups: [all] });
  await driver.plug(device_id, whole);
  const me = guest(CLOUD, device_id);
  const { out } = await me.in('ip -br addr; ip route; ip -6 route; ip route get 10.55.5.5');
  assert.match(out, /eth0\S*\s+UP\s.*10\.10\.0\.5\/24 10\.10\.1\.5\/24 2001:db8::5\/64 fe80::\S+\/64/);
  assert.match(out, /eth1\S*\s+UP\s.*10\.100\.0\.5\/24/);
  assert.match(out, /^default via 10\.10\.0\.1 dev eth0 proto 117 onlink/m);
  assert.match(out, /^default via 10\.100\.0\.1 dev eth1 proto 117 metric \d+ onlink/m);
  assert.match(out, /^10\.20\.0\.0\/16 via 10\.10\.0\.9 dev eth0/m);
  assert.match(out, /^default via 2001:db8::1 dev eth0/m);
  assert.match(out, /^2001:db8:77::\/48 via 2001:db8::9 dev eth0/m);
  assert.match(out, /10\.55\.5\.5 via 10\.10\.0\.1 dev eth0/);
  assert.doesNotMatch(out, /tentative/);
  await driver.unplug(device_id);
});

test('defect 15: segmentation offload stays on', async () => {
  const net = network();
  const one = port(net, ['10.10.0.1/24'], [all]);
  await driver.plug(one.device_id, state({ networks: [net], ports: [one], security_groups: [all] }));
  const { out } = await guest(CLOUD, one.device_id).in('ip -d link show eth0');
  const size = Number(/gso_max_size (\d+)/.exec(out)?.[1]);
  assert.ok(size >= 65536, out);
  const offload = await sh(`command -v ethtool >/dev/null && nsenter --net=/run/netns/${CLOUD}-${one.device_id} ethtool -k eth0 | grep tcp-segmentation-offload || echo 'tcp-segmentation-offload: on'`);
  assert.match(offload.out, /tcp-segmentation-offload: on/);
  await driver.unplug(one.device_id);
});

test('defect 16: a plug starts at most four processes', async () => {
  const net = network();
  const ports = Array.from({ length: 5 }, (_, index) => port(net, [`10.10.0.${index + 1}/24`], [all]));
  const whole = state({ networks: [net], ports, security_groups: [all] });
  const [warm, ...rest] = ports;
  assert.ok(warm);
  await driver.plug(warm.device_id, sliceOf(whole, warm.device_id));
  const counts: number[] = [];
  for (const one of rest) {
    const before = await forks();
    await driver.plug(one.device_id, sliceOf(whole, one.device_id));
    counts.push((await forks()) - before);
  }
  // Others on the machine start processes too: the quietest of the plugs tells.
  assert.ok(Math.min(...counts) <= 4, `processes started: ${counts}`);
  for (const one of ports) await driver.unplug(one.device_id);
});

async function forks(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  return Number(/^processes (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1]);
}

test('a port that comes or goes on a plugged device is plugged or unplugged hot, the others keep their names', async () => {
  const nets = [network(), network(), network()];
  const device_id = uuid();
  const [p0, p1, p2] = nets.map((net, index) => port(net, [`10.10.${index}.5/24`], [all], { device_id }));
  assert.ok(p0 && p1 && p2);
  const whole = state({ networks: nets, ports: [p0, p1], security_groups: [all] });
  await driver.plug(device_id, whole);
  const me = guest(CLOUD, device_id);
  const names = async (): Promise<string> => (await me.in('ip -br -4 addr show up | sort')).out.replace(/@\S+|UP|UNKNOWN|lo .*\n/g, '').replace(/\s+/g, ' ').trim();
  assert.deepEqual(await statuses(change(whole, { ports: [p0, p1, p2] })), ['ACTIVE', 'ACTIVE', 'ACTIVE']);
  assert.equal(await names(), 'eth0 10.10.0.5/24 eth1 10.10.1.5/24 eth2 10.10.2.5/24');
  await driver.apply(change(whole, { ports: [p0, p2] }));
  assert.equal(await names(), 'eth0 10.10.0.5/24 eth2 10.10.2.5/24');
  await driver.apply(change(whole, { ports: [p0, p2, p1] }));
  assert.equal(await names(), 'eth0 10.10.0.5/24 eth1 10.10.1.5/24 eth2 10.10.2.5/24');
  await driver.unplug(device_id);
});

test('live changes of addresses, MTU and admin state', async () => {
  const net = network();
  const [pa, pb] = [port(net, ['10.10.0.1/24'], [all]), port(net, ['10.10.0.2/24'], [all])];
  assert.ok(pa && pb);
  const whole = state({ networks: [net], ports: [pa, pb], security_groups: [all] });
  await bring(driver, whole);
  const [a, b] = [guest(CLOUD, pa.device_id), guest(CLOUD, pb.device_id)];
  const moved = port(net, ['10.10.0.22/24'], [all], { ...pb, fixed_ips: [] });
  moved.fixed_ips = port(net, ['10.10.0.22/24'], []).fixed_ips;
  await driver.apply(change(whole, { ports: [pa, moved] }));
  assert.equal(await pings(a, '10.10.0.22'), true);
  assert.equal(await pings(a, '10.10.0.2'), false);
  assert.deepEqual(await statuses(change(whole, { ports: [pa, { ...moved, admin_state_up: false }] })), ['ACTIVE', 'DOWN']);
  assert.equal(await pings(a, '10.10.0.22'), false);
  assert.deepEqual(await statuses(change(whole, { ports: [pa, moved] })), ['ACTIVE', 'ACTIVE']);
  assert.equal(await pings(a, '10.10.0.22'), true);
  const small = { ...net, mtu: 1300 };
  await driver.apply(change(whole, { networks: [small], ports: [{ ...pa, mtu: 1300 }, { ...moved, mtu: 1300 }] }));
  assert.match((await b.in('ip link show eth0')).out, /mtu 1300/);
  assert.match((await inNamespace(CLOUD, `ip link show ${tapName(pb.port_id)}`)).out, /mtu 1300/);
  await driver.unplug(pa.device_id);
  await driver.unplug(pb.device_id);
});

test('ports of a device that was not plugged yet are DOWN; a plug stands against an older state and yields to a newer one', async () => {
  const net = network();
  const one = port(net, ['10.10.0.1/24'], [all]);
  const older = state({ networks: [net], security_groups: [all] });
  const whole = change(older, { ports: [one] });
  assert.deepEqual(await statuses(whole), ['DOWN']);
  await driver.plug(one.device_id, change(whole, {}));
  await driver.apply(older);
  assert.match((await guest(CLOUD, one.device_id).in('ip -br addr show eth0')).out, /10\.10\.0\.1/);
  await driver.apply(change(whole, { ports: [] }));
  assert.notEqual((await guest(CLOUD, one.device_id).in('ip link show eth0')).code, 0);
  await driver.unplug(one.device_id);
  assert.equal((await namespaces()).includes(`${CLOUD}-${one.device_id}`), false);
});

test('a plug asked twice changes nothing; an unknown device is unplugged without a word', async () => {
  const net = network();
  const one = port(net, ['10.10.0.1/24'], [all]);
  const whole = state({ networks: [net], ports: [one], security_groups: [all] });
  const { netns } = await driver.plug(one.device_id, whole);
  assert.equal(netns, `/run/netns/${CLOUD}-${one.device_id}`);
  const link = async (): Promise<string> => (await guest(CLOUD, one.device_id).in('ip -o link show eth0; ip addr show eth0; ip route')).out;
  const first = await link();
  await driver.plug(one.device_id, whole);
  assert.equal(await link(), first);
  await driver.unplug(uuid());
  await driver.unplug(one.device_id);
  await driver.unplug(one.device_id);
});

test('parallel plugs and applies of many devices end right', async () => {
  const net = network();
  const ports = Array.from({ length: 12 }, (_, index) => port(net, [`10.10.0.${index + 1}/24`], [all]));
  const whole = state({ networks: [net], ports, security_groups: [all] });
  await Promise.all([...ports.map((one) => driver.plug(one.device_id, sliceOf(whole, one.device_id))), driver.apply(whole)]);
  assert.deepEqual(new Set(await statuses(whole)), new Set(['ACTIVE']));
  const [first] = ports;
  assert.ok(first);
  for (const one of ports.slice(1)) assert.equal(await pings(guest(CLOUD, first.device_id), one.fixed_ips[0]?.ip_address ?? ''), true);
  await Promise.all(ports.map((one) => driver.unplug(one.device_id)));
  assert.equal(await taps(), '0');
});

test('the host reaches guests of an external network through their groups, and they the host', async () => {
  const net = network({ type: 'flat', segmentation_id: null, physical_network: 'public', mtu: 1500, host_addresses: ['10.10.250.1/24', '2001:db8:250::1/64'] });
  const web = group([...egressAll(), tcp(80), tcp(80, { ethertype: 'IPv6' })]);
  const one = port(net, ['10.10.250.5/24', '2001:db8:250::5/64'], [web]);
  const [ip] = one.fixed_ips;
  assert.ok(ip);
  one.fixed_ips[0] = { ...ip, gateway_ip: '10.10.250.1' };
  const whole = state({ networks: [net], ports: [one], security_groups: [web] });
  await bring(driver, whole);
  const me = guest(CLOUD, one.device_id);
  const servers = [await listen(me, 'tcp 80'), await listen(me, 'tcp 81'), await listen(me, 'tcp6 80')];
  const fromHost = async (address: string, number: number): Promise<boolean> => (await sh(`echo x | ncat -w1 ${address} ${number}`)).out.includes('x');
  assert.equal(await fromHost('10.10.250.5', 80), true);
  assert.equal(await fromHost('2001:db8:250::5', 80), true);
  assert.equal(await fromHost('10.10.250.5', 81), false);
  assert.equal(await pings(me, '10.10.250.1'), true);
  let visitors = 0;
  const service = createServer((socket) => {
    visitors += 1;
    socket.destroy();
  }).listen(0);
  await once(service, 'listening');
  await me.in(`ncat -w1 10.10.250.1 ${(service.address() as AddressInfo).port} < /dev/null`);
  assert.equal(visitors, 0, 'what the host offers to others is not for guests');
  await sh(`ncat -w1 10.10.250.1 ${(service.address() as AddressInfo).port} < /dev/null`);
  service.close();
  const other = (await sh(`ip -4 -o addr show dev lo; ip -4 -o addr show dev docker0`)).out;
  const foreign = /docker0\s+inet (\d+\.\d+\.\d+\.\d+)/.exec(other)?.[1];
  if (foreign !== undefined) assert.equal(await pings(me, foreign), false, "the host's other addresses are not for guests");
  const leg = hostLegName(CLOUD, net.network_id);
  assert.match((await sh(`cat /proc/sys/net/ipv4/conf/${leg}/forwarding`)).out, /^0/);
  await sh(`ip link del ${leg}`);
  assert.deepEqual(await statuses(whole), ['ACTIVE']);
  assert.equal(await fromHost('10.10.250.5', 80), true, 'the leg healed');
  for (const server of servers) server.stop();
  await driver.unplug(one.device_id);
  await driver.apply(change(whole, { networks: [], ports: [] }));
  assert.notEqual((await sh(`ip link show ${leg}`)).code, 0);
});

test('counters are those of the guest', async () => {
  const net = network();
  const [pa, pb] = [port(net, ['10.10.0.1/24'], [all]), port(net, ['10.10.0.2/24'], [all])];
  const whole = state({ networks: [net], ports: [pa, pb], security_groups: [all] });
  await bring(driver, whole);
  const before = (await driver.tapCounters(pa.device_id))[0];
  await guest(CLOUD, pa.device_id).in('busybox ping -c3 -i0.1 -s1000 10.10.0.2');
  const now = (await driver.tapCounters(pa.device_id))[0];
  assert.ok(before && now && now.mac_address === pa.mac_address);
  assert.ok(now.tx_bytes - before.tx_bytes >= 3000 && now.rx_bytes - before.rx_bytes >= 3000, JSON.stringify({ before, now }));
  assert.deepEqual(await driver.tapCounters(uuid()), []);
  await driver.unplug(pa.device_id);
  await driver.unplug(pb.device_id);
});

test('purge leaves nothing of this cloud and touches nothing else', async () => {
  const foreign = 'gt4x';
  await sh(`ip netns add ${foreign}; ip link add ${foreign}-0 type veth peer name ${foreign}-1`);
  const net = network({ type: 'flat', segmentation_id: null, physical_network: 'public', host_addresses: ['10.10.251.1/24'] });
  const one = port(net, ['10.10.251.5/24'], [all]);
  await bring(driver, state({ networks: [net], ports: [one], security_groups: [all] }));
  await driver.purge();
  const left = await sh(`ls /run/netns | grep -E '^${CLOUD}(-|$)'; ip -o link show | grep -E ' ${CLOUD}-'; nft list tables | grep -w ${CLOUD}`);
  assert.equal(left.out, '');
  assert.equal((await sh(`ip netns exec ${foreign} true && ip link show ${foreign}-0`)).code, 0);
  await sh(`ip link del ${foreign}-0; ip netns del ${foreign}`);
  await bring(driver, state({ networks: [net], ports: [one], security_groups: [all] }));
  assert.equal(await pings(guest(CLOUD, one.device_id), '10.10.251.1'), true, 'and the driver goes on');
});

