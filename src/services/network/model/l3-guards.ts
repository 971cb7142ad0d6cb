/** What routers and floating IPs do not let happen to the ports that they need (neutron's l3_db). */
import { badResource, deviceNotOwned, servicePortInUse } from '../faults.ts';
import { externalNetworkInUse, gatewayIpInUse } from '../l3-faults.ts';
import { floatingIpsOfPorts, floatingPortInUse, unusedFloatingIps } from '../store/floating-ips.ts';
import { findPort } from '../store/ports.ts';
import { findRouter, findRouterPort, gatewayOn, routerPortWith } from '../store/routers.ts';
import type { PortRow, Tx } from '../store/tables.ts';
import type { NetworkDeps } from '../deps.ts';
import { deleteFloatingIp } from './floating-ips.ts';
import type { FixedIp } from './ipam.ts';

/** Ports of routers and floating IPs go with these only. Faults: 409 ServicePortInUse. */
export async function refuseServicePort(tx: Tx, port: Pick<PortRow, 'id' | 'device_owner'>): Promise<void> {
  const needed = (await findRouterPort(tx, port.id)) !== undefined || (await floatingPortInUse(tx, port.id));
  if (needed) throw servicePortInUse(port.id, `has device owner ${port.device_owner}`);
}

/** Nobody passes a port off as one of another project's router. Faults: 409 DeviceIDNotOwnedByTenant. */
export async function refuseForeignRouter(tx: Tx, port: { device_id?: unknown; device_owner?: unknown }, project_id: string | undefined): Promise<void> {
  if (typeof port.device_owner !== 'string' || !port.device_owner.startsWith('network:router') || typeof port.device_id !== 'string') return;
  const router = await findRouter(tx, port.device_id);
  if (router !== undefined && router.project_id !== project_id) throw deviceNotOwned(port.device_id);
}

/** The addresses behind floating IPs stay with their port. Faults: 400 BadRequest. */
export async function checkLinkedAddresses(tx: Tx, port_id: string): Promise<void> {
  const linked = await floatingIpsOfPorts(tx, [port_id]);
  if (linked.length === 0) return;
  const port = await findPort(tx, port_id);
  const has = new Set((JSON.parse(port?.fixed_ips ?? '[]') as FixedIp[]).map((ip) => ip.ip_address));
  if (linked.some((fip) => !has.has(fip.fixed_ip_address!))) {
    throw badResource('port', `Cannot update the fixed_ips of the port ${port_id}, because its original fixed_ip has been associated to a floating ip`);
  }
}

/** Before an external network goes: its floating IPs that no port has. */
export async function dropUnusedFloatingIps(env: NetworkDeps, tx: Tx, network_id: string): Promise<void> {
  for (const { id } of await unusedFloatingIps(tx, network_id)) await deleteFloatingIp(env, tx, id);
}

/** A network that routers have their gateway on stays external. Faults: 409 ExternalNetworkInUse. */
export async function refuseInternal(tx: Tx, network_id: string): Promise<void> {
  if ((await gatewayOn(tx, network_id)) !== undefined) throw externalNetworkInUse(network_id);
}

/** The gateway of a subnet stays while a router is it. Faults: 409 GatewayIpInUse. */
export async function refuseGatewayChange(tx: Tx, subnet: { id: string; gateway_ip: string | null }, wanted: unknown): Promise<void> {
  if (subnet.gateway_ip === null || wanted === undefined || wanted === subnet.gateway_ip) return;
  const port = await routerPortWith(tx, subnet.id, subnet.gateway_ip);
  if (port !== undefined) throw gatewayIpInUse(subnet.gateway_ip, port);
}
