import { sql, type Kysely, type Updateable } from 'kysely';
import { escapeLike, type Page } from '../../../kernel/db/list-query.ts';
import { portNotFound } from '../faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { NetworkTables, PortRow, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

/** What a list reads of a port: its JSON, ready made. */
export type ShownPort = Pick<PortRow, 'id' | 'shown' | 'shown_binding'>;

/** Filters of ports that look into other tables; within a list: any of them. */
export interface PortFilters {
  ip_addresses: string[];
  ip_substrings: string[];
  subnet_ids: string[];
  security_group_ids: string[];
}

/** @param project those that this project may see: its own, and all on its networks; undefined: all. */
export function listPorts(db: Db, project: string | undefined, request: ListRequest, filters: PortFilters): Promise<Page<ShownPort>> {
  let query = db.selectFrom('network_ports').select(['network_ports.id', 'shown', 'shown_binding']);
  if (project !== undefined) {
    query = query.where('network_ports.id', 'in', (eb) =>
      eb.selectFrom('network_ports').select('id').where('project_id', '=', project)
        .union(eb.selectFrom('network_networks as n').innerJoin('network_ports as p', 'p.network_id', 'n.id').select('p.id').where('n.project_id', '=', project)));
  }
  const { ip_addresses, ip_substrings, subnet_ids, security_group_ids } = filters;
  if (ip_substrings.length > 0) {
    query = query.where((eb) =>
      eb.exists(
        eb.selectFrom('network_addresses as a').select('a.port_id').whereRef('a.port_id', '=', 'network_ports.id')
          .where((or) => or.or(ip_substrings.map((part) => sql<boolean>`a.ip_address like ${`%${escapeLike(part)}%`} escape '\\'`))),
      ));
  }
  if (ip_addresses.length + subnet_ids.length > 0) {
    query = query.where('network_ports.id', 'in', (eb) => {
      let addresses = eb.selectFrom('network_addresses').select('port_id');
      if (ip_addresses.length > 0) addresses = addresses.where('ip_address', 'in', ip_addresses);
      if (subnet_ids.length > 0) addresses = addresses.where('subnet_id', 'in', subnet_ids);
      return addresses;
    });
  }
  if (security_group_ids.length > 0) {
    query = query.where('network_ports.id', 'in', (eb) => eb.selectFrom('network_port_security_groups').select('port_id').where('security_group_id', 'in', security_group_ids));
  }
  return listPage(query, 'network_ports', request, portNotFound);
}

export function findPort(db: Db, id: string): Promise<PortRow | undefined> {
  return db.selectFrom('network_ports').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findPorts(db: Db, ids: readonly string[]): Promise<PortRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('network_ports').selectAll().where('id', 'in', [...new Set(ids)]).execute();
}

export type SeenPort = PortRow & { network_project_id: string };

/** With the owner of its network. */
export function findSeenPort(db: Db, id: string): Promise<SeenPort | undefined> {
  return db.selectFrom('network_ports').innerJoin('network_networks', 'network_networks.id', 'network_ports.network_id')
    .selectAll('network_ports').select('network_networks.project_id as network_project_id').where('network_ports.id', '=', id).executeTakeFirst();
}

export function portsOfNetwork(db: Db, network_id: string): Promise<PortRow[]> {
  return db.selectFrom('network_ports').selectAll().where('network_id', '=', network_id).orderBy('id').execute();
}

/** In the order of the server's NICs. Only what compute has claimed: anybody may write any `device_id` into a port that nothing uses. */
export async function portsOfDevices(db: Db, device_ids: readonly string[]): Promise<PortRow[]> {
  if (device_ids.length === 0) return [];
  return db.selectFrom('network_ports').selectAll().where('device_id', 'in', device_ids)
    .where((eb) => eb.or([eb('host_id', '!=', ''), eb('made_for_server', '=', 1)])).orderBy('nic_index').orderBy('created_at').orderBy('id').execute();
}

export function portsOfNode(db: Db, node_id: string): Promise<PortRow[]> {
  return db.selectFrom('network_ports').selectAll().where('node_id', '=', node_id).orderBy('network_id').execute();
}

