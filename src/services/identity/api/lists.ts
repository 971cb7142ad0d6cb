/** Lists in keystone's way: inexact filters, limit and marker, links. */
import { Type, type TSchema } from 'typebox';
import type { AnyCall } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { Page } from '../../../kernel/db/list-query.ts';
import type { Identity } from '../model/identity.ts';
import type { Hint, ListOptions, Order } from '../store/list.ts';
import { selfOf, v3Of } from './links.ts';

/** Wire name → column; `flag` columns hold 0/1, `instant` ones are compared: `lt:2026-01-31T12:00:00Z`. */
export type Filters = Readonly<Record<string, string | { flag: string } | { instant: string }>>;

const COMPARATORS = ['contains', 'startswith', 'endswith', 'exact'] as const;

/** Reads the filters that a list knows, by `name=` or `name__icontains=`; others are ignored, as in keystone. */
export function readList(identity: Identity, call: AnyCall, filters: Filters): ListOptions {
  const hints: Hint[] = [];
  for (const [key, value] of call.url.searchParams) {
    const [name = '', suffix] = key.split('__', 2);
    const to = Object.hasOwn(filters, name) ? filters[name] : undefined;
    const hint = to === undefined ? undefined : readHint(to, suffix, value);
    if (hint !== undefined) hints.push(hint);
  }
  return { hints, limit: readLimit(identity, call), marker: call.url.searchParams.get('marker') ?? undefined };
}

function readHint(to: Filters[string], suffix: string | undefined, value: string): Hint | undefined {
  if (typeof to === 'object' && 'instant' in to) return { column: to.instant, ...readInstant(value), ignore_case: false };
  // Of an empty or unreadable flag keystone makes true.
  if (typeof to === 'object') return { column: to.flag, comparator: 'equals', value: /^(0|f|false|off|n|no)$/i.test(value) ? 0 : 1, ignore_case: false };
  if (suffix === undefined) return { column: to, comparator: 'equals', value, ignore_case: false };
  const ignore_case = suffix.startsWith('i');
  const comparator = COMPARATORS.find((one) => one === (ignore_case ? suffix.slice(1) : suffix));
  if (comparator === undefined) return undefined;
  return { column: to, comparator: comparator === 'exact' ? 'equals' : comparator, value, ignore_case };
}

const ORDERS: Readonly<Record<string, Order>> = { lt: '<', lte: '<=', gt: '>', gte: '>=', eq: '=', neq: '!=' };

function readInstant(text: string): { comparator: Order; value: string } {
  const [, name = '', instant = ''] = /^([a-z]+):(.*)$/.exec(text) ?? [];
  const at = new Date(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?$/.test(instant) ? `${instant.replace(/Z$/, '')}Z` : Number.NaN);
  const comparator = Object.hasOwn(ORDERS, name) ? ORDERS[name] : undefined;
  if (comparator === undefined || Number.isNaN(at.getTime())) throw badRequest('identity.query-invalid', `Invalid input for field 'password_expires_at': '${text}' is not lt, lte, gt, gte, eq or neq, a colon and a time`);
  return { comparator, value: isoMicros(at) };
}

function readLimit(identity: Identity, call: AnyCall): number {
  const text = call.url.searchParams.get('limit');
  if (text === null) return identity.config.list_limit;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw badRequest('identity.query-invalid', `Invalid input for field 'limit': '${text}' is not a positive integer`);
  return Math.min(Number(text), identity.config.list_limit);
}

/** Whoever has a token for a domain sees what is in it, whatever they ask for. */
export function withinOwnDomain(call: AnyCall, options: ListOptions, column = 'domain_id'): ListOptions {
  const { domain_id } = call.auth;
  return domain_id === undefined ? options : { ...options, hints: [...options.hints, exactly(column, domain_id)] };
}

export function exactly(column: string, value: string | number | null): Hint {
  return { column, comparator: 'equals', value, ignore_case: false };
}

/** The reply of a list; with `limit` it links to its next page, without one it says when it was cut. */
export function collection<Row extends { id: string }>(identity: Identity, call: AnyCall, key: string, page: Page<Row>, show: (row: Row) => object): Record<string, unknown> {
  const asked = call.url.searchParams.has('limit');
  const next = page.more && asked ? nextOf(identity, call, page.rows.at(-1)?.id as string) : null;
  return {
    [key]: page.rows.map(show),
    links: { next, self: selfOf(identity, call), previous: null },
    ...(page.more && !asked ? { truncated: true } : {}),
  };
}

function nextOf(identity: Identity, call: AnyCall, marker: string): string {
  const query = new URLSearchParams(call.url.search);
  query.set('marker', marker);
  return selfOf(identity, { base: call.base, url: new URL(`${call.url.pathname}?${query}`, 'http://localhost') });
}

/** A list that is whole. */
export function whole(identity: Identity, call: AnyCall, key: string, entries: readonly object[]): Record<string, unknown> {
  return { [key]: entries, links: { next: null, self: selfOf(identity, call), previous: null } };
}

/** `{ links: { self } }` of an entry. */
export function linkTo(identity: Identity, call: AnyCall, ...path: string[]): { links: { self: string } } {
  return { links: { self: `${v3Of(identity, call)}/${path.map(encodeURIComponent).join('/')}` } };
}

export function listReply(key: string): TSchema {
  return Type.Object({ [key]: Type.Array(Type.Object({})), links: Type.Object({ self: Type.String() }) });
}

export function entryReply(key: string, required: string[] = ['id']): TSchema {
  return Type.Object({ [key]: Type.Object(Object.fromEntries(required.map((name) => [name, Type.Unknown()]))) });
}

/** An entry as clients see it. */
export interface Shown extends Record<string, unknown> {
  id: string;
}
