import { type Static, Type } from 'typebox';
import { type Call, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { since, until } from '../../../kernel/api/microversion.ts';
import { booleanFrom, nullable } from '../../../kernel/api/schema.ts';
import type { Filter } from '../../../kernel/db/list-query.ts';
import { badRequest, type Fault, notFound } from '../../../kernel/fault.ts';
import { isUuidLike } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { figuresOf, resourcesOf, serversOfNodes, uptimeText, useOfNodes } from '../model/hypervisors.ts';
import { isNodeUp, serviceNumber } from '../model/services.ts';
import { findNode, findNodeByNumber, listNodes, type NumberedNodeRow, pageNodes } from '../store/nodes.ts';
import { versions } from '../versions.ts';
import { pageLimit, pagingQuery, strictQuery } from './common.ts';
import { ADMIN, rule } from './rules.ts';
import { readerOf } from './server-target.ts';
import { instanceName } from './server-view.ts';

const id = Type.Union([Type.Integer(), Type.String()]);
const server = Type.Object({ name: Type.String(), uuid: Type.String() });
const brief = {
  id, hypervisor_hostname: Type.String(), state: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  status: Type.Union([Type.Literal('enabled'), Type.Literal('disabled')]), servers: Type.Optional(Type.Array(server)),
};
const figure = until(versions.HYPERVISOR_NO_STATISTICS - 1, Type.Integer());
const detail = Type.Object({
  ...brief,
  hypervisor_type: Type.String(), hypervisor_version: Type.Integer(), host_ip: nullable(Type.String()),
  service: Type.Object({ id, host: Type.String(), disabled_reason: nullable(Type.String()) }),
  vcpus: figure, memory_mb: figure, local_gb: figure, vcpus_used: figure, memory_mb_used: figure, local_gb_used: figure, free_ram_mb: figure,
  free_disk_gb: figure, current_workload: figure, running_vms: figure, disk_available_least: figure,
  cpu_info: until(versions.HYPERVISOR_NO_STATISTICS - 1, Type.Union([Type.String(), Type.Record(Type.String(), Type.Unknown())])),
  uptime: since(versions.HYPERVISOR_NO_STATISTICS, nullable(Type.String())),
});

type AnyCall = Pick<Call, 'version'>;
type Brief = Static<typeof detail>;

function briefView(deps: ComputeDeps, call: Pick<Call, 'version'>, node: NumberedNodeRow): Pick<Brief, 'id' | 'hypervisor_hostname' | 'state' | 'status'> {
  return {
    id: call.version >= versions.SERVICE_UUID ? node.id : node.number,
    hypervisor_hostname: node.host,
    state: isNodeUp(deps, node) ? 'up' : 'down',
    status: node.disabled === 1 ? 'disabled' : 'enabled',
  };
}

/** Up to 2.74 a hypervisor without servers had no such field. */
function serversView(call: Pick<Call, 'version'>, ids: readonly string[]): { servers?: Static<typeof server>[] } {
  if (ids.length === 0 && call.version < versions.STRICT_QUERIES) return {};
  return { servers: ids.map((uuid) => ({ name: instanceName(uuid), uuid })) };
}

async function briefViews(deps: ComputeDeps, call: AnyCall, nodes: readonly NumberedNodeRow[], withServers: boolean) {
  const servers = withServers ? await serversOfNodes(deps, nodes) : undefined;
  return nodes.map((node) => ({ ...briefView(deps, call, node), ...(servers === undefined ? {} : serversView(call, servers.get(node.id) ?? [])) }));
}

async function detailViews(deps: ComputeDeps, call: AnyCall, nodes: readonly NumberedNodeRow[], withServers: boolean): Promise<Brief[]> {
  const use = await useOfNodes(deps, nodes);
  const briefs = await briefViews(deps, call, nodes, withServers);
  return nodes.map((node, at) => {
    const resources = resourcesOf(node);
    const service_id = call.version >= versions.SERVICE_UUID ? node.id : serviceNumber(node);
    return {
      ...briefs[at]!,
      hypervisor_type: resources.hypervisor_type,
      hypervisor_version: resources.hypervisor_version,
      host_ip: resources.host_ip === '' ? null : resources.host_ip,
      service: { id: service_id, host: node.host, disabled_reason: node.disabled_reason },
      ...figuresOf(resources, use.get(node.id)!, deps.config.reserved_memory_mb),
      cpu_info: call.version >= versions.CPU_INFO_OBJECT ? resources.cpu_info : JSON.stringify(resources.cpu_info),
      uptime: isNodeUp(deps, node) ? uptimeText(resources, node.updated_at, deps.clock.now()) : null,
    };
  });
}

const noMatch = (pattern: string): Fault => notFound('compute.hypervisor-not-found', `No hypervisor matching '${pattern}' could be found.`);

/** @throws Fault 404 when none matches. */
async function matching(deps: ComputeDeps, pattern: string): Promise<NumberedNodeRow[]> {
  const filters: Filter[] = [{ column: 'host', op: 'contains', value: pattern }];
  const found = await pageNodes(readerOf(deps), filters, deps.config.max_limit, undefined);
  if (found === undefined || found.rows.length === 0) throw noMatch(pattern);
  return found.rows;
}

const listQuery = Type.Object({
  limit: Type.Optional(since(versions.HYPERVISOR_PAGES, Type.Integer({ minimum: 0 }))),
  marker: Type.Optional(since(versions.HYPERVISOR_PAGES, Type.String())),
  hypervisor_hostname_pattern: Type.Optional(since(versions.SERVICE_UUID, Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' }))),
  with_servers: Type.Optional(since(versions.SERVICE_UUID, Type.Boolean())),
});

interface Selected {
  nodes: NumberedNodeRow[];
  withServers: boolean;
  links: object;
}

async function select(deps: ComputeDeps, call: Pick<Call, 'version' | 'url' | 'base'> & { query: Static<typeof listQuery> }): Promise<Selected> {
  strictQuery(call, [...Object.keys(pagingQuery), 'hypervisor_hostname_pattern', 'with_servers'], versions.SERVICE_UUID);
  const newer = call.version >= versions.SERVICE_UUID;
  const withServers = newer && call.query.with_servers === true;
  const pattern = newer ? call.query.hypervisor_hostname_pattern : undefined;
  const { limit, marker } = call.version >= versions.HYPERVISOR_PAGES ? call.query : {};
  if (pattern !== undefined) {
    if (limit !== undefined || marker !== undefined) {
      throw badRequest('compute.hypervisor-paging', 'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.');
    }
    return { nodes: await matching(deps, pattern), withServers, links: {} };
  }
  const after = marker === undefined ? undefined : (await findByKey(deps, call, marker))?.number;
  const found = marker !== undefined && after === undefined ? undefined : await pageNodes(readerOf(deps), [], pageLimit(deps.config, limit), after);
  if (found === undefined) throw badRequest('compute.marker-not-found', `marker [${marker}] not found`);
  const last = found.rows.at(-1);
  const next = call.version >= versions.HYPERVISOR_PAGES ? nextLinks(call, found.more, last && String(newer ? last.id : last.number)) : undefined;
  return { nodes: found.rows, withServers, links: next === undefined ? {} : { hypervisors_links: next } };
}

async function findByKey(deps: ComputeDeps, call: Pick<Call, 'version'>, key: string): Promise<NumberedNodeRow | undefined> {
  if (call.version >= versions.SERVICE_UUID) return await findNode(readerOf(deps), key.toLowerCase());
  return /^\d{1,9}$/.test(key) ? await findNodeByNumber(readerOf(deps), Number(key)) : undefined;
}

/** A UUID from 2.53 on, a number before. Faults: 400, 404 */
async function requireNode(deps: ComputeDeps, call: Pick<Call, 'version'> & { params: { hypervisor_id: string } }): Promise<NumberedNodeRow> {
  const { hypervisor_id } = call.params;
  if (call.version >= versions.SERVICE_UUID && !isUuidLike(hypervisor_id)) throw badRequest('compute.hypervisor-id', `Invalid uuid ${hypervisor_id}`);
  const node = await findByKey(deps, call, hypervisor_id);
  if (node === undefined) throw notFound('compute.hypervisor-not-found', `Hypervisor with ID '${hypervisor_id}' could not be found.`);
  return node;
}

async function statistics(deps: ComputeDeps) {
  const nodes = (await listNodes(readerOf(deps))).filter(({ disabled }) => disabled === 0);
  const use = await useOfNodes(deps, nodes);
  const total = {
    count: nodes.length, vcpus: 0, memory_mb: 0, local_gb: 0, vcpus_used: 0, memory_mb_used: 0, local_gb_used: 0, free_ram_mb: 0, free_disk_gb: 0,
    current_workload: 0, running_vms: 0, disk_available_least: 0,
  };
  for (const node of nodes) {
    const figures = figuresOf(resourcesOf(node), use.get(node.id)!, deps.config.reserved_memory_mb);
    for (const [name, value] of Object.entries(figures) as [keyof typeof figures, number][]) total[name] += value;
  }
  return total;
}

const ALL = '/v2.1/os-hypervisors';
const ONE = '/v2.1/os-hypervisors/{hypervisor_id}';
const BEFORE_UUID = versions.SERVICE_UUID - 1;
const BEFORE_88 = versions.HYPERVISOR_NO_STATISTICS - 1;
const named = (name: string): string => `os_compute_api:os-hypervisors:${name}`;

const lists = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'hypervisors:list', method: 'GET', path: ALL, summary: 'List hypervisors', policy: named('list'), status: 200, query: listQuery,
    reply: Type.Object({ hypervisors: Type.Array(Type.Object(brief)) }),
    async handler(call) {
      const { nodes, withServers, links } = await select(deps, call);
      return { hypervisors: await briefViews(deps, call, nodes, withServers), ...links };
    },
  }),
  endpoint({
    id: 'hypervisors:detail', method: 'GET', path: `${ALL}/detail`, summary: 'List hypervisors with all they have', policy: named('list-detail'), status: 200,
    query: listQuery, reply: Type.Object({ hypervisors: Type.Array(detail) }),
    async handler(call) {
      const { nodes, withServers, links } = await select(deps, call);
      return { hypervisors: await detailViews(deps, call, nodes, withServers), ...links };
    },
  }),
  endpoint({
    id: 'hypervisors:statistics', method: 'GET', path: `${ALL}/statistics`, summary: 'Sum up what all enabled hypervisors have', policy: named('statistics'),
    status: 200, until: BEFORE_88, reply: Type.Object({ hypervisor_statistics: Type.Record(Type.String(), Type.Integer()) }),
    handler: async () => ({ hypervisor_statistics: await statistics(deps) }),
  }),
  endpoint({
    id: 'hypervisors:search', method: 'GET', path: `${ONE}/search`, summary: 'Find hypervisors by a part of their name', policy: named('search'), status: 200,
    until: BEFORE_UUID, reply: Type.Object({ hypervisors: Type.Array(Type.Object(brief)) }),
    handler: async (call) => ({ hypervisors: await briefViews(deps, call, await matching(deps, call.params.hypervisor_id), false) }),
  }),
  endpoint({
    id: 'hypervisors:servers', method: 'GET', path: `${ONE}/servers`, summary: 'List servers of hypervisors that are found by a part of their name',
    policy: named('servers'), status: 200, until: BEFORE_UUID, reply: Type.Object({ hypervisors: Type.Array(Type.Object(brief)) }),
    handler: async (call) => ({ hypervisors: await briefViews(deps, call, await matching(deps, call.params.hypervisor_id), true) }),
  }),
];

