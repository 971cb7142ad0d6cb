/** What a list call asks for: filters, order and page, in cinder's parameters. */
import type { Call } from '../../../kernel/api/endpoint.ts';
import { nextLinks, sortKeys, sortParameter, type SortKey } from '../../../kernel/api/list.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { capLimit, type Filter, type Page } from '../../../kernel/db/list-query.ts';
import { badRequest, notFound, type Fault } from '../../../kernel/fault.ts';
import type { BlockStorageConfig } from '../config.ts';
import type { Listing, Reader, Rows } from '../store/rows.ts';
import { versions } from '../versions.ts';
import { isAdmin } from './common.ts';

export type FilterKind = 'text' | 'number' | 'flag' | 'pairs';

export interface ListingRules {
  /** Wire name → column and kind. Those after `admin` are for administrators. */
  filters: Record<string, { column: string; kind: FilterKind; admin?: boolean; since?: Microversion }>;
  /** Wire name → column. */
  sort: Record<string, string>;
  /** Whether a filter that nobody knows is refused from 3.31 on. */
  strict?: boolean;
}

export type ListCall = Pick<Call, 'url' | 'auth' | 'version' | 'allows' | 'base'>;

const PAGING = new Set(['limit', 'marker', 'offset', 'sort', 'sort_key', 'sort_dir', 'all_tenants', 'with_count', 'created_at', 'updated_at']);
const MAX_INT = 0x7fffffff;

function count(call: ListCall, name: string): number | undefined {
  const value = call.url.searchParams.get(name);
  if (value === null) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) > MAX_INT) {
    throw badRequest('block-storage.query-invalid', /^-\d+$/.test(value) ? `${name} must be non-negative.` : `${name} must be an integer.`);
  }
  return Number(value);
}

/** @throws Fault 400 */
export function readListing(call: ListCall, config: BlockStorageConfig, rules: ListingRules, extra: Filter[] = []): Listing {
  const query = call.url.searchParams;
  const offset = count(call, 'offset') ?? 0;
  return {
    filters: [...extra, ...ownership(call), ...times(call), ...filtersOf(call, rules)],
    sort: sortOf(query, rules.sort),
    marker: query.get('marker') ?? undefined,
    offset,
    limit: capLimit(count(call, 'limit'), config.max_limit),
  };
}

/** Administrators see all projects when they ask for them. */
export function ownership(call: ListCall, column = 'project_id'): Filter[] {
  const query = call.url.searchParams;
  const all = booleanFrom(query.get('all_tenants') ?? '0') ?? Number(query.get('all_tenants')) > 0;
  if (all && isAdmin(call)) {
    const named = query.get('project_id');
    return named === null ? [] : [{ column, op: 'eq', value: named }];
  }
  return [{ column, op: 'eq', value: call.auth.project_id ?? '' }];
}

function sortOf(query: URLSearchParams, columns: Record<string, string>): SortKey[] {
  const all = { ...columns, created_at: 'created_at', id: 'id' };
  const sort = query.get('sort');
  const keys = query.getAll('sort_key').flatMap((key) => key.split(','));
  if (sort !== null && (keys.length > 0 || query.has('sort_dir'))) throw badRequest('block-storage.sort', "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter.");
  const asked = sort === null ? sortKeys(keys.length === 0 ? ['created_at'] : keys, query.getAll('sort_dir').length === 0 ? ['desc'] : query.getAll('sort_dir'), all) : sortParameter(withDirection(sort), all);
  return asked.map((key) => (NULLABLE.has(key.column) ? { ...key, nullable: true } : key)) as SortKey[];
}

/** Cinder sorts downwards unless told. */
const withDirection = (sort: string): string => sort.split(',').map((part) => (part.includes(':') ? part : `${part}:desc`)).join(',');
const NULLABLE = new Set(['name', 'updated_at', 'host', 'launched_at', 'description']);

const OPERATORS = { gt: 'gt', gte: 'gte', eq: 'eq', neq: 'ne', lt: 'lt', lte: 'lte' } as const;

