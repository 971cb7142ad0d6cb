/** What the list calls of all services share: limits, sort keys and links to the next page. */
import { badRequest } from '../fault.ts';
import type { Call } from './endpoint.ts';

export interface SortKey {
  column: string;
  direction: 'asc' | 'desc';
}

/**
 * Reads repeated `sort_key`/`sort_dir` pairs (nova, neutron).
 * @param columns wire name → column. Faults: 400 for a key that is not there or a direction that is neither.
 */
export function sortKeys(keys: readonly string[], directions: readonly string[], columns: Readonly<Record<string, string>>): SortKey[] {
  return keys.map((key, at) => {
    const column = Object.hasOwn(columns, key) ? columns[key] : undefined;
    if (column === undefined) throw badRequest('api.sort-key', `Sort key ${key} is not supported.`);
    const direction = directions[at] ?? directions.at(-1) ?? 'asc';
    if (direction !== 'asc' && direction !== 'desc') throw badRequest('api.sort-direction', `Sort direction ${direction} must be asc or desc.`);
    return { column, direction };
  });
}

/** `?sort=key:dir,key` (keystone-style services, glance, cinder). */
export function sortParameter(text: string, columns: Readonly<Record<string, string>>): SortKey[] {
  const pairs = text.split(',').filter((part) => part !== '').map((part) => part.split(':', 2));
  return sortKeys(pairs.map(([key]) => key!.trim()), pairs.map(([, direction]) => direction?.trim() ?? 'asc'), columns);
}

/** The URL of this very request with another marker: what a `next` link holds. Absolute. */
export function nextHref(call: Pick<Call, 'url' | 'base'>, marker: string, changes: Record<string, string | undefined> = {}): string {
  const query = new URLSearchParams(call.url.search);
  query.set('marker', marker);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  return `${new URL(call.base).origin}${call.url.pathname}?${query.toString()}`;
}

/** `[{ rel: 'next', href }]` when there is more, in nova's and cinder's way; undefined otherwise. */
export function nextLinks(call: Pick<Call, 'url' | 'base'>, more: boolean, lastId: string | undefined): { rel: string; href: string }[] | undefined {
  return more && lastId !== undefined ? [{ rel: 'next', href: nextHref(call, lastId) }] : undefined;
}
