import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { capLimit, type Filter, type Page, type SortKey } from '../../../kernel/db/list-query.ts';
import { badRequest, forbidden } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { searchNames, serverFilters, type ServerSearch } from '../model/server-filters.ts';
import { type ListedServer, listServerNames, listServers, type ServerQuery } from '../store/servers.ts';
import { versions } from '../versions.ts';
import { instant, link, nonNegativeText } from './parameters.ts';
import { isAdmin, readerOf } from './server-target.ts';
import { serverBrief, serverDetail, serverReply } from './server-view.ts';
import { viewOptions } from './view-options.ts';

const query = Type.Object(
  {
    limit: Type.Optional(nonNegativeText),
    marker: Type.Optional(Type.String()),
    sort_key: Type.Optional(Type.Array(Type.String())),
    sort_dir: Type.Optional(Type.Array(Type.String())),
    status: Type.Optional(Type.Array(Type.String())),
    name: Type.Optional(Type.String({ maxLength: 255 })),
    flavor: Type.Optional(Type.String({ maxLength: 255 })),
    image: Type.Optional(Type.String()),
    host: Type.Optional(Type.String()),
    all_tenants: Type.Optional(Type.String()),
    'changes-since': Type.Optional(Type.String()),
  },
  // What else is a filter depends on the version and on the caller.
  { additionalProperties: true },
);

const listReply = Type.Object({ servers: Type.Array(serverReply), servers_links: Type.Optional(Type.Array(link)) });

export const serverListEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'servers:list',
    method: 'GET',
    path: '/v2.1/servers',
    summary: 'List servers',
    policy: 'os_compute_api:servers:index',
    query,
    reply: listReply,
    status: 200,
    handler: async (call) => {
      const page = await find(deps, call as Call, 'index', listServerNames);
      return shown(call as Call, page, page.rows.map((row) => serverBrief(row, call.base)));
    },
  }),
  endpoint({
    id: 'servers:list-detail',
    method: 'GET',
    path: '/v2.1/servers/detail',
    summary: 'List servers with all attributes',
    policy: 'os_compute_api:servers:detail',
    query,
    reply: listReply,
    status: 200,
    handler: async (call) => {
      const page = await find(deps, call as Call, 'detail', listServers);
      const options = await viewOptions(deps, call as Call, page.rows, false);
      return shown(call as Call, page, page.rows.map((row) => serverDetail(row, options)));
    },
  }),
];

type Named = Pick<ListedServer, 'id' | 'name'>;
type List<Row> = (db: ReturnType<typeof readerOf>, query: ServerQuery, scope: Filter[]) => Promise<Page<Row> | undefined>;

function shown(call: Call, page: Page<Named>, servers: object[]) {
  const links = nextLinks(call, page.more, page.rows.at(-1)?.id);
  return { servers, ...(links === undefined ? {} : { servers_links: links }) } as never;
}

async function find<Row extends Named>(deps: ComputeDeps, call: Call, what: 'index' | 'detail', list: List<Row>): Promise<Page<Row>> {
  checkNames(call);
  const all = allTenants(call);
  if (all) call.enforce(`os_compute_api:servers:${what}:get_all_tenants`);
  const scope = { project_id: all ? undefined : call.auth.project_id, is_admin: isAdmin(call), strict_status: call.version >= versions.SERVER_STATUS_CHECKED };
  const sort = sortOf(call);
  const filters = await serverFilters(readerOf(deps), searchOf(call), scope);
  if (filters === undefined) return { rows: [], more: false };
  const { marker } = call.query as { marker?: string };
  const { limit: asked } = call.query as { limit?: string };
  if (asked !== undefined && Number(asked) === 0) return { rows: [], more: false };
  const limit = capLimit(asked === undefined ? undefined : Number(asked), deps.config.max_limit);
  const visible = all ? [] : [{ column: 'project_id', op: 'eq' as const, value: call.auth.project_id ?? '' }];
  const page = await list(readerOf(deps), { ...filters, sort, marker, limit }, visible);
  if (page === undefined) throw badRequest('compute.marker-not-found', `marker [${marker}] not found`);
  return page;
}

const PLAIN_NAMES = new Set(['limit', 'marker', 'sort_key', 'sort_dir']);
const JOINED = new Set(['block_device_mapping', 'services', 'metadata', 'system_metadata', 'info_cache', 'security_groups', 'pci_devices']);
const SINCE: Record<string, number> = {
  tags: versions.SERVER_TAGS, 'tags-any': versions.SERVER_TAGS, 'not-tags': versions.SERVER_TAGS, 'not-tags-any': versions.SERVER_TAGS,
  'changes-before': versions.CHANGES_BEFORE, locked: versions.LOCK_REASON,
};

/** Before 2.75 an unknown parameter is passed over; from then on it is refused. */
function checkNames(call: Call): void {
  const known = (name: string): boolean => PLAIN_NAMES.has(name) || JOINED.has(name) || (searchNames.includes(name) && call.version >= (SINCE[name] ?? 0));
  for (const name of Object.keys(call.query)) {
    if (JOINED.has(name) || name.startsWith('_')) throw badRequest('compute.filter-invalid', `Invalid filter field: ${name}.`);
    if (call.version >= versions.STRICT_QUERIES && !known(name)) {
      throw badRequest('api.query-invalid', `Invalid input for query parameters. Additional properties are not allowed ('${name}' was unexpected)`);
    }
  }
}

