import type { Kysely } from 'kysely';
import type { NetworkTables, Tx } from './tables.ts';

export async function nextGeneration(tx: Tx, node_id: string): Promise<number> {
  const row = await tx.insertInto('network_node_generations').values({ node_id, generation: 1 })
    .onConflict((on) => on.column('node_id').doUpdateSet((eb) => ({ generation: eb('network_node_generations.generation', '+', 1) })))
    .returning('generation').executeTakeFirstOrThrow();
  return row.generation;
}

export async function generationOf(db: Kysely<NetworkTables>, node_id: string): Promise<number> {
  return (await db.selectFrom('network_node_generations').select('generation').where('node_id', '=', node_id).executeTakeFirst())?.generation ?? 0;
}
