import { isForeignKeyViolation, isUniqueViolation } from '../../../kernel/db/errors.ts';
import { uuid } from '../../../kernel/ids.ts';
import { badResource, networkNotFound, portNotFound } from '../faults.ts';
import { externalAddressesExhausted, floatingIpNotFound, floatingIpPortAssociated, noGatewayForFloatingIp } from '../l3-faults.ts';
import { deleteFloatingIpRow, floatingIpsOfPorts, insertFloatingIp, lockFloatingIp, updateFloatingIpRow } from '../store/floating-ips.ts';
import { findNetwork } from '../store/networks.ts';
import { findPort, updatePortRow } from '../store/ports.ts';
import { findRouterPort, holdRouter, routersBetween } from '../store/routers.ts';
import { findSubnet, subnetsOfNetworks } from '../store/subnets.ts';
import type { FloatingIpRow, PortRow, Tx } from '../store/tables.ts';
import { instant, serversChanged, type NetworkDeps } from '../deps.ts';
import { NO_LINK, routersChanged, type Link } from './floating-ip-links.ts';
import { createPort, deletePort } from './ports.ts';
import { takeQuota } from './quotas.ts';
import { fixedIpsOf, OWN_CALLER, OWN_PORT } from './routers.ts';

export interface NewFloatingIp {
  project_id: string;
  description: string;
  floating_network_id: string;
  floating_ip_address: string | null;
  subnet_id: string | null;
  port_id: string | null;
  fixed_ip_address: string | null;
}

/** What an update names; a port of null takes the floating IP away. */
export interface FloatingIpChange {
  description?: string;
  port_id?: string | null;
  fixed_ip_address?: string | null;
}

const bad = (message: string): Error => badResource('floatingip', message);

/** Faults: 404 network, port or way between them; 400 BadRequest; 409 as neutron. */
export async function createFloatingIp(env: NetworkDeps, tx: Tx, wanted: NewFloatingIp, admin: boolean): Promise<string> {
  const network = await findNetwork(tx, wanted.floating_network_id);
  if (network === undefined) throw networkNotFound(wanted.floating_network_id);
  if (network.external !== 1) throw bad(`Network ${network.id} is not a valid external network`);
  const subnets = await subnetsOfNetworks(tx, [network.id]);
  if (!subnets.some((subnet) => subnet.ip_version === 4)) throw bad(`Network ${network.id} does not contain any IPv4 subnet`);
  await takeQuota(env, tx, wanted.project_id, { floatingip: 1 });
  const id = uuid();
  const { subnet_id, floating_ip_address: ip_address } = wanted;
  const asked = { ...(subnet_id === null ? {} : { subnet_id }), ...(ip_address === null ? {} : { ip_address }) };
  const port = await createPort(env, tx, {
    ...OWN_PORT, project_id: '', network_id: network.id, fixed_ips: Object.keys(asked).length === 0 ? undefined : [asked],
    device_id: id, device_owner: 'network:floatingip', host_id: '', node_id: null,
  }, OWN_CALLER);
  const address = fixedIpsOf(port).find((ip) => !ip.ip_address.includes(':'));
  if (address === undefined) throw externalAddressesExhausted(network.id);
  const now = instant(env);
  const row: FloatingIpRow = {
    id, project_id: wanted.project_id, description: wanted.description, floating_network_id: network.id, floating_ip_address: address.ip_address,
    floating_port_id: port.id, ...NO_LINK, status: 'DOWN', created_at: now, updated_at: now, revision_number: 1,
  };
  await insertFloatingIp(tx, row);
  const { port_id, fixed_ip_address } = wanted;
  await associate(env, tx, row, { ...(port_id === null ? {} : { port_id }), ...(fixed_ip_address === null ? {} : { fixed_ip_address }) }, admin);
  return id;
}

/** Faults: 404; 400 BadRequest; 409 FloatingIPPortAlreadyAssociated. */
export async function updateFloatingIp(env: NetworkDeps, tx: Tx, id: string, change: FloatingIpChange, admin: boolean): Promise<void> {
  const before = await lockFloatingIp(tx, id, instant(env));
  if (before === undefined) throw floatingIpNotFound(id);
  if (change.description !== undefined) await updateFloatingIpRow(tx, id, { description: change.description });
  await associate(env, tx, before, change, admin);
}

