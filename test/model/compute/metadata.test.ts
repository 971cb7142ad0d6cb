import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPasswordPath, metadataAnswer } from '../../../src/services/compute/model/metadata/answer.ts';
import { configDrive } from '../../../src/services/compute/model/metadata/config-drive.ts';
import type { InstanceFacts } from '../../../src/services/compute/model/metadata/facts.ts';
import { networkData } from '../../../src/services/compute/model/metadata/network-data.ts';
import type { ServerNic } from '../../../src/services/network/client.ts';

const nic: ServerNic = {
  port_id: '11111111-2222-3333-4444-555555555555', network_id: 'net', network_name: 'private', mac_address: 'fa:16:3e:00:00:01', mtu: 1450, status: 'ACTIVE', made_for_server: true,
  fixed_ips: [
    { ip_address: '10.0.0.5', ip_version: 4, subnet_id: 's4', cidr: '10.0.0.0/20', gateway_ip: '10.0.0.1', dns_nameservers: ['9.9.9.9'], routes: [{ destination: '10.9.0.0/16', nexthop: '10.0.0.9' }] },
    { ip_address: '2001:db8::5', ip_version: 6, subnet_id: 's6', cidr: '2001:db8::/64', gateway_ip: null, dns_nameservers: [], routes: [] },
  ],
  floating_ips: [{ ip_address: '10.10.1.7', fixed_ip_address: '10.0.0.5' }], security_groups: [{ id: 'g', name: 'web' }], tag: 'front',
};
const facts: InstanceFacts = {
  uuid: 'abcdef01-0000-4000-8000-000000000000', name: 'Web 1', hostname: 'web-1.novalocal', project_id: 'p', image_id: '12345678-0000-4000-8000-000000000000', flavor_name: 'm1.tiny',
  availability_zone: 'nova', reservation_id: 'r-1', launch_index: 2, metadata: { role: 'web' }, key: { name: 'me', public_key: 'ecdsa AAAA me' }, nics: [nic, { ...nic, tag: null }],
  volumes: [{ volume_id: '55555555-0000-4000-8000-000000000000', device: '/dev/vdb', mount_path: '/data', tag: 'database' }],
  files: [{ path: '/etc/motd', content: Buffer.from('hello').toString('base64') }], user_data: Buffer.from([0, 1, 255]),
};
const bare: InstanceFacts = { ...facts, metadata: {}, key: null, files: [], user_data: null, nics: [], volumes: [] };
const get = (path: string, of = facts): string | undefined => metadataAnswer(of, path)?.body.toString('utf8');
const json = (path: string, of = facts): any => JSON.parse(get(path, of)!);

test('the tree lists its versions, and each version its files', () => {
  assert.equal(get('/openstack')?.split('\n').at(-1), 'latest');
  assert.equal(get('/openstack/2012-08-10/'), 'meta_data.json\nuser_data');
  assert.equal(get('/openstack/2012-08-10', bare), 'meta_data.json');
  assert.equal(get('/openstack/latest'), 'meta_data.json\nuser_data\npassword\nvendor_data.json\nnetwork_data.json\nvendor_data2.json');
  assert.equal(get('/'), '1.0\n2007-01-19\n2007-03-01\n2007-08-29\n2007-10-10\n2007-12-15\n2008-02-01\n2008-09-01\n2009-04-04\nlatest');
  assert.equal(get('/latest/'), 'meta-data/\nuser-data');
  assert.equal(get('/latest', bare), 'meta-data/');
});

test('meta_data.json grows with its version', () => {
  const keys = (version: string): string[] => Object.keys(json(`/openstack/${version}/meta_data.json`));
  const first = ['uuid', 'meta', 'files', 'public_keys', 'keys', 'hostname', 'name', 'launch_index', 'availability_zone'];
  assert.deepEqual(keys('2012-08-10'), first);
  assert.deepEqual(keys('2013-10-17'), [...first, 'random_seed']);
  assert.deepEqual(keys('2015-10-15'), [...first, 'random_seed', 'project_id']);
  assert.deepEqual(keys('2018-08-27'), [...first, 'random_seed', 'project_id', 'devices']);
  assert.deepEqual(keys('latest'), [...first, 'random_seed', 'project_id', 'devices', 'dedicated_cpus']);
  const whole = json('/openstack/latest/meta_data.json');
  assert.deepEqual(whole.devices, [
    { type: 'nic', bus: 'none', address: 'none', mac: nic.mac_address, tags: ['front'] },
    { type: 'disk', bus: 'none', address: 'none', serial: '55555555-0000-4000-8000-000000000000', path: '/data', tags: ['database'] },
  ]);
  assert.deepEqual(whole.public_keys, { me: 'ecdsa AAAA me' });
  assert.deepEqual([whole.hostname, whole.name], ['web-1.novalocal', 'Web 1']);
  assert.deepEqual(Object.keys(json('/openstack/2012-08-10/meta_data.json', bare)), ['uuid', 'hostname', 'name', 'launch_index', 'availability_zone']);
});

