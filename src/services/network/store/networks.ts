import { sql, type Kysely, type Updateable } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { networkNotFound } from '../faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { NetworkRow, NetworkTables, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

export function findNetwork(db: Db, id: string): Promise<NetworkRow | undefined> {
  return db.selectFrom('network_networks').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findNetworks(db: Db, ids: readonly string[]): Promise<NetworkRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('network_networks').selectAll().where('id', 'in', [...new Set(ids)]).execute();
}

/** @param project those that this project may see: its own, shared and external ones; undefined: all. */
export function listNetworks(db: Db, project: string | undefined, request: ListRequest): Promise<Page<NetworkRow>> {
  let query = db.selectFrom('network_networks').selectAll('network_networks');
  if (project !== undefined) {
    query = query.where('id', 'in', (eb) =>
      eb.selectFrom('network_networks').select('id').where('project_id', '=', project)
        .union(eb.selectFrom('network_networks').select('id').where('shared', '=', 1))
        .union(eb.selectFrom('network_networks').select('id').where('external', '=', 1)));
  }
  return listPage(query, 'network_networks', request, networkNotFound);
}

/** Networks a server of the project may be put on unasked: its own, and shared ones. At most `limit`. */
export function ownOrSharedNetworks(db: Db, project: string, limit: number): Promise<NetworkRow[]> {
  return db.selectFrom('network_networks').selectAll()
    .where('id', 'in', (eb) => eb.selectFrom('network_networks').select('id').where('project_id', '=', project).union(eb.selectFrom('network_networks').select('id').where('shared', '=', 1)))
    .orderBy('id').limit(limit).execute();
}

export async function insertNetwork(tx: Tx, row: NetworkRow): Promise<void> {
  await tx.insertInto('network_networks').values(row).execute();
}

export async function updateNetworkRow(tx: Tx, id: string, change: Updateable<NetworkRow>): Promise<void> {
  await tx.updateTable('network_networks').set(change).where('id', '=', id).execute();
}

/** Holds the network for this transaction and counts a revision; undefined when it is not there. */
export function lockNetwork(tx: Tx, id: string, now: string): Promise<NetworkRow | undefined> {
  return tx.updateTable('network_networks').set((eb) => ({ revision_number: eb('revision_number', '+', 1), updated_at: now }))
    .where('id', '=', id).returningAll().executeTakeFirst();
}

export async function deleteNetworkRow(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('network_networks').where('id', '=', id).execute();
}

export async function zoneTaken(tx: Tx, zone: number): Promise<boolean> {
  return (await tx.selectFrom('network_networks').select('id').where('zone', '=', zone).executeTakeFirst()) !== undefined;
}

export async function segmentTaken(tx: Tx, type: NetworkRow['network_type'], id: number): Promise<boolean> {
  return (await tx.selectFrom('network_networks').select('id').where('network_type', '=', type).where('segmentation_id', '=', id).executeTakeFirst()) !== undefined;
}

/** The lowest zone that no network has. */
export async function lowestFreeZone(tx: Tx): Promise<number> {
  const rows = await tx.selectFrom('network_networks').select('zone').orderBy('zone').limit(65_535).execute();
  const taken = new Set(rows.map((row) => row.zone));
  for (let zone = 1; zone <= 65_535; zone++) if (!taken.has(zone)) return zone;
  return 0;
}

export async function flatNetworkOf(tx: Tx, physical_network: string): Promise<string | undefined> {
  return (await tx.selectFrom('network_networks').select('id').where('network_type', '=', sql.lit('flat')).where('physical_network', '=', physical_network).executeTakeFirst())?.id;
}

export async function defaultExternalNetwork(tx: Tx): Promise<string | undefined> {
  return (await tx.selectFrom('network_networks').select('id').where('external', '=', 1).where('is_default', '=', 1).executeTakeFirst())?.id;
}
