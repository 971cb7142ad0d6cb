import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { callers, DEMO, OTHER, poolOf, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
before(async () => {
  net = await startNetwork();
});
after(() => net.close());

const claim = (server_id: string, nics: any[], over: Record<string, unknown> = {}) =>
  net.network.client.claimNics({ server_id, project_id: DEMO, hostname: 'vm', node_id: 'node-one', host: 'one', zone: 'nova', nics, security_group_ids: [], ...over });

const rejects = (status: number, message: string | RegExp) => (error: unknown) => {
  const { status: got, message: said } = error as { status: number; message: string };
  assert.equal(got, status, said);
  if (typeof message === 'string') assert.equal(said, message);
  else assert.match(said, message);
  return true;
};

describe('NICs of servers', () => {
  it('are planned, claimed once, shown, wired, plugged and released', async () => {
    const { client } = net.network;
    await assert.rejects(client.planNics(callers.demo, 'auto', 1), rejects(400, `Unable to automatically allocate a network for project ${DEMO}`));
    assert.deepEqual(await client.planNics(callers.demo, [], 1), []);
    const network = await net.make('networks', { name: 'private' });
    await assert.rejects(client.planNics(callers.demo, [{ network_id: network.id }], 1), rejects(400, `Network ${network.id} requires a subnet in order to boot instances on.`));
    const subnet = await net.make('subnets', { network_id: network.id, cidr: '10.1.0.0/24', ip_version: 4, ...poolOf('10.1.0.0/24'), dns_nameservers: ['192.0.2.53'], host_routes: [{ destination: '10.9.0.0/16', nexthop: '10.1.0.9' }] });
    const plan = await client.planNics(callers.demo, 'auto', 1);
    assert.deepEqual(plan, [{ network_id: network.id, port_id: undefined, fixed_ip: undefined, tag: undefined }]);
    const own = await net.make('ports', { network_id: network.id, name: 'own' });
    const server = randomUUID();
    const nics = [...plan, ...(await client.planNics(callers.demo, [{ port_id: own.id, tag: 'second' }], 1))];
    const claimed = await claim(server, nics);
    assert.deepEqual(claimed.map((nic) => [nic.network_name, nic.made_for_server, nic.tag, nic.status]), [['private', true, null, 'DOWN'], ['private', false, 'second', 'DOWN']]);
    assert.deepEqual(claimed[0]!.fixed_ips[0], { ip_address: claimed[0]!.fixed_ips[0]!.ip_address, ip_version: 4, subnet_id: subnet.id, cidr: '10.1.0.0/24', gateway_ip: '10.1.0.1', dns_nameservers: ['192.0.2.53'], routes: [{ destination: '10.9.0.0/16', nexthop: '10.1.0.9' }] });
    assert.equal(claimed[0]!.security_groups[0]!.name, 'default');
    assert.deepEqual(await claim(server, nics), claimed, 'twice gives the same');
    assert.deepEqual((await client.nicsOf([server])).get(server), claimed);
    await assert.rejects(client.planNics(callers.demo, [{ port_id: own.id }], 1), rejects(409, `Port ${own.id} is still in use.`));

    const slice = await client.sliceFor(server);
    assert.deepEqual(slice.ports.map((port) => port.port_id), claimed.map((nic) => nic.port_id));
    assert.equal(slice.ports[0]!.fixed_ips[0]!.prefix_length, 24);
    assert.equal(slice.networks[0]!.type, 'vxlan');
    assert.equal(slice.security_groups[0]!.rules.length, 4);
    const addresses = claimed.flatMap((nic) => nic.fixed_ips.map((ip) => ip.ip_address)).sort();
    assert.deepEqual(slice.group_members, [{ group_id: claimed[0]!.security_groups[0]!.id, addresses }]);

    await client.setPlugged(server, true);
    const shown = (await net.call('GET', `/v2.0/ports?device_id=${server}`, undefined, 'admin')).json.ports;
    assert.deepEqual(shown.map((port: any) => [port.status, port['binding:host_id'], port['binding:vif_type'], port.device_owner]), Array.from({ length: 2 }, () => ['ACTIVE', 'one', 'bridge', 'compute:nova']));
    const changes: string[] = [];
    client.onServerNicsChanged((id) => changes.push(id));
    await client.releaseNics(server);
    assert.ok(changes.includes(server));
    await client.releaseNics(server);
    assert.equal((await client.nicsOf([server])).size, 0);
    const left = (await net.call('GET', `/v2.0/ports/${own.id}`, undefined, 'admin')).json.port;
    assert.deepEqual([left.device_id, left['binding:host_id'], left.status], ['', '', 'DOWN']);
  });

  it('are what compute has claimed, whatever users write into their ports', async () => {
    const { client } = net.network;
    const network = await net.make('networks', { name: 'theirs' }, 'other');
    await net.make('subnets', { network_id: network.id, cidr: '10.6.0.0/24', ip_version: 4 }, 'other');
    const [mine, yours] = [randomUUID(), randomUUID()];
    const nic = (port_id?: string) => ({ network_id: network.id, port_id, fixed_ip: undefined, tag: undefined });
    await claim(mine, [nic()], { project_id: OTHER });
    const given = await net.make('ports', { network_id: network.id }, 'other');
    const [attached] = await claim(yours, [nic(given.id)], { project_id: OTHER });
    const loose = await net.make('ports', { network_id: network.id, device_id: mine, device_owner: 'compute:nova' }, 'other');
    const before = (await client.nicsOf([mine])).get(mine)!;
    assert.equal(before.length, 1, 'a port that names the server is not its NIC');
    await claim(mine, [nic()], { project_id: OTHER });
    const slice = await client.sliceFor(mine);
    assert.deepEqual(slice.ports.map((port) => port.port_id), [before[0]!.port_id]);
    for (const change of [{ device_id: mine }, { device_id: '' }, { device_owner: 'network:dhcp' }]) {
      for (const port of [attached!.port_id, before[0]!.port_id]) {
        const refused = await net.call('PUT', `/v2.0/ports/${port}`, { port: port === before[0]!.port_id && change.device_id === mine ? { device_id: yours } : change }, 'other');
        assert.equal(refused.status, 409, refused.text);
        assert.equal(refused.json.NeutronError.type, 'PortInUse');
      }
    }
    const same = await net.call('PUT', `/v2.0/ports/${attached!.port_id}`, { port: { device_id: yours, device_owner: 'compute:nova', name: 'still' } }, 'other');
    assert.equal(same.status, 200, same.text);
    assert.equal((await net.call('PUT', `/v2.0/ports/${loose.id}`, { port: { device_id: yours } }, 'other')).status, 200);
    for (const server of [mine, yours]) {
      assert.equal((await client.nicsOf([server])).get(server)!.length, 1);
      await client.releaseNics(server);
    }
    assert.equal((await net.call('GET', `/v2.0/ports/${loose.id}`, undefined, 'other')).json.port.device_id, yours, 'not released with a server it never belonged to');
  });

  it('are refused in nova’s words', async () => {
    const { client } = net.network;
    const missing = randomUUID();
    await assert.rejects(client.planNics(callers.demo, [{ network_id: missing }], 1), rejects(400, `Network ${missing} could not be found.`));
    await assert.rejects(client.planNics(callers.demo, [{ port_id: missing }], 1), rejects(400, `Port id ${missing} could not be found.`));
    const network = (await net.call('GET', '/v2.0/networks?name=private')).json.networks[0];
    await assert.rejects(client.planNics(callers.demo, [{ network_id: network.id, fixed_ip: '10.2.0.5' }], 1), rejects(400, /Fixed IP 10\.2\.0\.5 is not a valid ip address for network/));
    await net.make('ports', { network_id: network.id, fixed_ips: [{ ip_address: '10.1.0.77' }], device_id: 'somebody' });
    await assert.rejects(client.planNics(callers.demo, [{ network_id: network.id, fixed_ip: '10.1.0.77' }], 1), rejects(400, 'Fixed IP address 10.1.0.77 is already in use on instance somebody.'));
    await assert.rejects(client.planNics(callers.other, [{ network_id: network.id }], 1), rejects(400, `Network ${network.id} could not be found.`));
    const external = await net.make('networks', { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' }, 'admin');
    await net.make('subnets', { network_id: external.id, cidr: '203.0.113.0/24', ip_version: 4 }, 'admin');
    await assert.rejects(client.planNics(callers.demo, [{ network_id: external.id }], 1), rejects(403, `It is not allowed to create an interface on external network ${external.id}`));
    assert.equal((await client.planNics(callers.admin, [{ network_id: external.id }], 1)).length, 1);
    await net.make('networks', { name: 'second' });
    await assert.rejects(client.planNics(callers.demo, 'auto', 1), rejects(409, 'Multiple possible networks found, use a Network ID to be more specific.'));
    await assert.rejects(client.planNics(callers.demo, [{ network_id: network.id }], 501), rejects(403, 'Maximum number of ports exceeded'));
    await assert.rejects(client.resolveSecurityGroups(callers.demo, ['nope']), rejects(400, `Security group nope not found for project ${DEMO}.`));
    assert.equal((await client.resolveSecurityGroups(callers.demo, ['default']))[0]!.name, 'default');
  });

  it('all of a server’s or none', async () => {
    const network = await net.make('networks', { name: 'tiny' });
    await net.make('subnets', { network_id: network.id, cidr: '10.7.0.0/24', ip_version: 4, allocation_pools: [{ start: '10.7.0.5', end: '10.7.0.5' }] });
    const nic = { network_id: network.id, port_id: undefined, fixed_ip: undefined, tag: undefined };
    await assert.rejects(claim(randomUUID(), [nic, nic]), (error: any) => error.code === 'network.no-address' && error.status === 409);
    assert.deepEqual((await net.call('GET', `/v2.0/ports?network_id=${network.id}`)).json.ports, []);
  });

  it('a node’s state follows, with a generation and pokes for whom it concerns', async () => {
    const { client, nodeHandlers } = net.network;
    const desired = (node: string) => nodeHandlers['network.desired']!({ id: node }, {}) as ReturnType<typeof client.sliceFor>;
    const network = await net.make('networks', { name: 'wide' });
    await net.make('subnets', { network_id: network.id, cidr: '10.8.0.0/24', ip_version: 4 });
    const nic = { network_id: network.id, port_id: undefined, fixed_ip: undefined, tag: undefined };
    const [one, two] = [randomUUID(), randomUUID()];
    await claim(one, [nic]);
    const first = await desired('node-one');
    net.pokes.length = 0;
    const [far] = await claim(two, [nic], { node_id: 'node-two', host: 'two' });
    const second = await desired('node-one');
    assert.ok(second.generation > first.generation);
    assert.deepEqual([...new Set(net.pokes.map((poke) => poke.node_id))].sort(), ['node-one', 'node-two']);
    const peer = second.peers.find((each) => each.node_id === 'node-two')!;
    assert.deepEqual(peer, { node_id: 'node-two', tunnel_ip: '192.0.2.2', ports: [{ network_id: network.id, mac_address: far!.mac_address, ip_addresses: [far!.fixed_ips[0]!.ip_address] }] });
    const zones = second.networks.map((each) => each.zone);
    assert.equal(new Set(zones).size, zones.length);
    const group = far!.security_groups[0]!.id;
    net.pokes.length = 0;
    await net.make('security-group-rules', { security_group_id: group, direction: 'ingress', protocol: 'tcp', port_range_min: 22, port_range_max: 22 });
    assert.deepEqual([...new Set(net.pokes.map((poke) => poke.node_id))].sort(), ['node-one', 'node-two']);
    assert.ok((await desired('node-two')).security_groups[0]!.rules.some((rule) => rule.port_range_min === 22));
    await nodeHandlers['network.report']!({ id: 'node-one' }, { ports: [{ port_id: far!.port_id, status: 'ACTIVE' }] });
    assert.equal((await net.call('GET', `/v2.0/ports/${far!.port_id}`)).json.port.status, 'DOWN', 'a node speaks for its own ports only');
    await nodeHandlers['network.report']!({ id: 'node-two' }, { ports: [{ port_id: far!.port_id, status: 'ACTIVE' }] });
    assert.equal((await net.call('GET', `/v2.0/ports/${far!.port_id}`)).json.port.status, 'ACTIVE');
  });

  it('on the external network the host has a leg', async () => {
    const external = (await net.call('GET', '/v2.0/networks?name=public', undefined, 'admin')).json.networks[0];
    const server = randomUUID();
    await claim(server, [{ network_id: external.id, port_id: undefined, fixed_ip: undefined, tag: undefined }]);
    const [wiring] = (await net.network.client.sliceFor(server)).networks;
    assert.deepEqual([wiring!.type, wiring!.physical_network, wiring!.host_addresses], ['flat', 'public', ['203.0.113.1/24']]);
  });
});
