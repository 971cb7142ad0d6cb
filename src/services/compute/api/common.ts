/** What the resources beside servers share: rules, links and pages. */
import { Type } from 'typebox';
import type { Call, Method } from '../../../kernel/api/endpoint.ts';
import type { Microversion } from '../../../kernel/api/microversion.ts';
import { capLimit } from '../../../kernel/db/list-query.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeConfig } from '../config.ts';
import { versions } from '../versions.ts';

export const ADMIN = 'rule:context_is_admin';
export const PROJECT_READER_OR_ADMIN = 'rule:project_reader_or_admin';
export const ANYBODY = '@';

/** A rule `os_compute_api:<name>` for tokens of projects; `operations` are like `GET /flavors`. */
export function computeRule(name: string, text: string, description: string, ...operations: `${Method} /${string}`[]): PolicyRule {
  const parsed = operations.map((operation) => {
    const [method, ...path] = operation.split(' ');
    return { method: method!, path: `/v2.1${path.join(' ')}` };
  });
  return { name: `os_compute_api:${name}`, default: text, description, scope: ['project'], operations: parsed };
}

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
