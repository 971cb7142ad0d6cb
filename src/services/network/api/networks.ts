import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { networkNotFound } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { dropUnusedFloatingIps, refuseInternal } from '../model/l3-guards.ts';
import { createNetwork, deleteNetwork, networkTarget, updateNetwork, type NetworkChange, type NewNetwork } from '../model/networks.ts';
import { boolean, integer, nameString, range, string, uniqueStrings } from '../model/validate.ts';
import { networkView } from '../model/views.ts';
import { findNetwork, listNetworks } from '../store/networks.ts';
import { subnetIdsOfNetworks } from '../store/subnets.ts';
import type { NetworkRow } from '../store/tables.ts';
import { tagsOf } from '../store/tags.ts';
import { standardAttributes, text, type Attributes } from './attributes.ts';
import { reveal, resourceEndpoints, visibleProject, type Resource, type View } from './resource.ts';

const flag = (name: string) => ({ name, type: 'boolean', sort: true, filter: true }) as const;

export const networkAttributes: Attributes = {
  ...standardAttributes,
  name: { post: true, put: true, default: '', parse: nameString(), column: text('name') },
  subnets: {},
  admin_state_up: { post: true, put: true, default: true, parse: boolean, column: flag('admin_state_up') },
  status: {},
  shared: { post: true, put: true, default: false, parse: boolean, ruled: true, column: { ...flag('shared'), sort: false } },
  'router:external': { post: true, put: true, default: false, parse: boolean, ruled: true, column: { ...flag('external'), sort: false } },
  is_default: { post: true, put: true, default: false, parse: boolean, ruled: true, column: { ...flag('is_default'), sort: false } },
  mtu: { post: true, put: true, default: 0, parse: (value, name) => (Number(value) === 0 ? 0 : range(68, 65_535)(value, name)), column: { name: 'mtu', type: 'integer', sort: true, filter: true } },
  port_security_enabled: { post: true, put: true, default: true, parse: boolean, ruled: true },
  availability_zones: {},
  availability_zone_hints: { post: true, default: [], parse: uniqueStrings(255) },
  ipv4_address_scope: {},
  ipv6_address_scope: {},
  tags: {},
  'provider:network_type': { post: true, put: true, parse: string(32), ruled: true, guarded: true, column: { name: 'network_type', filter: true } },
  'provider:physical_network': { post: true, put: true, parse: string(64), ruled: true, guarded: true, column: { name: 'physical_network', filter: true } },
  'provider:segmentation_id': { post: true, put: true, parse: integer, ruled: true, guarded: true, column: { name: 'segmentation_id', type: 'integer', filter: true } },
};

async function views(env: NetworkDeps, rows: readonly NetworkRow[]): Promise<View[]> {
  const ids = rows.map((row) => row.id);
  const subnets = Map.groupBy(await subnetIdsOfNetworks(env.db.read, ids), (subnet) => subnet.network_id);
  const tags = await tagsOf(env.db.read, ids);
  return rows.map((row) => networkView(row, (subnets.get(row.id) ?? []).map((subnet) => subnet.id), tags.get(row.id) ?? []));
}

export function networkEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<NetworkRow> = {
    name: 'network', collection: 'networks', path: 'networks', table: 'network_networks', attributes: networkAttributes, filters: ['status', 'subnets'],
    async list(call: Call, list) {
      const status = list.special['status'];
      const nothing = status !== undefined && !status.includes('ACTIVE');
      const { rows, more } = nothing ? { rows: [], more: false } : await listNetworks(env.db.read, visibleProject(call), list);
      const items = (await views(env, rows)).map((view) => reveal(call, resource, view, list.fields));
      return { items, first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findNetwork(env.db.read, id);
      if (row === undefined) throw networkNotFound(id);
      return row;
    },
    target: networkTarget,
    notFound: networkNotFound,
    view: async (_call, row) => (await views(env, [row]))[0]!,
    createTarget: (_call, values) => ({ project_id: values['project_id'] }),
    async create(_call, tx, items) {
      const ids: string[] = [];
      for (const item of items) ids.push((await createNetwork(env, tx, item as unknown as NewNetwork)).id);
      return ids;
    },
    async update(_call, tx, id, change) {
      if (change['router:external'] === false) await refuseInternal(tx, id);
      await updateNetwork(env, tx, id, change as NetworkChange);
    },
    async remove(_call, tx, id) {
      await dropUnusedFloatingIps(env, tx, id);
      await deleteNetwork(env, tx, id);
    },
  };
  return resourceEndpoints(env, resource);
}
