import { sql, type Expression, type ExpressionBuilder, type SelectQueryBuilder, type SqlBool } from 'kysely';

type Query<O> = SelectQueryBuilder<any, any, O>;
type Build = ExpressionBuilder<any, any>;

export interface SortKey {
  /** As in the query: `name`, or `servers.name` when tables are joined. */
  column: string;
  direction: 'asc' | 'desc';
  /**
   * The column may hold nulls, which sort below every value on both dialects. On PostgreSQL an index serves it only
   * when that was made by `createSortIndex`.
   */
  nullable?: boolean;
}

/** The values of the sort columns, by name without table, of the row after which a page begins. */
export type Marker = Readonly<Record<string, unknown>>;

export interface PageOptions {
  sort: readonly SortKey[];
  /** The column that tells rows apart; it ends the sort keys unless it is among them. */
  key?: string;
  marker?: Marker | undefined;
  limit: number;
  /** The page that ends just before the marker instead, in the same order. */
  reverse?: boolean;
}

export interface Page<O> {
  rows: O[];
  /** Whether there are rows beyond this page, in the direction that was asked for. */
  more: boolean;
}

/** One page by keyset: an index on the sort keys and the key column answers it without reading what comes before. */
export async function page<O>(query: SelectQueryBuilder<any, any, O>, options: PageOptions): Promise<Page<O>> {
  const rows = await pageQuery(query, options).execute();
  const more = rows.length > options.limit;
  if (more) rows.length = options.limit;
  return { rows: options.reverse === true ? rows.reverse() : rows, more };
}

/** The query of `page`, which reads one row more than asked for; apart, so that a test can have it explained. */
export function pageQuery<O>(query: SelectQueryBuilder<any, any, O>, options: PageOptions): Query<O> {
  const keys = sortKeys(options);
  const after = options.marker === undefined ? query : query.where((eb: Build) => afterMarker(eb, keys, options.marker as Marker));
  return keys.reduce((sorted, key) => orderBy(sorted, key), after as Query<O>).limit(options.limit + 1);
}

/** What `page` wants as marker, looked up among the rows that `scope` selects; undefined when it isn't there. */
export async function findMarker(
  scope: SelectQueryBuilder<any, any, any>,
  options: Pick<PageOptions, 'sort' | 'key'>,
  id: string,
): Promise<Marker | undefined> {
  const keys = sortKeys({ ...options, limit: 1 });
  return (await scope
    .clearSelect()
    .select(keys.map(({ column }) => column))
    .where(options.key ?? 'id', '=', id)
    .limit(1)
    .executeTakeFirst()) as Marker | undefined;
}

function sortKeys({ sort, key = 'id', reverse }: PageOptions): SortKey[] {
  const named = sort.findIndex(({ column }) => plain(column) === plain(key));
  // Nothing after a unique column can matter.
  const keys = named === -1 ? [...sort, { column: key, direction: sort.at(-1)?.direction ?? 'asc' } as SortKey] : sort.slice(0, named + 1);
  return reverse === true ? keys.map((each) => ({ ...each, direction: each.direction === 'asc' ? 'desc' : 'asc' })) : [...keys];
}

function plain(column: string): string {
  return column.slice(column.lastIndexOf('.') + 1);
}

function orderBy<O>(query: Query<O>, { column, direction, nullable }: SortKey): Query<O> {
  if (nullable !== true) return query.orderBy(column, direction);
  return query.orderBy(column, (order) => (direction === 'asc' ? order.asc().nullsFirst() : order.desc().nullsLast()));
}

function afterMarker(eb: Build, keys: readonly SortKey[], marker: Marker): Expression<SqlBool> {
  const values = keys.map(({ column }) => {
    const value = marker[plain(column)];
    if (value === undefined) throw new Error(`the marker lacks the sort column ${column}`);
    return value;
  });
  const uniform = keys.every((key) => key.direction === keys[0]?.direction && key.nullable !== true);
  return uniform ? tupleAfter(keys, values) : lexicalAfter(eb, keys, values);
}

