/** Networks as nova's two proxies have them (nova `api/openstack/compute/{networks,tenant_networks}.py`). */
import { isFault, notFound } from '../../../kernel/fault.ts';
import type { ShownNetwork } from '../../network/client.ts';

/** Of nova's own networks of old there is only the shape left: these are null. */
const EMPTY = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6'];
const EMPTY_FOR_ADMINS = [
  'created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address', 'vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id',
  'host', 'bridge_interface', 'multi_host', 'priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address',
];

/** Pure. */
export function networkView({ id, name }: ShownNetwork, is_admin: boolean): { id: string; label: string; [field: string]: string | null } {
  const empty = is_admin ? [...EMPTY, ...EMPTY_FOR_ADMINS] : EMPTY;
  return { ...Object.fromEntries(empty.map((field) => [field, null])), id, label: name };
}

/** The text `None` is what clients have always been told. Pure. */
export const projectNetworkView = ({ id, name }: ShownNetwork) => ({ id, label: name, cidr: 'None' });

/** Says networking's 404 in nova's words. */
export async function networkWork<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFault(error) && error.status === 404 ? notFound('compute.network-not-found', 'Network not found', { cause: error }) : error;
  }
}
