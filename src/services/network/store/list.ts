/** One page of any collection: filters, tags, keyset. */
import { sql, type SelectQueryBuilder } from 'kysely';
import { findMarker, page, where, type Filter, type Page, type SortKey } from '../../../kernel/db/list-query.ts';

/** Comma-separated values of neutron's four tag filters, read. */
export interface TagFilters {
  all: string[];
  any: string[];
  not_all: string[];
  not_any: string[];
}

export interface ListRequest {
  filters: Filter[];
  tags: TagFilters;
  sort: SortKey[];
  marker: string | undefined;
  limit: number;
  reverse: boolean;
}

/** The most that one page has, when the caller names no limit or a greater one. */
export const MAX_PAGE = 10_000;

/** Of a list without pages: the first of those that pass the filters, by id. */
export function wholeList(filters: readonly Filter[] = [], limit = MAX_PAGE): ListRequest {
  return { filters: [...filters], tags: { all: [], any: [], not_all: [], not_any: [] }, sort: [], marker: undefined, limit: Math.min(limit, MAX_PAGE), reverse: false };
}

/** @param notFound the fault for a marker that is not among the rows. */
export async function listPage<O>(query: SelectQueryBuilder<any, any, O>, table: string, request: ListRequest, notFound: (id: string) => Error): Promise<Page<O>> {
  const filtered = withTags(where(query, request.filters), table, request.tags);
  const { sort, limit, reverse, marker: after } = request;
  if (after === undefined) return page(filtered, { sort, limit, reverse });
  const marker = await findMarker(filtered, { sort }, after);
  if (marker === undefined) throw notFound(after);
  return page(filtered, { sort, limit, reverse, marker });
}

function withTags<Q extends SelectQueryBuilder<any, any, any>>(query: Q, table: string, tags: TagFilters): Q {
  let out: SelectQueryBuilder<any, any, any> = query;
  const id = sql.ref(`${table}.id`);
  const having = (list: readonly string[], atLeast: number) =>
    sql<boolean>`(select count(*) from network_tags where resource_id = ${id} and tag in (${sql.join(list)})) >= ${sql.lit(atLeast)}`;
  if (tags.all.length > 0) out = out.where(having(tags.all, tags.all.length));
  if (tags.any.length > 0) out = out.where(having(tags.any, 1));
  if (tags.not_all.length > 0) out = out.where(sql<boolean>`not ${having(tags.not_all, tags.not_all.length)}`);
  if (tags.not_any.length > 0) out = out.where(sql<boolean>`not ${having(tags.not_any, 1)}`);
  return out as Q;
}