/** Ports of these networks that are bound to other nodes. */
export async function remotePorts(db: Db, network_ids: readonly string[], node_id: string): Promise<Pick<PortRow, 'node_id' | 'network_id' | 'mac_address' | 'fixed_ips'>[]> {
  if (network_ids.length === 0) return [];
  return db.selectFrom('network_ports').select(['node_id', 'network_id', 'mac_address', 'fixed_ips'])
    .where('network_id', 'in', network_ids).where('node_id', 'is not', null).where('node_id', '!=', node_id).orderBy('node_id').orderBy('id').execute();
}

/** Unless the MAC is taken on the network: then false. */
export async function insertPort(tx: Tx, row: PortRow): Promise<boolean> {
  const result = await tx.insertInto('network_ports').values(row).onConflict((on) => on.columns(['network_id', 'mac_address']).doNothing()).executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) === 1;
}

/** The port, held for this transaction. */
export function lockPort(tx: Tx, id: string): Promise<PortRow | undefined> {
  return tx.updateTable('network_ports').set((eb) => ({ status: eb.ref('status') })).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function updatePortRow(tx: Tx, id: string, change: Updateable<PortRow>): Promise<void> {
  await tx.updateTable('network_ports').set(change).where('id', '=', id).execute();
}

export async function macTaken(tx: Tx, network_id: string, mac_address: string): Promise<boolean> {
  return (await tx.selectFrom('network_ports').select('id').where('network_id', '=', network_id).where('mac_address', '=', mac_address).executeTakeFirst()) !== undefined;
}

export async function deletePortRows(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.deleteFrom('network_addresses').where('port_id', 'in', ids).execute();
  await tx.deleteFrom('network_port_security_groups').where('port_id', 'in', ids).execute();
  await tx.deleteFrom('network_tags').where('resource_id', 'in', ids).execute();
  await tx.deleteFrom('network_ports').where('id', 'in', ids).execute();
}

export async function setPortGroups(tx: Tx, port_id: string, group_ids: readonly string[]): Promise<void> {
  await tx.deleteFrom('network_port_security_groups').where('port_id', '=', port_id).execute();
  await addPortGroups(tx, port_id, group_ids);
}

export async function addPortGroups(tx: Tx, port_id: string, group_ids: readonly string[]): Promise<void> {
  if (group_ids.length === 0) return;
  await tx.insertInto('network_port_security_groups').values(group_ids.map((security_group_id) => ({ port_id, security_group_id }))).execute();
}

/** Nodes that carry ports of these networks. */
export async function nodesOfNetworks(db: Db, network_ids: readonly string[]): Promise<string[]> {
  if (network_ids.length === 0) return [];
  const rows = await db.selectFrom('network_ports').select('node_id').distinct().where('network_id', 'in', network_ids).where('node_id', 'is not', null).execute();
  return rows.map((row) => row.node_id as string);
}

/** Nodes that carry ports in these groups. */
export async function nodesOfGroups(db: Db, group_ids: readonly string[]): Promise<string[]> {
  if (group_ids.length === 0) return [];
  const rows = await db.selectFrom('network_port_security_groups as b').innerJoin('network_ports as p', 'p.id', 'b.port_id')
    .select('p.node_id').distinct().where('b.security_group_id', 'in', group_ids).where('p.node_id', 'is not', null).execute();
  return rows.map((row) => row.node_id as string);
}

/** Nodes that carry ports in a group with a rule that names one of these groups as remote. */
export async function nodesWatchingGroups(db: Db, group_ids: readonly string[]): Promise<string[]> {
  if (group_ids.length === 0) return [];
  const rows = await db.selectFrom('network_security_group_rules as r')
    .innerJoin('network_port_security_groups as b', 'b.security_group_id', 'r.security_group_id').innerJoin('network_ports as p', 'p.id', 'b.port_id')
    .select('p.node_id').distinct().where('r.remote_group_id', 'in', group_ids).where('p.node_id', 'is not', null).execute();
  return rows.map((row) => row.node_id as string);
}

/** Servers with ports in this group. */
export async function serversOfGroup(db: Db, group_id: string): Promise<string[]> {
  const rows = await db.selectFrom('network_port_security_groups as b').innerJoin('network_ports as p', 'p.id', 'b.port_id')
    .select('p.device_id').distinct().where('b.security_group_id', '=', group_id).where('p.device_owner', 'like', 'compute:%').execute();
  return rows.map((row) => row.device_id);
}
