import type { Kysely, Updateable } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { floatingIpNotFound } from '../l3-faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { FloatingIpRow, NetworkTables, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

export function listFloatingIps(db: Db, project: string | undefined, request: ListRequest): Promise<Page<FloatingIpRow>> {
  let query = db.selectFrom('network_floating_ips').selectAll('network_floating_ips');
  if (project !== undefined) query = query.where('project_id', '=', project);
  return listPage(query, 'network_floating_ips', request, floatingIpNotFound);
}

export function findFloatingIp(db: Db, id: string): Promise<FloatingIpRow | undefined> {
  return db.selectFrom('network_floating_ips').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Holds it for this transaction and counts a revision; undefined when it is not there. */
export function lockFloatingIp(tx: Tx, id: string, now: string): Promise<FloatingIpRow | undefined> {
  return tx.updateTable('network_floating_ips').set((eb) => ({ revision_number: eb('revision_number', '+', 1), updated_at: now })).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function insertFloatingIp(tx: Tx, row: FloatingIpRow): Promise<void> {
  await tx.insertInto('network_floating_ips').values(row).execute();
}

export async function updateFloatingIpRow(tx: Tx, id: string, change: Updateable<FloatingIpRow>): Promise<void> {
  await tx.updateTable('network_floating_ips').set(change).where('id', '=', id).execute();
}

export async function deleteFloatingIpRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('network_tags').where('resource_id', '=', id).execute();
  await tx.deleteFrom('network_floating_ips').where('id', '=', id).execute();
}

export async function floatingIpsOfPorts(db: Db, port_ids: readonly string[]): Promise<FloatingIpRow[]> {
  if (port_ids.length === 0) return [];
  return db.selectFrom('network_floating_ips').selectAll().where('fixed_port_id', 'in', port_ids).orderBy('fixed_port_id').orderBy('id').execute();
}

export async function floatingIpsOfRouters(db: Db, router_ids: readonly string[]): Promise<FloatingIpRow[]> {
  if (router_ids.length === 0) return [];
  return db.selectFrom('network_floating_ips').selectAll().where('router_id', 'in', router_ids).orderBy('router_id').orderBy('id').execute();
}

/** Of an external network, those that no port has. */
export function unusedFloatingIps(db: Db, network_id: string): Promise<FloatingIpRow[]> {
  return db.selectFrom('network_floating_ips').selectAll().where('floating_network_id', '=', network_id).where('fixed_port_id', 'is', null).orderBy('id').execute();
}

export async function floatingPortInUse(db: Db, port_id: string): Promise<boolean> {
  return (await db.selectFrom('network_floating_ips').select('id').where('floating_port_id', '=', port_id).executeTakeFirst()) !== undefined;
}