async function associate(env: NetworkDeps, tx: Tx, fip: FloatingIpRow, change: FloatingIpChange, admin: boolean): Promise<void> {
  const given = change.fixed_ip_address ?? undefined;
  if (given !== undefined && (change.port_id ?? null) === null) throw bad('fixed_ip_address cannot be specified without a port_id');
  if (change.port_id === undefined && (fip.fixed_port_id === null || !('fixed_ip_address' in change))) return;
  const port_id = change.port_id === undefined ? fip.fixed_port_id : change.port_id;
  const link = port_id === null ? NO_LINK : await linkTo(tx, fip, port_id, given, admin);
  if (link.fixed_port_id === fip.fixed_port_id && link.fixed_ip_address === fip.fixed_ip_address && link.router_id === fip.router_id) return;
  try {
    await updateFloatingIpRow(tx, fip.id, { ...link, status: 'DOWN' });
  } catch (error) {
    if (isUniqueViolation(error)) throw floatingIpPortAssociated(fip, link.fixed_port_id!, link.fixed_ip_address!);
    if (isForeignKeyViolation(error)) throw portNotFound(link.fixed_port_id!);
    throw error;
  }
  await linksChanged(env, tx, [fip, link]);
}

/** Routers translate anew, servers show other addresses. */
async function linksChanged(env: NetworkDeps, tx: Tx, links: readonly Link[]): Promise<void> {
  await routersChanged(env, tx, links.map((link) => link.router_id));
  for (const id of new Set(links.flatMap((link) => link.fixed_port_id ?? []))) {
    const port = await findPort(tx, id);
    if (port !== undefined) serversChanged(env, tx, [port.device_id]);
  }
}

async function linkTo(tx: Tx, fip: FloatingIpRow, port_id: string, given: string | undefined, admin: boolean): Promise<Link> {
  const port = await findPort(tx, port_id);
  if (port === undefined) throw portNotFound(port_id);
  if (port.project_id !== fip.project_id && !admin) throw bad(`Cannot process floating IP association with Port ${port_id}, since that port is owned by a different project`);
  if (port.device_owner === 'network:dhcp' || (await findRouterPort(tx, port_id)) !== undefined) throw bad(`Port ${port_id} is unable to be assigned a floating IP`);
  const { subnet_id, ip_address } = innerAddress(port, given);
  const router_id = await routerBetween(tx, subnet_id, fip.floating_network_id, port_id);
  const taken = (await floatingIpsOfPorts(tx, [port_id])).some((other) => other.id !== fip.id && other.fixed_ip_address === ip_address && other.floating_network_id === fip.floating_network_id);
  if (taken) throw floatingIpPortAssociated(fip, port_id, ip_address);
  return { fixed_port_id: port_id, fixed_ip_address: ip_address, router_id };
}

function innerAddress(port: PortRow, given: string | undefined): { subnet_id: string; ip_address: string } {
  const four = fixedIpsOf(port).filter((ip) => !ip.ip_address.includes(':'));
  if (given !== undefined) {
    if (given.includes(':')) throw bad(`Cannot process floating IP association with ${given}, since that is not an IPv4 address`);
    const found = four.find((ip) => ip.ip_address === given);
    if (found === undefined) throw bad(`Port ${port.id} does not have fixed ip ${given}`);
    return found;
  }
  if (four.length > 1) throw bad(`Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP`);
  if (four[0] === undefined) throw bad(`Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses`);
  return four[0];
}

/** Of several routers the one that is the subnet's gateway. It is held, so that it keeps what the floating IP needs. */
async function routerBetween(tx: Tx, subnet_id: string, network_id: string, port_id: string): Promise<string> {
  const subnet = await findSubnet(tx, subnet_id);
  const find = async (): Promise<string | undefined> => {
    const found = await routersBetween(tx, subnet_id, network_id);
    return (found.find((one) => one.ip_address === subnet?.gateway_ip) ?? found[0])?.router_id;
  };
  const router_id = await find();
  if (router_id !== undefined && (await holdRouter(tx, router_id)) !== undefined && (await find()) === router_id) return router_id;
  throw noGatewayForFloatingIp(subnet_id, network_id, port_id);
}

/** Faults: 404. */
export async function deleteFloatingIp(env: NetworkDeps, tx: Tx, id: string): Promise<void> {
  const row = await lockFloatingIp(tx, id, instant(env));
  if (row === undefined) throw floatingIpNotFound(id);
  await deleteFloatingIpRow(tx, id);
  await updatePortRow(tx, row.floating_port_id, { device_id: '' });
  await deletePort(env, tx, row.floating_port_id, false);
  await linksChanged(env, tx, [row]);
}

