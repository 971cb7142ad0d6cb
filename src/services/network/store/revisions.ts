import type { NetworkTables, Tx } from './tables.ts';

/** A resource's revision, which nobody changes before this transaction ends. */
export async function holdRevision(tx: Tx, table: keyof NetworkTables, id: string): Promise<number | undefined> {
  const own = table as 'network_networks';
  const row = await tx.updateTable(own).set((eb) => ({ revision_number: eb.ref('revision_number') })).where('id', '=', id).returning('revision_number').executeTakeFirst();
  return row?.revision_number;
}

export async function bumpRevision(tx: Tx, table: keyof NetworkTables, id: string, updated_at: string): Promise<void> {
  const own = table as 'network_networks';
  await tx.updateTable(own).set((eb) => ({ revision_number: eb('revision_number', '+', 1), updated_at })).where('id', '=', id).execute();
}
