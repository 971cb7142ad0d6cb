import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LinuxNetworkDriver } from '../../../src/agents/network/drivers/linux/index.ts';
import { bring, change, egressAll, freshDriver, group, guest, network, port, rule, state, type Guest } from './world.ts';
import { python, watch } from './traffic.ts';

const CLOUD = 'gt2';
const MAC_B = 'fa:16:3e:bb:00:02';
const MAC_A = 'fa:16:3e:bb:00:01';
const EVIL = '02:00:00:00:66:66';
let driver: LinuxNetworkDriver;
let a: Guest;
let b: Guest;

const all = group([...egressAll(), rule(), rule({ ethertype: 'IPv6' })]);
const net = network();
const pa = port(net, ['10.10.0.1/24', '2001:db8::1/64'], [all], {
  mac_address: MAC_A, allowed_address_pairs: [{ ip_address: '10.10.0.100', mac_address: MAC_A }, { ip_address: '10.10.0.128/28', mac_address: '00:00:5e:00:01:07' }],
});
const pb = port(net, ['10.10.0.2/24', '2001:db8::2/64'], [all], { mac_address: MAC_B });
const whole = state({ networks: [net], ports: [pa, pb], security_groups: [all] });

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

const send = async (frame: string): Promise<void> => {
  const { code, out } = await python(a, `s.send(${frame})`);
  assert.equal(code, 0, out);
};
const last = (): Promise<void> => send(`ether('${MAC_A}', '${MAC_B}', 0x800, ip4('10.10.0.1', '10.10.0.2', 17, udp('10.10.0.1', '10.10.0.2', 9, 9, b'end-of-watch')))`);
const TOKEN = Buffer.from('spoof-me').toString('hex');

/** Whether a frame that holds `token` gets through to b. */
async function passes(frame: string, token = TOKEN): Promise<boolean> {
  const frames = await watch(b, () => send(frame), last);
  return frames.some((text) => text.includes(token));
}

const udpFrame = (mac: string, src: string, options: { sport?: number; dport?: number; dst_mac?: string; dst?: string } = {}): string => {
  const { sport = 9, dport = 9, dst_mac = MAC_B, dst = src.includes(':') ? '2001:db8::2' : '10.10.0.2' } = options;
  const body = `udp('${src}', '${dst}', ${sport}, ${dport}, b'spoof-me')`;
  return src.includes(':')
    ? `ether('${mac}', '${dst_mac}', 0x86dd, ip6('${src}', '${dst}', 17, ${body}))`
    : `ether('${mac}', '${dst_mac}', 0x800, ip4('${src}', '${dst}', 17, ${body}))`;
};
const arpFrame = (ether: string, sender: string, ip: string): string =>
  `ether('${ether}', 'ff:ff:ff:ff:ff:ff', 0x806, struct.pack('!HHBBH', 1, 0x800, 6, 4, 2) + mac('${sender}') + socket.inet_aton('${ip}') + mac('${MAC_B}') + socket.inet_aton('10.10.0.2') + b'spoof-me')`;

test('a guest speaks with its own MAC and addresses', async () => {
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.1')), true);
  assert.equal(await passes(udpFrame(MAC_A, '2001:db8::1')), true);
  assert.equal(await passes(arpFrame(MAC_A, MAC_A, '10.10.0.1')), true);
});

test('a spoofed MAC is dropped', async () => {
  assert.equal(await passes(udpFrame(EVIL, '10.10.0.1')), false);
  assert.equal(await passes(udpFrame(EVIL, '2001:db8::1')), false);
});

test('a spoofed address is dropped', async () => {
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.77')), false);
  assert.equal(await passes(udpFrame(MAC_A, '2001:db8::77')), false);
});

test('spoofed ARP is dropped: another address, another MAC inside or outside', async () => {
  assert.equal(await passes(arpFrame(MAC_A, MAC_A, '10.10.0.77')), false);
  assert.equal(await passes(arpFrame(MAC_A, EVIL, '10.10.0.1')), false);
  assert.equal(await passes(arpFrame(EVIL, MAC_A, '10.10.0.1')), false);
});

test('allowed address pairs pass, each address with its MAC only', async () => {
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.100')), true);
  assert.equal(await passes(arpFrame(MAC_A, MAC_A, '10.10.0.100')), true);
  assert.equal(await passes(udpFrame('00:00:5e:00:01:07', '10.10.0.130')), true);
  assert.equal(await passes(udpFrame('00:00:5e:00:01:07', '10.10.0.1')), false);
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.130')), false);
});

