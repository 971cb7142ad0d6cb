/** Where volumes are: services, hosts, pools, capabilities, zones. */
import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { backendNamed, listBackends, type Backend } from '../model/backends.ts';
import { capabilitiesOf } from '../model/scheduler.ts';
import { ADMIN, rule } from '../policies.ts';
import { backends, volumes } from '../store/rows.ts';
import { versions } from '../versions.ts';
import { instant, readerOf } from './common.ts';

const GIB = 2 ** 30;
const asked = (call: Pick<AnyCall, 'url'>, name: string): string | null => call.url.searchParams.get(name);

const zoneEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'availability-zones:list', method: 'GET', path: '/v3/os-availability-zone', summary: 'List availability zones', policy: 'volume_extension:availability_zone_list', status: 200,
    reply: Type.Object({ availabilityZoneInfo: Type.Array(Type.Object({ zoneName: Type.String(), zoneState: Type.Object({ available: Type.Boolean() }) })) }),
    async handler() {
      const all = await listBackends(deps);
      const names = [...new Set([deps.config.default_availability_zone, ...all.map(({ availability_zone }) => availability_zone)])];
      return { availabilityZoneInfo: names.map((zoneName) => ({ zoneName, zoneState: { available: all.length === 0 || all.some((one) => one.availability_zone === zoneName && one.disabled === 0) } })) };
    },
  }),
  endpoint({
    id: 'extensions:list', method: 'GET', path: '/v3/extensions', summary: 'List extensions', policy: 'volume_extension:extensions', status: 200,
    handler: () => ({ extensions: EXTENSIONS.map((alias) => ({ alias, name: alias === 'os-hosts' ? 'Hosts' : alias, description: '', updated: '2013-06-27T00:00:00+00:00', links: [], namespace: '' })) }),
  }),
];

const EXTENSIONS = [
  'OS-SCH-HNT', 'backups', 'capabilities', 'os-admin-actions', 'os-availability-zone', 'os-extended-services', 'os-extended-snapshot-attributes', 'os-hosts',
  'os-quota-class-sets', 'os-quota-sets', 'os-services', 'os-snapshot-actions', 'os-types-extra-specs', 'os-types-manage', 'os-used-limits', 'os-vol-host-attr', 'os-vol-image-meta',
  'os-vol-mig-status-attr', 'os-vol-tenant-attr', 'os-volume-actions', 'os-volume-transfer', 'os-volume-type-access', 'qos-specs', 'scheduler-stats', 'encryption',
];

/** The scheduler is a part of the controller, and up when it answers. */
const schedulerOf = (deps: BlockStorageDeps) => ({
  binary: 'cinder-scheduler', host: 'controller', zone: deps.config.default_availability_zone, status: 'enabled', state: 'up', updated_at: instant(`${deps.clock.now().toISOString().slice(0, -1)}000Z`), disabled_reason: null,
});

const serviceView = (one: Backend, version: number) => ({
  binary: 'cinder-volume', host: one.host, zone: one.availability_zone, status: one.disabled === 1 ? 'disabled' : 'enabled', state: one.up ? 'up' : 'down', updated_at: instant(one.updated_at),
  disabled_reason: one.disabled_reason, frozen: one.frozen === 1, replication_status: 'disabled', active_backend_id: null,
  ...(version >= versions.CLUSTERS ? { cluster: null } : {}), ...(version >= versions.BACKEND_STATE ? { backend_state: one.up ? 'up' : 'down' } : {}),
});

const change = Type.Object({ host: Type.String({ minLength: 1 }), binary: Type.Optional(Type.String()), service: Type.Optional(Type.String()), disabled_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '\\S' })), cluster: Type.Optional(Type.String()), backend_id: Type.Optional(Type.String()), server: Type.Optional(Type.Union([Type.String(), Type.Null()])), level: Type.Optional(Type.String()) });
type Change = { host: string; binary?: string; service?: string; disabled_reason?: string };

