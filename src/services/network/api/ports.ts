import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { invalidInput, networkNotFound, portNotFound } from '../faults.ts';
import { canonicalAddress } from '../model/address.ts';
import type { NetworkDeps } from '../deps.ts';
import { checkLinkedAddresses, refuseForeignRouter, refuseServicePort } from '../model/l3-guards.ts';
import { createPort, deletePort, updatePort, type NewPort, type PortChange } from '../model/ports.ts';
import { addressPairs, boolean, dhcpOptions, dictionaryOrNone, fixedIps, macAddress, nameString, noneAsEmptyList, orNull, string, uniqueStrings, uuid, uuidList, values, type RequestedIp } from '../model/validate.ts';
import { findNetwork } from '../store/networks.ts';
import { findSeenPort, listPorts, type PortFilters, type SeenPort, type ShownPort } from '../store/ports.ts';
import { standardAttributes, text, type Attributes, type Item } from './attributes.ts';
import type { ListCall } from './list-query.ts';
import { networkTarget } from '../model/networks.ts';
import { hiddenAttributes, isAdmin, resourceEndpoints, reveal, visibleProject, type Resource, type View } from './resource.ts';

const BINDING = ['binding:host_id', 'binding:profile', 'binding:vif_type', 'binding:vif_details'];

export const portAttributes: Attributes = {
  ...standardAttributes,
  name: { post: true, put: true, default: '', parse: nameString(), column: text('name') },
  network_id: { post: true, required: true, parse: uuid, column: text('network_id') },
  admin_state_up: { post: true, put: true, default: true, parse: boolean, column: { name: 'admin_state_up', type: 'boolean', sort: true, filter: true } },
  mac_address: { post: true, put: true, parse: orNull(macAddress), ruled: true, column: { name: 'mac_address', type: 'mac', sort: true, filter: true } },
  fixed_ips: { post: true, put: true, parse: fixedIps, ruled: true },
  device_id: { post: true, put: true, default: '', parse: string(255), ruled: true, column: text('device_id') },
  device_owner: { post: true, put: true, default: '', parse: string(255), ruled: true, column: text('device_owner') },
  status: { column: text('status') },
  allowed_address_pairs: { post: true, put: true, parse: noneAsEmptyList(addressPairs), ruled: true },
  extra_dhcp_opts: { post: true, put: true, default: [], parse: dhcpOptions },
  security_groups: { post: true, put: true, parse: noneAsEmptyList(uuidList) },
  port_security_enabled: { post: true, put: true, parse: boolean, ruled: true },
  'binding:vnic_type': { post: true, put: true, default: 'normal', parse: values('normal', 'direct', 'macvtap', 'baremetal', 'direct-physical', 'virtio-forwarder', 'smart-nic', 'accelerator-direct', 'accelerator-direct-physical', 'remote-managed', 'vdpa'), ruled: true },
  'binding:host_id': { post: true, put: true, parse: (value, name) => (value === null ? '' : string(255)(value, name)), ruled: true, guarded: true, column: { name: 'host_id', filter: true } },
  'binding:profile': { post: true, put: true, parse: dictionaryOrNone, ruled: true, guarded: true },
  'binding:vif_type': { guarded: true },
  'binding:vif_details': { guarded: true },
  tags: { post: true, default: [], parse: uniqueStrings(255), ruled: true },
};

function readFilters(list: ListCall): PortFilters {
  const out: PortFilters = { ip_addresses: [], ip_substrings: [], subnet_ids: [], security_group_ids: list.special['security_groups'] ?? [] };
  for (const pair of list.special['fixed_ips'] ?? []) {
    const [key, ...rest] = pair.split('=');
    const value = rest.join('=').trim();
    if (rest.length === 0 || key === '') throw invalidInput(`'${pair}' is not of the form <key>=[value]`);
    if (key === 'ip_address') out.ip_addresses.push(canonicalAddress(value) ?? value);
    else if (key === 'ip_address_substr') out.ip_substrings.push(value);
    else if (key === 'subnet_id') out.subnet_ids.push(value);
  }
  return out;
}

