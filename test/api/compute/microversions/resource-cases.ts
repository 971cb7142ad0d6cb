import { type Case, type Cases, get, post, put } from './case.ts';
import { PUBLIC_KEY, type VersionWorld } from './world.ts';

const PROXIES = 35;

const flavors: Cases = {
  'flavors/flavors-list-resp': get('/flavors'),
  'flavors/flavors-detail-resp': get('/flavors/detail'),
  'flavors/flavor-get-resp': get('/flavors/c1'),
  'flavor-manage/flavor-create-post-resp': post('/flavors', (_world, minor) => ({
    flavor: { name: 'new', id: 'new', ram: 64, disk: 1, vcpus: 1, ...(minor >= 55 ? { description: 'a new one' } : {}) },
  }), { after: (world, _answer, minor) => world.cloud.call('DELETE', '/compute/v2.1/flavors/new', { headers: { 'openstack-api-version': `compute 2.${minor}` } }) }),
  'flavor-manage/flavor-update-resp': put('/flavors/c1', () => ({ flavor: { description: 'of the run' } })),
  'flavor-access/flavor-access-list-resp': get('/flavors/private/os-flavor-access'),
  'flavor-access/flavor-access-add-tenant-resp': post('/flavors/private/action', ({ ids }) => ({ addTenantAccess: { tenant: ids.other_project } }), {
    after: (world, _answer, minor) => world.call('POST', '/flavors/private/action', minor, { removeTenantAccess: { tenant: world.ids.other_project } }),
  }),
  'flavor-access/flavor-access-remove-tenant-resp': {
    ...post('/flavors/private/action', ({ ids }) => ({ removeTenantAccess: { tenant: ids.project } })),
    after: (world, _answer, minor) => world.call('POST', '/flavors/private/action', minor, { addTenantAccess: { tenant: world.ids.project } }),
  },
  'flavor-extra-specs/flavor-extra-specs-list-resp': get('/flavors/c1/os-extra_specs'),
  'flavor-extra-specs/flavor-extra-specs-get-resp': get('/flavors/c1/os-extra_specs/hw:numa_nodes'),
  'flavor-extra-specs/flavor-extra-specs-create-resp': post('/flavors/private/os-extra_specs', () => ({ extra_specs: { 'hw:numa_nodes': '1' } })),
  'flavor-extra-specs/flavor-extra-specs-update-resp': put('/flavors/private/os-extra_specs/hw:numa_nodes', () => ({ 'hw:numa_nodes': '1' })),
};

const images: Cases = {
  'images/images-list-get-resp': get('/images', { until: PROXIES }),
  'images/images-details-get-resp': get('/images/detail', { until: PROXIES }),
  'images/image-get-resp': get(({ ids }) => `/images/${ids.image}`, { until: PROXIES }),
  'images/image-metadata-get-resp': get(({ ids }) => `/images/${ids.image}/metadata`, { until: 38 }),
  'images/image-metadata-post-resp': post(({ ids }) => `/images/${ids.image}/metadata`, () => ({ metadata: { kernel: 'none' } }), { until: 38 }),
  'images/image-metadata-put-resp': put(({ ids }) => `/images/${ids.image}/metadata`, () => ({ metadata: { auto_disk_config: 'True' } }), { until: 38 }),
  'images/image-meta-key-get': get(({ ids }) => `/images/${ids.image}/metadata/auto_disk_config`, { until: 38 }),
  'images/image-meta-key-put-resp': put(({ ids }) => `/images/${ids.image}/metadata/auto_disk_config`, () => ({ meta: { auto_disk_config: 'False' } }), { until: 38 }),
};

const forgetKey: NonNullable<Case['after']> = (world) => world.cloud.call('DELETE', '/compute/v2.1/os-keypairs/new');
const importBody = (_world: VersionWorld, minor: number) => ({ keypair: { name: 'new', public_key: PUBLIC_KEY, ...(minor >= 2 ? { type: 'ssh' } : {}) } });

const keypairs: Cases = {
  'os-keypairs/keypairs-list-resp': get('/os-keypairs', { skip: [35] }),
  'os-keypairs/keypairs-list-user1-resp': get(({ ids }) => `/os-keypairs?user_id=${ids.user}`, { older: true }),
  'os-keypairs/keypairs-list-user2-resp': get('/os-keypairs?limit=1', { older: true }),
  'os-keypairs/keypairs-get-resp': get('/os-keypairs/key'),
  'os-keypairs/keypairs-import-post-resp': post('/os-keypairs', importBody, { after: forgetKey }),
  'os-keypairs/keypairs-post-resp': post('/os-keypairs', () => ({ keypair: { name: 'new' } }), { at: [91, 90, 36, 35, 34, 11, 10, 9, 3, 2, 1], until: 91, after: forgetKey }),
};

const quotas = ({ ids }: VersionWorld): string => `/os-quota-sets/${ids.other_project}`;
const ofUser = (world: VersionWorld): string => `${quotas(world)}?user_id=${world.ids.user}`;
const someQuotas = () => ({ quota_set: { instances: 45 } });