function allTenants(call: Call): boolean {
  const value = (call.query as { all_tenants?: string }).all_tenants;
  // An empty value means yes.
  if (value === undefined || value === '') return value === '';
  const all = booleanFrom(value);
  if (all === undefined) throw badRequest('compute.all-tenants-invalid', `Unrecognized value '${value}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'`);
  return all;
}

const EVERYBODY = ['reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'];
const EVERYBODY_SINCE: [number, string[]][] = [
  [versions.SERVER_FILTER_IP6, ['ip6']],
  [versions.SERVER_TAGS, ['tags', 'tags-any', 'not-tags', 'not-tags-any']],
  [versions.CHANGES_BEFORE, ['changes-before']],
  [versions.LOCK_REASON, ['locked']],
  [
    versions.SERVER_MORE_FILTERS,
    ['availability_zone', 'config_drive', 'key_name', 'created_at', 'launched_at', 'terminated_at', 'power_state', 'task_state', 'vm_state', 'progress', 'user_id'],
  ],
  [versions.SERVER_HOSTNAME, ['hostname']],
];

/** The filters that this caller may use; others are passed over without a word, as nova does. */
function searchOf(call: Call): ServerSearch {
  const everything = call.allows('os_compute_api:servers:allow_all_filters');
  const allowed = new Set([...EVERYBODY, ...EVERYBODY_SINCE.flatMap(([version, names]) => (call.version >= version ? names : []))]);
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(call.query)) {
    const there = searchNames.includes(name) && call.version >= (SINCE[name] ?? 0);
    if (there && (everything || allowed.has(name))) out[name] = value;
  }
  for (const name of ['changes-since', 'changes-before']) if (typeof out[name] === 'string') out[name] = instant(out[name], name);
  const { 'changes-since': from, 'changes-before': to } = out as ServerSearch;
  if (from !== undefined && to !== undefined && to < from) {
    throw badRequest('compute.changes-invalid', 'The value of changes-since must be less than or equal to changes-before.');
  }
  return out as ServerSearch;
}

const SORT_COLUMNS: Record<string, { column: string; nullable?: boolean }> = {
  access_ip_v4: { column: 'access_ip_v4', nullable: true },
  access_ip_v6: { column: 'access_ip_v6', nullable: true },
  auto_disk_config: { column: 'disk_config' },
  availability_zone: { column: 'zone', nullable: true },
  config_drive: { column: 'config_drive' },
  created_at: { column: 'created_at' },
  display_description: { column: 'description', nullable: true },
  display_name: { column: 'name' },
  host: { column: 'host', nullable: true },
  hostname: { column: 'hostname' },
  image_ref: { column: 'image_id' },
  instance_type_id: { column: 'flavor_id' },
  key_name: { column: 'key_name', nullable: true },
  launch_index: { column: 'launch_index' },
  launched_at: { column: 'launched_at', nullable: true },
  locked: { column: 'locked_by', nullable: true },
  locked_by: { column: 'locked_by', nullable: true },
  node: { column: 'host', nullable: true },
  power_state: { column: 'power_state' },
  progress: { column: 'progress' },
  project_id: { column: 'project_id' },
  task_state: { column: 'task_state', nullable: true },
  terminated_at: { column: 'terminated_at', nullable: true },
  updated_at: { column: 'updated_at' },
  user_id: { column: 'user_id' },
  uuid: { column: 'id' },
  vm_state: { column: 'vm_state' },
};
/** Nova knows these and sorts all servers alike by them. */
const CONSTANT = new Set(['kernel_id', 'ramdisk_id', 'root_device_name']);
/** Keys that were accepted and ignored before 2.75. */
const IGNORED = new Set([
  'architecture', 'cell_name', 'cleaned', 'default_ephemeral_device', 'default_swap_device', 'deleted', 'deleted_at', 'disable_terminate', 'ephemeral_gb',
  'ephemeral_key_uuid', 'id', 'key_data', 'launched_on', 'locked', 'memory_mb', 'os_type', 'reservation_id', 'root_gb', 'shutdown_terminate', 'user_data', 'vcpus', 'vm_mode',
]);

function sortOf(call: Call): SortKey[] {
  const { sort_key = [], sort_dir = [] } = call.query as { sort_key?: string[]; sort_dir?: string[] };
  const sort: SortKey[] = [];
  sort_key.forEach((key, at) => {
    const direction = sort_dir[at] ?? sort_dir.at(-1) ?? 'desc';
    if (direction !== 'asc' && direction !== 'desc') throw badRequest('compute.sort-invalid', `Unknown sort direction, must be 'desc' or 'asc'.`);
    const ignored = (IGNORED.has(key) && !(key === 'locked' && call.version >= versions.LOCK_REASON)) || CONSTANT.has(key);
    if (ignored && (call.version < versions.STRICT_QUERIES || CONSTANT.has(key))) return;
    const column = Object.hasOwn(SORT_COLUMNS, key) && !ignored ? SORT_COLUMNS[key] : undefined;
    if (column === undefined) throw badRequest('api.query-invalid', `Invalid input for query parameters sort_key. Value: ${key}. '${key}' is not one of the keys that servers are sorted by`);
    if ((key === 'host' || key === 'node') && !isAdmin(call)) throw forbidden('compute.sort-forbidden', `Only administrators can sort servers by ${key}`);
    if (!sort.some((other) => other.column === column.column)) sort.push({ ...column, direction });
  });
  return sort.length === 0 ? [{ column: 'created_at', direction: 'desc' }] : sort;
}
