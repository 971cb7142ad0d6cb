import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DEMO, fault, poolOf, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
let ext: any;
let inner: { network: any; subnet: any };
let router: any;
before(async () => {
  net = await startNetwork({ quota_port: -1 });
  ext = await net.make('networks', { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' }, 'admin');
  await net.make('subnets', { network_id: ext.id, cidr: '10.10.1.0/24', ip_version: 4, ...poolOf('10.10.1.0/24') }, 'admin');
  inner = await networkWith('10.30.0.0/24');
  router = await net.make('routers', { external_gateway_info: { network_id: ext.id } });
  await interfaceOf('add', inner.subnet.id);
});
after(() => net.close());

async function networkWith(cidr: string): Promise<{ network: any; subnet: any }> {
  const network = await net.make('networks', { name: 'n' });
  return { network, subnet: await net.make('subnets', { network_id: network.id, cidr, ip_version: 4, ...poolOf(cidr) }) };
}

const interfaceOf = (verb: 'add' | 'remove', subnet_id: string) => net.call('PUT', `/v2.0/routers/${router.id}/${verb}_router_interface`, { subnet_id });
const put = (id: string, change: object, token?: any) => net.call('PUT', `/v2.0/floatingips/${id}`, { floatingip: change }, token);
const show = async (id: string): Promise<any> => (await net.call('GET', `/v2.0/floatingips/${id}`)).json.floatingip;
const port = (more: object = {}, token?: any): Promise<any> => net.make('ports', { network_id: inner.network.id, ...more }, token);

describe('floating IPs', () => {
  it('are made, tied to a port, moved, untied and deleted', async () => {
    const [one, two] = [await port(), await port()];
    const fip = await net.make('floatingips', { floating_network_id: ext.id, port_id: one.id, description: 'web' });
    assert.match(fip.floating_ip_address, /^10\.10\.1\.\d+$/);
    assert.deepEqual([fip.port_id, fip.fixed_ip_address, fip.router_id, fip.status], [one.id, one.fixed_ips[0].ip_address, router.id, 'DOWN']);
    assert.equal(fip.port_details.mac_address, one.mac_address);
    assert.deepEqual(await show(fip.id), fip);
    const moved = (await put(fip.id, { port_id: two.id })).json.floatingip;
    assert.deepEqual([moved.port_id, moved.fixed_ip_address], [two.id, two.fixed_ips[0].ip_address]);
    const named = (await put(fip.id, { description: 'other' })).json.floatingip;
    assert.deepEqual([named.port_id, named.description], [two.id, 'other'], 'a change of words unties nothing');
    const free = (await put(fip.id, { port_id: null })).json.floatingip;
    assert.deepEqual([free.port_id, free.fixed_ip_address, free.router_id, free.port_details], [null, null, null, null]);
    assert.deepEqual((await net.call('GET', `/v2.0/floatingips?floating_ip_address=${fip.floating_ip_address}`)).json.floatingips, [free]);
    assert.deepEqual((await net.call('GET', `/v2.0/floatingips?port_id=${two.id}`)).json.floatingips, []);
    assert.equal((await net.call('GET', '/v2.0/floatingips', undefined, 'other')).json.floatingips.length, 0);
    assert.equal((await net.call('DELETE', `/v2.0/floatingips/${fip.id}`)).status, 204);
    assert.deepEqual(fault(await net.call('GET', `/v2.0/floatingips/${fip.id}`)), { status: 404, type: 'FloatingIPNotFound', message: `Floating IP ${fip.id} could not be found` });
    assert.equal((await net.call('GET', `/v2.0/ports?device_owner=network:floatingip`, undefined, 'admin')).json.ports.length, 0, 'its address is free again');
  });

  it('are told to the node of their router, and ACTIVE once it says so', async () => {
    const one = await port();
    const fip = await net.make('floatingips', { floating_network_id: ext.id, port_id: one.id });
    const states: any[] = await Promise.all(net.nodes.map((node) => net.network.nodeHandlers['network.desired']!({ id: node.id }, {}) as any));
    const at = states.findIndex((state) => state.routers.length > 0);
    const [wired] = states[at].routers;
    const told = { floating_ip_address: fip.floating_ip_address, fixed_ip_address: fip.fixed_ip_address };
    assert.deepEqual(wired.floating_ips, [told]);
    const gateway = wired.legs.find((leg: any) => leg.is_gateway);
    const report = (node: any, floating_ips: unknown[]) => net.network.nodeHandlers['network.report']!({ id: node.id }, { ports: [{ port_id: gateway.port_id, status: 'ACTIVE', floating_ips }] });
    await report(net.nodes[1 - at], [told]);
    assert.equal((await show(fip.id)).status, 'DOWN', 'another node has no say');
    await report(net.nodes[at], [{ ...told, fixed_ip_address: '10.30.0.250' }]);
    assert.equal((await show(fip.id)).status, 'DOWN', 'an earlier tie is not this one');
    await report(net.nodes[at], [told]);
    assert.equal((await show(fip.id)).status, 'ACTIVE');
    assert.equal((await put(fip.id, { port_id: null })).json.floatingip.status, 'DOWN');
    await net.call('DELETE', `/v2.0/floatingips/${fip.id}`);
  });

  it('let go of a port that is deleted; hold what they need otherwise', async () => {
    const one = await port();
    const fip = await net.make('floatingips', { floating_network_id: ext.id, port_id: one.id });
    assert.equal(fault(await interfaceOf('remove', inner.subnet.id)).type, 'RouterInterfaceInUseByFloatingIP');
    assert.equal(fault(await net.call('PUT', `/v2.0/routers/${router.id}`, { router: { external_gateway_info: null } })).type, 'RouterExternalGatewayInUseByFloatingIp');
    const readdressed = await net.call('PUT', `/v2.0/ports/${one.id}`, { port: { fixed_ips: [{ ip_address: '10.30.0.222' }] } });
    assert.match(fault(readdressed).message, /has been associated to a floating ip/);
    const own = (await net.call('GET', `/v2.0/ports?device_id=${fip.id}`, undefined, 'admin')).json.ports[0];
    assert.equal(fault(await net.call('DELETE', `/v2.0/ports/${own.id}`, undefined, 'admin')).type, 'ServicePortInUse');
    assert.equal((await net.call('DELETE', `/v2.0/ports/${one.id}`)).status, 204);
    const free = await show(fip.id);
    assert.deepEqual([free.port_id, free.fixed_ip_address, free.router_id, free.status], [null, null, null, 'DOWN']);
    await net.call('DELETE', `/v2.0/floatingips/${fip.id}`);
  });

  it('refuse what cannot be', async () => {
    const lonely = await networkWith('10.31.0.0/24');
    const far = await net.make('ports', { network_id: lonely.network.id });
    const make = (item: object, token?: any) => net.call('POST', '/v2.0/floatingips', { floatingip: item }, token);
    assert.deepEqual(fault(await make({ floating_network_id: ext.id, port_id: far.id })), { status: 404, type: 'ExternalGatewayForFloatingIPNotFound', message: `External network ${ext.id} is not reachable from subnet ${lonely.subnet.id}.  Therefore, cannot associate Port ${far.id} with a Floating IP.` });
    assert.deepEqual(fault(await make({ floating_network_id: lonely.network.id })), { status: 400, type: 'BadRequest', message: `Bad floatingip request: Network ${lonely.network.id} is not a valid external network.` });
    assert.equal(fault(await make({ floating_network_id: lonely.network.id }, 'other')).type, 'NetworkNotFound');
    assert.equal(fault(await make({ floating_network_id: ext.id, fixed_ip_address: '10.30.0.9' })).message, 'Bad floatingip request: fixed_ip_address cannot be specified without a port_id.');
    assert.equal(fault(await make({ floating_network_id: ext.id, floating_ip_address: '10.10.1.99' })).type, 'PolicyNotAuthorized');
    const asked = await net.make('floatingips', { floating_network_id: ext.id, floating_ip_address: '10.10.1.99', project_id: DEMO }, 'admin');
    assert.equal(asked.floating_ip_address, '10.10.1.99');
    assert.equal(fault(await make({ floating_network_id: ext.id, floating_ip_address: '10.10.1.99' }, 'admin')).type, 'IpAddressAlreadyAllocated');
    const one = await port();
    assert.equal((await put(asked.id, { port_id: one.id })).status, 200);
    const second = await net.make('floatingips', { floating_network_id: ext.id });
    assert.equal(fault(await put(second.id, { port_id: one.id })).type, 'FloatingIPPortAlreadyAssociated');
    assert.equal(fault(await put(second.id, { port_id: one.id, fixed_ip_address: '10.30.0.251' })).type, 'BadRequest');
    assert.equal((await show(second.id)).port_id, null);
  });

  it('choose among the addresses of a port only when told which', async () => {
    const one = await port({ fixed_ips: [{ ip_address: '10.30.0.61' }, { ip_address: '10.30.0.62' }] });
    const fip = await net.make('floatingips', { floating_network_id: ext.id });
    assert.match(fault(await put(fip.id, { port_id: one.id })).message, /multiple fixed IPv4 addresses/);
    assert.equal((await put(fip.id, { port_id: one.id, fixed_ip_address: '10.30.0.62' })).json.floatingip.fixed_ip_address, '10.30.0.62');
    assert.equal((await put(fip.id, { port_id: one.id, fixed_ip_address: '10.30.0.61' })).json.floatingip.fixed_ip_address, '10.30.0.61');
  });

  it('show with the NICs of their server, which is told of every change', async () => {
    const told: string[] = [];
    net.network.client.onServerNicsChanged((id) => told.push(id));
    const one = await port();
    const nic = { network_id: one.network_id, port_id: one.id, fixed_ip: undefined, tag: undefined };
    await net.network.client.claimNics({ server_id: 'server-1', project_id: one.project_id, hostname: 'vm', node_id: 'node-one', host: 'one', zone: 'nova', nics: [nic], security_group_ids: [] });
    told.splice(0);
    const fip = await net.make('floatingips', { floating_network_id: ext.id, port_id: one.id });
    const nics = (await net.network.client.nicsOf(['server-1'])).get('server-1')!;
    assert.deepEqual(nics[0]!.floating_ips, [{ ip_address: fip.floating_ip_address, fixed_ip_address: fip.fixed_ip_address }]);
    assert.deepEqual(told, ['server-1']);
    await net.call('DELETE', `/v2.0/floatingips/${fip.id}`);
    assert.deepEqual(told, ['server-1', 'server-1']);
    assert.deepEqual((await net.network.client.nicsOf(['server-1'])).get('server-1')![0]!.floating_ips, []);
  });

  it('that are free go with their network', async () => {
    const other = await net.make('networks', { 'router:external': true }, 'admin');
    await net.make('subnets', { network_id: other.id, cidr: '10.10.2.0/24', ip_version: 4 }, 'admin');
    const fip = await net.make('floatingips', { floating_network_id: other.id });
    assert.equal((await net.call('DELETE', `/v2.0/networks/${other.id}`, undefined, 'admin')).status, 204);
    assert.equal((await net.call('GET', `/v2.0/floatingips/${fip.id}`)).status, 404);
  });
});