function serviceEndpoints(deps: BlockStorageDeps): Endpoint[] {
  const set = async ({ host, binary, service }: Change, to: object): Promise<void> => {
    const name = binary ?? service;
    if (name !== undefined && name !== 'cinder-volume') throw notFound('block-storage.service-not-found', `Service ${name} could not be found on host ${host}.`);
    const row = await backendNamed(deps, host);
    await deps.db.transaction((tx) => backends.update(tx, row.id, to));
  };
  const put = (name: string, policy: string, work: (given: Change) => Promise<object | undefined>, status = 200): Endpoint =>
    endpoint({
      id: `services:${name}`, method: 'PUT', path: `/v3/os-services/${name}`, summary: `Do ${name} on a service`, policy, status, body: change,
      handler: async (call) => ((await work(call.body as Change)) ?? reply()),
    });
  const update = 'volume_extension:services:update';
  const named = ({ binary, service, host }: Change) => ({ host, service: service ?? '', binary: binary ?? service ?? '' });
  return [
    endpoint({
      id: 'services:list', method: 'GET', path: '/v3/os-services', summary: 'List services', policy: 'volume_extension:services:index', status: 200, reply: Type.Object({ services: Type.Array(Type.Object({ host: Type.String() })) }),
      async handler(call) {
        const [binary, host] = [asked(call, 'binary'), asked(call, 'host')];
        const all = [schedulerOf(deps), ...(await listBackends(deps)).map((one) => serviceView(one, call.version))];
        return { services: all.filter((one) => (binary === null || one.binary === binary) && (host === null || one.host === host || one.host.split('@')[0] === host)) };
      },
    }),
    put('enable', update, async (given) => (await set(given, { disabled: 0, disabled_reason: null }), { ...named(given), status: 'enabled', disabled: false })),
    put('disable', update, async (given) => (await set(given, { disabled: 1, disabled_reason: null }), { ...named(given), status: 'disabled', disabled: true })),
    put('disable-log-reason', update, async (given) => {
      if (given.disabled_reason === undefined) throw badRequest('block-storage.reason-needed', "'disabled_reason' is a required property");
      await set(given, { disabled: 1, disabled_reason: given.disabled_reason });
      return { ...named(given), status: 'disabled', disabled: true, disabled_reason: given.disabled_reason };
    }),
    put('freeze', 'volume:freeze_host', async (given) => (await frozen(deps, given.host, 1), undefined), 202),
    put('thaw', 'volume:thaw_host', async (given) => (await frozen(deps, given.host, 0), undefined), 202),
    put('failover_host', 'volume:failover_host', async ({ host }) => {
      await backendNamed(deps, host);
      throw badRequest('block-storage.no-replication', `Backend ${host} is not replicated.`);
    }, 202),
  ];
}

async function frozen(deps: BlockStorageDeps, host: string, value: number): Promise<void> {
  const row = await backendNamed(deps, host).catch(() => {
    throw badRequest('block-storage.service-invalid', `Service cinder-volume could not be found on host ${host}.`);
  });
  await deps.db.transaction((tx) => backends.update(tx, row.id, { frozen: value }));
}

const gigabytes = (bytes: number): number => Math.round((bytes / GIB) * 100) / 100;

function poolCapabilities(deps: BlockStorageDeps, one: Backend) {
  const { report } = one;
  return {
    ...capabilitiesOf(one), pool_name: report.backend, total_capacity_gb: gigabytes(report.total_bytes), free_capacity_gb: gigabytes(report.free_bytes), provisioned_capacity_gb: gigabytes(report.provisioned_bytes),
    allocated_capacity_gb: gigabytes(report.provisioned_bytes), reserved_percentage: deps.config.reserved_percentage, max_over_subscription_ratio: String(deps.config.max_over_subscription_ratio),
    thin_provisioning_support: report.thin, thick_provisioning_support: !report.thin, multiattach: report.multiattach, QoS_support: false, online_extend_support: report.online_extend,
    goodness_function: null, filter_function: null, location_info: null, timestamp: instant(one.updated_at), backend_state: one.up ? 'up' : 'down',
  };
}

const poolEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'pools:list', method: 'GET', path: '/v3/scheduler-stats/get_pools', summary: 'List pools', policy: 'scheduler_extension:scheduler_stats:get_pools', status: 200, reply: Type.Object({ pools: Type.Array(Type.Object({ name: Type.String() })) }),
    async handler(call) {
      const name = call.version >= versions.POOL_FILTER ? asked(call, 'name') : null;
      const all = (await listBackends(deps)).filter((one) => one.up && (name === null || one.pool === name));
      const detail = /^(1|true)$/i.test(asked(call, 'detail') ?? '');
      return { pools: all.map((one) => ({ name: one.pool, ...(detail ? { capabilities: poolCapabilities(deps, one) } : {}) })) };
    },
  }),
  endpoint({
    id: 'capabilities:show', method: 'GET', path: '/v3/capabilities/{host}', summary: 'Show what a backend can do', policy: 'volume_extension:capabilities', status: 200, reply: Type.Object({ namespace: Type.String() }),
    async handler(call) {
      const one = await backendNamed(deps, decodeURIComponent(call.params.host));
      const { vendor_name, volume_backend_name, driver_version, storage_protocol } = capabilitiesOf(one);
      const flag = (title: string, description: string) => ({ title, description, type: 'boolean' });
      const properties = { thin_provisioning: flag('Thin Provisioning', 'Space is taken as it is written.'), multiattach: flag('Multiattach', 'Several servers may have one volume.') };
      return { namespace: `OS::Storage::Capabilities::${one.host}`, vendor_name, volume_backend_name, pool_name: null, driver_version, storage_protocol, display_name: null, description: null, visibility: 'public', replication_targets: [], properties };
    },
  }),
];

const hostEndpoints = (deps: BlockStorageDeps): Endpoint[] => [
  endpoint({
    id: 'hosts:list', method: 'GET', path: '/v3/os-hosts', summary: 'List hosts', policy: 'volume_extension:hosts', status: 200, reply: Type.Object({ hosts: Type.Array(Type.Object({ host_name: Type.String() })) }),
    async handler() {
      const all = (await listBackends(deps)).map((one) => ({ host_name: one.host, service: 'cinder-volume', zone: one.availability_zone, 'service-status': one.up ? 'available' : 'unavailable', 'service-state': one.disabled === 1 ? 'disabled' : 'enabled', 'last-update': instant(one.updated_at) }));
      const scheduler = schedulerOf(deps);
      return { hosts: [{ host_name: scheduler.host, service: scheduler.binary, zone: scheduler.zone, 'service-status': 'available', 'service-state': 'enabled', 'last-update': scheduler.updated_at }, ...all] };
    },
  }),
  endpoint({
    id: 'hosts:show', method: 'GET', path: '/v3/os-hosts/{host}', summary: 'Show what a host holds', policy: 'volume_extension:hosts', status: 200, reply: Type.Object({ host: Type.Array(Type.Object({})) }),
    async handler(call) {
      const one = await backendNamed(deps, decodeURIComponent(call.params.host));
      const held = await volumes.all(readerOf(deps), [{ column: 'node_id', op: 'eq', value: one.node_id }, { column: 'host', op: 'eq', value: one.pool }]);
      const resource = (project: string, rows: readonly { size: number }[]) => ({ resource: { host: one.host, project, volume_count: String(rows.length), total_volume_gb: String(rows.reduce((sum, { size }) => sum + size, 0)), snapshot_count: '0', total_snapshot_gb: '0' } });
      return { host: [resource('(total)', held), ...[...Map.groupBy(held, ({ project_id }) => project_id)].map(([project, rows]) => resource(project, rows))] };
    },
  }),
];

export const placeEndpoints = (deps: BlockStorageDeps): Endpoint[] => [...zoneEndpoints(deps), ...serviceEndpoints(deps), ...poolEndpoints(deps), ...hostEndpoints(deps)];

export const placePolicies: PolicyRule[] = [
  rule('volume_extension:services:index', ADMIN, 'List services.', 'GET /os-services'),
  rule('volume_extension:services:update', ADMIN, 'Enable or disable a service.', 'PUT /os-services/enable', 'PUT /os-services/disable', 'PUT /os-services/disable-log-reason'),
  rule('volume:freeze_host', ADMIN, 'Let a backend take nothing new.', 'PUT /os-services/freeze'),
  rule('volume:thaw_host', ADMIN, 'Let a backend take volumes again.', 'PUT /os-services/thaw'),
  rule('volume:failover_host', ADMIN, 'Fail a backend over.', 'PUT /os-services/failover_host'),
  rule('scheduler_extension:scheduler_stats:get_pools', ADMIN, 'List pools.', 'GET /scheduler-stats/get_pools'),
  rule('volume_extension:capabilities', ADMIN, 'Show what a backend can do.', 'GET /capabilities/{host}'),
  rule('volume_extension:hosts', ADMIN, 'List and show hosts.', 'GET /os-hosts', 'GET /os-hosts/{host}'),
];
