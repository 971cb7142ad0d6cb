/** Routers and floating IPs as the API shows them. */
import { isoSeconds } from '../../../kernel/clock.ts';
import type { FloatingIpRow, PortRow, RouterRow } from '../store/tables.ts';
import { ZONE } from './networks.ts';
import type { View } from './views.ts';

export function routerView(row: RouterRow, gateway: PortRow | undefined, tags: readonly string[]): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up === 1,
    status: 'ACTIVE',
    external_gateway_info: gateway === undefined ? null : { network_id: gateway.network_id, external_fixed_ips: JSON.parse(gateway.fixed_ips) as unknown, enable_snat: row.enable_snat === 1 },
    description: row.description,
    availability_zones: row.node_id === null ? [] : [ZONE],
    availability_zone_hints: JSON.parse(row.availability_zone_hints) as unknown,
    routes: JSON.parse(row.routes) as unknown,
    flavor_id: null,
    tags,
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
    ha: false,
    distributed: false,
  };
}

export function floatingIpView(row: FloatingIpRow, port: PortRow | undefined, tags: readonly string[]): View {
  return {
    id: row.id,
    tenant_id: row.project_id,
    floating_ip_address: row.floating_ip_address,
    floating_network_id: row.floating_network_id,
    router_id: row.router_id,
    port_id: row.fixed_port_id,
    fixed_ip_address: row.fixed_ip_address,
    status: row.status,
    description: row.description,
    port_details: port === undefined ? null : {
      name: port.name, network_id: port.network_id, mac_address: port.mac_address, admin_state_up: port.admin_state_up === 1,
      status: port.status, device_id: port.device_id, device_owner: port.device_owner,
    },
    tags,
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}
