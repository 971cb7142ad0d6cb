import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { networkNotFound, subnetNotFound } from '../faults.ts';
import type { NetworkDeps } from '../deps.ts';
import { refuseGatewayChange } from '../model/l3-guards.ts';
import { createSubnet, deleteSubnet, updateSubnet, type NewSubnet, type SubnetChange } from '../model/subnets.ts';
import { boolean, cidr, hostRoutes, integer, ipAddress, nameString, nameservers, noneAsEmptyList, orNull, pools, uuid, values } from '../model/validate.ts';
import { subnetView } from '../model/views.ts';
import { findNetwork } from '../store/networks.ts';
import { findSeenSubnet, listSubnets, type SeenSubnet } from '../store/subnets.ts';
import type { SubnetRow } from '../store/tables.ts';
import { tagsOf } from '../store/tags.ts';
import { standardAttributes, text, type Attributes } from './attributes.ts';
import { networkTarget } from '../model/networks.ts';
import { resourceEndpoints, reveal, visibleProject, type Resource, type View } from './resource.ts';

const mode = values('dhcpv6-stateful', 'dhcpv6-stateless', 'slaac');

export const subnetAttributes: Attributes = {
  ...standardAttributes,
  name: { post: true, put: true, default: '', parse: nameString(), column: text('name') },
  ip_version: { post: true, required: true, parse: (value, name) => values(4, 6)(integer(value, name), name), column: { name: 'ip_version', type: 'integer', sort: true, filter: true } },
  network_id: { post: true, required: true, parse: uuid, column: text('network_id') },
  cidr: { post: true, parse: cidr, column: text('cidr') },
  gateway_ip: { post: true, put: true, parse: orNull(ipAddress), column: { ...text('gateway_ip'), nullable: true } },
  allocation_pools: { post: true, put: true, parse: pools },
  dns_nameservers: { post: true, put: true, parse: noneAsEmptyList(nameservers) },
  host_routes: { post: true, put: true, parse: noneAsEmptyList(hostRoutes) },
  enable_dhcp: { post: true, put: true, default: true, parse: boolean, column: { name: 'enable_dhcp', type: 'boolean', sort: true, filter: true } },
  ipv6_ra_mode: { post: true, parse: mode, column: { ...text('ipv6_ra_mode'), nullable: true } },
  ipv6_address_mode: { post: true, parse: mode, column: { ...text('ipv6_address_mode'), nullable: true } },
  tags: {},
};

type Row = SubnetRow & Partial<SeenSubnet>;

async function views(env: NetworkDeps, rows: readonly SubnetRow[]): Promise<View[]> {
  const tags = await tagsOf(env.db.read, rows.map((row) => row.id));
  return rows.map((row) => subnetView(row, tags.get(row.id) ?? []));
}

export function subnetEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<Row> = {
    name: 'subnet', collection: 'subnets', path: 'subnets', table: 'network_subnets', attributes: subnetAttributes, filters: ['shared'],
    async list(call: Call, list) {
      const shared = list.special['shared']?.at(-1);
      const { rows, more } = await listSubnets(env.db.read, visibleProject(call), list, shared === undefined ? undefined : boolean(shared, 'shared'));
      const items = (await views(env, rows)).map((view) => reveal(call, resource, view, list.fields));
      return { items, first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findSeenSubnet(env.db.read, id);
      if (row === undefined) throw subnetNotFound(id);
      return row;
    },
    target: (row) => ({
      project_id: row.project_id, tenant_id: row.project_id, 'network:project_id': row.network_project_id,
      shared: row.network_shared === 1,
    }),
    notFound: subnetNotFound,
    view: async (_call, row) => (await views(env, [row]))[0]!,
    async createTarget(call, item) {
      const id = item['network_id'] as string;
      const network = await findNetwork(env.db.read, id);
      if (network === undefined || !call.allows('get_network', networkTarget(network))) throw networkNotFound(id);
      return { project_id: item['project_id'], 'network:project_id': network.project_id };
    },
    async create(_call, tx, items) {
      const ids: string[] = [];
      for (const item of items) ids.push((await createSubnet(env, tx, item as unknown as NewSubnet)).id);
      return ids;
    },
    async update(_call, tx, id, change, row) {
      await refuseGatewayChange(tx, row, change['gateway_ip']);
      await updateSubnet(env, tx, id, change as SubnetChange);
    },
    remove: (_call, tx, id) => deleteSubnet(env, tx, id),
  };
  return resourceEndpoints(env, resource);
}
