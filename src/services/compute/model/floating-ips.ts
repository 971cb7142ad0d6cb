/** Floating IPs as nova's proxy has them (nova `network/neutron.py`, `api/openstack/compute/floating_ips.py`). */
import { badRequest, conflict, type Fault, forbidden, isFault, notFound } from '../../../kernel/fault.ts';
import type { NetworkApi, NetworkCaller, ServerNic, ShownFloatingIp, ShownNetwork } from '../../network/client.ts';

/** A pool is an external network. */
export const poolName = ({ id, name }: ShownNetwork): string => name || id;

/** Pure. */
export const floatingIpView = (one: ShownFloatingIp) => ({
  id: one.id, ip: one.floating_ip_address, fixed_ip: one.fixed_ip_address, instance_id: one.device_id, pool: poolName(one.network),
});

const floatingIpNotFound = (id: string): Fault => notFound('compute.floating-ip-not-found', `Floating IP not found for ID ${id}`);

/** Says networking's 404 in nova's words. */
export async function floatingIpWork<T>(id: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFault(error) && error.status === 404 ? floatingIpNotFound(id) : error;
  }
}

/** Without a name, the one pool there is. Faults: 400 several; 404; 403 quota. */
export async function allocateFloatingIp(api: NetworkApi, caller: NetworkCaller, pool: string | undefined): Promise<ShownFloatingIp> {
  const pools = (await api.listNetworks(caller, { external: true })).filter(({ id, name }) => pool === undefined || id === pool || name === pool);
  const [found, second] = pools;
  if (found === undefined) throw notFound('compute.floating-ip-pool-not-found', 'Floating IP pool not found.');
  if (second !== undefined) {
    throw badRequest('compute.floating-ip-pool-ambiguous', pool === undefined ? 'There are several floating IP pools: name one.' : `Multiple floating IP pools matches found for name '${pool}'`);
  }
  try {
    return await api.createFloatingIp(caller, found.id);
  } catch (error) {
    throw isFault(error) ? allocationFault(error, pool) : error;
  }
}

function allocationFault(fault: Fault, pool: string | undefined): Fault {
  const cause = { cause: fault };
  if (fault.type === 'OverQuota') return forbidden('compute.floating-ip-quota', `IP allocation over quota${pool === undefined ? '' : ` in pool ${pool}`}.`, cause);
  if (fault.type !== 'IpAddressGenerationFailure' && fault.type !== 'ExternalIpAddressExhausted') return fault;
  return notFound('compute.no-floating-ip', pool === undefined ? 'No more floating IPs available.' : `No more floating IPs in pool ${pool}.`, cause);
}

/** The address of a server that a floating IP is to lead to. Pure. @throws Fault 400 */
export function addressToTie(server_id: string, nics: readonly ServerNic[], address: string, fixed_address: string | undefined): { port_id: string; fixed_ip_address: string } {
  const bad = (message: string): Fault => badRequest('compute.floating-ip-address', message);
  if (nics.length === 0) throw bad('Instance network is not ready yet');
  const all = nics.flatMap(({ port_id, fixed_ips }) => fixed_ips.map(({ ip_address, ip_version }) => ({ port_id, ip_address, ip_version })));
  if (all.length === 0) throw bad('No fixed IPs associated to instance');
  const found = all.find((one) => (fixed_address === undefined ? one.ip_version === 4 : one.ip_address === fixed_address));
  if (found !== undefined) return { port_id: found.port_id, fixed_ip_address: found.ip_address };
  if (fixed_address !== undefined) throw bad('Specified fixed address not assigned to instance');
  throw bad(`Unable to associate floating IP ${address} to any fixed IPs for instance ${server_id}. Instance has no fixed IPv4 addresses to associate.`);
}

/** Faults: 404; 409 when several networks have this address. */
async function floatingIpAt(api: NetworkApi, caller: NetworkCaller, address: string): Promise<ShownFloatingIp> {
  const [found, second] = await api.listFloatingIps(caller, { address });
  if (found === undefined) throw notFound('compute.floating-ip-not-found', 'floating IP not found');
  if (second !== undefined) throw conflict('compute.floating-ip-ambiguous', `Multiple floating IPs are found for address ${address}.`);
  return found;
}

/** Faults: 400 what networking refuses; 403, 404. */
export async function tieFloatingIp(api: NetworkApi, caller: NetworkCaller, server_id: string, address: string, link: { port_id: string; fixed_ip_address: string }): Promise<void> {
  const { id } = await floatingIpAt(api, caller, address);
  try {
    await api.linkFloatingIp(caller, id, link);
  } catch (error) {
    if (!isFault(error) || error.status === 403) throw error;
    const text = error.status === 409 ? error.message : `Unable to associate floating IP ${address} to fixed IP ${link.fixed_ip_address} for instance ${server_id}. Error: ${error.message}`;
    throw badRequest('compute.floating-ip-not-tied', text, { cause: error });
  }
}

/** Faults: 403, 404; 409 when it leads to another server, or to none. */
export async function untieFloatingIp(api: NetworkApi, caller: NetworkCaller, server_id: string, address: string): Promise<void> {
  const { id, device_id } = await floatingIpAt(api, caller, address);
  if (device_id !== server_id) throw conflict('compute.floating-ip-elsewhere', `Floating IP ${address} is not associated with instance ${server_id}.`);
  await api.linkFloatingIp(caller, id, null);
}
