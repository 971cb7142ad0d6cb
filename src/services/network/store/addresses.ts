import type { Kysely } from 'kysely';
import type { AddressRow, NetworkTables, Tx } from './tables.ts';

type Db = Kysely<NetworkTables>;

/** Takes an address unless somebody has it; waits for a transaction that is about to. */
export async function takeAddress(tx: Tx, row: AddressRow): Promise<boolean> {
  const result = await tx.insertInto('network_addresses').values(row).onConflict((on) => on.columns(['subnet_id', 'ip_address']).doNothing()).executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) === 1;
}

export async function takenAddresses(tx: Tx, subnet_id: string): Promise<Set<string>> {
  const rows = await tx.selectFrom('network_addresses').select('ip_address').where('subnet_id', '=', subnet_id).execute();
  return new Set(rows.map((row) => row.ip_address));
}

export async function dropAddresses(tx: Tx, port_id: string, addresses?: readonly { subnet_id: string; ip_address: string }[]): Promise<void> {
  const all = tx.deleteFrom('network_addresses').where('port_id', '=', port_id);
  if (addresses === undefined) await all.execute();
  for (const { subnet_id, ip_address } of addresses ?? []) {
    await all.where('subnet_id', '=', subnet_id).where('ip_address', '=', ip_address).execute();
  }
}

export function addressesOfSubnets(db: Db, subnet_ids: readonly string[]): Promise<{ subnet_id: string; port_id: string; device_owner: string }[]> {
  if (subnet_ids.length === 0) return Promise.resolve([]);
  return db.selectFrom('network_addresses').innerJoin('network_ports', 'network_ports.id', 'network_addresses.port_id')
    .select(['network_addresses.subnet_id', 'network_addresses.port_id', 'network_ports.device_owner'])
    .where('subnet_id', 'in', subnet_ids).execute();
}

export async function addressHolder(db: Db, network_id: string, ip_address: string): Promise<{ port_id: string; device_id: string } | undefined> {
  return db.selectFrom('network_addresses').innerJoin('network_ports', 'network_ports.id', 'network_addresses.port_id')
    .select(['network_addresses.port_id', 'network_ports.device_id'])
    .where('ip_address', '=', ip_address).where('network_addresses.network_id', '=', network_id).executeTakeFirst();
}

/** How many addresses of each subnet are in use. */
export async function countAddresses(db: Db, subnet_ids: readonly string[]): Promise<Map<string, number>> {
  if (subnet_ids.length === 0) return new Map();
  const rows = await db.selectFrom('network_addresses').select(['subnet_id', (eb) => eb.fn.countAll<number>().as('used')]).where('subnet_id', 'in', subnet_ids).groupBy('subnet_id').execute();
  return new Map(rows.map((row) => [row.subnet_id, Number(row.used)]));
}
