import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import { routerEnd, routerLeg, routerNamespace } from '../../../src/agents/network/drivers/linux/names.ts';
import type { NetworkWiring, NodeNetworkState, PortReport, PortWiring, RouterLegWiring, RouterWiring } from '../../../src/agents/network/protocol.ts';
import { bring, change, egressAll, freshDriver, group, guest, inNamespace, mac, network, pings, port, rule, sh, sliceOf, state, tcp, uuid, type Guest } from './world.ts';
import { listen, openStream, reaches } from './traffic.ts';

const CLOUD = 'gtr';
const open = group([...egressAll(), rule({ protocol: 'icmp' }), tcp(80)]);
const netA = network();
const netB = network();
const ext = network({ type: 'flat', segmentation_id: null, physical_network: 'public', mtu: 1500, host_addresses: ['10.10.78.1/24'] });

const behind = (one: PortWiring, gateway_ip: string): PortWiring => ({ ...one, fixed_ips: one.fixed_ips.map((ip) => ({ ...ip, gateway_ip })) });
const a = behind(port(netA, ['10.30.0.10/24'], [open]), '10.30.0.1');
const a2 = behind(port(netA, ['10.30.0.11/24'], [open]), '10.30.0.1');
const b = behind(port(netB, ['10.40.0.10/24'], [open]), '10.40.0.1');
const outside = port(ext, ['10.10.78.50/24'], [open]);

function leg(net: NetworkWiring, address: string, gateway_ip: string | null): RouterLegWiring {
  const { fixed_ips } = port(net, [address], []);
  return { port_id: uuid(), network_id: net.network_id, mac_address: mac(), mtu: net.mtu, admin_state_up: true, is_gateway: gateway_ip !== null, fixed_ips: fixed_ips.map((ip) => ({ ...ip, gateway_ip })) };
}

const legA = leg(netA, '10.30.0.1/24', null);
const legB = leg(netB, '10.40.0.1/24', null);
const gateway = leg(ext, '10.10.78.20/24', '10.10.78.1');
const tie = (last: number, fixed_ip_address: string) => ({ floating_ip_address: `10.10.78.${last}`, fixed_ip_address });
const router: RouterWiring = {
  router_id: uuid(), admin_state_up: true, legs: [legA, legB, gateway], enable_snat: true, snat_address: '10.10.78.20', routes: [],
  floating_ips: [tie(100, '10.30.0.10'), tie(101, '10.40.0.10')],
};
const whole = state({ networks: [netA, netB, ext], ports: [a, a2, b, outside], security_groups: [open], routers: [router] });
const with_ = (parts: Partial<RouterWiring>): NodeNetworkState => change(whole, { routers: [{ ...router, ...parts }] });
const space = routerNamespace(CLOUD, router.router_id);

let driver: LinuxNetworkDriver;
let ga: Guest;
let ga2: Guest;
let gb: Guest;
let peer: Guest;

before(async () => {
  driver = await freshDriver(CLOUD);
  await bring(driver, whole);
  [ga, ga2, gb, peer] = [a, a2, b, outside].map((one) => guest(CLOUD, one.device_id)) as [Guest, Guest, Guest, Guest];
});
after(async () => {
  await driver.purge();
  await driver.close();
});

const tcpFromHost = async (address: string, port_: number): Promise<boolean> =>
  (await sh(`python3 -c "import socket; s=socket.create_connection(('${address}', ${port_}), 1.5); s.send(b'x'); assert s.recv(4)"`)).code === 0;

/** East-west, out by the router's own address, in by a floating IP, and what is closed stays closed. */
async function works(): Promise<void> {
  const servers = await Promise.all([listen(ga, 'tcp 80'), listen(gb, 'tcp 80'), listen(gb, 'tcp 81'), listen(peer, 'tcp 80')]);
  try {
    assert.equal(await pings(ga, '10.40.0.10'), true, 'from subnet to subnet');
    assert.equal(await reaches(ga, 'tcp 10.40.0.10 80'), true);
    assert.equal(await reaches(ga, 'tcp 10.40.0.10 81'), false, 'security groups hold behind a router');
    assert.equal(await reaches(ga2, 'tcp 10.10.78.50 80'), true, 'out to the external network');
    assert.equal(await tcpFromHost('10.10.78.100', 80), true, 'the host reaches a floating IP');
    assert.equal(await tcpFromHost('10.10.78.101', 81), false, 'but not what the group closes');
  } finally {
    for (const server of servers) server.stop();
  }
}

