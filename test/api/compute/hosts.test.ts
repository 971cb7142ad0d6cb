import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, type ServedWorld, serveCompute } from '../../support/compute-world.ts';

let world: ServedWorld;
before(async () => {
  world = await serveCompute({ nodes: 2 });
});
after(() => world.close());

const get = (path: string, version = 'latest') => world.call('GET', path, { token: ADMIN_TOKEN, version });
const put = (path: string, body: unknown, version = 'latest') => world.call('PUT', path, { token: ADMIN_TOKEN, version, body });
const post = (path: string, body: unknown) => world.call('POST', path, { token: ADMIN_TOKEN, body });
const computeServices = async (version = 'latest') => (await get('/os-services?binary=nova-compute', version)).json.services;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NOBODY = '99999999-9999-4999-8999-999999999999';

test('services are the nodes and the parts of the controller', async () => {
  const { services } = (await get('/os-services')).json;
  assert.deepEqual(services.map(({ binary, zone }: any) => [binary, zone]), [
    ['nova-conductor', 'internal'], ['nova-scheduler', 'internal'], ['nova-compute', 'nova'], ['nova-compute', 'nova'],
  ]);
  for (const service of services) {
    assert.match(service.id, UUID);
    assert.deepEqual([service.state, service.status, service.disabled_reason, service.forced_down], ['up', 'enabled', null, false]);
    assert.match(service.updated_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  }
  const old = (await get('/os-services', '2.10')).json.services;
  assert.deepEqual(old.map(({ id }: any) => id), [1, 2, 3, 4]);
  assert.equal('forced_down' in old[0], false);
  const ofHost = (await get(`/os-services?host=${services[3].host}`)).json.services;
  assert.deepEqual(ofHost.map(({ id }: any) => id), [services[3].id]);
  assert.equal((await get('/os-services?colour=red')).status, 400);
  assert.equal((await world.call('GET', '/os-services')).status, 403);
});

test('a service is disabled, forced down and brought back', async () => {
  const [first] = await computeServices();
  const path = `/os-services/${first.id}`;
  const disabled = await put(path, { status: 'disabled', disabled_reason: 'broken fan', forced_down: 'true' });
  assert.equal(disabled.status, 200, disabled.text);
  assert.deepEqual([disabled.json.service.status, disabled.json.service.disabled_reason, disabled.json.service.state], ['disabled', 'broken fan', 'down']);
  assert.equal((await put(path, { status: 'enabled', disabled_reason: 'x' })).status, 400);
  assert.equal((await put(path, {})).status, 400);
  assert.equal((await put(path, { colour: 'red' })).status, 400);
  const back = (await put(path, { status: 'enabled', forced_down: false })).json.service;
  assert.deepEqual([back.status, back.disabled_reason, back.state], ['enabled', null, 'up']);
  const [conductor] = (await get('/os-services')).json.services;
  assert.match((await put(`/os-services/${conductor.id}`, { status: 'disabled' })).json.badRequest.message, /Only nova-compute services can be updated/);
  assert.equal((await put('/os-services/1', { status: 'disabled' })).status, 400);
  assert.equal((await put(`/os-services/${NOBODY}`, { status: 'disabled' })).status, 404);
});

test('up to 2.52 a service is named by host and binary', async () => {
  const [{ host }] = await computeServices();
  const body = { host, binary: 'nova-compute' };
  const act = (action: string, more = {}, version = '2.52') => put(`/os-services/${action}`, { ...body, ...more }, version);
  assert.deepEqual((await act('disable')).json, { service: { ...body, status: 'disabled' } });
  assert.deepEqual((await act('disable-log-reason', { disabled_reason: 'why' })).json, { service: { ...body, status: 'disabled', disabled_reason: 'why' } });
  assert.equal((await computeServices('2.52'))[0].disabled_reason, 'why');
  assert.equal((await act('disable-log-reason')).status, 400);
  assert.deepEqual((await act('force-down', { forced_down: true })).json, { service: { ...body, forced_down: true } });
  assert.equal((await act('force-down', {}, '2.10')).status, 404);
  assert.deepEqual((await act('force-down', { forced_down: false })).json, { service: { ...body, forced_down: false } });
  assert.deepEqual((await act('enable')).json, { service: { ...body, status: 'enabled' } });
  assert.equal((await act('explode')).status, 404);
  assert.equal((await put('/os-services/disable', { ...body, host: 'nowhere' }, '2.52')).status, 404);
  assert.equal((await put('/os-services/disable', { ...body, binary: 'nova-scheduler' }, '2.52')).status, 400);
});

test('servers go to enabled hosts only', async () => {
  const [first, second] = await computeServices();
  await put(`/os-services/${first.id}`, { status: 'disabled' });
  const id = await world.boot();
  assert.equal((await world.show(id))['OS-EXT-SRV-ATTR:host'], second.host);
  await put(`/os-services/${first.id}`, { status: 'enabled' });
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
});

test('hypervisors show what nodes have and servers use, in the shape of the version', async () => {
  const id = await world.boot({ flavorRef: '2' });
  const { hypervisors } = (await get('/os-hypervisors/detail?with_servers=true', '2.87')).json;
  const node = hypervisors.find((each: any) => each.servers.length > 0);
  assert.deepEqual(node.servers, [{ name: `instance-${id.slice(0, 8)}`, uuid: id }]);
  assert.deepEqual([node.vcpus_used, node.local_gb_used, node.running_vms], [2, 2, 1]);
  assert.equal(node.free_ram_mb, node.memory_mb - node.memory_mb_used);
  assert.equal(node.memory_mb_used, 256 + 512);
  assert.equal(typeof node.cpu_info, 'object');
  assert.equal(node.service.id, node.id);
  const newest = (await get(`/os-hypervisors/${node.id}`)).json.hypervisor;
  assert.equal('vcpus' in newest, false);
  assert.match(newest.uptime, / up .* load average: /);
  const oldest = (await get('/os-hypervisors/detail', '2.1')).json.hypervisors;
  assert.deepEqual(oldest.map((each: any) => each.id), [1, 2]);
  assert.equal(typeof oldest[0].cpu_info, 'string');
  assert.equal((await get('/os-hypervisors/1', '2.52')).json.hypervisor.id, 1);
  assert.equal((await get('/os-hypervisors/3', '2.52')).status, 404);
  assert.equal((await get('/os-hypervisors/x', '2.52')).status, 404);
  assert.equal((await get('/os-hypervisors/1')).status, 400);
  assert.equal((await get(`/os-hypervisors/${NOBODY}`)).status, 404);
  const statistics = (await get('/os-hypervisors/statistics', '2.87')).json.hypervisor_statistics;
  assert.deepEqual([statistics.count, statistics.vcpus_used, statistics.running_vms], [2, 2, 1]);
  assert.equal((await get('/os-hypervisors/statistics')).status, 404);
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
});

test('hypervisors are searched and paged', async () => {
  const { hypervisors } = (await get('/os-hypervisors')).json;
  assert.deepEqual(Object.keys(hypervisors[0]).sort(), ['hypervisor_hostname', 'id', 'state', 'status']);
  const name = hypervisors[1].hypervisor_hostname;
  const found = async (path: string, version: string) => (await get(path, version)).json.hypervisors.map((each: any) => each.hypervisor_hostname);
  assert.deepEqual(await found(`/os-hypervisors?hypervisor_hostname_pattern=${name}`, 'latest'), [name]);
  assert.deepEqual(await found(`/os-hypervisors/${name}/search`, '2.52'), [name]);
  assert.deepEqual(await found(`/os-hypervisors/${name}/servers`, '2.52'), [name]);
  assert.equal((await get('/os-hypervisors/nothing/search', '2.52')).status, 404);
  assert.equal((await get('/os-hypervisors?hypervisor_hostname_pattern=nothing')).status, 404);
  assert.equal((await get('/os-hypervisors?hypervisor_hostname_pattern=a&limit=1')).status, 400);
  const page = (await get('/os-hypervisors?limit=1')).json;
  const next = new URL(page.hypervisors_links[0].href);
  assert.deepEqual(await found(`/os-hypervisors${next.search}`, 'latest'), [name]);
  assert.equal((await get('/os-hypervisors?limit=1', '2.33')).json.hypervisors_links[0].href.includes('marker=1'), true);
  assert.equal((await get('/os-hypervisors?limit=1', '2.32')).json.hypervisors.length, 2);
  assert.equal((await get(`/os-hypervisors?marker=${NOBODY}`)).status, 400);
  assert.match((await get('/os-hypervisors/1/uptime', '2.52')).json.hypervisor.uptime, / up /);
  assert.equal((await get('/os-hypervisors?colour=red')).status, 400);
});

test('up to 2.42 hosts show what is taken, and by whom', async () => {
  const old = (path: string) => get(path, '2.42');
  const id = await world.boot({ flavorRef: '2' });
  const host = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  const listed = (await old('/os-hosts?zone=nova')).json.hosts;
  assert.deepEqual(listed.map(({ service }: any) => service), ['compute', 'compute']);
  const rows = (await old(`/os-hosts/${host}`)).json.host.map((row: any) => row.resource);
  assert.deepEqual(rows.map(({ project }: any) => project).slice(0, 3), ['(total)', '(used_now)', '(used_max)']);
  assert.deepEqual(rows[3], { host, project: 'a'.repeat(32), cpu: 2, memory_mb: 256, disk_gb: 2 });
  assert.deepEqual((await put(`/os-hosts/${host}`, { status: 'disable' }, '2.42')).json, { host, status: 'disabled' });
  assert.deepEqual((await put(`/os-hosts/${host}`, { status: 'enable' }, '2.42')).json, { host, status: 'enabled' });
  assert.equal((await put(`/os-hosts/${host}`, { maintenance_mode: 'enable' }, '2.42')).status, 501);
  assert.equal((await put(`/os-hosts/${host}`, { status: 'perhaps' }, '2.42')).status, 400);
  assert.equal((await old(`/os-hosts/${host}/reboot`)).status, 501);
  assert.equal((await old('/os-hosts/nowhere')).status, 404);
  assert.equal((await get('/os-hosts')).status, 404);
  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
});

test('aggregates hold hosts and metadata', async () => {
  const made = await post('/os-aggregates', { aggregate: { name: 'fast' } });
  assert.equal(made.status, 200, made.text);
  const { id, uuid } = made.json.aggregate;
  assert.match(uuid, UUID);
  assert.equal('hosts' in made.json.aggregate, false);
  const path = `/os-aggregates/${id}`;
  const [{ host }] = await computeServices();
  assert.equal((await post('/os-aggregates', { aggregate: { name: 'fast' } })).status, 409);
  assert.equal((await post('/os-aggregates', { aggregate: { name: '' } })).status, 400);
  assert.equal((await post('/os-aggregates', { aggregate: { name: 'x', availability_zone: 'a:b' } })).status, 400);
  assert.deepEqual((await post(`${path}/action`, { add_host: { host } })).json.aggregate.hosts, [host]);
  assert.equal((await post(`${path}/action`, { add_host: { host } })).status, 409);
  assert.equal((await post(`${path}/action`, { add_host: { host: 'nowhere' } })).status, 404);
  const set = await post(`${path}/action`, { set_metadata: { metadata: { ssd: 'true', gone: 'x' } } });
  assert.deepEqual(set.json.aggregate.metadata, { ssd: 'true', gone: 'x' });
  assert.deepEqual((await post(`${path}/action`, { set_metadata: { metadata: { gone: null } } })).json.aggregate.metadata, { ssd: 'true' });
  const renamed = (await put(path, { aggregate: { name: ' faster ' } })).json.aggregate;
  assert.deepEqual([renamed.name, renamed.hosts], ['faster', [host]]);
  assert.equal('uuid' in (await get(path, '2.40')).json.aggregate, false);
  assert.equal((await world.call('DELETE', path, { token: ADMIN_TOKEN })).status, 400);
  assert.equal((await post(`${path}/action`, { remove_host: { host: 'nowhere' } })).status, 404);
  assert.deepEqual((await post(`${path}/action`, { remove_host: { host } })).json.aggregate.hosts, []);
  assert.equal((await world.call('DELETE', path, { token: ADMIN_TOKEN })).status, 200);
  assert.equal((await get(path)).status, 404);
  assert.equal((await get('/os-aggregates/x')).status, 400);
  assert.equal((await world.call('GET', '/os-aggregates')).status, 403);
});

test('an aggregate with a zone moves its hosts there, unless servers would move too', async () => {
  const [first, second] = await computeServices();
  const zoned = (await post('/os-aggregates', { aggregate: { name: 'az1', availability_zone: 'zone-1' } })).json.aggregate;
  const action = `/os-aggregates/${zoned.id}/action`;
  assert.equal((await post(action, { add_host: { host: first.host } })).status, 200);
  const zones = async (path = '') => (await get(`/os-availability-zone${path}`)).json.availabilityZoneInfo;
  assert.deepEqual(await zones(), [
    { zoneName: 'nova', zoneState: { available: true }, hosts: null }, { zoneName: 'zone-1', zoneState: { available: true }, hosts: null },
  ]);
  const detail = await zones('/detail');
  assert.deepEqual(detail.map(({ zoneName }: any) => zoneName), ['internal', 'nova', 'zone-1']);
  assert.equal(detail[2].hosts[first.host]['nova-compute'].available, true);
  assert.equal((await world.call('GET', '/os-availability-zone')).status, 200);
  assert.equal((await world.call('GET', '/os-availability-zone/detail')).status, 403);

  const id = await world.boot({ availability_zone: 'zone-1' });
  assert.equal((await world.show(id))['OS-EXT-SRV-ATTR:host'], first.host);
  assert.equal((await world.show(id))['OS-EXT-AZ:availability_zone'], 'zone-1');
  assert.equal((await put(`/os-aggregates/${zoned.id}`, { aggregate: { availability_zone: 'zone-2' } })).status, 400);
  assert.equal((await post(action, { set_metadata: { metadata: { availability_zone: 'zone-2' } } })).status, 400);
  assert.equal((await post(action, { remove_host: { host: first.host } })).status, 409);
  const rival = (await post('/os-aggregates', { aggregate: { name: 'az2', availability_zone: 'zone-2' } })).json.aggregate;
  assert.equal((await post(`/os-aggregates/${rival.id}/action`, { add_host: { host: first.host } })).status, 409);
  assert.equal((await post(`/os-aggregates/${rival.id}/action`, { add_host: { host: second.host } })).status, 200);
  await put(`/os-services/${second.id}`, { status: 'disabled' });
  assert.deepEqual((await zones()).map(({ zoneName, zoneState }: any) => [zoneName, zoneState.available]), [['zone-1', true], ['zone-2', false]]);
  await put(`/os-services/${second.id}`, { status: 'enabled' });

  await world.call('DELETE', `/servers/${id}`);
  await world.settled(id);
  assert.equal((await put(`/os-aggregates/${zoned.id}`, { aggregate: { availability_zone: 'zone-3' } })).json.aggregate.availability_zone, 'zone-3');
  assert.equal((await put(`/os-aggregates/${zoned.id}`, { aggregate: { availability_zone: null } })).status, 400);
});

test('a node that runs servers is not forgotten; one that runs none is, with its place in aggregates', async () => {
  const id = await world.boot({ flavorRef: '1' });
  const busy = (await world.show(id))['OS-EXT-SRV-ATTR:host'];
  const services = await computeServices();
  const remove = (service: any, version = 'latest') => world.call('DELETE', `/os-services/${service}`, { token: ADMIN_TOKEN, version });
  assert.equal((await remove(services.find(({ host }: any) => host === busy).id)).status, 409);
  const idle = services.find(({ host }: any) => host !== busy);
  assert.equal((await remove(idle.id)).status, 204);
  assert.equal((await remove(idle.id)).status, 404);
  assert.equal((await remove('x')).status, 400);
  assert.equal((await remove('x', '2.52')).status, 400);
  assert.equal((await remove('77', '2.52')).status, 404);
  assert.equal((await get('/os-hypervisors')).json.hypervisors.length, 1);
  const hosts = (await get('/os-aggregates')).json.aggregates.flatMap((each: any) => each.hosts);
  assert.equal(hosts.includes(idle.host), false);
});