const shows = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'hypervisors:show', method: 'GET', path: ONE, summary: 'Show a hypervisor', policy: named('show'), status: 200,
    reply: Type.Object({ hypervisor: detail }),
    async handler(call) {
      strictQuery(call, ['with_servers'], versions.SERVICE_UUID);
      const node = await requireNode(deps, call);
      const [view] = await detailViews(deps, call, [node], withServersOf(call));
      return { hypervisor: view! };
    },
  }),
  endpoint({
    id: 'hypervisors:uptime', method: 'GET', path: `${ONE}/uptime`, summary: 'Show how long a hypervisor runs', policy: named('uptime'), status: 200,
    until: BEFORE_88, reply: Type.Object({ hypervisor: Type.Object({ ...brief, uptime: Type.String() }) }),
    async handler(call) {
      const node = await requireNode(deps, call);
      if (!isNodeUp(deps, node)) throw badRequest('compute.hypervisor-down', `Compute service of ${node.host} is unavailable at this time.`);
      return { hypervisor: { ...briefView(deps, call, node), uptime: uptimeText(resourcesOf(node), node.updated_at, deps.clock.now()) } };
    },
  }),
];

/** @throws Fault 400 */
function withServersOf(call: Pick<Call, 'version' | 'url'>): boolean {
  const text = call.version >= versions.SERVICE_UUID ? call.url.searchParams.get('with_servers') : null;
  const value = text === null ? false : booleanFrom(text);
  if (value === undefined) throw badRequest('compute.query-invalid', `Invalid input for query parameters with_servers. Value: ${text}.`);
  return value;
}

