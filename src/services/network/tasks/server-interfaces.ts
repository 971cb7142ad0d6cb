/** NICs that come and go while their server lives, and addresses on them (nova/network/neutron.py). The nodes follow by themselves. */
import { badRequest, notFound } from '../../../kernel/fault.ts';
import type { AddedNic } from '../client.ts';
import { type NetworkDeps, serversChanged } from '../deps.ts';
import { canonicalAddress } from '../model/address.ts';
import type { FixedIp } from '../model/ipam.ts';
import { updatePort } from '../model/ports.ts';
import { portsOfDevices } from '../store/ports.ts';
import { subnetsOfNetworks } from '../store/subnets.ts';
import type { PortRow } from '../store/tables.ts';
import { letGo, makePort, takeFreePort } from './server-nics.ts';

/** See `NetworkClient.addNic`. */
export async function addNic(env: NetworkDeps, { nic, new_port_id, ...place }: AddedNic): Promise<void> {
  await env.db.transaction(async (tx) => {
    const ports = await portsOfDevices(tx, [place.server_id]);
    if (ports.some(({ id }) => id === (nic.port_id ?? new_port_id))) return;
    const index = Math.max(-1, ...ports.map(({ nic_index }) => nic_index)) + 1;
    if (nic.port_id === undefined) await makePort(env, tx, place, nic, index, { id: new_port_id, groups: [] });
    else await takeFreePort(env, tx, nic.port_id, place, index, nic.tag ?? null);
    serversChanged(env, tx, [place.server_id]);
  });
}

/** See `NetworkClient.removeNic`. */
export async function removeNic(env: NetworkDeps, server_id: string, port_id: string): Promise<void> {
  await env.db.transaction(async (tx) => {
    const port = (await portsOfDevices(tx, [server_id])).find(({ id }) => id === port_id);
    if (port === undefined) return;
    await letGo(env, tx, port);
    serversChanged(env, tx, [server_id]);
  });
}

const addressesOf = (port: PortRow): FixedIp[] => JSON.parse(port.fixed_ips) as FixedIp[];

/** See `NetworkClient.addFixedIp`. */
export async function addFixedIp(env: NetworkDeps, server_id: string, network_id: string): Promise<void> {
  const absent = notFound('network.none-of-server', `Network could not be found for instance ${server_id}.`);
  const port = (await portsOfDevices(env.db.read, [server_id])).find((one) => one.network_id === network_id);
  const [subnet] = await subnetsOfNetworks(env.db.read, [network_id]);
  if (port === undefined || subnet === undefined) throw absent;
  await env.db.transaction(async (tx) => {
    await updatePort(env, tx, port.id, { fixed_ips: [...addressesOf(port), { subnet_id: subnet.id }] }, { any_group: true });
  });
}

/** See `NetworkClient.removeFixedIp`. */
export async function removeFixedIp(env: NetworkDeps, server_id: string, address: string): Promise<void> {
  const wanted = canonicalAddress(address);
  const ports = await portsOfDevices(env.db.read, [server_id]);
  const port = ports.find((one) => addressesOf(one).some(({ ip_address }) => ip_address === wanted));
  if (port === undefined) throw badRequest('network.fixed-ip-not-of-server', `Instance ${server_id} does not have fixed IP '${address}'.`);
  await env.db.transaction(async (tx) => {
    await updatePort(env, tx, port.id, { fixed_ips: addressesOf(port).filter(({ ip_address }) => ip_address !== wanted) }, { any_group: true });
  });
}