/** From the API's names to the model's. */
function translate(item: Item): Item {
  const { 'binding:host_id': host_id, 'binding:vnic_type': vnic_type, 'binding:profile': profile, ...rest } = item;
  return {
    ...rest,
    ...(host_id === undefined ? {} : { host_id }),
    ...(vnic_type === undefined ? {} : { vnic_type }),
    ...(profile === undefined ? {} : { profile }),
  };
}

export function portEndpoints(env: NetworkDeps): Endpoint[] {
  const resource: Resource<SeenPort> = {
    name: 'port', collection: 'ports', path: 'ports', table: 'network_ports', attributes: portAttributes, filters: ['fixed_ips', 'security_groups'],
    async list(call: Call, list) {
      const { rows, more } = await listPorts(env.db.read, visibleProject(call), list, readFilters(list));
      return { items: shownItems(call, resource, rows, list.fields), first: rows[0]?.id, last: rows.at(-1)?.id, more };
    },
    async load(id) {
      const row = await findSeenPort(env.db.read, id);
      if (row === undefined) throw portNotFound(id);
      return row;
    },
    target: (row) => ({ project_id: row.project_id, tenant_id: row.project_id, 'network:project_id': row.network_project_id, device_owner: row.device_owner }),
    notFound: portNotFound,
    view: (_call, row) => JSON.parse(`${row.shown}${row.shown_binding}}`) as View,
    async createTarget(call, item) {
      const id = item['network_id'] as string;
      const network = await findNetwork(env.db.read, id);
      if (network === undefined || !call.allows('get_network', networkTarget(network))) throw networkNotFound(id);
      return { project_id: item['project_id'], 'network:project_id': network.project_id, shared: network.shared === 1, device_owner: item['device_owner'] };
    },
    prepare: (_call, items) => resolveHosts(env, items),
    async create(call, tx, items) {
      const ids: string[] = [];
      for (const item of items) {
        if (!isAdmin(call)) await refuseForeignRouter(tx, item, call.auth.project_id);
        const wanted = { host_id: '', node_id: null, profile: {}, ...translate(item), mac_address: item['mac_address'] ?? undefined };
        ids.push((await createPort(env, tx, wanted as unknown as NewPort, { any_group: isAdmin(call) })).id);
      }
      return ids;
    },
    async update(call, tx, id, change, row) {
      if (!isAdmin(call)) await refuseForeignRouter(tx, { ...row, ...change }, call.auth.project_id);
      await updatePort(env, tx, id, translate(change) as PortChange, { any_group: isAdmin(call) });
      if (change['fixed_ips'] !== undefined) await checkLinkedAddresses(tx, id);
    },
    async remove(_call, tx, id, row) {
      await refuseServicePort(tx, row);
      await deletePort(env, tx, id);
    },
    moreRules(attribute, value) {
      if (attribute === 'fixed_ips') return ['ip_address', 'subnet_id'].filter((key) => (value as RequestedIp[]).some((one) => one[key as keyof RequestedIp] !== undefined));
      if (attribute === 'allowed_address_pairs') return ['mac_address', 'ip_address'].filter((key) => (value as Item[]).some((one) => one[key] !== undefined));
      return [];
    },
  };
  return resourceEndpoints(env, resource);
}

/** Ready-made JSON where nothing has to be left out of it. */
function shownItems(call: Call, resource: Resource<SeenPort>, rows: readonly ShownPort[], fields: readonly string[]): View[] | string[] {
  const hidden = hiddenAttributes(call, resource);
  if (fields.length === 0 && hidden.length === 0) return rows.map((row) => `${row.shown}${row.shown_binding}}`);
  if (fields.length === 0 && BINDING.every((name) => hidden.includes(name))) return rows.map((row) => `${row.shown}}`);
  return rows.map((row) => reveal(call, resource, JSON.parse(`${row.shown}${row.shown_binding}}`) as View, fields));
}

/** The node behind each `binding:host_id`, found before the transaction. */
async function resolveHosts(env: NetworkDeps, items: Item[]): Promise<void> {
  if (!items.some((item) => typeof item['binding:host_id'] === 'string' && item['binding:host_id'] !== '')) return;
  const nodes = await env.nodes.nodes();
  for (const item of items) {
    const host = item['binding:host_id'];
    if (host !== undefined) item['node_id'] = nodes.find((node) => node.hostname === host)?.id ?? null;
  }
}