const PERIOD = 'limit=1&start=2000-01-01T00:00:00&end=2999-01-01T00:00:00';

const limits: Cases = {
  'limits/limit-get-resp': get('/limits'),
  'os-quota-sets/quotas-show-get-resp': get(quotas),
  'os-quota-sets/quotas-show-defaults-get-resp': get((world) => `${quotas(world)}/defaults`),
  'os-quota-sets/quotas-show-detail-get-resp': get((world) => `${quotas(world)}/detail`),
  'os-quota-sets/quotas-update-post-resp': put(quotas, someQuotas),
  'os-quota-sets/quotas-update-force-post-resp': put(quotas, () => ({ quota_set: { force: 'True', instances: 45 } })),
  'os-quota-sets/user-quotas-show-get-resp': get(ofUser),
  'os-quota-sets/user-quotas-update-post-resp': put(ofUser, () => ({ quota_set: { force: 'True', instances: 9 } })),
  'os-quota-class-sets/quota-classes-show-get-resp': get('/os-quota-class-sets/default'),
  'os-quota-class-sets/quota-classes-update-post-resp': put('/os-quota-class-sets/other', () => ({ quota_class_set: { instances: 50 } })),
  'os-simple-tenant-usage/simple-tenant-usage-get': get(`/os-simple-tenant-usage?${PERIOD}`),
  'os-simple-tenant-usage/simple-tenant-usage-get-all': get(`/os-simple-tenant-usage?detailed=1&${PERIOD.replace('limit=1&', '')}`, { older: true }),
  'os-simple-tenant-usage/simple-tenant-usage-get-detail': get(`/os-simple-tenant-usage?detailed=1&${PERIOD}`),
  'os-simple-tenant-usage/simple-tenant-usage-get-specific': get(({ ids }) => `/os-simple-tenant-usage/${ids.project}?${PERIOD}`),
};

const HYPERVISORS = '/os-hypervisors';
const oneHypervisor = ({ ids, numbers }: VersionWorld, minor: number): string => `${HYPERVISORS}/${minor >= 53 ? ids.hypervisor : numbers.hypervisor}`;

const hypervisors: Cases = {
  'os-hypervisors/hypervisors-list-resp': get((_world, minor) => (minor >= 33 ? `${HYPERVISORS}?limit=1` : HYPERVISORS)),
  'os-hypervisors/hypervisors-detail-resp': get((_world, minor) => `${HYPERVISORS}/detail${minor >= 33 ? '?limit=1' : ''}`),
  'os-hypervisors/hypervisors-detail-with-servers-resp': get(`${HYPERVISORS}/detail?with_servers=1`, { older: true }),
  'os-hypervisors/hypervisors-show-resp': get(oneHypervisor),
  'os-hypervisors/hypervisors-show-with-servers-resp': get((world, minor) => `${oneHypervisor(world, minor)}?with_servers=1`, { older: true }),
  'os-hypervisors/hypervisors-statistics-resp': get(`${HYPERVISORS}/statistics`, { until: 87 }),
  'os-hypervisors/hypervisors-uptime-resp': get((world, minor) => `${oneHypervisor(world, minor)}/uptime`, { until: 87 }),
  'os-hypervisors/hypervisors-search-resp': get(({ host }, minor) => (minor >= 53 ? `${HYPERVISORS}?hypervisor_hostname_pattern=${host}` : `${HYPERVISORS}/${host}/search`)),
  'os-hypervisors/hypervisors-with-servers-resp': get(({ host }, minor) => (minor >= 53 ? `${HYPERVISORS}?with_servers=true` : `${HYPERVISORS}/${host}/servers`)),
  'os-hypervisors/hypervisors-without-servers-resp': get(({ host }, minor) => (minor >= 53 ? HYPERVISORS : `${HYPERVISORS}/${host}/search`)),
};

function serviceCase(action: string, old: Record<string, unknown>, current: Record<string, unknown>): Case {
  return put(
    ({ ids }, minor) => (minor >= 53 ? `/os-services/${ids.service}` : `/os-services/${action}`),
    ({ host }, minor) => (minor >= 53 ? current : { host, binary: 'nova-compute', ...old }),
    { after: (world, _answer, minor) => world.call('PUT', `/os-services/${world.ids.service}`, Math.max(53, minor), { status: 'enabled', forced_down: false }) },
  );
}

