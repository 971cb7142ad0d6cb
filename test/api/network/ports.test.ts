import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fault, poolOf, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
before(async () => {
  net = await startNetwork({ quota_port: -1 });
});
after(() => net.close());

async function networkWith(cidr: string, more: Record<string, unknown> = {}): Promise<{ network: any; subnet: any }> {
  const network = await net.make('networks', { name: 'n' });
  const subnet = await net.make('subnets', { network_id: network.id, cidr, ip_version: cidr.includes(':') ? 6 : 4, ...more });
  return { network, subnet };
}

describe('ports', () => {
  it('get an address, a MAC and the default group', async () => {
    const { network, subnet } = await networkWith('10.1.0.0/24');
    const port = await net.make('ports', { network_id: network.id, name: 'p' });
    assert.match(port.mac_address, /^fa:16:3e(:[0-9a-f]{2}){3}$/);
    assert.equal(port.fixed_ips.length, 1);
    assert.equal(port.fixed_ips[0].subnet_id, subnet.id);
    assert.match(port.fixed_ips[0].ip_address, /^10\.1\.0\.\d+$/);
    assert.equal(port.status, 'DOWN');
    assert.equal(port.project_id, port.tenant_id);
    assert.equal(port['binding:host_id'], undefined, 'a user does not see the host');
    const groups = await net.call('GET', `/v2.0/security-groups/${port.security_groups[0]}`);
    assert.equal(groups.json.security_group.name, 'default');
    assert.equal(groups.json.security_group.security_group_rules.length, 4);
    const shown = await net.call('GET', `/v2.0/ports/${port.id}`);
    assert.deepEqual(shown.json.port, port);
    const admin = await net.call('GET', `/v2.0/ports/${port.id}`, undefined, 'admin');
    assert.equal(admin.json.port['binding:vif_type'], 'unbound');
    const listed = await net.call('GET', `/v2.0/ports?network_id=${network.id}`);
    assert.deepEqual(listed.json.ports, [port]);
  });

  it('have a MAC of one station', async () => {
    const { network } = await networkWith('10.11.0.0/24');
    for (const mac_address of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01', '00:00:00:00:00:00', 'fa:16:3e:00:00:01\n']) {
      const { status, message } = fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id, mac_address } }));
      assert.equal(status, 400, mac_address);
      assert.match(message, /is not a valid MAC address/);
    }
  });

  it('calculate their address on a slaac subnet, also one that comes later', async () => {
    const { network } = await networkWith('2001:db8:1::/64', { ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' });
    const port = await net.make('ports', { network_id: network.id, mac_address: 'fa:16:3e:00:00:01' });
    assert.deepEqual(port.fixed_ips.map((ip: any) => ip.ip_address), ['2001:db8:1:0:f816:3eff:fe00:1']);
    const later = await net.make('subnets', { network_id: network.id, cidr: '2001:db8:2::/64', ip_version: 6, ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' });
    const shown = await net.call('GET', `/v2.0/ports/${port.id}`);
    assert.deepEqual(shown.json.port.fixed_ips.map((ip: any) => ip.ip_address), ['2001:db8:1:0:f816:3eff:fe00:1', '2001:db8:2:0:f816:3eff:fe00:1']);
    assert.equal((await net.call('DELETE', `/v2.0/subnets/${later.id}`)).status, 204);
    assert.equal((await net.call('GET', `/v2.0/ports/${port.id}`)).json.port.fixed_ips.length, 1);
  });

  it('200 at once never share an address, and the pool runs dry in words', async () => {
    const { network } = await networkWith('10.2.0.0/24', { allocation_pools: [{ start: '10.2.0.10', end: '10.2.0.209' }] });
    const made = await Promise.all(Array.from({ length: 203 }, () => net.call('POST', '/v2.0/ports', { port: { network_id: network.id } })));
    const won = made.filter((response) => response.status === 201);
    assert.equal(won.length, 200);
    assert.equal(new Set(won.map((response) => response.json.port.fixed_ips[0].ip_address)).size, 200);
    assert.equal(new Set(won.map((response) => response.json.port.mac_address)).size, 200);
    for (const lost of made.filter((response) => response.status !== 201)) {
      assert.deepEqual(fault(lost), { status: 409, type: 'IpAddressGenerationFailure', message: `No more IP addresses available on network ${network.id}.` });
    }
    const [first] = won;
    assert.equal((await net.call('DELETE', `/v2.0/ports/${first!.json.port.id}`)).status, 204);
    const again = await net.make('ports', { network_id: network.id });
    assert.equal(again.fixed_ips[0].ip_address, first!.json.port.fixed_ips[0].ip_address);
  });

  it('many who ask for the same address: one has it', async () => {
    const { network, subnet } = await networkWith('10.3.0.0/24');
    const made = await Promise.all(Array.from({ length: 10 }, () => net.call('POST', '/v2.0/ports', { port: { network_id: network.id, fixed_ips: [{ ip_address: '10.3.0.7' }] } })));
    assert.equal(made.filter((response) => response.status === 201).length, 1);
    assert.deepEqual(fault(made.find((response) => response.status !== 201)!), { status: 409, type: 'IpAddressAlreadyAllocated', message: `IP address 10.3.0.7 already allocated in subnet ${subnet.id}` });
  });

  it('are made in bulk all or none', async () => {
    const { network } = await networkWith('10.4.0.0/24');
    const both = await net.call('POST', '/v2.0/ports', { ports: [{ network_id: network.id, name: 'a' }, { network_id: network.id, fixed_ips: [{ ip_address: '10.9.9.9' }] }] });
    assert.deepEqual(fault(both), { status: 400, type: 'InvalidIpForNetwork', message: 'IP address 10.9.9.9 is not a valid IP for any of the subnets on the specified network.' });
    assert.deepEqual((await net.call('GET', `/v2.0/ports?network_id=${network.id}`)).json.ports, []);
    const good = await net.call('POST', '/v2.0/ports', { ports: [{ network_id: network.id, tags: ['x', 'b'] }, { network_id: network.id }] });
    assert.equal(good.status, 201, good.text);
    assert.deepEqual(good.json.ports[0].tags, ['b', 'x']);
  });

  it('change their addresses, groups and MAC', async () => {
    const { network, subnet } = await networkWith('10.5.0.0/24');
    const second = await net.make('subnets', { network_id: network.id, cidr: '10.6.0.0/24', ip_version: 4, ...poolOf('10.6.0.0/24') });
    const port = await net.make('ports', { network_id: network.id, fixed_ips: [{ subnet_id: subnet.id }, { subnet_id: second.id }] });
    assert.equal(port.fixed_ips.length, 2);
    const one = await net.call('PUT', `/v2.0/ports/${port.id}`, { port: { fixed_ips: [{ subnet_id: subnet.id }] } });
    assert.deepEqual(one.json.port.fixed_ips, [port.fixed_ips[0]]);
    assert.equal(one.json.port.revision_number, 2);
    const group = await net.make('security-groups', { name: 'web' });
    const two = await net.call('PUT', `/v2.0/ports/${port.id}`, { port: { fixed_ips: [{ subnet_id: subnet.id }, { subnet_id: second.id, ip_address: '10.6.0.77' }], security_groups: [group.id], allowed_address_pairs: [{ ip_address: '10.5.0.0/24' }] } });
    assert.equal(two.status, 200, two.text);
    assert.equal(two.json.port.fixed_ips[1].ip_address, '10.6.0.77');
    assert.deepEqual(two.json.port.security_groups, [group.id]);
    assert.deepEqual(two.json.port.allowed_address_pairs, [{ mac_address: port.mac_address, ip_address: '10.5.0.0/24' }]);
    const used = await net.call('DELETE', `/v2.0/security-groups/${group.id}`);
    assert.deepEqual(fault(used), { status: 409, type: 'SecurityGroupInUse', message: `Security Group ${group.id} in use.` });
    const off = await net.call('PUT', `/v2.0/ports/${port.id}`, { port: { port_security_enabled: false } });
    assert.equal(fault(off).type, 'AddressPairAndPortSecurityRequired');
    const bare = await net.call('PUT', `/v2.0/ports/${port.id}`, { port: { port_security_enabled: false, security_groups: [], allowed_address_pairs: [] } });
    assert.equal(bare.status, 200, bare.text);
    assert.deepEqual(bare.json.port.security_groups, []);
  });

  it('refuse what they do not know, in neutron’s words', async () => {
    const { network } = await networkWith('10.7.0.0/24');
    assert.deepEqual(fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id, colour: 'red' } })), { status: 400, type: 'HTTPBadRequest', message: "Unrecognized attribute(s) 'colour'" });
    assert.deepEqual(fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id, name: 5 } })), { status: 400, type: 'HTTPBadRequest', message: "Invalid input for name. Reason: '5' is not a valid string." });
    assert.deepEqual(fault(await net.call('POST', '/v2.0/ports', { port: {} })), { status: 400, type: 'HTTPBadRequest', message: "Failed to parse request. Required attribute 'network_id' not specified" });
    assert.deepEqual(fault(await net.call('GET', '/v2.0/ports?colour=red')), { status: 400, type: 'HTTPBadRequest', message: "['colour'] is invalid attribute for filtering" });
    assert.deepEqual(fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id } }, 'other')), { status: 404, type: 'NetworkNotFound', message: `Network ${network.id} could not be found.` });
    assert.deepEqual(fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id } }, 'reader')), { status: 403, type: 'PolicyNotAuthorized', message: 'rule:create_port is disallowed by policy' });
    assert.equal(fault(await net.call('POST', '/v2.0/ports', { port: { network_id: network.id, 'binding:host_id': 'one' } })).type, 'PolicyNotAuthorized');
    assert.equal((await net.call('GET', '/v2.0/ports', undefined, 'other')).json.ports.length, 0);
  });

  it('are found by address, part of it, subnet, group and name, and paged', async () => {
    const { network, subnet } = await networkWith('10.8.0.0/24');
    for (const last of [11, 12, 21]) await net.make('ports', { network_id: network.id, name: `f${last}`, fixed_ips: [{ ip_address: `10.8.0.${last}` }] });
    const names = async (query: string): Promise<string[]> => (await net.call('GET', `/v2.0/ports?sort_key=name&sort_dir=asc&network_id=${network.id}&${query}`)).json.ports.map((port: any) => port.name);
    assert.deepEqual(await names('fixed_ips=ip_address%3D10.8.0.12'), ['f12']);
    assert.deepEqual(await names('fixed_ips=ip_address_substr%3D0.1'), ['f11', 'f12']);
    assert.deepEqual(await names(`fixed_ips=subnet_id%3D${subnet.id}`), ['f11', 'f12', 'f21']);
    assert.deepEqual(await names('name=f11&name=f21'), ['f11', 'f21']);
    const page = await net.call('GET', `/v2.0/ports?network_id=${network.id}&limit=2&sort_key=name&sort_dir=desc`);
    assert.deepEqual(page.json.ports.map((port: any) => port.name), ['f21', 'f12']);
    const next = page.json.ports_links.find((link: any) => link.rel === 'next').href;
    const rest = await net.surface.call('GET', new URL(next).pathname + new URL(next).search);
    assert.deepEqual(rest.json.ports.map((port: any) => port.name), ['f11']);
    const back = rest.json.ports_links.find((link: any) => link.rel === 'previous').href;
    const before = await net.surface.call('GET', new URL(back).pathname + new URL(back).search);
    assert.deepEqual(before.json.ports.map((port: any) => port.name), ['f21', 'f12']);
    const fields = await net.call('GET', `/v2.0/ports?network_id=${network.id}&fields=id&fields=mac_address`);
    assert.deepEqual(Object.keys(fields.json.ports[0]).sort(), ['id', 'mac_address']);
  });
});
