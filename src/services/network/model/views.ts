/** Rows as the API shows them. */
import { isoSeconds } from '../../../kernel/clock.ts';
import { formatPrefix, parsePrefix } from './address.ts';
import type { NetworkRow, PortRow, SecurityGroupRow, SecurityGroupRuleRow, StandardRow, SubnetRow } from '../store/tables.ts';

export type View = Record<string, unknown>;

const list = (json: string): unknown[] => (json === '[]' ? [] : (JSON.parse(json) as unknown[]));

const standard = (row: Omit<StandardRow, 'name'>, tags: readonly string[]): View => ({
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision_number,
  project_id: row.project_id,
});

export function networkView(row: NetworkRow, subnets: readonly string[], tags: readonly string[]): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up === 1,
    mtu: row.mtu,
    status: 'ACTIVE',
    subnets,
    shared: row.shared === 1,
    availability_zone_hints: list(row.availability_zone_hints),
    availability_zones: [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    'router:external': row.external === 1,
    ...(row.external === 1 ? { is_default: row.is_default === 1 } : {}),
    description: row.description,
    port_security_enabled: row.port_security_enabled === 1,
    ...standard(row, tags),
    'provider:network_type': row.network_type,
    'provider:physical_network': row.physical_network,
    'provider:segmentation_id': row.segmentation_id,
  };
}

export function subnetView(row: SubnetRow, tags: readonly string[]): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    network_id: row.network_id,
    ip_version: row.ip_version,
    subnetpool_id: null,
    enable_dhcp: row.enable_dhcp === 1,
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    gateway_ip: row.gateway_ip,
    cidr: row.cidr,
    allocation_pools: list(row.allocation_pools),
    host_routes: list(row.host_routes),
    dns_nameservers: list(row.dns_nameservers),
    description: row.description,
    ...standard(row, tags),
  };
}

type Unshown = Omit<PortRow, 'shown' | 'shown_binding'>;

/** The two pieces of a port's JSON; together with a closing brace they are the whole for an administrator. */
export function renderPort(row: Unshown): Pick<PortRow, 'shown' | 'shown_binding'> {
  const text = JSON.stringify;
  const shown =
    `{"id":"${row.id}","name":${text(row.name)},"network_id":"${row.network_id}","tenant_id":${text(row.project_id)},"mac_address":"${row.mac_address}"`
    + `,"admin_state_up":${row.admin_state_up === 1},"status":"${row.status}","device_id":${text(row.device_id)},"device_owner":${text(row.device_owner)}`
    + `,"fixed_ips":${row.fixed_ips},"project_id":${text(row.project_id)},"allowed_address_pairs":${row.allowed_address_pairs},"extra_dhcp_opts":${row.extra_dhcp_opts}`
    + `,"security_groups":${row.security_groups},"description":${text(row.description)},"binding:vnic_type":${text(row.vnic_type)}`
    + `,"port_security_enabled":${row.port_security_enabled === 1},"tags":${row.tags},"created_at":"${isoSeconds(row.created_at)}"`
    + `,"updated_at":"${isoSeconds(row.updated_at)}","revision_number":${row.revision_number}`;
  const shown_binding =
    `,"binding:host_id":${text(row.host_id)},"binding:profile":${row.profile},"binding:vif_type":"${vifType(row)}"`
    + `,"binding:vif_details":${vifType(row) === 'bridge' ? '{"port_filter":true,"connectivity":"l2"}' : '{}'}`;
  return { shown, shown_binding };
}

/** A host that is none of our nodes cannot carry a port. */
/** The one kind of port that nodes can plug: a cable. The others are parts of a network card. */
export const CABLE = 'normal';

export function vifType(row: Pick<PortRow, 'host_id' | 'node_id' | 'vnic_type'>): string {
  if (row.host_id !== '' && row.vnic_type !== CABLE) return 'binding_failed';
  if (row.host_id === '') return 'unbound';
  return row.node_id === null ? 'binding_failed' : 'bridge';
}

export function securityGroupView(row: SecurityGroupRow, rules: readonly SecurityGroupRuleRow[], tags: readonly string[]): View {
  return {
    id: row.id,
    name: row.name,
    stateful: row.stateful === 1,
    tenant_id: row.project_id,
    description: row.description,
    shared: false,
    security_group_rules: rules.map(ruleView),
    ...standard(row, tags),
  };
}

export function ruleView(row: SecurityGroupRuleRow): View {
  const prefix = row.remote_ip_prefix === null ? undefined : parsePrefix(row.remote_ip_prefix, true);
  return {
    id: row.id,
    tenant_id: row.project_id,
    security_group_id: row.security_group_id,
    ethertype: row.ethertype,
    direction: row.direction,
    protocol: row.protocol,
    port_range_min: row.port_range_min,
    port_range_max: row.port_range_max,
    remote_ip_prefix: row.remote_ip_prefix,
    normalized_cidr: prefix === undefined ? null : formatPrefix(prefix),
    remote_group_id: row.remote_group_id,
    description: row.description,
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}
