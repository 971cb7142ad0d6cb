import type { Kysely, Updateable } from 'kysely';
import type { Page } from '../../../kernel/db/list-query.ts';
import { subnetNotFound } from '../faults.ts';
import { listPage, type ListRequest } from './list.ts';
import type { NetworkTables, SubnetRow, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

export interface SeenSubnet extends SubnetRow {
  network_project_id: string;
  network_shared: number;
}

const withNetwork = (db: Db) =>
  db.selectFrom('network_subnets').innerJoin('network_networks', 'network_networks.id', 'network_subnets.network_id')
    .selectAll('network_subnets')
    .select(['network_networks.project_id as network_project_id', 'network_networks.shared as network_shared']);

/** With what its network says about who may see it. */
export function findSeenSubnet(db: Db, id: string): Promise<SeenSubnet | undefined> {
  return withNetwork(db).where('network_subnets.id', '=', id).executeTakeFirst();
}

export function findSubnet(db: Db, id: string): Promise<SubnetRow | undefined> {
  return db.selectFrom('network_subnets').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findSubnets(db: Db, ids: readonly string[]): Promise<SubnetRow[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('network_subnets').selectAll().where('id', 'in', [...new Set(ids)]).execute();
}

export async function subnetsOfNetworks(db: Db, network_ids: readonly string[]): Promise<SubnetRow[]> {
  if (network_ids.length === 0) return [];
  return db.selectFrom('network_subnets').selectAll().where('network_id', 'in', [...new Set(network_ids)]).orderBy('network_id').orderBy('created_at').orderBy('id').execute();
}

export async function subnetIdsOfNetworks(db: Db, network_ids: readonly string[]): Promise<{ id: string; network_id: string }[]> {
  if (network_ids.length === 0) return [];
  return db.selectFrom('network_subnets').select(['id', 'network_id']).where('network_id', 'in', network_ids).orderBy('network_id').orderBy('id').execute();
}

/** @param project those that this project may see, which external networks alone do not open; undefined: all. */
export function listSubnets(db: Db, project: string | undefined, request: ListRequest, shared?: boolean): Promise<Page<SubnetRow>> {
  let query = db.selectFrom('network_subnets').selectAll('network_subnets');
  if (project !== undefined) {
    query = query.where('id', 'in', (eb) =>
      eb.selectFrom('network_subnets').select('id').where('project_id', '=', project)
        .union(eb.selectFrom('network_subnets').select('id').where('network_id', 'in', (own) => own.selectFrom('network_networks').select('id').where('project_id', '=', project)))
        .union(eb.selectFrom('network_subnets').select('id').where('network_id', 'in', (all) => all.selectFrom('network_networks').select('id').where('shared', '=', 1))));
  }
  if (shared !== undefined) query = query.where('network_id', 'in', (eb) => eb.selectFrom('network_networks').select('id').where('shared', '=', shared ? 1 : 0));
  return listPage(query, 'network_subnets', request, subnetNotFound);
}

export async function insertSubnet(tx: Tx, row: SubnetRow): Promise<void> {
  await tx.insertInto('network_subnets').values(row).execute();
}

export async function updateSubnetRow(tx: Tx, id: string, change: Updateable<SubnetRow>): Promise<void> {
  await tx.updateTable('network_subnets').set(change).where('id', '=', id).execute();
}

export async function deleteSubnetRows(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.deleteFrom('network_subnets').where('id', 'in', ids).execute();
}