/** `(a, b, id) > (?, ?, ?)`, which both planners turn into one range of an index. */
function tupleAfter(keys: readonly SortKey[], values: readonly unknown[]): Expression<SqlBool> {
  const columns = sql.join(keys.map(({ column }) => sql.ref(column)));
  const operator = sql.raw(keys[0]?.direction === 'asc' ? '>' : '<');
  return sql<SqlBool>`(${columns}) ${operator} (${sql.join(values)})`;
}

/** `a > ? or (a = ? and (b < ? or …))`, led by a bound on the first column where it has one. */
function lexicalAfter(eb: Build, keys: readonly SortKey[], values: readonly unknown[]): Expression<SqlBool> {
  const [first] = keys as [SortKey];
  const [value] = values;
  const exact = keys.reduceRight<Expression<SqlBool> | undefined>((rest, key, i) => {
    const beyond = beyondValue(eb, key, values[i]);
    if (rest === undefined) return beyond;
    const same = values[i] === null ? eb(key.column, 'is', null) : eb(key.column, '=', values[i]);
    return eb.or([beyond, eb.and([same, rest])]);
  }, undefined) as Expression<SqlBool>;
  const bounded = value !== null && !(first.nullable === true && first.direction === 'desc');
  return bounded ? eb.and([eb(first.column, first.direction === 'asc' ? '>=' : '<=', value), exact]) : exact;
}

/** Strictly after the value in the key's own order, nulls being the smallest. */
function beyondValue(eb: Build, { column, direction, nullable }: SortKey, value: unknown): Expression<SqlBool> {
  if (direction === 'asc') return value === null ? eb(column, 'is not', null) : eb(column, '>', value);
  if (value === null) return sql<SqlBool>`1 = 0`;
  const below = eb(column, '<', value);
  return nullable === true ? eb.or([below, eb(column, 'is', null)]) : below;
}

export type Filter =
  | { column: string; op: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte'; value: string | number | boolean }
  | { column: string; op: 'in' | 'not-in'; value: readonly (string | number)[] }
  | { column: string; op: 'null' | 'not-null' }
  /** Text that contains, or begins with, the value; wildcards in it mean themselves; case counts. */
  | { column: string; op: 'contains' | 'prefix'; value: string };

const COMPARISONS = { eq: '=', ne: '!=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** All of the filters hold; booleans are compared as 0/1; `in` an empty list holds for no row. */
export function where<Q extends SelectQueryBuilder<any, any, any>>(query: Q, filters: readonly Filter[]): Q {
  return filters.reduce<Query<any>>((each, filter) => each.where((eb: Build) => condition(eb, filter)), query) as Q;
}

function condition(eb: Build, filter: Filter): Expression<SqlBool> {
  const { column } = filter;
  switch (filter.op) {
    case 'in':
      return filter.value.length === 0 ? sql<SqlBool>`1 = 0` : eb(column, 'in', filter.value);
    case 'not-in':
      return filter.value.length === 0 ? sql<SqlBool>`1 = 1` : eb(column, 'not in', filter.value);
    case 'null':
      return eb(column, 'is', null);
    case 'not-null':
      return eb(column, 'is not', null);
    case 'contains':
      return like(column, `%${escapeLike(filter.value)}%`);
    case 'prefix':
      return like(column, `${escapeLike(filter.value)}%`);
    default:
      return eb(column, COMPARISONS[filter.op], typeof filter.value === 'boolean' ? Number(filter.value) : filter.value);
  }
}

function like(column: string, pattern: string): Expression<SqlBool> {
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

/** What was asked for, or the most that one page may have: never more. */
export function capLimit(asked: number | undefined, most: number): number {
  return Math.max(0, Math.min(asked ?? most, most));
}