test('bytes of user data and files are given as they are', () => {
  assert.deepEqual(metadataAnswer(facts, '/openstack/latest/user_data')?.body, Buffer.from([0, 1, 255]));
  assert.deepEqual(metadataAnswer(facts, '/latest/user-data')?.body, Buffer.from([0, 1, 255]));
  assert.equal(get('/openstack/content/0000'), 'hello');
  assert.equal(json('/openstack/latest/meta_data.json').files[0].content_path, '/content/0000');
});

test('what is not there is not answered', () => {
  for (const path of ['/openstack/2011-01-01', '/openstack/latest/nothing', '/openstack/latest/meta_data.json/more', '/openstack/2012-08-10/network_data.json', '/openstack/content/0001',
    '/latest/meta-data/toString', '/latest/meta-data/public-keys/0/_name', '/latest/meta-data/hostname/more', '/3000-01-01', '/latest/dynamic', '/openstack/latest/password']) assert.equal(get(path), undefined, path);
  for (const path of ['/latest/user-data', '/openstack/latest/user_data', '/latest/meta-data/public-keys']) assert.equal(get(path, bare), undefined, path);
});

test('EC2: folders end in a slash, keys are told by number and name, versions grow', () => {
  const list = get('/2009-04-04/meta-data')!.split('\n');
  assert.ok(list.includes('placement/') && list.includes('public-keys/') && list.includes('instance-id'));
  assert.deepEqual(list, [...list].sort());
  assert.equal(get('/latest/meta-data/public-keys/'), '0=me');
  assert.equal(get('/latest/meta-data/public-keys/0/openssh-key'), 'ecdsa AAAA me');
  assert.equal(get('/latest/meta-data/public-ipv4'), '10.10.1.7');
  assert.equal(get('/latest/meta-data/local-ipv4'), '10.0.0.5');
  assert.equal(get('/latest/meta-data/placement/availability-zone'), 'nova');
  assert.equal(get('/latest/meta-data/security-groups'), 'web');
  assert.equal(get('/1.0/meta-data/public-ipv4'), undefined);
  assert.equal(get('/latest/meta-data/local-ipv4', bare), '');
});

test('network_data.json says how each address is set', () => {
  const { links, networks, services } = networkData([nic]);
  assert.deepEqual(links, [{ id: 'tap11111111-22', vif_id: nic.port_id, type: 'phy', mtu: 1450, ethernet_mac_address: nic.mac_address }]);
  assert.deepEqual(networks, [
    { id: 'network0', type: 'ipv4', link: 'tap11111111-22', network_id: 'net', ip_address: '10.0.0.5', netmask: '255.255.240.0', services: [{ type: 'dns', address: '9.9.9.9' }],
      routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.0.0.1' }, { network: '10.9.0.0', netmask: '255.255.0.0', gateway: '10.0.0.9' }] },
    { id: 'network1', type: 'ipv6', link: 'tap11111111-22', network_id: 'net', ip_address: '2001:db8::5', netmask: 'ffff:ffff:ffff:ffff::', services: [], routes: [] },
  ]);
  assert.deepEqual(services, [{ type: 'dns', address: '9.9.9.9' }]);
});

test('the password has a path in the versions that know it', () => {
  assert.ok(isPasswordPath('/openstack/2013-10-17/password') && isPasswordPath('/openstack/latest/password'));
  for (const path of ['/openstack/2012-08-10/password', '/openstack/latest/password/x', '/latest/password', '/openstack/password']) assert.ok(!isPasswordPath(path), path);
});

test('the config drive holds every version, and equal files once', () => {
  const { files } = configDrive(facts);
  const paths = files.flatMap((file) => file.paths);
  for (const path of ['openstack/latest/meta_data.json', 'openstack/2012-08-10/meta_data.json', 'openstack/latest/network_data.json', 'ec2/latest/meta-data.json', 'openstack/content/0000']) assert.ok(paths.includes(path), path);
  assert.equal(new Set(paths).size, paths.length);
  assert.equal(files.find((file) => file.paths.includes('openstack/latest/user_data'))?.paths.length, 12);
});