const applied = async (wanted: NodeNetworkState = whole): Promise<PortReport[]> => (await driver.apply(wanted)).filter((report) => wanted.routers!.some((one) => one.legs.some((each) => each.port_id === report.port_id)));

/** Whom a server at the other end sees. */
const SEEN = `
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', 82)); s.listen(1); s.settimeout(5)
open('READY', 'w').close()
c, peer = s.accept(); print(peer[0])
`;

async function seenBy(server: Guest, from: Guest, address: string): Promise<string> {
  const ready = `/tmp/${CLOUD}-${uuid()}`;
  const asking = server.in(`python3 -c "${SEEN.replace('READY', ready)}"; rm -f ${ready}`);
  await sh(`for i in $(seq 200); do [ -e ${ready} ] && break; busybox usleep 20000; done`);
  await from.in(`python3 -c "import socket; socket.create_connection(('${address}', 82), 2)"`);
  return (await asking).out.trim();
}

test('subnets meet in the router under their security groups; the ports are reported', async () => {
  const reports = await applied();
  assert.deepEqual(reports.map((report) => report.status), ['ACTIVE', 'ACTIVE', 'ACTIVE'], JSON.stringify(reports));
  assert.deepEqual(reports[2]!.floating_ips, router.floating_ips);
  await works();
});

test('what goes out bears the floating IP, or the router’s address', async () => {
  const all = group([...egressAll(), rule()]);
  const wide = change(whole, { security_groups: [open, all], ports: whole.ports.map((one) => ({ ...one, security_group_ids: [all.id] })) });
  await driver.apply(wide);
  assert.equal(await seenBy(peer, ga2, '10.10.78.50'), '10.10.78.20');
  assert.equal(await seenBy(peer, ga, '10.10.78.50'), '10.10.78.100');
  assert.equal(await seenBy(gb, ga, '10.40.0.10'), '10.30.0.10', 'between subnets nothing is translated');
  assert.equal(await seenBy(gb, ga, '10.10.78.101'), '10.10.78.100', 'hairpin to another subnet');
  assert.equal(await seenBy(ga, ga2, '10.10.78.100'), '10.10.78.20', 'hairpin within a subnet');
  await driver.apply(change(wide, { routers: [{ ...router, enable_snat: false }] }));
  assert.equal(await seenBy(peer, ga, '10.10.78.50'), '10.10.78.100', 'floating IPs work without SNAT');
  assert.equal((await ga2.in('busybox ping -c1 -W1 10.10.78.50')).code === 0, false, 'nobody outside knows the way back to a private address');
  await driver.apply(change(whole, {}));
});

test('the host routes for nobody: private networks elsewhere stay out of reach', async () => {
  assert.equal((await sh('ip -4 addr add 10.10.79.1/32 dev lo; cat /proc/sys/net/ipv4/ip_forward')).code, 0);
  try {
    assert.equal(await pings(ga, '10.10.79.1'), false, 'not even the host’s other addresses');
    assert.equal(await pings(ga, '10.10.78.1'), true, 'the gateway itself answers');
  } finally {
    await sh('ip -4 addr del 10.10.79.1/32 dev lo');
  }
});

test('a floating IP that is taken away is cut, one that moves is heard of', async () => {
  const [one, two] = [await listen(ga, 'tcp 80'), await listen(ga2, 'tcp 80')];
  try {
    const stream = await openStream(peer, '10.10.78.100', 80);
    assert.equal(await stream.says('hello'), true);
    await driver.apply(with_({ floating_ips: [tie(101, '10.40.0.10')] }));
    assert.equal(await stream.says('still there?'), false, 'its connections end');
    stream.stop();
    assert.equal(await tcpFromHost('10.10.78.100', 80), false);
    assert.equal(await reaches(ga, 'tcp 10.10.78.50 80'), false);
    await driver.apply(with_({ floating_ips: [tie(101, '10.40.0.10'), tie(100, '10.30.0.11')] }));
    assert.equal(await tcpFromHost('10.10.78.100', 80), true);
  } finally {
    for (const server of [one, two]) server.stop();
    await driver.apply(change(whole, {}));
  }
});

