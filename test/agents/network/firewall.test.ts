import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonical, foldPorts, foldPrefixes, hexOf, linkLocal, parseRange } from '../../../src/agents/network/firewall/addresses.ts';
import { liveCuts, revokedFlows } from '../../../src/agents/network/firewall/cuts.ts';
import { groupRules, memberSet } from '../../../src/agents/network/firewall/group-rules.ts';
import { protocolNumber } from '../../../src/agents/network/firewall/protocols.ts';
import { portMarks } from '../../../src/agents/network/firewall/compile.ts';
import { change, group, network, port, rule, state, tcp, uuid } from '../../real/network/world.ts';

const texts = (rules: Parameters<typeof group>[0], direction: 'ingress' | 'egress' = 'ingress'): string[] => groupRules(group(rules), direction);

test('addresses: canonical text, prefixes without overlap, EUI-64', () => {
  assert.equal(canonical('2001:DB8:0:0::1'), '2001:db8::1');
  assert.equal(linkLocal('fa:16:3e:00:00:01'), 'fe80::f816:3eff:fe00:1');
  assert.equal(hexOf('2001:db8::5'), '0x20010db8000000000000000000000005');
  assert.deepEqual(foldPrefixes(['10.0.0.7', '10.0.0.0/24', '10.0.1.1/32', '2001:db8::/32', '10.0.0.0/25'], 4), ['10.0.0.0/24', '10.0.1.1']);
  assert.deepEqual(foldPorts([[80, 80], [1, 10], [81, 90], [5, 20]]), ['1-20', '80-90']);
  for (const bad of ['', 'x', '10.0.0.0/33', '10.0.0.0/8/8', 'fe80::1%eth0', '1.2.3']) assert.equal(parseRange(bad), undefined, bad);
});

test('folded prefixes cover the same addresses and never overlap', () => {
  const prefix = fc.tuple(fc.nat(0xffffffff), fc.integer({ min: 8, max: 32 })).map(([value, length]) => `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')}/${length}`);
  fc.assert(
    fc.property(fc.array(prefix), (given) => {
      const ranges = foldPrefixes(given, 4).map(parseRange).filter((one) => one !== undefined);
      for (const text of given) {
        const one = parseRange(text);
        assert.ok(one && ranges.some((kept) => kept.first <= one.first && one.last <= kept.last));
      }
      ranges.forEach((one, index) => assert.ok(index === 0 || one.first > (ranges[index - 1]?.last ?? -1n)));
    }),
  );
});

test('protocols by name and number; ICMP follows the family', () => {
  const numbers = ['tcp', 'udp', 'icmp', 'ipv6-icmp', 'icmpv6', 'sctp', 'dccp', 'ah', 'esp', 'gre', 'igmp', 'vrrp', 'udplite', '47', 'any', null].map((name) => protocolNumber(name, 4));
  assert.deepEqual(numbers, [6, 17, 1, 58, 58, 132, 33, 51, 50, 47, 2, 112, 136, 47, null, null]);
  assert.equal(protocolNumber('icmp', 6), 58);
  assert.equal(protocolNumber('nonsense', 4), undefined);
});

test('rules fold: ports into one set, prefixes into one set, the same rules in any order to the same text', () => {
  assert.deepEqual(texts([tcp(80), tcp(443), tcp(81)]), ['meta nfproto ipv4 meta l4proto 6 th dport { 80-81, 443 } accept']);
  assert.deepEqual(texts([tcp(22, { remote_ip_prefix: '10.0.0.0/8' }), tcp(22, { remote_ip_prefix: '192.0.2.1/32' })]), [
    'meta nfproto ipv4 meta l4proto 6 th dport 22 ip saddr { 10.0.0.0/8, 192.0.2.1 } accept',
  ]);
  const friends = uuid();
  assert.deepEqual(texts([rule({ direction: 'egress', protocol: 'udp', ethertype: 'IPv6', remote_group_id: friends })], 'egress'), [
    `meta nfproto ipv6 meta l4proto 17 ip6 daddr @${memberSet(friends, 6)} accept`,
  ]);
  assert.deepEqual(texts([rule({ protocol: 'icmp', port_range_min: 0, port_range_max: 0 })]), ['meta nfproto ipv4 icmp type 0 icmp code 0 accept']);
  assert.deepEqual(texts([rule({ protocol: 'tcp' }), tcp(80)]), ['meta nfproto ipv4 meta l4proto 6 accept'], 'any port swallows one');
  assert.deepEqual(texts([rule({ remote_ip_prefix: '2001:db8::/32' })]), [], 'a prefix of the other family matches nothing');
  const many = Array.from({ length: 1000 }, (_, index) => tcp(index + 1));
  assert.deepEqual(texts(many), texts(many.toReversed()));
  assert.equal(texts(many).length, 1);
});

