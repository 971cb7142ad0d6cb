import { Type } from 'typebox';
import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { networkNotFound } from '../faults.ts';
import { parseAddress } from '../model/address.ts';
import type { NetworkDeps } from '../deps.ts';
import type { Pool } from '../model/validate.ts';
import { countAddresses } from '../store/addresses.ts';
import { findNetwork, listNetworks } from '../store/networks.ts';
import { subnetsOfNetworks } from '../store/subnets.ts';
import type { NetworkRow, SubnetRow } from '../store/tables.ts';
import { text, type Attributes } from './attributes.ts';
import { pageLinks, pick, readList } from './list-query.ts';

const attributes: Attributes = {
  network_id: { column: text('id') },
  network_name: { column: text('name') },
  tenant_id: { column: text('project_id') },
  project_id: { column: text('project_id') },
};
const availability = Type.Record(Type.String(), Type.Unknown());

/** A whole number of any size, which JSON can write and a double cannot hold. */
const whole = (value: bigint): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));

function size(subnet: SubnetRow): bigint {
  return (JSON.parse(subnet.allocation_pools) as Pool[]).reduce((sum, pool) => sum + parseAddress(pool.end)!.value - parseAddress(pool.start)!.value + 1n, 0n);
}

async function availabilities(env: NetworkDeps, networks: readonly NetworkRow[], ip_version: number | undefined): Promise<Record<string, unknown>[]> {
  const all = await subnetsOfNetworks(env.db.read, networks.map((network) => network.id));
  const subnets = all.filter((subnet) => ip_version === undefined || subnet.ip_version === ip_version);
  const used = await countAddresses(env.db.read, subnets.map((subnet) => subnet.id));
  return networks.map((network) => {
    const own = subnets.filter((subnet) => subnet.network_id === network.id);
    return {
      network_id: network.id, network_name: network.name, tenant_id: network.project_id, project_id: network.project_id,
      total_ips: whole(own.reduce((sum, subnet) => sum + size(subnet), 0n)),
      used_ips: own.reduce((sum, subnet) => sum + (used.get(subnet.id) ?? 0), 0),
      subnet_ip_availability: own.map((subnet) => ({
        subnet_id: subnet.id, subnet_name: subnet.name, cidr: subnet.cidr, ip_version: subnet.ip_version, total_ips: whole(size(subnet)), used_ips: used.get(subnet.id) ?? 0,
      })),
    };
  });
}

export function networkIpAvailabilityEndpoints(env: NetworkDeps): Endpoint[] {
  return [
    endpoint({
      id: 'network-ip-availabilities:list', method: 'GET', path: '/v2.0/network-ip-availabilities', summary: 'How many addresses each network has left', policy: 'get_network_ip_availability', status: 200,
      reply: Type.Object({ network_ip_availabilities: Type.Array(availability) }),
      handler: async (call) => {
        const list = readList(call, attributes, ['ip_version']);
        const { rows, more } = await listNetworks(env.db.read, undefined, list);
        const version = list.special['ip_version']?.[0];
        const items = (await availabilities(env, rows, version === undefined ? undefined : Number(version))).map((one) => pick(one, list.fields));
        const links = pageLinks(call, list, { first: rows[0]?.id, last: rows.at(-1)?.id, count: rows.length, more });
        return { network_ip_availabilities: items, ...(links === undefined ? {} : { network_ip_availabilities_links: links }) };
      },
    }),
    endpoint({
      id: 'network-ip-availabilities:show', method: 'GET', path: '/v2.0/network-ip-availabilities/{id}', summary: 'How many addresses a network has left', policy: 'get_network_ip_availability', status: 200,
      reply: Type.Object({ network_ip_availability: availability }),
      handler: async (call) => {
        const network = await findNetwork(env.db.read, call.params.id);
        if (network === undefined) throw networkNotFound(call.params.id);
        return { network_ip_availability: pick((await availabilities(env, [network], undefined))[0]!, call.url.searchParams.getAll('fields')) };
      },
    }),
  ];
}
