/** Reads glance's list parameters: everything it does not know is a filter on a property. */
import type { Call } from '../../../kernel/api/endpoint.ts';
import { type SortKey, sortKeys, sortParameter } from '../../../kernel/api/list.ts';
import type { Filter } from '../../../kernel/db/list-query.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { ImageConfig } from '../config.ts';
import { VISIBILITIES } from '../model/attributes.ts';
import type { Eyes } from '../model/images.ts';
import type { ImageListing } from '../store/images.ts';
import type { MemberStatus, Visibility } from '../store/tables.ts';

const SORT_COLUMNS = Object.fromEntries(['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at', 'visibility', 'owner'].map((name) => [name, name]));
const NULLABLE = new Set(['name', 'container_format', 'disk_format', 'size']);
const TEXT_FILTERS = ['id', 'name', 'status', 'container_format', 'disk_format'];
const EXACT_FILTERS = ['owner', 'checksum', 'os_hash_value'];
const KNOWN = new Set([
  ...TEXT_FILTERS, ...EXACT_FILTERS, 'limit', 'marker', 'tag', 'sort', 'sort_key', 'sort_dir', 'protected', 'os_hidden', 'min_disk', 'min_ram',
  'size', 'size_min', 'size_max', 'visibility', 'member_status', 'created_at', 'updated_at', 'os_hash_algo',
]);

interface Query {
  limit?: number;
  marker?: string;
  tag?: string[];
  sort?: string;
  sort_key?: string[];
  sort_dir?: string[];
  [name: string]: unknown;
}

export function readListing(call: Pick<Call, 'query' | 'auth'>, eyes: Eyes, config: ImageConfig): ImageListing {
  const query = call.query as Query;
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) if (!KNOWN.has(name)) properties[name] = String(value);
  return {
    project_id: eyes.is_admin ? undefined : (eyes.project_id ?? ''),
    visibility: readVisibility(query['visibility']),
    member_status: readMemberStatus(query['member_status']),
    filters: readFilters(query),
    properties,
    tags: query.tag ?? [],
    sort: readSort(query),
    marker_id: query.marker,
    limit: Math.min(query.limit ?? config.page_size, config.max_page_size),
  };
}

function readVisibility(value: unknown): Visibility | 'all' | undefined {
  if (value === undefined || value === 'all') return value;
  const found = VISIBILITIES.find((one) => one === value);
  if (!found) throw badRequest('image.filter', `Invalid visibility value: ${String(value)}`);
  return found;
}

function readMemberStatus(value: unknown): MemberStatus | 'all' {
  if (value === undefined) return 'accepted';
  if (value !== 'all' && value !== 'pending' && value !== 'accepted' && value !== 'rejected') throw badRequest('image.filter', `Invalid status: ${String(value)}`);
  return value;
}

function readSort(query: Query): SortKey[] {
  if (query.sort !== undefined && (query.sort_key || query.sort_dir)) throw badRequest('image.sort', 'Old and new sorting syntax cannot be combined');
  let keys: SortKey[];
  if (query.sort !== undefined) keys = sortParameter(query.sort, SORT_COLUMNS);
  else {
    const names = query.sort_key ?? ['created_at'];
    keys = sortKeys(names, query.sort_dir ?? names.map(() => 'desc'), SORT_COLUMNS);
  }
  return keys.map((key) => (NULLABLE.has(key.column) ? { ...key, nullable: true } : key));
}

function readFilters(query: Query): Filter[] {
  const filters: Filter[] = [];
  for (const column of TEXT_FILTERS) {
    const value = query[column];
    if (typeof value !== 'string') continue;
    filters.push(value.startsWith('in:') ? { column, op: 'in', value: splitIn(value.slice(3)) } : { column, op: 'eq', value });
  }
  for (const column of EXACT_FILTERS) if (typeof query[column] === 'string') filters.push({ column, op: 'eq', value: query[column] });
  for (const column of ['size', 'min_disk', 'min_ram', 'protected']) if (query[column] !== undefined) filters.push({ column, op: 'eq', value: query[column] as number | boolean });
  filters.push({ column: 'os_hidden', op: 'eq', value: query['os_hidden'] === true });
  if (query['size_min'] !== undefined) filters.push({ column: 'size', op: 'gte', value: query['size_min'] as number });
  if (query['size_max'] !== undefined) filters.push({ column: 'size', op: 'lte', value: query['size_max'] as number });
  for (const column of ['created_at', 'updated_at']) if (typeof query[column] === 'string') filters.push(readTime(column, query[column]));
  return filters;
}

/** `in:a,"b,c",d` */
function splitIn(text: string): string[] {
  const parts = [...text.matchAll(/"([^"]*)"|([^,]+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
  if (parts.length === 0) throw badRequest('image.filter', `Invalid filter value ${text}.`);
  return parts;
}

const TIME_OPS = { eq: 'eq', neq: 'ne', gt: 'gt', gte: 'gte', lt: 'lt', lte: 'lte' } as const;

function readTime(column: string, text: string): Filter {
  const [, word, rest] = /^(eq|neq|gt|gte|lt|lte):(.*)$/.exec(text) ?? [undefined, 'eq', text];
  const at = Date.parse(rest!.replace(/(\d{2}:\d{2}:\d{2}(\.\d+)?)$/, '$1Z'));
  if (Number.isNaN(at)) throw badRequest('image.filter', `Unable to parse the date ${rest}.`);
  const instant = new Date(at).toISOString();
  return { column, op: TIME_OPS[word as keyof typeof TIME_OPS], value: `${instant.slice(0, -1)}000Z` };
}
