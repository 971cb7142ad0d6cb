import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import type { NodeNetworkState, PortWiring, SecurityGroupWiring } from '../../../src/agents/network/protocol.ts';
import { bring, change, egressAll, freshDriver, group, guest, network, pings, port, rule, state, tcp, type Guest } from './world.ts';
import { listen, openStream, reaches, sendSyn, type Listener } from './traffic.ts';

const CLOUD = 'gt1';
let driver: LinuxNetworkDriver;
before(async () => {
  driver = await freshDriver(CLOUD);
});
after(async () => {
  await driver.purge();
  await driver.close();
});

interface Pair {
  a: Guest;
  b: Guest;
  pa: PortWiring;
  pb: PortWiring;
  whole: NodeNetworkState;
}

/** Two guests of one network: `a` may send everything and is closed; `b` has the groups given. */
async function pair(groups: SecurityGroupWiring[], mine: SecurityGroupWiring = group(egressAll()), members: NodeNetworkState['group_members'] = []): Promise<Pair> {
  const net = network();
  const pa = port(net, ['10.10.0.1/24', '2001:db8::1/64'], [mine]);
  const pb = port(net, ['10.10.0.2/24', '2001:db8::2/64'], groups);
  const whole = state({ networks: [net], ports: [pa, pb], security_groups: [mine, ...groups], group_members: members });
  await bring(driver, whole);
  return { a: guest(CLOUD, pa.device_id), b: guest(CLOUD, pb.device_id), pa, pb, whole };
}

async function unplugPair({ pa, pb }: Pair): Promise<void> {
  await driver.unplug(pa.device_id);
  await driver.unplug(pb.device_id);
}

async function listening(where: Guest, specs: string[], work: () => Promise<void>): Promise<void> {
  const all: Listener[] = [];
  try {
    for (const spec of specs) all.push(await listen(where, spec));
    await work();
  } finally {
    for (const one of all) one.stop();
  }
}

test('only what a group allows comes in: TCP, UDP, ICMP, IPv4 and IPv6, ranges', async () => {
  const open = group([
    ...egressAll(),
    rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 81 }),
    rule({ protocol: 'udp', port_range_min: 53, port_range_max: 53 }),
    rule({ protocol: 'icmp', port_range_min: 8, port_range_max: 0 }),
    rule({ protocol: 'tcp', port_range_min: 80, port_range_max: 80, ethertype: 'IPv6' }),
  ]);
  const world = await pair([open]);
  const { a, b } = world;
  await listening(b, ['tcp 80', 'tcp 81', 'tcp 82', 'udp 53', 'udp 54', 'tcp6 80', 'tcp6 81'], async () => {
    assert.deepEqual(
      await Promise.all(['tcp 10.10.0.2 80', 'tcp 10.10.0.2 81', 'tcp 10.10.0.2 82', 'udp 10.10.0.2 53', 'udp 10.10.0.2 54', 'tcp 2001:db8::2 80', 'tcp 2001:db8::2 81'].map((spec) => reaches(a, spec))),
      [true, true, false, true, false, true, false],
    );
  });
  assert.equal(await pings(a, '10.10.0.2'), true);
  assert.equal(await pings(a, '2001:db8::2'), false, 'no ICMPv6 rule');
  assert.equal(await pings(b, '10.10.0.1'), false, 'a lets nothing in');
  await unplugPair(world);
});

test('a guest whose groups allow no egress reaches nobody, raw sockets included', async () => {
  const mute = group([rule({ direction: 'egress', protocol: 'tcp', port_range_min: 80, port_range_max: 80 })]);
  const all = group([...egressAll(), rule(), rule({ ethertype: 'IPv6' })]);
  const world = await pair([all], mute);
  const { a, b, pa, pb } = world;
  await listening(b, ['tcp 80', 'tcp 81'], async () => {
    assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), true);
    assert.equal(await reaches(a, 'tcp 10.10.0.2 81'), false);
    assert.equal(await pings(a, '10.10.0.2'), false);
    const raw = (dport: number): Promise<string> => rawSyn(a, pa, pb, dport);
    assert.match(await raw(80), /answer/, 'the raw packet itself is sound');
    assert.match(await raw(81), /silence/);
  });
  await unplugPair(world);
});

/** Sends a TCP SYN past the guest's own stack and waits for a SYN/ACK. */
async function rawSyn(from: Guest, pa: PortWiring, pb: PortWiring, dport: number): Promise<string> {
  return sendSyn(from, { src_mac: pa.mac_address, dst_mac: pb.mac_address, src: '10.10.0.1', dst: '10.10.0.2', dport });
}

