import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN, DEMO, fault, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
before(async () => {
  net = await startNetwork({ quota_network: 40, quota_subnet: 5 });
});
after(() => net.close());

describe('networks', () => {
  it('tell what they are, and to an administrator what carries them', async () => {
    const network = await net.make('networks', { name: 'n', description: 'd', mtu: 1400 });
    assert.equal(network.status, 'ACTIVE');
    assert.equal(network.mtu, 1400);
    assert.equal(network.project_id, DEMO);
    assert.deepEqual(network.subnets, []);
    assert.equal(network['provider:network_type'], undefined);
    const admin = await net.call('GET', `/v2.0/networks/${network.id}`, undefined, 'admin');
    assert.equal(admin.json.network['provider:network_type'], 'vxlan');
    assert.ok(admin.json.network['provider:segmentation_id'] > 0);
    const subnet = await net.make('subnets', { network_id: network.id, cidr: '192.0.2.0/24', ip_version: 4 });
    assert.deepEqual((await net.call('GET', `/v2.0/networks/${network.id}`)).json.network.subnets, [subnet.id]);
    assert.equal((await net.call('DELETE', `/v2.0/networks/${network.id}`)).status, 204);
    assert.equal(fault(await net.call('GET', `/v2.0/subnets/${subnet.id}`)).type, 'SubnetNotFound');
  });

  it('of others are not there, shared ones are seen but not changed', async () => {
    const own = await net.make('networks', { name: 'own' });
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body = method === 'PUT' ? { network: { name: 'x' } } : undefined;
      assert.deepEqual(fault(await net.call(method, `/v2.0/networks/${own.id}`, body, 'other')), { status: 404, type: 'NetworkNotFound', message: `Network ${own.id} could not be found.` });
    }
    assert.deepEqual(fault(await net.call('POST', '/v2.0/networks', { network: { shared: true } })), { status: 403, type: 'PolicyNotAuthorized', message: 'rule:create_network:shared is disallowed by policy' });
    const shared = await net.make('networks', { name: 'all', shared: true }, 'admin');
    assert.equal((await net.call('GET', `/v2.0/networks/${shared.id}`)).status, 200);
    assert.equal((await net.call('PUT', `/v2.0/networks/${shared.id}`, { network: { name: 'x' } })).status, 403);
    const names = (await net.call('GET', '/v2.0/networks?shared=true')).json.networks.map((one: any) => one.name);
    assert.deepEqual(names, ['all']);
    const subnet = await net.make('subnets', { network_id: shared.id, cidr: '198.51.100.0/24', ip_version: 4 }, 'admin');
    const port = await net.make('ports', { network_id: shared.id, fixed_ips: [{ subnet_id: subnet.id }] });
    assert.equal(port.project_id, DEMO);
    assert.equal((await net.call('POST', '/v2.0/ports', { port: { network_id: shared.id, fixed_ips: [{ ip_address: '198.51.100.9' }] } })).status, 403);
    assert.deepEqual(fault(await net.call('PUT', `/v2.0/networks/${shared.id}`, { network: { shared: false } }, 'admin')), { status: 409, type: 'InvalidSharedSetting', message: 'Unable to reconfigure sharing settings for network all. Multiple projects are using it.' });
    assert.equal(fault(await net.call('DELETE', `/v2.0/networks/${shared.id}`, undefined, 'admin')).type, 'NetworkInUse');
  });

  it('are external, flat and only once per physical network', async () => {
    const flat = { name: 'public', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' };
    const network = await net.make('networks', flat, 'admin');
    assert.equal(network['router:external'], true);
    assert.deepEqual(fault(await net.call('POST', '/v2.0/networks', { network: flat }, 'admin')), { status: 409, type: 'FlatNetworkInUse', message: 'Unable to create the flat network. Physical network public is in use.' });
    assert.deepEqual((await net.call('GET', '/v2.0/networks?router:external=true')).json.networks.map((one: any) => one.id), [network.id]);
    await net.make('subnets', { network_id: network.id, cidr: '203.0.113.0/24', ip_version: 4 }, 'admin');
    assert.deepEqual((await net.call('GET', `/v2.0/subnets?network_id=${network.id}`)).json.subnets, []);
    assert.equal((await net.call('POST', '/v2.0/ports', { port: { network_id: network.id } })).status, 403);
  });

  it('share neither segment nor zone, however many are made at once; of a flat one there is one', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => net.call('POST', '/v2.0/networks', { network: { name: 'many' } }, 'admin')));
    assert.equal(new Set(made.map((response) => response.json.network['provider:segmentation_id'])).size, 20);
    const flat = { 'provider:network_type': 'flat', 'provider:physical_network': 'raced' };
    const raced = await Promise.all(Array.from({ length: 5 }, () => net.call('POST', '/v2.0/networks', { network: flat }, 'admin')));
    assert.deepEqual(raced.map((response) => response.status).sort(), [201, 409, 409, 409, 409]);
    const vni = { 'provider:network_type': 'vxlan', 'provider:segmentation_id': 4711 };
    const asked = await Promise.all(Array.from({ length: 5 }, () => net.call('POST', '/v2.0/networks', { network: vni }, 'admin')));
    assert.deepEqual(asked.map((response) => response.status).sort(), [201, 409, 409, 409, 409]);
    assert.equal(fault(asked.find((response) => response.status === 409)!).type, 'TunnelIdInUse');
  });

  it('stay as they are when the revision is another', async () => {
    const network = await net.make('networks', { name: 'r' });
    const renamed = await net.call('PUT', `/v2.0/networks/${network.id}`, { network: { name: 'r2' } }, 'demo', { 'if-match': `revision_number=${network.revision_number}` });
    assert.equal(renamed.json.network.revision_number, network.revision_number + 1);
    const late = await net.call('PUT', `/v2.0/networks/${network.id}`, { network: { name: 'r3' } }, 'demo', { 'if-match': `revision_number=${network.revision_number}` });
    assert.deepEqual(fault(late), { status: 412, type: 'HTTPPreconditionFailed', message: 'Constrained to 1, but current revision is 2' });
    assert.equal((await net.call('GET', `/v2.0/networks/${network.id}`)).json.network.name, 'r2');
  });

  it('refuse another project, unless an administrator asks', async () => {
    assert.match(fault(await net.call('POST', '/v2.0/networks', { network: { tenant_id: ADMIN } })).message, /requires admin privileges/);
    assert.equal((await net.make('networks', { tenant_id: DEMO }, 'admin')).project_id, DEMO);
  });

  it('carry tags that lists can ask for', async () => {
    const one = await net.make('networks', { name: 't1' });
    const two = await net.make('networks', { name: 't2' });
    assert.equal((await net.call('PUT', `/v2.0/networks/${one.id}/tags`, { tags: ['red', 'blue'] })).status, 200);
    assert.equal((await net.call('PUT', `/v2.0/networks/${two.id}/tags/red`)).status, 201);
    assert.equal((await net.call('GET', `/v2.0/networks/${two.id}/tags/red`)).status, 204);
    const names = async (query: string): Promise<string[]> => (await net.call('GET', `/v2.0/networks?name=t1&name=t2&sort_key=name&sort_dir=asc&${query}`)).json.networks.map((each: any) => each.name);
    assert.deepEqual(await names('tags=red'), ['t1', 't2']);
    assert.deepEqual(await names('tags=red,blue'), ['t1']);
    assert.deepEqual(await names('tags-any=blue,green'), ['t1']);
    assert.deepEqual(await names('not-tags=red,blue'), ['t2']);
    assert.deepEqual(await names('not-tags-any=red'), []);
    assert.deepEqual(fault(await net.call('DELETE', `/v2.0/networks/${two.id}/tags/blue`)), { status: 404, type: 'TagNotFound', message: 'Tag blue could not be found.' });
    assert.equal((await net.call('GET', `/v2.0/networks/${one.id}`)).json.network.revision_number, 2);
  });

  it('announce what they can, and answer in neutron’s shape where nothing is', async () => {
    const versions = await net.call('GET', '/');
    assert.equal(versions.json.versions[0].id, 'v2.0');
    assert.equal((await net.call('GET', '/v2.0')).status, 404);
    assert.equal((await net.call('GET', '/v2.0/')).json.resources.length, 3);
    assert.deepEqual(fault(await net.call('GET', '/v2.0/trunks')), { status: 404, type: 'HTTPNotFound', message: 'The resource could not be found.' });
    const aliases = (await net.call('GET', '/v2.0/extensions')).json.extensions.map((one: any) => one.alias);
    assert.ok(aliases.includes('port-security') && !aliases.includes('trunk'));
    assert.equal((await net.call('GET', '/v2.0/extensions/quotas')).json.extension.alias, 'quotas');
  });
});

