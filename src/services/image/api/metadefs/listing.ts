/** The list parameters of the metadata definitions. */
import { Type } from 'typebox';
import { type SortKey, sortKeys } from '../../../../kernel/api/list.ts';
import { oneOf } from '../../../../kernel/api/schema.ts';
import { invalidListing } from '../../model/metadefs/faults.ts';
import { MAX_ITEMS } from '../../model/metadefs/items.ts';
import type { ItemListing } from '../../store/metadefs/items.ts';

export const listingQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  marker: Type.Optional(Type.String()),
  sort_key: Type.Optional(Type.String()),
  sort_dir: Type.Optional(oneOf('asc', 'desc')),
};

interface ListingQuery {
  limit?: number;
  marker?: string;
  sort_key?: string;
  sort_dir?: string;
}

const NULLABLE = new Set(['display_name']);

/** Faults: 400 for a key that is none of these. */
export function readSort({ sort_key = 'created_at', sort_dir = 'desc' }: ListingQuery, columns: readonly string[]): (SortKey & { nullable?: boolean })[] {
  const known = Object.fromEntries(columns.map((column) => [column, column]));
  return sortKeys([sort_key], [sort_dir], known).map((key) => (NULLABLE.has(key.column) ? { ...key, nullable: true } : key));
}

export function readItemListing(query: ListingQuery): ItemListing {
  return { sort: readSort(query, ['name', 'created_at', 'updated_at']), marker: query.marker, limit: Math.min(query.limit ?? MAX_ITEMS, MAX_ITEMS) };
}

export function readVisibility(value: string | undefined): 'public' | 'private' | undefined {
  if (value === undefined || value === '') return undefined;
  if (value !== 'public' && value !== 'private') throw invalidListing(`Invalid visibility value: ${value}`);
  return value;
}
