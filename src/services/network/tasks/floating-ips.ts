import type { NetworkApi, NetworkCaller, ShownFloatingIp } from '../client.ts';
import { networkNotFound, portNotFound } from '../faults.ts';
import { floatingIpNotFound } from '../l3-faults.ts';
import { isAdmin, ownedBy, projectOf, requireRule, seen } from '../model/callers.ts';
import type { NetworkDeps } from '../deps.ts';
import { createFloatingIp, deleteFloatingIp, updateFloatingIp } from '../model/floating-ips.ts';
import { networkTarget } from '../model/networks.ts';
import { findFloatingIp, listFloatingIps } from '../store/floating-ips.ts';
import { wholeList } from '../store/list.ts';
import { findNetwork, findNetworks } from '../store/networks.ts';
import { findPorts, findSeenPort } from '../store/ports.ts';
import type { FloatingIpRow } from '../store/tables.ts';
import { shownNetwork } from './networks.ts';

type FloatingIpApi = Pick<NetworkApi, 'listFloatingIps' | 'showFloatingIp' | 'createFloatingIp' | 'linkFloatingIp' | 'deleteFloatingIp'>;

export function floatingIpApi(env: NetworkDeps): FloatingIpApi {
  return {
    async listFloatingIps(caller, query) {
      requireRule(caller, 'get_floatingip', ownedBy(projectOf(caller)));
      const everybody = query !== undefined && isAdmin(caller);
      const filters = query === undefined ? [] : [{ column: 'floating_ip_address', op: 'eq', value: query.address } as const];
      const { rows } = await listFloatingIps(env.db.read, everybody ? undefined : projectOf(caller), wholeList(filters));
      return shown(env, rows);
    },
    showFloatingIp: async (caller, id) => (await shown(env, [await floatingIpSeen(env, caller, id)]))[0]!,
    createFloatingIp: (caller, network_id) => create(env, caller, network_id),
    linkFloatingIp: (caller, id, link) => relink(env, caller, id, link),
    async deleteFloatingIp(caller, id) {
      const { project_id } = await floatingIpSeen(env, caller, id);
      requireRule(caller, 'delete_floatingip', ownedBy(project_id));
      await env.db.transaction((tx) => deleteFloatingIp(env, tx, id));
    },
  };
}

async function floatingIpSeen(env: NetworkDeps, caller: NetworkCaller, id: string): Promise<FloatingIpRow> {
  return seen(caller, 'get_floatingip', await findFloatingIp(env.db.read, id), (row) => ownedBy(row.project_id), floatingIpNotFound(id));
}

async function create(env: NetworkDeps, caller: NetworkCaller, floating_network_id: string): Promise<ShownFloatingIp> {
  const project_id = projectOf(caller);
  requireRule(caller, 'create_floatingip', ownedBy(project_id));
  seen(caller, 'get_network', await findNetwork(env.db.read, floating_network_id), networkTarget, networkNotFound(floating_network_id));
  const wanted = { project_id, floating_network_id, description: '', floating_ip_address: null, subnet_id: null, port_id: null, fixed_ip_address: null };
  const id = await env.db.transaction((tx) => createFloatingIp(env, tx, wanted, isAdmin(caller)));
  return (await shown(env, [await floatingIpSeen(env, caller, id)]))[0]!;
}

async function relink(env: NetworkDeps, caller: NetworkCaller, id: string, link: { port_id: string; fixed_ip_address: string } | null): Promise<void> {
  const { project_id } = await floatingIpSeen(env, caller, id);
  requireRule(caller, 'update_floatingip', ownedBy(project_id));
  if (link !== null) {
    const port = await findSeenPort(env.db.read, link.port_id);
    seen(caller, 'get_port', port, (row) => ({ project_id: row.project_id, 'network:project_id': row.network_project_id }), portNotFound(link.port_id));
  }
  await env.db.transaction((tx) => updateFloatingIp(env, tx, id, link ?? { port_id: null }, isAdmin(caller)));
}

/** Two queries for any number. */
async function shown(env: NetworkDeps, rows: readonly FloatingIpRow[]): Promise<ShownFloatingIp[]> {
  const networks = new Map((await findNetworks(env.db.read, rows.map((row) => row.floating_network_id))).map((row) => [row.id, row]));
  const ports = new Map((await findPorts(env.db.read, rows.flatMap((row) => row.fixed_port_id ?? []))).map((row) => [row.id, row]));
  return rows.map((row) => ({
    id: row.id,
    floating_ip_address: row.floating_ip_address,
    fixed_ip_address: row.fixed_ip_address,
    port_id: row.fixed_port_id,
    device_id: (row.fixed_port_id === null ? undefined : ports.get(row.fixed_port_id)?.device_id) || null,
    network: shownNetwork(networks.get(row.floating_network_id) ?? { id: row.floating_network_id, name: '' }),
  }));
}