describe('subnets', () => {
  it('choose gateway and pools, and are refused in neutron’s words', async () => {
    const network = await net.make('networks', {});
    const ask = (subnet: Record<string, unknown>) => net.call('POST', '/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, ...subnet } });
    assert.equal(fault(await ask({})).message, 'Bad subnets request: a subnetpool must be specified in the absence of a cidr.');
    assert.equal(fault(await ask({ cidr: '10.0.0.0' })).message, "Invalid input for cidr. Reason: '10.0.0.0' is not a valid IP subnet.");
    assert.equal(fault(await ask({ cidr: '2001:db8::/64' })).message, "Invalid input for operation: cidr '2001:db8::/64' does not match the ip_version '4'.");
    assert.equal(fault(await ask({ cidr: '10.0.0.0/31' })).message, 'Invalid input for operation: Subnet has a prefix length that is incompatible with DHCP service enabled.');
    assert.equal(fault(await ask({ cidr: '10.0.0.0/24', gateway_ip: '10.0.0.255' })).message, 'Invalid input for operation: Gateway is not valid on subnet.');
    assert.equal(fault(await ask({ cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.1', end: '10.0.0.9' }] })).type, 'GatewayConflictWithAllocationPools');
    assert.equal(fault(await ask({ cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.9', end: '10.0.1.9' }] })).type, 'OutOfBoundsAllocationPool');
    assert.equal(fault(await ask({ cidr: '10.0.0.0/24', allocation_pools: [{ start: '10.0.0.2', end: '10.0.0.9' }, { start: '10.0.0.9', end: '10.0.0.19' }] })).type, 'OverlappingAllocationPools');
    const made = (await ask({ cidr: '10.0.0.128/25', gateway_ip: '10.0.0.200' })).json.subnet;
    assert.deepEqual(made.allocation_pools, [{ start: '10.0.0.129', end: '10.0.0.199' }, { start: '10.0.0.201', end: '10.0.0.254' }]);
    assert.equal(fault(await ask({ cidr: '10.0.0.0/8' })).message, `Invalid input for operation: Requested subnet with cidr: 10.0.0.0/8 for network: ${network.id} overlaps with another subnet.`);
    const bare = (await ask({ cidr: '10.1.0.0/24', gateway_ip: null })).json.subnet;
    assert.equal(bare.gateway_ip, null);
    const changed = await net.call('PUT', `/v2.0/subnets/${bare.id}`, { subnet: { gateway_ip: '10.1.0.1' } });
    assert.equal(fault(changed).type, 'GatewayConflictWithAllocationPools');
    const port = await net.make('ports', { network_id: network.id, fixed_ips: [{ subnet_id: bare.id }] });
    assert.equal(fault(await net.call('DELETE', `/v2.0/subnets/${bare.id}`)).message, `Unable to complete operation on subnet ${bare.id}: One or more ports have an IP allocation from this subnet.`);
    await net.call('DELETE', `/v2.0/ports/${port.id}`);
    assert.equal((await net.call('DELETE', `/v2.0/subnets/${bare.id}`)).status, 204);
  });

  it('that overlap are never both made, however many ask at once', async () => {
    const network = await net.make('networks', {}, 'other');
    const made = await Promise.all(Array.from({ length: 6 }, () => net.call('POST', '/v2.0/subnets', { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' } }, 'other')));
    assert.equal(made.filter((response) => response.status === 201).length, 1);
  });
});

describe('quotas', () => {
  it('are never exceeded, however many ask at once', async () => {
    assert.equal((await net.call('PUT', `/v2.0/quotas/${DEMO}`, { quota: { security_group: 3 } })).status, 403);
    const set = await net.call('PUT', `/v2.0/quotas/${DEMO}`, { quota: { security_group: 3 } }, 'admin');
    assert.equal(set.json.quota.security_group, 3);
    const made = await Promise.all(Array.from({ length: 6 }, (_, at) => net.call('POST', '/v2.0/security-groups', { security_group: { name: `g${at}` } })));
    assert.equal(made.filter((response) => response.status === 201).length, 2, 'the default group counts');
    assert.deepEqual(fault(made.find((response) => response.status !== 201)!), { status: 409, type: 'OverQuota', message: "Quota exceeded for resources: ['security_group']." });
    const details = await net.call('GET', `/v2.0/quotas/${DEMO}/details.json`);
    assert.deepEqual(details.json.quota.security_group, { limit: 3, used: 3, reserved: 0 });
    assert.match(fault(await net.call('PUT', `/v2.0/quotas/${DEMO}`, { quota: { security_group: 1, check_limit: true } }, 'admin')).message, /must be greater than or equal to already used 3/);
    assert.equal((await net.call('DELETE', `/v2.0/quotas/${DEMO}`, undefined, 'admin')).status, 204);
    assert.equal((await net.call('GET', `/v2.0/quotas/${DEMO}`)).json.quota.security_group, 10);
    assert.equal((await net.call('GET', `/v2.0/quotas/${ADMIN}`)).status, 403);
  });
});

describe('agents', () => {
  it('are the nodes, for administrators', async () => {
    const { agents } = (await net.call('GET', '/v2.0/agents', undefined, 'admin')).json;
    assert.deepEqual(agents.map((agent: any) => [agent.host, agent.binary, agent.alive]), ['neutron-linuxbridge-agent', 'neutron-l3-agent'].flatMap((binary) => [['one', binary, true], ['two', binary, true]]));
    assert.deepEqual((await net.call('GET', '/v2.0/agents')).json.agents, []);
    const changed = await net.call('PUT', `/v2.0/agents/${agents[0].id}`, { agent: { admin_state_up: false, description: 'broken fan' } }, 'admin');
    assert.deepEqual([changed.json.agent.admin_state_up, changed.json.agent.description], [false, 'broken fan']);
    assert.equal((await net.call('GET', '/v2.0/availability_zones')).json.availability_zones[0].name, 'nova');
    const [one] = (await net.call('GET', '/v2.0/network-ip-availabilities', undefined, 'admin')).json.network_ip_availabilities;
    assert.ok(one.total_ips >= 0);
  });
});