test('no guest is a router or a DHCP server: advertisements, redirects and offers are dropped', async () => {
  const lla = 'fe80::f816:3eff:febb:1';
  const ra = (kind: number): string => `ether('${MAC_A}', '33:33:00:00:00:01', 0x86dd, ip6('${lla}', 'ff02::1', 58, icmp6('${lla}', 'ff02::1', ${kind}, b'\\x40\\x00\\x07\\x08' + b'\\0'*8 + b'spoof-me')))`;
  assert.equal(await passes(ra(134)), false, 'router advertisement');
  assert.equal(await passes(ra(137)), false, 'redirect');
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.1', { sport: 67, dport: 68 })), false, 'DHCP offer');
  assert.equal(await passes(udpFrame(MAC_A, '2001:db8::1', { sport: 547, dport: 546 })), false, 'DHCPv6 reply');
});

test('neighbour advertisements are for own addresses only', async () => {
  const na = (target: string): string =>
    `ether('${MAC_A}', '${MAC_B}', 0x86dd, ip6('2001:db8::1', '2001:db8::2', 58, icmp6('2001:db8::1', '2001:db8::2', 136, struct.pack('!I', 0x60000000) + socket.inet_pton(socket.AF_INET6, '${target}') + b'\\x02\\x01' + mac('${MAC_A}') + b'spoof-me')))`;
  assert.equal(await passes(na('2001:db8::1')), true);
  assert.equal(await passes(na('2001:db8::99')), false);
});

test('nobody is driven off an address by who claims it while looking for duplicates', async () => {
  const ns = (target: string): string =>
    `ether('${MAC_A}', '${MAC_B}', 0x86dd, ip6('::', 'ff02::1:ff00:2', 58, icmp6('::', 'ff02::1:ff00:2', 135, struct.pack('!I', 0) + socket.inet_pton(socket.AF_INET6, '${target}') + b'spoof-me')))`;
  assert.equal(await passes(ns('2001:db8::1')), true);
  assert.equal(await passes(ns('2001:db8::2')), false);
});

test('headers hidden behind a fragment header are dropped, plain fragments pass', async () => {
  const fragment = (next: number, body: string): string => `ether('${MAC_A}', '${MAC_B}', 0x86dd, ip6('2001:db8::1', '2001:db8::2', 44, struct.pack('!BBHI', ${next}, 0, 0, 7) + ${body}))`;
  const inner = `udp('2001:db8::1', '2001:db8::2', 9, 9, b'spoof-me')`;
  assert.equal(await passes(fragment(17, inner)), true);
  assert.equal(await passes(fragment(60, `bytes([17, 0, 1, 4, 0, 0, 0, 0]) + ${inner}`)), false);
});

test('tagged frames and foreign protocols cannot carry anything past the filter', async () => {
  const inner = `ip4('10.10.0.1', '10.10.0.2', 17, udp('10.10.0.1', '10.10.0.2', 9, 9, b'spoof-me'))`;
  for (const tag of ['0x8100', '0x88a8']) {
    for (const vlan of [0, 5]) {
      assert.equal(await passes(`mac('${MAC_B}') + mac('${MAC_A}') + struct.pack('!HHH', ${tag}, ${vlan}, 0x800) + ${inner}`), false, `${tag} ${vlan}`);
    }
  }
  assert.equal(await passes(`ether('${MAC_A}', '${MAC_B}', 0x8864, b'\\x11\\0\\0\\0\\0\\x40\\0\\x21' + ${inner})`), false, 'PPPoE');
  assert.equal(await passes(`ether('${MAC_A}', '01:80:c2:00:00:00', 0x0026, b'\\x42\\x42\\x03spoof-me' + b'\\0'*40)`), false, 'spanning tree');
});

test('a closed guest gets neither broadcasts nor multicasts nor frames for other MACs', async () => {
  const shut = { ...all, rules: all.rules.filter((one) => one.direction === 'egress' || one.protocol !== null) };
  const only = { ...shut, rules: [...shut.rules, rule({ protocol: 'udp', port_range_min: 9, port_range_max: 9, remote_ip_prefix: '10.10.0.1/32' })] };
  const other = (options: Parameters<typeof udpFrame>[2]): string => udpFrame(MAC_A, '10.10.0.1', { dport: 7, ...options });
  assert.equal(await passes(other({ dst_mac: 'ff:ff:ff:ff:ff:ff', dst: '10.10.0.255' })), true);
  await driver.apply(change(whole, { security_groups: [only] }));
  assert.equal(await passes(other({})), false);
  assert.equal(await passes(other({ dst_mac: 'ff:ff:ff:ff:ff:ff', dst: '10.10.0.255' })), false, 'broadcast');
  assert.equal(await passes(other({ dst_mac: '01:00:5e:00:00:09', dst: '224.0.0.9' })), false, 'multicast');
  assert.equal(await passes(udpFrame(MAC_A, '10.10.0.1', { dst_mac: 'fa:16:3e:cc:cc:cc', dst: '10.10.0.9' })), false, 'flooded for somebody else');
  await driver.apply(change(whole, {}));
});