const hosts: Cases = {
  'os-services/services-list-get-resp': get('/os-services', { skip: [69] }),
  'os-services/service-disable-put-resp': serviceCase('disable', {}, { status: 'disabled' }),
  'os-services/service-disable-log-put-resp': serviceCase('disable-log-reason', { disabled_reason: 'test' }, { status: 'disabled', disabled_reason: 'test' }),
  'os-services/service-enable-put-resp': serviceCase('enable', {}, { status: 'enabled' }),
  'os-services/service-force-down-put-resp': serviceCase('force-down', { forced_down: true }, { forced_down: true }),
  'os-hosts/hosts-list-resp': get('/os-hosts', { until: 42 }),
  'os-hosts/host-get-resp': get(({ host }) => `/os-hosts/${host}`, { until: 42 }),
  'os-availability-zone/availability-zone-list-resp': get('/os-availability-zone'),
  'os-availability-zone/availability-zone-detail-resp': get('/os-availability-zone/detail'),
  'os-instance-usage-audit-log/inst-usage-audit-log-index-get-resp': get('/os-instance_usage_audit_log'),
  'os-instance-usage-audit-log/inst-usage-audit-log-show-get-resp': get('/os-instance_usage_audit_log/2026-01-01%2000:00:00'),
  ...hypervisors,
};

const oneAggregate = ({ ids }: VersionWorld): string => `/os-aggregates/${ids.aggregate}`;
const onAggregate = (body: (world: VersionWorld) => unknown, undo?: (world: VersionWorld) => unknown): Case =>
  post((world) => `${oneAggregate(world)}/action`, body, undo === undefined ? {} : { after: (world, _answer, minor) => world.call('POST', `${oneAggregate(world)}/action`, minor, undo(world)) });

const aggregates: Cases = {
  'os-aggregates/aggregates-list-get-resp': get('/os-aggregates'),
  'os-aggregates/aggregates-get-resp': get(oneAggregate),
  'os-aggregates/aggregate-post-resp': post('/os-aggregates', () => ({ aggregate: { name: 'new', availability_zone: 'london' } }), {
    after: (world, { aggregate }) => world.cloud.call('DELETE', `/compute/v2.1/os-aggregates/${aggregate.id}`),
  }),
  'os-aggregates/aggregate-update-post-resp': put(oneAggregate, () => ({ aggregate: { name: 'renamed' } })),
  'os-aggregates/aggregates-metadata-post-resp': onAggregate(() => ({ set_metadata: { metadata: { key: 'value' } } })),
  'os-aggregates/aggregates-remove-host-post-resp': onAggregate(({ host }) => ({ remove_host: { host } }), ({ host }) => ({ add_host: { host } })),
  'os-aggregates/aggregates-add-host-post-resp': onAggregate(({ other_host: host }) => ({ add_host: { host } }), ({ other_host: host }) => ({ remove_host: { host } })),
};

const removeOf = (path: string, key: string): NonNullable<Case['after']> => (world, answer, minor) => world.cloud.call('DELETE', `/compute/v2.1${path}/${answer[key].id}`, { headers: { 'openstack-api-version': `compute 2.${minor}` } });

const network: Cases = {
  'os-networks/networks-list-resp': get('/os-networks', { until: PROXIES }),
  'os-networks/network-show-resp': get(({ ids }) => `/os-networks/${ids.network}`, { until: PROXIES }),
  'os-tenant-networks/networks-list-res': get('/os-tenant-networks', { until: PROXIES }),
  'os-floating-ip-pools/floatingippools-list-resp': get('/os-floating-ip-pools', { until: PROXIES }),
  'os-floating-ips/floating-ips-list-resp': get('/os-floating-ips', { until: PROXIES }),
  'os-floating-ips/floating-ips-list-empty-resp': get('/os-floating-ips', { until: PROXIES }),
  'os-floating-ips/floating-ips-get-resp': get(({ ids }) => `/os-floating-ips/${ids.floating_ip}`, { until: PROXIES }),
  'os-floating-ips/floating-ips-create-resp': post('/os-floating-ips', () => ({ pool: 'public' }), { until: PROXIES, after: removeOf('/os-floating-ips', 'floating_ip') }),
  'os-security-groups/security-groups-list-get-resp': get('/os-security-groups', { until: PROXIES }),
  'os-security-groups/security-groups-get-resp': get(({ ids }) => `/os-security-groups/${ids.security_group}`, { until: PROXIES }),
  'os-security-groups/security-groups-create-resp': post('/os-security-groups', () => ({ security_group: { name: 'new', description: 'new' } }), {
    until: PROXIES, after: removeOf('/os-security-groups', 'security_group'),
  }),
  'os-security-groups/security-group-rules-post-resp': post('/os-security-group-rules', ({ ids }) => ({
    security_group_rule: { parent_group_id: ids.security_group, from_port: 22, to_port: 22, ip_protocol: 'tcp', cidr: '10.0.0.0/24' },
  }), { until: PROXIES, after: removeOf('/os-security-group-rules', 'security_group_rule') }),
};

const documents: Cases = {
  'versions/versions-get-resp': get('/'),
  'versions/v2-version-get-resp': get('/v2/'),
  'versions/v21-version-get-resp': get('/v2.1/'),
  'extension-info/extensions-list-resp': get('/extensions'),
  'extension-info/extensions-list-resp-v21-compatible': get('/extensions'),
  'extension-info/extensions-get-resp': get('/extensions/os-agents'),
};

export const resourceCases: Cases = { ...flavors, ...images, ...keypairs, ...limits, ...hosts, ...aggregates, ...network, ...documents };
