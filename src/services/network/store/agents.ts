import type { Kysely } from 'kysely';
import type { AgentRow, NetworkTables, Tx } from './tables.ts';

export function agentSettings(db: Kysely<NetworkTables>): Promise<AgentRow[]> {
  return db.selectFrom('network_agents').selectAll().orderBy('id').limit(10_000).execute();
}

export async function saveAgentSettings(tx: Tx, row: AgentRow): Promise<void> {
  const { admin_state_up, description } = row;
  await tx.insertInto('network_agents').values(row).onConflict((on) => on.column('id').doUpdateSet({ admin_state_up, description })).execute();
}
