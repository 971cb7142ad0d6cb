import { sql, type Expression, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { escapeLike, findMarker, page, type Page } from '../../../kernel/db/list-query.ts';

/** One condition of a list call: `name=x`, `name__icontains=x`. */
export interface Hint {
  column: string;
  comparator: 'equals' | 'contains' | 'startswith' | 'endswith' | Order;
  value: string | number | null;
  ignore_case: boolean;
}

/** How an instant stands to another; one that is null to none. */
export type Order = '<' | '<=' | '>' | '>=' | '=' | '!=';
const ORDERS: readonly string[] = ['<', '<=', '>', '>=', '=', '!='];

export interface ListOptions {
  hints: readonly Hint[];
  limit: number;
  /** Id of the last entry of the page before. */
  marker?: string | undefined;
}

/** Rows in order of the given column, then id. Undefined marker rows begin at the start, as in keystone. */
export async function listRows<O>(query: SelectQueryBuilder<any, any, O>, options: ListOptions, order: 'name' | 'id' = 'name'): Promise<Page<O>> {
  const sort = [{ column: order, direction: 'asc' as const }];
  const narrowed = options.hints.reduce<SelectQueryBuilder<any, any, O>>((each, hint) => each.where(condition(hint)), query);
  const marker = options.marker === undefined ? undefined : await findMarker(query, { sort }, options.marker);
  return await page(narrowed, { sort, marker, limit: options.limit });
}

function condition({ column, comparator, value, ignore_case }: Hint): Expression<SqlBool> {
  if (value === null) return sql<SqlBool>`${sql.ref(column)} is null`;
  if (typeof value === 'number') return sql<SqlBool>`${sql.ref(column)} = ${value}`;
  if (ORDERS.includes(comparator)) return sql<SqlBool>`${sql.ref(column)} ${sql.raw(comparator)} ${value}`;
  const text = ignore_case ? value.toLowerCase() : value;
  const left = ignore_case ? sql`lower(${sql.ref(column)})` : sql.ref(column);
  if (comparator === 'equals') return sql<SqlBool>`${left} = ${text}`;
  const before = comparator === 'startswith' ? '' : '%';
  const after = comparator === 'endswith' ? '' : '%';
  return sql<SqlBool>`${left} like ${before + escapeLike(text) + after} escape '\\'`;
}