test('an address that comes is announced, so that nobody asks the former holder', async () => {
  const stale = '02:00:00:00:00:66';
  await peer.in(`ip neigh replace 10.10.78.120 lladdr ${stale} dev eth0 nud stale`);
  await driver.apply(with_({ floating_ips: [...router.floating_ips, tie(120, '10.30.0.11')] }));
  const { out } = await peer.in('for i in $(seq 50); do ip neigh show 10.10.78.120 | grep -q 00:66 || break; busybox usleep 20000; done; ip neigh show 10.10.78.120');
  assert.match(out, new RegExp(gateway.mac_address));
  await driver.apply(change(whole, {}));
});

test('routes of the router lead where they say, connected networks come first', async () => {
  await gb.in('ip addr add 10.99.0.1/32 dev lo');
  const spoofless = { ...b, allowed_address_pairs: [{ ip_address: '10.99.0.1', mac_address: b.mac_address }] };
  await driver.apply(change(whole, {
    ports: whole.ports.map((one) => (one === b ? spoofless : one)),
    routers: [{ ...router, routes: [{ destination: '10.99.0.0/24', nexthop: '10.40.0.10' }, { destination: '10.40.0.0/24', nexthop: '10.40.0.99' }] }],
  }));
  assert.equal(await pings(ga, '10.99.0.1'), true);
  assert.equal(await pings(ga, '10.40.0.10'), true);
  await driver.apply(change(whole, {}));
  assert.equal(await pings(ga, '10.99.0.1'), false);
});

test('a router that is switched off lets nothing pass, and says so', async () => {
  const off = await applied(with_({ admin_state_up: false }));
  assert.deepEqual(off.map((report) => report.status), ['DOWN', 'DOWN', 'DOWN']);
  assert.deepEqual(off[2]!.floating_ips, []);
  assert.equal(await pings(ga, '10.40.0.10'), false);
  await driver.apply(change(whole, {}));
  await works();
});

test('whatever is broken of a router heals', async () => {
  const breaks = [
    `ip netns del ${space}`,
    `nsenter --net=/run/netns/${space} nft flush ruleset`,
    `nsenter --net=/run/netns/${space} nft delete element ip nat fip_dnat { 10.10.78.100 }`,
    `ip -n ${space} link del ${routerLeg(legB)}`,
    `ip -n ${CLOUD} link del ${routerEnd(gateway.port_id)}`,
    `ip -n ${CLOUD} link set ${routerEnd(legA.port_id)} nomaster`,
    `ip -n ${space} addr flush dev ${routerLeg(gateway)}`,
    `ip -n ${space} link set ${routerLeg(legA)} down address 02:00:00:00:00:01`,
    `ip -n ${space} route flush proto 117`,
    `nsenter --net=/run/netns/${space} sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'`,
    `ip netns del ${CLOUD}`,
  ];
  const wanted = change(whole, {});
  await driver.apply(wanted);
  for (const damage of breaks) {
    const { code, out } = await sh(damage);
    assert.equal(code, 0, `${damage}: ${out}`);
    const reports = await applied(wanted);
    assert.deepEqual(reports.map((report) => report.status), ['ACTIVE', 'ACTIVE', 'ACTIVE'], damage);
    await works();
  }
});

test('an apply, or a plug, that finds all as it should be interrupts nothing', async () => {
  const wanted = change(whole, {});
  await driver.apply(wanted);
  const server = await listen(ga, 'tcp 80');
  const stream = await openStream(peer, '10.10.78.100', 80);
  await driver.apply(wanted);
  await driver.plug(a2.device_id, sliceOf({ ...change(wanted, {}), routers: [] }, a2.device_id));
  await driver.apply(change(wanted, {}));
  assert.equal(await stream.says('still here'), true);
  stream.stop();
  server.stop();
});

test('a router that goes leaves nothing; neither does a purge', async () => {
  await driver.apply(change(whole, { routers: [] }));
  assert.equal((await sh(`ls /run/netns/${space}`)).code !== 0, true);
  assert.equal((await inNamespace(CLOUD, 'ip -o link show')).out.includes('rtr'), false);
  await driver.apply(change(whole, {}));
  await works();
  await driver.purge();
  const left = await sh(`ls /run/netns | grep '^${CLOUD}'; ip -o link | grep '${CLOUD}-'; nft list tables | grep ' ${CLOUD}$'`);
  assert.equal(left.out, '');
});