test('marks are distinct and do not depend on the order of ports', () => {
  const ports = Array.from({ length: 500 }, () => ({ port_id: uuid() }));
  const marks = portMarks(ports);
  assert.equal(new Set(marks.values()).size, 500);
  assert.deepEqual(portMarks(ports.toReversed()), marks);
});

test('flows are cut for what was revoked, and for that only', () => {
  const net = network();
  const friends = uuid();
  const open = group([tcp(80), tcp(81, { remote_ip_prefix: '10.9.0.0/16' }), tcp(82, { remote_group_id: friends }), rule({ direction: 'egress', protocol: 'udp' })]);
  const one = port(net, ['10.0.0.5/24'], [open]);
  const whole = state({ networks: [net], ports: [one], security_groups: [open], group_members: [{ group_id: friends, addresses: ['10.0.0.7', '10.0.0.8'] }] });
  const without = (index: number): string[] => revokedFlows(whole, change(whole, { security_groups: [{ ...open, rules: open.rules.toSpliced(index, 1) }] }));
  const zone = `-w ${net.zone} -f ipv4`;
  assert.deepEqual(revokedFlows(whole, change(whole, {})), []);
  assert.deepEqual(without(0), [`${zone} -p 6 --dport 80 -d 10.0.0.5`]);
  assert.deepEqual(without(1), [`${zone} -p 6 --dport 81 -d 10.0.0.5 -s 10.9.0.0/16`]);
  assert.deepEqual(without(2), [`${zone} -p 6 --dport 82 -d 10.0.0.5 -s 10.0.0.7`, `${zone} -p 6 --dport 82 -d 10.0.0.5 -s 10.0.0.8`]);
  assert.deepEqual(without(3), [`${zone} -p 17 -s 10.0.0.5`]);
  assert.deepEqual(revokedFlows(whole, change(whole, { group_members: [{ group_id: friends, addresses: ['10.0.0.8'] }] })), [`${zone} -p 6 --dport 82 -d 10.0.0.5 -s 10.0.0.7`]);
  assert.deepEqual(revokedFlows(whole, change(whole, { ports: [] })), [`${zone} -s 10.0.0.5`, `${zone} -d 10.0.0.5`]);
});

test('a cut is made only where a flow is: same zone, family, protocol, port and addresses', () => {
  const listing = [
    'ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.9 dst=10.0.0.5 sport=40000 dport=80 src=10.0.0.5 dst=10.0.0.9 sport=80 dport=40000 [ASSURED] mark=0 zone=3 use=1',
    'ipv6     10 udp      17 29 src=2001:db8::1 dst=2001:db8::2 sport=9 dport=53 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 sport=53 dport=9 mark=0 zone=4 use=1',
    'ipv4     2 icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 mark=0 zone=3 use=1',
  ].join('\n');
  const hits = ['-w 3 -f ipv4 -p 6 --dport 80 -d 10.0.0.5', '-w 3 -f ipv4 -d 10.0.0.5 -s 10.0.0.0/24', '-w 4 -f ipv6 -p 17 --dport 53 -s 2001:db8:0::1', '-w 3 -f ipv4 -p 1 -d 10.0.0.2', '-w 3'];
  const misses = ['-w 4 -f ipv4 -p 6 --dport 80 -d 10.0.0.5', '-w 3 -f ipv4 -p 6 --dport 81 -d 10.0.0.5', '-w 3 -f ipv4 -p 17 -d 10.0.0.5', '-w 3 -f ipv4 -s 10.0.0.5', '-w 3 -f ipv4 -p 1 --dport 8 -d 10.0.0.2'];
  assert.deepEqual(liveCuts([...hits, ...misses], listing), hits);
});
