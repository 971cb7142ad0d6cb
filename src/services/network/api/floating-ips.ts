import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { networkNotFound, portNotFound } from '../faults.ts';
import { floatingIpNotFound } from '../l3-faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { createFloatingIp, deleteFloatingIp, updateFloatingIp, type FloatingIpChange, type NewFloatingIp } from '../model/floating-ips.ts';
import { floatingIpView } from '../model/l3-views.ts';
import { ipAddress, orNull, uuid } from '../model/validate.ts';
import { findFloatingIp, listFloatingIps } from '../store/floating-ips.ts';
import { findNetwork } from '../store/networks.ts';
import { findPorts, findSeenPort } from '../store/ports.ts';
import type { FloatingIpRow } from '../store/tables.ts';
import { tagsOf } from '../store/tags.ts';
import { standardAttributes, text, type Attributes, type Item } from './attributes.ts';
import { networkTarget } from '../model/networks.ts';
import { isAdmin, resourceEndpoints, reveal, visibleProject, type Resource, type View } from './resource.ts';

export const floatingIpAttributes: Attributes = {
  ...standardAttributes,
  floating_ip_address: { post: true, default: null, parse: orNull(ipAddress), ruled: true, column: text('floating_ip_address') },
  subnet_id: { post: true, default: null, parse: orNull(uuid) },
  floating_network_id: { post: true, required: true, parse: uuid, column: text('floating_network_id') },
  router_id: { column: { ...text('router_id'), nullable: true } },
  port_id: { post: true, put: true, default: null, parse: orNull(uuid), column: { name: 'fixed_port_id', filter: true } },
  fixed_ip_address: { post: true, put: true, default: null, parse: orNull(ipAddress), column: { ...text('fixed_ip_address'), nullable: true } },
  status: { column: text('status') },
  port_details: {},
  tags: {},
};

async function views(env: NetworkDeps, rows: readonly FloatingIpRow[]): Promise<View[]> {
  const ports = new Map((await findPorts(env.db.read, rows.flatMap((row) => row.fixed_port_id ?? []))).map((port) => [port.id, port]));
  const tags = await tagsOf(env.db.read, rows.map((row) => row.id));
  return rows.map((row) => floatingIpView(row, row.fixed_port_id === null ? undefined : ports.get(row.fixed_port_id), tags.get(row.id) ?? []));
}

/** Its network and port have to be such that the caller may see. */
async function checkVisible(env: NetworkDeps, call: Call, item: Item): Promise<void> {
  const { floating_network_id, port_id } = item as { floating_network_id?: string; port_id?: string | null };
  if (floating_network_id !== undefined) {
    const network = await findNetwork(env.db.read, floating_network_id);
    if (network === undefined || !call.allows('get_network', networkTarget(network))) throw networkNotFound(floating_network_id);
  }
  if (port_id === undefined || port_id === null) return;
  const port = await findSeenPort(env.db.read, port_id);
  if (port === undefined || !call.allows('get_port', { project_id: port.project_id, 'network:project_id': port.network_project_id })) throw portNotFound(port_id);
}

export function floatingIpEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<FloatingIpRow> = {
    name: 'floatingip', collection: 'floatingips', path: 'floatingips', table: 'network_floating_ips', attributes: floatingIpAttributes,
    async list(call: Call, list) {
      const { rows, more } = await listFloatingIps(env.db.read, visibleProject(call), list);
      const items = (await views(env, rows)).map((view) => reveal(call, resource, view, list.fields));
      return { items, first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findFloatingIp(env.db.read, id);
      if (row === undefined) throw floatingIpNotFound(id);
      return row;
    },
    target: (row) => ({ project_id: row.project_id, tenant_id: row.project_id }),
    notFound: floatingIpNotFound,
    view: async (_call, row) => (await views(env, [row]))[0]!,
    createTarget: (_call, values) => ({ project_id: values['project_id'] }),
    async prepare(call, items) {
      for (const item of items) await checkVisible(env, call, item);
    },
    async create(call, tx, items) {
      const ids: string[] = [];
      for (const item of items) ids.push(await createFloatingIp(env, tx, item as unknown as NewFloatingIp, isAdmin(call)));
      return ids;
    },
    update: (call, tx, id, change) => updateFloatingIp(env, tx, id, change as FloatingIpChange, isAdmin(call)),
    remove: (_call, tx, id) => deleteFloatingIp(env, tx, id),
  };
  return resourceEndpoints(env, resource);
}
