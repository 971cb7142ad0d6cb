import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fault, poolOf, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
let ext: any;
let extSubnet: any;
before(async () => {
  net = await startNetwork({ quota_port: -1, quota_router: -1 });
  ext = await net.make('networks', { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' }, 'admin');
  extSubnet = await net.make('subnets', { network_id: ext.id, cidr: '10.10.1.0/24', ip_version: 4, ...poolOf('10.10.1.0/24') }, 'admin');
});
after(() => net.close());

async function networkWith(cidr: string, more: Record<string, unknown> = {}): Promise<{ network: any; subnet: any }> {
  const network = await net.make('networks', { name: 'n' });
  const subnet = await net.make('subnets', { network_id: network.id, cidr, ip_version: cidr.includes(':') ? 6 : 4, ...poolOf(cidr), ...more });
  return { network, subnet };
}

const change = (id: string, verb: 'add' | 'remove', body: object, token?: any) => net.call('PUT', `/v2.0/routers/${id}/${verb}_router_interface`, body, token);
const desired = async (): Promise<any[]> => Promise.all(net.nodes.map((node) => net.network.nodeHandlers['network.desired']!({ id: node.id }, {})));

describe('routers', () => {
  it('are made, shown, listed, changed and deleted', async () => {
    const router = await net.make('routers', { name: 'r', external_gateway_info: { network_id: ext.id } });
    assert.equal(router.status, 'ACTIVE');
    assert.equal(router.external_gateway_info.enable_snat, true);
    assert.equal(router.external_gateway_info.external_fixed_ips[0].subnet_id, extSubnet.id);
    assert.equal(router.ha, undefined, 'only administrators see it');
    assert.deepEqual(router.availability_zones, ['nova']);
    const shown = await net.call('GET', `/v2.0/routers/${router.id}`);
    assert.deepEqual(shown.json.router, router);
    assert.equal((await net.call('GET', `/v2.0/routers/${router.id}`, undefined, 'admin')).json.router.ha, false);
    assert.deepEqual((await net.call('GET', '/v2.0/routers?name=r')).json.routers, [router]);
    assert.deepEqual((await net.call('GET', '/v2.0/routers', undefined, 'other')).json.routers, []);
    assert.deepEqual(fault(await net.call('GET', `/v2.0/routers/${router.id}`, undefined, 'other')), { status: 404, type: 'RouterNotFound', message: `Router ${router.id} could not be found` });
    const ports = await net.call('GET', `/v2.0/ports?device_id=${router.id}`, undefined, 'admin');
    assert.equal(ports.json.ports[0].device_owner, 'network:router_gateway');
    assert.equal(ports.json.ports[0].project_id, '');
    assert.equal((await net.call('GET', `/v2.0/ports?device_id=${router.id}`)).json.ports.length, 0, 'the gateway port is hidden from its project');
    const named = await net.call('PUT', `/v2.0/routers/${router.id}`, { router: { name: 'renamed', admin_state_up: false } });
    assert.equal(named.json.router.name, 'renamed');
    assert.equal(named.json.router.revision_number, router.revision_number + 1);
    assert.equal((await net.call('PUT', `/v2.0/routers/${router.id}/tags/blue`)).status, 201);
    assert.equal((await net.call('GET', '/v2.0/routers?tags=blue&fields=id')).json.routers[0].id, router.id);
    const cleared = await net.call('PUT', `/v2.0/routers/${router.id}`, { router: { external_gateway_info: {} } });
    assert.equal(cleared.json.router.external_gateway_info, null);
    assert.equal((await net.call('GET', `/v2.0/ports?device_id=${router.id}`, undefined, 'admin')).json.ports.length, 0);
    assert.equal((await net.call('DELETE', `/v2.0/routers/${router.id}`)).status, 204);
    assert.equal((await net.call('GET', `/v2.0/routers/${router.id}`)).status, 404);
  });

  it('refuse gateways that are none', async () => {
    const { network } = await networkWith('10.20.0.0/24');
    const router = await net.make('routers', {});
    const set = (info: unknown, token?: any) => net.call('PUT', `/v2.0/routers/${router.id}`, { router: { external_gateway_info: info } }, token);
    assert.deepEqual(fault(await set({ network_id: network.id })), { status: 400, type: 'BadRequest', message: `Bad router request: Network ${network.id} is not an external network.` });
    assert.equal(fault(await set({ network_id: router.id })).type, 'NetworkNotFound');
    assert.equal(fault(await set({ network_id: ext.id, enable_snat: false })).type, 'PolicyNotAuthorized');
    assert.equal(fault(await set({ network_id: ext.id, external_fixed_ips: [{ ip_address: '10.10.1.1' }] }, 'admin')).message, 'Bad router request: External IP 10.10.1.1 is the same as the gateway IP.');
    const plain = await set({ network_id: ext.id, enable_snat: false, external_fixed_ips: [{ ip_address: '10.10.1.77' }] }, 'admin');
    assert.deepEqual(plain.json.router.external_gateway_info, { network_id: ext.id, enable_snat: false, external_fixed_ips: [{ subnet_id: extSubnet.id, ip_address: '10.10.1.77' }] });
    const moved = await set({ network_id: ext.id, external_fixed_ips: [{ subnet_id: extSubnet.id, ip_address: '10.10.1.78' }] }, 'admin');
    assert.deepEqual(moved.json.router.external_gateway_info, { network_id: ext.id, enable_snat: true, external_fixed_ips: [{ subnet_id: extSubnet.id, ip_address: '10.10.1.78' }] });
    assert.equal((await net.call('DELETE', `/v2.0/routers/${router.id}`)).status, 204);
  });

  it('get and lose interfaces, each subnet once', async () => {
    const { network, subnet } = await networkWith('10.21.0.0/24');
    const router = await net.make('routers', { external_gateway_info: { network_id: ext.id } });
    const added = await change(router.id, 'add', { subnet_id: subnet.id });
    assert.equal(added.status, 200, added.text);
    assert.equal(added.json.subnet_id, subnet.id);
    assert.deepEqual(added.json.subnet_ids, [subnet.id]);
    const port = (await net.call('GET', `/v2.0/ports/${added.json.port_id}`)).json.port;
    assert.deepEqual([port.device_id, port.device_owner, port.fixed_ips[0].ip_address], [router.id, 'network:router_interface', '10.21.0.1']);
    assert.deepEqual(fault(await change(router.id, 'add', { subnet_id: subnet.id })), { status: 400, type: 'BadRequest', message: `Bad router request: Router already has a port on subnet ${subnet.id}.` });
    const twin = await networkWith('10.21.0.128/25');
    assert.match(fault(await change(router.id, 'add', { subnet_id: twin.subnet.id })).message, /overlaps with cidr 10\.21\.0\.0\/24/);
    assert.equal(fault(await change(router.id, 'add', {})).message, 'Bad router request: Either subnet_id or port_id must be specified.');
    assert.equal(fault(await change(router.id, 'add', { subnet_id: subnet.id, port_id: port.id })).message, 'Bad router request: Cannot specify both subnet-id and port-id.');
    assert.equal(fault(await change(router.id, 'add', { subnet_id: subnet.id }, 'other')).type, 'RouterNotFound');
    assert.deepEqual(fault(await net.call('DELETE', `/v2.0/routers/${router.id}`)), { status: 409, type: 'RouterInUse', message: `Router ${router.id} has ports still attached: ${port.id}` });
    assert.deepEqual(fault(await net.call('DELETE', `/v2.0/ports/${port.id}`)), { status: 409, type: 'ServicePortInUse', message: `Port ${port.id} cannot be deleted directly via the port API: has device owner network:router_interface.` });
    assert.equal(fault(await net.call('DELETE', `/v2.0/subnets/${subnet.id}`)).type, 'SubnetInUse');
    assert.equal(fault(await net.call('DELETE', `/v2.0/networks/${network.id}`)).type, 'NetworkInUse');
    assert.equal(fault(await net.call('PUT', `/v2.0/subnets/${subnet.id}`, { subnet: { gateway_ip: '10.21.0.9' } })).type, 'GatewayIpInUse');
    assert.equal(fault(await net.call('PUT', `/v2.0/networks/${ext.id}`, { network: { 'router:external': false } }, 'admin')).type, 'ExternalNetworkInUse');
    assert.deepEqual(fault(await change(router.id, 'remove', { subnet_id: twin.subnet.id })), { status: 404, type: 'RouterInterfaceNotFoundForSubnet', message: `Router ${router.id} has no interface on subnet ${twin.subnet.id}` });
    assert.equal(fault(await change(router.id, 'remove', { port_id: router.id })).type, 'RouterInterfaceNotFound');
    assert.equal(fault(await change(router.id, 'remove', { port_id: port.id, subnet_id: twin.subnet.id })).type, 'SubnetMismatchForPort');
    assert.equal((await change(router.id, 'remove', { subnet_id: subnet.id })).json.port_id, port.id);
    assert.equal((await net.call('GET', `/v2.0/ports/${port.id}`)).status, 404);
    assert.equal((await net.call('DELETE', `/v2.0/routers/${router.id}`)).status, 204);
  });

  it('take a port that is free', async () => {
    const { network } = await networkWith('10.22.0.0/24');
    const router = await net.make('routers', {});
    const port = await net.make('ports', { network_id: network.id });
    const taken = await net.make('ports', { network_id: network.id, device_id: 'something' });
    assert.equal(fault(await change(router.id, 'add', { port_id: taken.id })).type, 'PortInUse');
    assert.equal((await change(router.id, 'add', { port_id: port.id })).json.network_id, network.id);
    assert.equal((await change(router.id, 'remove', { port_id: port.id })).status, 200);
  });

  it('several IPv6 subnets of a network share a port', async () => {
    const { network, subnet } = await networkWith('2001:db8:1::/64');
    const second = await net.make('subnets', { network_id: network.id, cidr: '2001:db8:2::/64', ip_version: 6 });
    const router = await net.make('routers', {});
    const one = await change(router.id, 'add', { subnet_id: subnet.id });
    const two = await change(router.id, 'add', { subnet_id: second.id });
    assert.equal(two.json.port_id, one.json.port_id);
    assert.equal((await change(router.id, 'remove', { subnet_id: subnet.id })).status, 200);
    assert.deepEqual((await net.call('GET', `/v2.0/ports/${one.json.port_id}`)).json.port.fixed_ips.map((ip: any) => ip.ip_address), ['2001:db8:2::1']);
  });

  it('have routes to what is connected', async () => {
    const { subnet } = await networkWith('10.23.0.0/24');
    const router = await net.make('routers', {});
    await change(router.id, 'add', { subnet_id: subnet.id });
    const set = (routes: unknown) => net.call('PUT', `/v2.0/routers/${router.id}`, { router: { routes } });
    assert.match(fault(await set([{ destination: '10.99.0.0/16', nexthop: '10.24.0.9' }])).message, /the nexthop is not connected with router$/);
    assert.match(fault(await set([{ destination: '10.99.0.0/16', nexthop: '10.23.0.1' }])).message, /the nexthop is used by router$/);
    const routes = [{ destination: '10.99.0.0/16', nexthop: '10.23.0.9' }];
    assert.deepEqual((await set(routes)).json.router.routes, routes);
    assert.equal(fault(await change(router.id, 'remove', { subnet_id: subnet.id })).type, 'RouterInterfaceInUseByRoute');
    const edit = (verb: string, list: unknown) => net.call('PUT', `/v2.0/routers/${router.id}/${verb}_extraroutes`, { router: { routes: list } });
    const second = { destination: '10.98.0.0/16', nexthop: '10.23.0.8' };
    assert.deepEqual((await edit('add', [second, ...routes])).json.router.routes, [second, ...routes]);
    assert.deepEqual((await edit('remove', [second, { destination: '10.97.0.0/16', nexthop: '10.23.0.8' }])).json.router.routes, routes);
    assert.deepEqual((await set(null)).json.router.routes, []);
    assert.equal((await change(router.id, 'remove', { subnet_id: subnet.id })).status, 200);
  });

  it('live on one node, which is told, and move when it is gone', async () => {
    const { network, subnet } = await networkWith('10.25.0.0/24');
    const router = await net.make('routers', { external_gateway_info: { network_id: ext.id } });
    net.pokes.length = 0;
    const added = await change(router.id, 'add', { subnet_id: subnet.id });
    const states = await desired();
    const at = states.findIndex((state) => state.routers.some((one: any) => one.router_id === router.id));
    const [wired] = states[at].routers.filter((one: any) => one.router_id === router.id);
    assert.equal(states.filter((state) => state.routers.some((one: any) => one.router_id === router.id)).length, 1);
    assert.ok(net.pokes.some((poke) => poke.node_id === net.nodes[at]!.id && poke.generation === states[at].generation));
    assert.deepEqual(wired.legs.map((leg: any) => leg.is_gateway).sort(), [false, true]);
    assert.equal(wired.snat_address, router.external_gateway_info.external_fixed_ips[0].ip_address);
    assert.ok(states[at].networks.some((one: any) => one.network_id === network.id));
    assert.ok(states[at].networks.find((one: any) => one.network_id === ext.id).host_addresses.includes('10.10.1.1/24'));
    assert.ok(!states[at].ports.some((one: any) => one.device_id === router.id), 'a leg is no port of a guest');
    await net.network.nodeHandlers['network.report']!({ id: net.nodes[at]!.id }, { ports: [{ port_id: added.json.port_id, status: 'ACTIVE' }] });
    assert.equal((await net.call('GET', `/v2.0/ports/${added.json.port_id}`)).json.port.status, 'ACTIVE');
    const node = net.nodes[at]!;
    const job = net.network.service.jobs.find((one) => one.name === 'network.place-routers')!;
    const run = () => job.run({} as never);
    node.state = 'down';
    node.last_seen_at = new Date().toISOString();
    await run();
    assert.ok((await desired())[at].routers.length > 0, 'a short silence moves nothing');
    node.last_seen_at = new Date(Date.now() - 600_000).toISOString();
    await run();
    const after = await desired();
    assert.equal(after[at].routers.length, 0);
    assert.ok(after[1 - at].routers.some((one: any) => one.router_id === router.id && one.legs.length === 2));
    assert.equal((await net.call('GET', `/v2.0/ports/${added.json.port_id}`)).json.port.status, 'DOWN');
    node.state = 'up';
  });

  it('cannot be given a leg by who only names them', async () => {
    const router = await net.make('routers', { external_gateway_info: { network_id: ext.id } });
    const mine = await net.make('networks', {}, 'other');
    await net.make('subnets', { network_id: mine.id, cidr: '10.26.0.0/24', ip_version: 4 }, 'other');
    const forged = await net.call('POST', '/v2.0/ports', { port: { network_id: mine.id, device_id: router.id, device_owner: 'network:router_interface' } }, 'other');
    assert.equal(fault(forged).type, 'DeviceIDNotOwnedByTenant');
    const port = await net.make('ports', { network_id: mine.id }, 'other');
    const later = await net.call('PUT', `/v2.0/ports/${port.id}`, { port: { device_id: router.id, device_owner: 'network:router_interface' } }, 'other');
    assert.equal(fault(later).type, 'DeviceIDNotOwnedByTenant');
  });

  it('count for the quota', async () => {
    await net.call('PUT', `/v2.0/quotas/${'e'.repeat(32)}`, { quota: { router: 1 } }, 'admin');
    await net.make('routers', {}, 'other');
    assert.deepEqual(fault(await net.call('POST', '/v2.0/routers', { router: {} }, 'other')), { status: 409, type: 'OverQuota', message: "Quota exceeded for resources: ['router']." });
  });
});