export const hypervisorEndpoints = (deps: ComputeDeps): Endpoint[] => [...lists(deps), ...shows(deps)];

const HYPERVISOR = '/os-hypervisors/{hypervisor_id}';

export const hypervisorPolicies: PolicyRule[] = [
  rule('os-hypervisors:list', ADMIN, 'List hypervisors.', 'GET /os-hypervisors'),
  rule('os-hypervisors:list-detail', ADMIN, 'List hypervisors with all they have.', 'GET /os-hypervisors/detail'),
  rule('os-hypervisors:statistics', ADMIN, 'Sum up what all enabled hypervisors have.', 'GET /os-hypervisors/statistics'),
  rule('os-hypervisors:show', ADMIN, 'Show a hypervisor.', `GET ${HYPERVISOR}`),
  rule('os-hypervisors:uptime', ADMIN, 'Show how long a hypervisor runs.', `GET ${HYPERVISOR}/uptime`),
  rule('os-hypervisors:search', ADMIN, 'Find hypervisors by a part of their name.', 'GET /os-hypervisors/{hypervisor_hostname_pattern}/search'),
  rule('os-hypervisors:servers', ADMIN, 'List the servers of hypervisors.', 'GET /os-hypervisors/{hypervisor_hostname_pattern}/servers'),
];