function times(call: ListCall): Filter[] {
  if (call.version < versions.TIME_FILTER) return [];
  return ['created_at', 'updated_at'].flatMap((name) =>
    (call.url.searchParams.get(name) ?? '').split(',').filter((part) => part !== '').map((part): Filter => {
      const [operator = '', ...rest] = part.split(':');
      const op = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator as keyof typeof OPERATORS] : undefined;
      if (op === undefined) throw badRequest('block-storage.query-invalid', `Invalid ${operator} operator`);
      const time = rest.join(':');
      const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`);
      if (Number.isNaN(at)) throw badRequest('block-storage.query-invalid', `Invalid ${time} value`);
      return { column: name, op, value: `${new Date(at).toISOString().slice(0, -1)}000Z` };
    }));
}

function filtersOf(call: ListCall, { filters, strict }: ListingRules): Filter[] {
  const out: Filter[] = [];
  const unknown: string[] = [];
  for (const [given, value] of call.url.searchParams) {
    if (PAGING.has(given) || given === 'project_id') continue;
    const like = given.endsWith('~') && call.version >= versions.LIKE_FILTER;
    const name = like ? given.slice(0, -1) : given;
    const known = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (known === undefined || (known.admin === true && !isAdmin(call))) unknown.push(given);
    else if ((known.since ?? 0) <= call.version) out.push(...conditions(name, known, value, like));
  }
  if (unknown.length > 0 && strict === true && call.version >= versions.RESOURCE_FILTER && !isAdmin(call)) {
    throw badRequest('block-storage.query-invalid', `Invalid filters ${unknown.join(', ')} are found in query options.`);
  }
  return out;
}

function conditions(name: string, { column, kind }: { column: string; kind: FilterKind }, value: string, like: boolean): Filter[] {
  if (kind === 'pairs') return pairs(name, value).map((pair) => ({ column, op: 'contains', value: pair }));
  if (kind === 'flag') {
    const flag = booleanFrom(value);
    if (flag === undefined) throw badRequest('block-storage.query-invalid', `${name} must be a boolean, not '${value.slice(0, 100)}'.`);
    return [{ column, op: 'eq', value: flag }];
  }
  if (kind === 'number') return [/^\d{1,9}$/.test(value) ? { column, op: 'eq', value: Number(value) } : { column, op: 'in', value: [] }];
  return [like ? { column, op: 'contains', value } : { column, op: 'eq', value }];
}

/** `{'key': 'value'}` as Python or JSON writes it, as parts of the JSON that rows hold. */
function pairs(name: string, value: string): string[] {
  const bad = (): Fault => badRequest('block-storage.query-invalid', `Invalid filter ${name}: ${value.slice(0, 100)}`);
  try {
    const parsed: unknown = JSON.parse(value.includes('"') ? value : value.replaceAll(/\bu'/g, "'").replaceAll("'", '"'));
    if (typeof parsed !== 'object' || parsed === null) throw bad();
    return Object.entries(parsed).map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(String(one))}`);
  } catch {
    throw bad();
  }
}

/** One page of rows, its links, and how many there are when that was asked for. */
export async function readPage<Row extends { id: string }>(db: Reader, rows: Rows<Row>, call: ListCall, listing: Listing, collection: string): Promise<{ rows: Row[]; more: Record<string, unknown> }> {
  const found: Page<Row> | undefined = await rows.list(db, listing);
  if (found === undefined) throw notFound('block-storage.marker-not-found', `${collection} with marker ${listing.marker ?? ''} could not be found.`);
  // Cinder names a next page whenever this one is full, be it the last.
  const full = listing.limit > 0 && found.rows.length >= listing.limit;
  const next = nextLinks(call, full, found.rows.at(-1)?.id);
  const counted = call.version >= versions.COUNT && (booleanFrom(call.url.searchParams.get('with_count') ?? '') ?? false);
  const more = { ...(next === undefined ? {} : { [`${collection}_links`]: next }), ...(counted ? { count: await rows.count(db, listing.filters) } : {}) };
  return { rows: found.rows, more };
}
