/** From the query of a list of servers to what the store is asked. */
import type { Kysely } from 'kysely';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import type { Filter } from '../../../kernel/db/list-query.ts';
import { badRequest, forbidden } from '../../../kernel/fault.ts';
import { columnOf, containsFilter, type ServerQuery, type TagFilter } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { addressesOf } from './server-row.ts';
import { statesOf } from './server-state.ts';
import { isPlain, matching } from './text-match.ts';

/** What is left of the query after the API has dropped what this caller may not use. */
export type ServerSearch = Partial<Record<SearchName, string>> & { status?: string[] };

type Column = keyof ServerRow & string;

/** Filters by regular expression, as nova's on most columns. */
const PATTERNS = {
  name: 'name', display_name: 'name', description: 'description', display_description: 'description', hostname: 'hostname', key_name: 'key_name',
  reservation_id: 'reservation_id', node: 'host', availability_zone: 'zone', launched_at: 'launched_at', terminated_at: 'terminated_at',
  created_at: 'created_at', locked_by: 'locked_by', config_drive: 'config_drive', access_ip_v4: 'access_ip_v4', access_ip_v6: 'access_ip_v6',
  auto_disk_config: 'disk_config',
} as const satisfies Record<string, Column>;

const EXACT = {
  image: 'image_id', image_ref: 'image_id', flavor: 'flavor_id', host: 'host', user_id: 'user_id', project_id: 'project_id', tenant_id: 'project_id',
  uuid: 'id', vm_state: 'vm_state', task_state: 'task_state',
} as const satisfies Record<string, Column>;

const NUMBERS = { launch_index: 'launch_index', power_state: 'power_state', progress: 'progress' } as const satisfies Record<string, Column>;

const SPECIAL = ['ip', 'ip6', 'tags', 'tags-any', 'not-tags', 'not-tags-any', 'changes-since', 'changes-before', 'deleted', 'locked', 'all_tenants', 'root_device_name', 'kernel_id', 'ramdisk_id', 'soft_deleted'] as const;

export type SearchName = keyof typeof PATTERNS | keyof typeof EXACT | keyof typeof NUMBERS | (typeof SPECIAL)[number];

export const searchNames: readonly string[] = [...Object.keys(PATTERNS), ...Object.keys(EXACT), ...Object.keys(NUMBERS), ...SPECIAL, 'status'];

export interface SearchScope {
  /** Undefined: all projects. */
  project_id: string | undefined;
  is_admin: boolean;
  /** Before 2.38 an unknown status finds nothing; after, it is refused. */
  strict_status: boolean;
}

export type Found = Pick<ServerQuery, 'filters' | 'tags' | 'ids'>;

/** Undefined: nothing can match. @throws Fault 400, 403 */
export async function serverFilters(db: Kysely<ComputeTables>, search: ServerSearch, scope: SearchScope): Promise<Found | undefined> {
  const filters: Filter[] = scope.project_id === undefined ? [] : [{ column: 'project_id', op: 'eq', value: scope.project_id }];
  const deleted = deletedFilter(search, scope, filters);
  if (deleted === 'nothing') return undefined;
  addEqual(filters, search, scope);
  const tags = tagFilter(search);
  const ids = await addPatterns(db, filters, search);
  return { filters, ...(tags === undefined ? {} : { tags }), ...(ids === undefined ? {} : { ids }) };
}

/** Status, deleted and the times decide together whether deleted servers are among the answers. */
function deletedFilter(search: ServerSearch, scope: SearchScope, filters: Filter[]): 'nothing' | undefined {
  let deleted: boolean | undefined = search['changes-since'] === undefined && search['changes-before'] === undefined ? false : undefined;
  if (search.deleted !== undefined) deleted = booleanFrom(search.deleted) ?? false;
  if (search.status !== undefined) {
    const { vm_states, task_states } = statesOf(search.status);
    if (vm_states.length === 0) {
      if (scope.strict_status) throw badRequest('compute.status-invalid', 'Invalid status value');
      return 'nothing';
    }
    if (vm_states.length === 1 && vm_states[0] === 'deleted') {
      if (!scope.is_admin) throw forbidden('compute.deleted-servers', 'Only administrators may list deleted instances');
      deleted = true;
    }
    filters.push({ column: 'vm_state', op: 'in', value: vm_states });
    if (task_states !== undefined) filters.push({ column: 'task_state', op: 'in', value: task_states });
  }
  if (deleted !== undefined) filters.push({ column: 'deleted', op: 'eq', value: deleted ? 1 : 0 });
  const named = search.vm_state !== undefined || search.status?.some((status) => status.toUpperCase() === 'SOFT_DELETED') === true || booleanFrom(search.soft_deleted ?? '') === true;
  if (deleted === false && !named) filters.push({ column: 'vm_state', op: 'ne', value: 'soft-delete' });
  return undefined;
}

