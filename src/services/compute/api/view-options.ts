import type { Call } from '../../../kernel/api/endpoint.ts';
import type { ComputeDeps } from '../deps.ts';
import { devicesOfServers } from '../store/block-devices.ts';
import { listNodes } from '../store/nodes.ts';
import { type ListedServer, userDataOf } from '../store/servers.ts';
import type { NodeRow } from '../store/tables.ts';
import { versions } from '../versions.ts';
import { isAdmin, readerOf } from './server-target.ts';
import { hostIdOf, type ViewOptions } from './server-view.ts';

type AnyCall = Pick<Call, 'version' | 'base' | 'allows'>;

/** What this caller may see of these servers, and what has to be read for it: at most three queries. */
export async function viewOptions(deps: ComputeDeps, call: AnyCall, rows: readonly ListedServer[], one: boolean): Promise<ViewOptions> {
  const { version, base } = call;
  const first = rows[0];
  const target = one && first !== undefined ? { project_id: first.project_id } : undefined;
  const extended = call.allows('os_compute_api:os-extended-server-attributes', target);
  const wantsUserData = extended && version >= versions.SERVER_MORE_ATTRIBUTES;
  const withUserData = wantsUserData ? rows.filter((row) => row.has_user_data === 1).map(({ id }) => id) : [];
  return {
    version,
    base,
    is_admin: isAdmin(call),
    extended,
    extra_specs: version >= versions.SERVER_FLAVOR_EMBEDDED && call.allows('os_compute_api:servers:show:flavor-extra-specs', target),
    host_status: version >= versions.SERVER_HOST_STATUS ? await hostStatus(deps, call, target) : undefined,
    user_data: withUserData.length === 0 ? new Map() : await userDataOf(readerOf(deps), withUserData),
    volumes: Map.groupBy(await devicesOfServers(readerOf(deps), rows.map(({ id }) => id)), ({ server_id }) => server_id),
    host_id: rememberedHostIds(),
    show_groups: one,
  };
}

async function hostStatus(deps: ComputeDeps, call: AnyCall, target: Record<string, unknown> | undefined): Promise<ViewOptions['host_status']> {
  if (!call.allows('os_compute_api:servers:show:host_status', target)) return undefined;
  const nodes = new Map((await listNodes(readerOf(deps))).map((node) => [node.id, statusOfNode(deps, node)]));
  return (row) => (row.node_id === null ? '' : (nodes.get(row.node_id) ?? 'UNKNOWN'));
}

/** A list has many servers of few hosts and projects. */
function rememberedHostIds(): ViewOptions['host_id'] {
  const known = new Map<string, string>();
  return (host, project_id) => {
    const key = `${project_id} ${host}`;
    let id = known.get(key);
    if (id === undefined) known.set(key, (id = hostIdOf(host, project_id)));
    return id;
  };
}

/** UP, DOWN or MAINTENANCE. */
export function statusOfNode(deps: Pick<ComputeDeps, 'nodes'>, node: NodeRow): 'UP' | 'DOWN' | 'MAINTENANCE' {
  if (node.forced_down === 1 || !deps.nodes.isConnected(node.id)) return 'DOWN';
  return node.disabled === 1 ? 'MAINTENANCE' : 'UP';
}
