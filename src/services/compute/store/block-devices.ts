import type { Kysely } from 'kysely';
import type { BlockDeviceRow, ComputeTables } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export async function insertDevices(tx: Reader, rows: readonly BlockDeviceRow[]): Promise<void> {
  for (const row of rows) await tx.insertInto('compute_block_devices').values(row).execute();
}

/** Of one server, in the order in which they came. */
export async function devicesOf(db: Reader, server_id: string): Promise<BlockDeviceRow[]> {
  return await db.selectFrom('compute_block_devices').selectAll().where('server_id', '=', server_id).orderBy('created_at').orderBy('device').execute();
}

export async function devicesOfServers(db: Reader, server_ids: readonly string[]): Promise<BlockDeviceRow[]> {
  if (server_ids.length === 0) return [];
  return await db.selectFrom('compute_block_devices').selectAll().where('server_id', 'in', [...server_ids]).orderBy('created_at').orderBy('device').execute();
}

export async function devicesOfVolume(db: Reader, volume_id: string): Promise<BlockDeviceRow[]> {
  return await db.selectFrom('compute_block_devices').selectAll().where('volume_id', '=', volume_id).execute();
}

export async function findDevice(db: Reader, server_id: string, volume_id: string): Promise<BlockDeviceRow | undefined> {
  return await db.selectFrom('compute_block_devices').selectAll().where('server_id', '=', server_id).where('volume_id', '=', volume_id).executeTakeFirst();
}

export async function updateDevice(tx: Reader, id: string, change: Partial<Omit<BlockDeviceRow, 'id' | 'server_id'>>): Promise<void> {
  await tx.updateTable('compute_block_devices').set(change).where('id', '=', id).execute();
}

export async function deleteDevice(tx: Reader, id: string): Promise<void> {
  await tx.deleteFrom('compute_block_devices').where('id', '=', id).execute();
}
