import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { isoMicros, isoMicrosNoZone } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { type Period, type ProjectUsage, projectUsages, serverUsage, type ServerUsage } from '../model/simple-tenant-usage.ts';
import { serversInPeriod } from '../store/simple-tenant-usage.ts';
import { versions } from '../versions.ts';
import { markerNotFound, pageLimit, strictQuery } from './common.ts';
import { ADMIN, READER, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,6})?)| (\d\d:\d\d:\d\d\.\d{1,6}))$/;

/** An instant in UTC without a zone. @throws Fault 400 */
function instantOf(text: string | undefined, otherwise: Date): Date {
  if (text === undefined || text === '') return otherwise;
  const [, day, time, spaced] = ISO.exec(text) ?? [];
  const at = new Date(`${day}T${time ?? spaced}Z`);
  if (day === undefined || Number.isNaN(at.getTime())) throw badRequest('compute.usage-time', 'Invalid datetime string: Datetime is in invalid format');
  return at;
}

/** Without a beginning, as in nova, there is next to nothing in it. */
function periodOf(query: { start?: string; end?: string }, now: Date): Period {
  const start = instantOf(query.start, new Date(now.getTime() - 1));
  const stop = instantOf(query.end, now);
  if (start >= stop) throw badRequest('compute.usage-period', 'Invalid start time. The start time cannot occur after the end time.');
  return { start, stop: stop > now ? now : stop };
}

const paging = {
  limit: Type.Optional(since(versions.USAGE_PAGES, Type.Integer({ minimum: 0 }))),
  marker: Type.Optional(since(versions.USAGE_PAGES, Type.String())),
};
const query = Type.Object({ ...paging, start: Type.Optional(Type.String()), end: Type.Optional(Type.String()), detailed: Type.Optional(Type.String()) });

interface Found {
  usages: ProjectUsage[];
  period: Period;
  next: { rel: string; href: string }[] | undefined;
}

type UsageCall = Pick<Call, 'version' | 'url' | 'base'> & { query: Static<typeof query> };

async function find(deps: ComputeDeps, call: UsageCall, project_id: string | undefined): Promise<Found> {
  const now = deps.clock.now();
  const period = periodOf(call.query, now);
  const paged = call.version >= versions.USAGE_PAGES;
  const { limit, marker } = paged ? call.query : {};
  const asked = { project_id, start: isoMicros(period.start), stop: isoMicros(period.stop), limit: pageLimit(deps.config, limit), marker };
  const found = await serversInPeriod(readerOf(deps), asked);
  if (found === undefined) throw markerNotFound(marker ?? '');
  const servers = found.rows.map((row) => serverUsage(row, period, now));
  return { usages: projectUsages(servers), period, next: paged ? nextLinks(call, found.more, found.rows.at(-1)?.id) : undefined };
}

const serverView = (usage: ServerUsage) => ({
  ...usage,
  started_at: isoMicrosNoZone(usage.started_at),
  ended_at: usage.ended_at === null ? null : isoMicrosNoZone(usage.ended_at),
});

function usageView({ servers, ...totals }: ProjectUsage, period: Period, detailed: boolean) {
  return {
    ...totals,
    start: isoMicrosNoZone(isoMicros(period.start)),
    stop: isoMicrosNoZone(isoMicros(period.stop)),
    ...(detailed ? { server_usages: servers.map(serverView) } : {}),
  };
}

const PATH = '/v2.1/os-simple-tenant-usage';

export const simpleTenantUsageEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'simple-tenant-usage:list', method: 'GET', path: PATH, summary: 'Show what the servers of all projects used in a period',
    policy: 'os_compute_api:os-simple-tenant-usage:list', status: 200, query,
    reply: Type.Object({ tenant_usages: Type.Array(Type.Object({ tenant_id: Type.String(), total_hours: Type.Number() })) }),
    async handler(call) {
      strictQuery(call, ['start', 'end', 'detailed', 'limit', 'marker']);
      const { usages, period, next } = await find(deps, call, undefined);
      const detailed = call.query.detailed === '1';
      return { tenant_usages: usages.map((usage) => usageView(usage, period, detailed)), ...(next === undefined ? {} : { tenant_usages_links: next }) };
    },
  }),
  endpoint({
    id: 'simple-tenant-usage:show', method: 'GET', path: `${PATH}/{tenant_id}`, summary: 'Show what the servers of a project used in a period',
    policy: 'os_compute_api:os-simple-tenant-usage:show', target: (call) => ({ project_id: call.params.tenant_id }), status: 200, query,
    reply: Type.Object({ tenant_usage: Type.Record(Type.String(), Type.Unknown()) }),
    async handler(call) {
      strictQuery(call, ['start', 'end', 'limit', 'marker']);
      const { usages, period, next } = await find(deps, call, call.params.tenant_id);
      const [usage] = usages;
      return { tenant_usage: usage === undefined ? {} : usageView(usage, period, true), ...(next === undefined ? {} : { tenant_usage_links: next }) };
    },
  }),
];

export const simpleTenantUsagePolicies: PolicyRule[] = [
  rule('os-simple-tenant-usage:list', ADMIN, 'Show what the servers of all projects used.', 'GET /os-simple-tenant-usage'),
  rule('os-simple-tenant-usage:show', READER, 'Show what the servers of a project used.', 'GET /os-simple-tenant-usage/{tenant_id}'),
];
