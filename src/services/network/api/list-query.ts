/** The query of a list: filters, sorting, paging and `fields`, as neutron reads them. */
import type { Call } from '../../../kernel/api/endpoint.ts';
import { nextHref } from '../../../kernel/api/list.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import type { SortKey } from '../../../kernel/db/list-query.ts';
import { badResource, invalidInput, plainBadRequest, projectFilterConflict } from '../faults.ts';
import { canonicalMac } from '../model/address.ts';
import { show } from '../model/validate.ts';
import { MAX_PAGE, type ListRequest, type TagFilters } from '../store/list.ts';
import type { Attributes, Column } from './attributes.ts';

export interface ListCall extends ListRequest {
  /** Empty: all. */
  fields: string[];
  /** What the caller asked for; 0: nothing. */
  asked_limit: number;
  /** Filters that this collection reads itself. */
  special: Record<string, string[]>;
}

const NO_FILTERS = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse']);
const TAG_FILTERS: Readonly<Record<string, keyof TagFilters>> = { tags: 'all', 'tags-any': 'any', 'not-tags': 'not_all', 'not-tags-any': 'not_any' };

/** @param special names of filters that the collection reads itself. Faults: 400. */
export function readList(call: Pick<Call, 'url'>, attributes: Attributes, special: readonly string[] = []): ListCall {
  const query = call.url.searchParams;
  const out: ListCall = {
    filters: [], tags: { all: [], any: [], not_all: [], not_any: [] }, sort: readSort(query, attributes), marker: undefined, limit: MAX_PAGE,
    reverse: query.get('page_reverse')?.toLowerCase() === 'true', fields: query.getAll('fields').filter((name) => name !== ''), asked_limit: readLimit(query), special: {},
  };
  if (out.asked_limit > 0) {
    out.limit = Math.min(out.asked_limit, MAX_PAGE);
    out.marker = query.get('marker') ?? undefined;
  } else if (query.has('marker')) out.marker = query.get('marker') || undefined;
  const unknown: string[] = [];
  for (const name of new Set(query.keys())) {
    if (!NO_FILTERS.has(name) && !readFilter(name, query.getAll(name), attributes, special, out)) unknown.push(name);
  }
  if (unknown.length > 0) throw plainBadRequest(`${show(unknown)} is invalid attribute for filtering`);
  if (query.has('tenant_id') && query.has('project_id')) throw projectFilterConflict();
  return out;
}

function readFilter(name: string, values: string[], attributes: Attributes, special: readonly string[], out: ListCall): boolean {
  const tag = TAG_FILTERS[name];
  const column = attributes[name]?.column;
  if (special.includes(name)) out.special[name] = values;
  else if (tag !== undefined) out.tags[tag].push(...new Set(values.flatMap((value) => value.split(',')).filter((value) => value !== '')));
  else if (name === 'changed_since') out.filters.push({ column: 'updated_at', op: 'gte', value: changedSince(values.at(-1)!) });
  else if (column?.filter === true) out.filters.push({ column: column.name, op: 'in', value: values.flatMap((value) => convert(column, value)) });
  else return false;
  return true;
}

function changedSince(text: string): string {
  const at = new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(at.getTime())) throw invalidInput(`The input of changed_since ${text} is invalid: it must be an ISO 8601 time`);
  return `${at.toISOString().slice(0, -1)}000Z`;
}

function convert(column: Column, value: string): (string | number)[] {
  switch (column.type) {
    case 'boolean': {
      const read = booleanFrom(value);
      if (read === undefined) throw invalidInput(`'${value}' cannot be converted to boolean`);
      return [read ? 1 : 0];
    }
    case 'integer':
      if (!/^-?\d{1,15}$/.test(value)) throw invalidInput(`'${value}' is not an integer`);
      return [Number(value)];
    case 'mac':
      return [canonicalMac(value) ?? value];
    default:
      return [value];
  }
}

function readLimit(query: URLSearchParams): number {
  const text = query.get('limit') ?? '0';
  if (!/^\d{1,15}$/.test(text)) throw badResource('limit', `Limit must be an integer 0 or greater and not '${text}'`);
  return Number(text);
}

function readSort(query: URLSearchParams, attributes: Attributes): SortKey[] {
  const keys = query.getAll('sort_key').filter((key) => key !== '');
  const directions = query.getAll('sort_dir').filter((key) => key !== '');
  if (keys.length !== directions.length) throw plainBadRequest('The number of sort_keys and sort_dirs must be same');
  const absent = keys.filter((key) => attributes[key]?.column?.sort !== true);
  if (absent.length > 0) throw plainBadRequest(`${show(absent)} is invalid attribute for sort_keys`);
  const bad = directions.filter((direction) => direction !== 'asc' && direction !== 'desc');
  if (bad.length > 0) throw plainBadRequest(`${show(bad)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`);
  return keys.map((key, at) => {
    const column = attributes[key]!.column!;
    return { column: column.name, direction: directions[at] as 'asc' | 'desc', nullable: column.nullable === true };
  });
}

interface Ends {
  first: string | undefined;
  last: string | undefined;
  count: number;
  more: boolean;
}

/** `networks_links`: next and previous, as neutron gives them whenever a limit was asked for, or the page is cut short. */
export function pageLinks(call: Pick<Call, 'url' | 'base'>, list: ListCall, ends: Ends): { rel: string; href: string }[] | undefined {
  if (list.asked_limit === 0 && !ends.more) return undefined;
  const links: { rel: string; href: string }[] = [];
  const short = ends.count < list.limit;
  const href = (marker: string | undefined, page_reverse: string | undefined): string => {
    const link = new URL(nextHref(call, marker ?? '', { page_reverse }));
    if (marker === undefined) link.searchParams.delete('marker');
    return link.href;
  };
  if (!short || list.reverse) links.push({ rel: 'next', href: href(ends.last, undefined) });
  if (!short || !list.reverse) links.push({ rel: 'previous', href: href(ends.first, 'True') });
  return links;
}

/** Only the asked-for fields; all when none was. */
export function pick(view: Record<string, unknown>, fields: readonly string[]): Record<string, unknown> {
  if (fields.length === 0) return view;
  return Object.fromEntries(Object.entries(view).filter(([name]) => fields.includes(name)));
}