function addEqual(filters: Filter[], search: ServerSearch, scope: SearchScope): void {
  for (const [name, column] of Object.entries(EXACT)) {
    const value = search[name as SearchName];
    if (value === undefined || (column === 'project_id' && scope.project_id !== undefined)) continue;
    // A status says more of the state than the words of the state.
    if (column === 'vm_state' && search.status !== undefined) continue;
    filters.push({ column, op: 'eq', value: column === 'flavor_id' ? value.slice(value.lastIndexOf('/') + 1) : value });
  }
  for (const [name, column] of Object.entries(NUMBERS)) {
    const value = search[name as SearchName];
    if (value !== undefined) filters.push({ column, op: 'eq', value: /^-?\d{1,9}$/.test(value) ? Number(value) : -1 });
  }
  if (search.locked !== undefined) {
    const locked = booleanFrom(search.locked);
    if (locked === undefined) throw badRequest('compute.locked-invalid', `Unrecognized value '${search.locked}', acceptable values are: true, false`);
    filters.push({ column: 'locked_by', op: locked ? 'not-null' : 'null' });
  }
  if (search['changes-since'] !== undefined) filters.push({ column: 'updated_at', op: 'gte', value: search['changes-since'] });
  if (search['changes-before'] !== undefined) filters.push({ column: 'updated_at', op: 'lte', value: search['changes-before'] });
}

const list = (text: string | undefined): string[] | undefined => text?.split(',');

function tagFilter(search: ServerSearch): TagFilter | undefined {
  const all = list(search.tags);
  const any = list(search['tags-any']);
  const not_all = list(search['not-tags']);
  const not_any = list(search['not-tags-any']);
  if (!all && !any && !not_all && !not_any) return undefined;
  return { ...(all && { all }), ...(any && { any }), ...(not_all && { not_all }), ...(not_any && { not_any }) };
}

const MOST_IDS = 30_000;

/** Plain texts go to the database; real patterns and addresses are matched here, among what the other filters leave. */
async function addPatterns(db: Kysely<ComputeTables>, filters: Filter[], search: ServerSearch): Promise<string[] | undefined> {
  const patterns = Object.entries(PATTERNS).flatMap(([name, column]) => {
    const pattern = search[name as SearchName];
    return pattern === undefined || pattern === '' ? [] : [{ column, pattern }];
  });
  for (const { column, pattern } of patterns) if (isPlain(pattern)) filters.push(containsFilter(column, pattern));
  let ids: Set<string> | undefined;
  const keep = (found: string[]): void => {
    const before = ids;
    ids = new Set(before === undefined ? found : found.filter((id) => before.has(id)));
  };
  for (const { column, pattern } of patterns) {
    if (isPlain(pattern)) continue;
    const values = await columnOf(db, column, filters);
    const hits = matching(pattern, values.map(({ value }) => value));
    keep(values.flatMap(({ id }, at) => (hits[at] ? [id] : [])));
  }
  const address = search.ip ?? search.ip6;
  if (address !== undefined) keep(await withAddress(db, filters, address, search.ip === undefined ? 6 : 4));
  if (ids !== undefined && ids.size > MOST_IDS) throw badRequest('compute.pattern-too-wide', 'The filter matches too many servers. Name more of what you look for.');
  return ids === undefined ? undefined : [...ids];
}

async function withAddress(db: Kysely<ComputeTables>, filters: Filter[], address: string, version: 4 | 6): Promise<string[]> {
  const plain = isPlain(address.replaceAll('.', ''));
  const rows = await columnOf(db, 'addresses_json', plain ? [...filters, containsFilter('addresses_json', address)] : filters);
  const addresses = rows.flatMap(({ id, value }) =>
    Object.values(addressesOf({ addresses_json: value ?? '{}' })).flat().flatMap((one) => (one.version === version && one['OS-EXT-IPS:type'] === 'fixed' ? [{ id, text: one.addr }] : [])),
  );
  if (plain) return addresses.filter(({ text }) => text.includes(address)).map(({ id }) => id);
  const hits = matching(address, addresses.map(({ text }) => text));
  return addresses.flatMap(({ id }, at) => (hits[at] ? [id] : []));
}