test('prefix and remote group rules look at the sender', async () => {
  const friends = group([]);
  const open = group([tcp(80, { remote_ip_prefix: '10.10.0.1/32' }), tcp(81, { remote_ip_prefix: '10.99.0.0/16' }), tcp(82, { remote_group_id: friends.id })]);
  const world = await pair([open, friends], undefined, [{ group_id: friends.id, addresses: [] }]);
  const { a, b, whole } = world;
  await listening(b, ['tcp 80', 'tcp 81', 'tcp 82'], async () => {
    assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), true);
    assert.equal(await reaches(a, 'tcp 10.10.0.2 81'), false);
    assert.equal(await reaches(a, 'tcp 10.10.0.2 82'), false);
    await driver.apply(change(whole, { group_members: [{ group_id: friends.id, addresses: ['10.10.0.1', '2001:db8::1'] }] }));
    assert.equal(await reaches(a, 'tcp 10.10.0.2 82'), true, 'member added live');
    await driver.apply(change(whole, {}));
    assert.equal(await reaches(a, 'tcp 10.10.0.2 82'), false, 'member removed live');
  });
  await unplugPair(world);
});

test('a revoked rule cuts the flow that stood on it, and no other', async () => {
  const open = group([tcp(80), tcp(81)]);
  const world = await pair([open]);
  const { a, b, whole } = world;
  await listening(b, ['echo 80', 'echo 81'], async () => {
    const cut = await openStream(a, '10.10.0.2', 80);
    const kept = await openStream(a, '10.10.0.2', 81);
    assert.equal(await cut.says('one'), true);
    assert.equal(await kept.says('one'), true);
    const next = { ...open, rules: open.rules.slice(1) };
    await driver.apply(change(whole, { security_groups: whole.security_groups.map((one) => (one.id === open.id ? next : one)) }));
    assert.equal(await cut.says('two'), false);
    assert.equal(await kept.says('two'), true);
    cut.stop();
    kept.stop();
  });
  await unplugPair(world);
});

test('a stateless group does not follow connections', async () => {
  const forward = group([rule({ direction: 'egress', protocol: 'udp' }), tcp(80)], { stateful: false });
  const world = await pair([forward]);
  const { a, b, whole } = world;
  await listening(b, ['tcp 80'], async () => {
    assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), false, 'the answer is not allowed out');
    const both = { ...forward, rules: [...forward.rules, rule({ direction: 'egress', protocol: 'tcp' })] };
    await driver.apply(change(whole, { security_groups: [...whole.security_groups.filter((one) => one.id !== forward.id), both] }));
    assert.equal(await reaches(a, 'tcp 10.10.0.2 80'), true);
  });
  await unplugPair(world);
});

test('a port without port security is neither filtered nor checked', async () => {
  const net = network();
  const strict = group(egressAll());
  const pa = port(net, ['10.10.0.1/24'], [strict]);
  const pb = port(net, ['10.10.0.2/24'], [], { port_security_enabled: false });
  const whole = state({ networks: [net], ports: [pa, pb], security_groups: [strict] });
  await bring(driver, whole);
  const [a, b] = [guest(CLOUD, pa.device_id), guest(CLOUD, pb.device_id)];
  assert.equal(await pings(a, '10.10.0.2'), true);
  assert.equal(await pings(b, '10.10.0.1'), false, 'the other one is still closed');
  await driver.apply(change(whole, { ports: [pa, { ...pb, port_security_enabled: true }] }));
  assert.equal(await pings(a, '10.10.0.2'), false);
  await driver.unplug(pa.device_id);
  await driver.unplug(pb.device_id);
});

test('two networks with the same addresses and MACs never meet', async () => {
  const all = group([...egressAll(), rule()]);
  const nets = [network(), network()];
  const ports = nets.flatMap((net) => [
    port(net, ['10.10.0.1/24'], [all], { mac_address: 'fa:16:3e:aa:00:01' }),
    port(net, ['10.10.0.2/24'], [all], { mac_address: 'fa:16:3e:aa:00:02' }),
  ]);
  const whole = state({ networks: nets, ports, security_groups: [all] });
  await bring(driver, whole);
  const [a1, b1, a2, b2] = ports.map((one) => guest(CLOUD, one.device_id));
  assert.ok(a1 && b1 && a2 && b2);
  await listening(b1, ['tcp 80'], async () => {
    assert.equal(await reaches(a1, 'tcp 10.10.0.2 80'), true);
    assert.equal(await reaches(a2, 'tcp 10.10.0.2 80'), false, 'nobody listens in the other network');
  });
  await b2.in('ip link set eth0 down');
  assert.equal(await pings(a1, '10.10.0.2'), true);
  assert.equal(await pings(a2, '10.10.0.2'), false);
  for (const one of ports) await driver.unplug(one.device_id);
});
