import type { Kysely, Updateable } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { routerNotFound } from '../l3-faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { NetworkTables, PortRow, RouterPortRow, RouterRow, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

export function listRouters(db: Db, project: string | undefined, request: ListRequest): Promise<Page<RouterRow>> {
  let query = db.selectFrom('network_routers').selectAll('network_routers');
  if (project !== undefined) query = query.where('project_id', '=', project);
  return listPage(query, 'network_routers', request, routerNotFound);
}

export function findRouter(db: Db, id: string): Promise<RouterRow | undefined> {
  return db.selectFrom('network_routers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function insertRouter(tx: Tx, row: RouterRow): Promise<void> {
  await tx.insertInto('network_routers').values(row).execute();
}

/** Holds the router for this transaction and counts a revision; undefined when it is not there. */
export function lockRouter(tx: Tx, id: string, now: string): Promise<RouterRow | undefined> {
  return tx.updateTable('network_routers').set((eb) => ({ revision_number: eb('revision_number', '+', 1), updated_at: now })).where('id', '=', id).returningAll().executeTakeFirst();
}

/** The same without a revision: for what only must not lose it. */
export function holdRouter(tx: Tx, id: string): Promise<RouterRow | undefined> {
  return tx.updateTable('network_routers').set((eb) => ({ host_id: eb.ref('host_id') })).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function updateRouterRow(tx: Tx, id: string, change: Updateable<RouterRow>): Promise<void> {
  await tx.updateTable('network_routers').set(change).where('id', '=', id).execute();
}

export async function deleteRouterRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('network_tags').where('resource_id', '=', id).execute();
  await tx.deleteFrom('network_routers').where('id', '=', id).execute();
}

export function routersOfNode(db: Db, node_id: string): Promise<RouterRow[]> {
  return db.selectFrom('network_routers').selectAll().where('node_id', '=', node_id).orderBy('id').execute();
}

/** Those without a node or on one of these. At most `limit`. */
export async function routersToPlace(db: Db, node_ids: readonly string[], limit: number): Promise<RouterRow[]> {
  const homeless = await db.selectFrom('network_routers').selectAll().where('node_id', 'is', null).orderBy('id').limit(limit).execute();
  if (node_ids.length === 0) return homeless;
  return [...homeless, ...(await db.selectFrom('network_routers').selectAll().where('node_id', 'in', node_ids).orderBy('node_id').orderBy('id').limit(limit).execute())];
}

export async function insertRouterPort(tx: Tx, row: RouterPortRow): Promise<void> {
  await tx.insertInto('network_router_ports').values(row).execute();
}

export async function deleteRouterPort(tx: Tx, port_id: string): Promise<void> {
  await tx.deleteFrom('network_router_ports').where('port_id', '=', port_id).execute();
}

export function findRouterPort(db: Db, port_id: string): Promise<RouterPortRow | undefined> {
  return db.selectFrom('network_router_ports').selectAll().where('port_id', '=', port_id).executeTakeFirst();
}

export async function routerPortsOf(db: Db, router_ids: readonly string[]): Promise<RouterPortRow[]> {
  if (router_ids.length === 0) return [];
  return db.selectFrom('network_router_ports').selectAll().where('router_id', 'in', router_ids).orderBy('router_id').orderBy('port_id').execute();
}

export type Leg = PortRow & Pick<RouterPortRow, 'router_id' | 'port_type'>;

/** The ports of a router, its gateway among them. */
export function legsOf(db: Db, router_id: string): Promise<Leg[]> {
  return db.selectFrom('network_router_ports as l').innerJoin('network_ports as p', 'p.id', 'l.port_id').selectAll('p').select(['l.router_id', 'l.port_type'])
    .where('l.router_id', '=', router_id).orderBy('p.created_at').orderBy('p.id').execute();
}

/** Routers with an interface on the subnet and a gateway to the network, with the interface's address there. */
export function routersBetween(db: Db, subnet_id: string, external_network_id: string): Promise<{ router_id: string; ip_address: string }[]> {
  return db.selectFrom('network_addresses as a').innerJoin('network_router_ports as l', 'l.port_id', 'a.port_id')
    .innerJoin('network_routers as r', 'r.id', 'l.router_id').innerJoin('network_ports as g', 'g.id', 'r.gw_port_id')
    .select(['l.router_id', 'a.ip_address']).where('a.subnet_id', '=', subnet_id).where('l.port_type', '=', 'network:router_interface')
    .where('g.network_id', '=', external_network_id).orderBy('l.router_id').execute();
}

/** Every node that was ever given a state. */
export async function knownNodes(db: Db): Promise<string[]> {
  return (await db.selectFrom('network_node_generations').select('node_id').execute()).map((row) => row.node_id);
}

/** A router's gateway port on this network, if there is one. */
export async function gatewayOn(db: Db, network_id: string): Promise<string | undefined> {
  return (await db.selectFrom('network_ports as p').innerJoin('network_router_ports as l', 'l.port_id', 'p.id').select('p.id')
    .where('p.network_id', '=', network_id).where('l.port_type', '=', 'network:router_gateway').limit(1).executeTakeFirst())?.id;
}

/** The router's port that has this address on the subnet, if there is one. */
export async function routerPortWith(db: Db, subnet_id: string, ip_address: string): Promise<string | undefined> {
  return (await db.selectFrom('network_addresses as a').innerJoin('network_router_ports as l', 'l.port_id', 'a.port_id').select('a.port_id')
    .where('a.subnet_id', '=', subnet_id).where('a.ip_address', '=', ip_address).executeTakeFirst())?.port_id;
}
