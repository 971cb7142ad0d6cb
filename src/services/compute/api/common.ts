/** What the resources beside servers share: links and pages. */
import { Type } from 'typebox';
import type { Call } from '../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { capLimit } from '../../../kernel/db/list-query.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import type { ComputeConfig } from '../config.ts';
import { versions } from '../versions.ts';

/** `self` with the version, `bookmark` without, as nova writes them. */
export function resourceLinks(base: string, collection: string, id: string): { rel: string; href: string }[] {
  const path = `${collection}/${encodeURIComponent(id)}`;
  return [
    { rel: 'self', href: `${base}/v2.1/${path}` },
    { rel: 'bookmark', href: `${base}/${path}` },
  ];
}

export const pagingQuery = { limit: Type.Optional(Type.Integer({ minimum: 0 })), marker: Type.Optional(Type.String()) };

export const pageLimit = (config: ComputeConfig, asked: number | undefined): number => capLimit(asked, config.max_limit);

export const markerNotFound = (marker: string): Fault => badRequest('compute.marker-not-found', `Marker ${marker} could not be found.`);

/** From 2.75 on nova refuses parameters that it does not know. @throws Fault 400 */
export function strictQuery(call: Pick<Call, 'version' | 'url'>, known: readonly string[], since: Microversion = versions.STRICT_QUERIES): void {
  if (call.version < since) return;
  const unknown = [...new Set(call.url.searchParams.keys())].filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const list = unknown.map((name) => `'${name}'`).join(', ');
  throw badRequest('compute.query-invalid', `Additional properties are not allowed (${list} ${unknown.length === 1 ? 'was' : 'were'} unexpected)`);
}
