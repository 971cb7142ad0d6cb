/** Hosts as nova had them up to 2.42; what they told is with services and hypervisors now. */
import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { notFound, notImplemented } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import type { FlavorSnapshot } from '../model/flavors.ts';
import { figuresOf, resourcesOf, useOfNodes } from '../model/hypervisors.ts';
import { COMPUTE, decideByHost, listServices } from '../model/services.ts';
import { findNodeByHost, flavorsOfProjects, type NumberedNodeRow } from '../store/nodes.ts';
import { versions } from '../versions.ts';
import { ADMIN, rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const UNTIL = versions.NO_HOSTS - 1;
const resource = Type.Object({
  resource: Type.Object({ host: Type.String(), project: Type.String(), cpu: Type.Integer(), memory_mb: Type.Integer(), disk_gb: Type.Integer() }),
});

/** @throws Fault 404 */
async function requireHost(deps: ComputeDeps, host: string): Promise<NumberedNodeRow> {
  const node = await findNodeByHost(readerOf(deps), host);
  if (node === undefined) throw notFound('compute.host-not-found', `Compute host ${host} could not be found.`);
  return node;
}

interface Amount {
  cpu: number;
  memory_mb: number;
  disk_gb: number;
}

/** What the host has, what is taken now, what its servers may take, and the same for each project. */
async function hostResources(deps: ComputeDeps, node: NumberedNodeRow) {
  const use = (await useOfNodes(deps, [node])).get(node.id)!;
  const figures = figuresOf(resourcesOf(node), use, deps.config.reserved_memory_mb);
  const projects = new Map<string, Amount>();
  for (const { project_id, flavor_json, servers } of await flavorsOfProjects(readerOf(deps), node.id)) {
    const flavor = JSON.parse(flavor_json) as FlavorSnapshot;
    const sum = projects.get(project_id) ?? { cpu: 0, memory_mb: 0, disk_gb: 0 };
    sum.cpu += flavor.vcpus * servers;
    sum.memory_mb += flavor.ram_mb * servers;
    sum.disk_gb += (flavor.disk_gb + flavor.ephemeral_gb) * servers;
    projects.set(project_id, sum);
  }
  const row = (project: string, amount: Amount) => ({ resource: { host: node.host, project, ...amount } });
  return [
    row('(total)', { cpu: figures.vcpus, memory_mb: figures.memory_mb, disk_gb: figures.local_gb }),
    row('(used_now)', { cpu: figures.vcpus_used, memory_mb: figures.memory_mb_used, disk_gb: figures.local_gb_used }),
    row('(used_max)', { cpu: use.vcpus, memory_mb: use.memory_mb, disk_gb: use.disk_gb }),
    ...[...projects].map(([project, amount]) => row(project, amount)),
  ];
}

const word = Type.String({ pattern: '^\\s*([Ee]nable|[Dd]isable|ENABLE|DISABLE)\\s*$' });
const isEnable = (text: string): boolean => text.trim().toLowerCase() === 'enable';

const ALL = '/v2.1/os-hosts';
const ONE = '/v2.1/os-hosts/{host_name}';
const POWER = ['startup', 'shutdown', 'reboot'] as const;

export const hostEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'hosts:list', method: 'GET', path: ALL, summary: 'List hosts', policy: 'os_compute_api:os-hosts:list', status: 200, until: UNTIL,
    query: Type.Object({ zone: Type.Optional(Type.String()) }),
    reply: Type.Object({ hosts: Type.Array(Type.Object({ host_name: Type.String(), service: Type.String(), zone: Type.String() })) }),
    async handler(call) {
      const asked = call.query.zone ?? '';
      const wanted = (await listServices(deps)).filter(({ disabled, zone }) => !disabled && (asked === '' || asked === zone));
      return { hosts: wanted.map(({ host, binary, zone }) => ({ host_name: host, service: binary.replace('nova-', ''), zone })) };
    },
  }),
  endpoint({
    id: 'hosts:show', method: 'GET', path: ONE, summary: 'Show what a host has and what is taken', policy: 'os_compute_api:os-hosts:show', status: 200, until: UNTIL,
    reply: Type.Object({ host: Type.Array(resource) }),
    handler: async (call) => ({ host: await hostResources(deps, await requireHost(deps, call.params.host_name)) }),
  }),
  endpoint({
    id: 'hosts:update', method: 'PUT', path: ONE, summary: 'Let a host take new servers, or no more', policy: 'os_compute_api:os-hosts:update', status: 200, until: UNTIL,
    body: Type.Object({ status: Type.Optional(word), maintenance_mode: Type.Optional(word) }, { additionalProperties: false, minProperties: 1 }),
    reply: Type.Object({ host: Type.String() }),
    async handler(call) {
      const { status, maintenance_mode } = call.body;
      const { host } = await requireHost(deps, call.params.host_name);
      if (maintenance_mode !== undefined) throw unsupported();
      const enabled = isEnable(status!);
      await decideByHost(deps, host, COMPUTE, { disabled: enabled ? 0 : 1, disabled_reason: null });
      return { host, status: enabled ? 'enabled' : 'disabled' };
    },
  }),
  ...POWER.map((what) =>
    endpoint({
      id: `hosts:${what}`, method: 'GET', path: `${ONE}/${what}`, summary: `Power a host: ${what}`, status: 200, until: UNTIL,
      policy: `os_compute_api:os-hosts:${what === 'startup' ? 'start' : what}`,
      async handler(call) {
        await requireHost(deps, (call.params as { host_name: string }).host_name);
        throw unsupported();
      },
    }),
  ),
];

const unsupported = () => notImplemented('compute.host-power', 'The requested functionality is not supported: the power of hosts is not managed here.');

export const hostPolicies: PolicyRule[] = [
  rule('os-hosts:list', ADMIN, 'List hosts.', 'GET /os-hosts'),
  rule('os-hosts:show', ADMIN, 'Show what a host has and what is taken.', 'GET /os-hosts/{host_name}'),
  rule('os-hosts:update', ADMIN, 'Let a host take new servers, or no more.', 'PUT /os-hosts/{host_name}'),
  rule('os-hosts:start', ADMIN, 'Start a host.', 'GET /os-hosts/{host_name}/startup'),
  rule('os-hosts:shutdown', ADMIN, 'Shut a host down.', 'GET /os-hosts/{host_name}/shutdown'),
  rule('os-hosts:reboot', ADMIN, 'Reboot a host.', 'GET /os-hosts/{host_name}/reboot'),
];
