import type { Kysely } from 'kysely';
import type { ComputeTables, NodeRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

/** More nodes than a cloud of this kind has: a bound, not a page. */
const MAX_NODES = 10_000;

export async function listNodes(db: Reader): Promise<NodeRow[]> {
  return await db.selectFrom('compute_nodes').selectAll().orderBy('host').limit(MAX_NODES).execute();
}

export async function findNode(db: Reader, id: string): Promise<NodeRow | undefined> {
  return await db.selectFrom('compute_nodes').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findNodeByHost(db: Reader, host: string): Promise<NodeRow | undefined> {
  return await db.selectFrom('compute_nodes').selectAll().where('host', '=', host).executeTakeFirst();
}

/** A node has reported: it is made if it is new; what an operator set stays. */
export async function saveNode(tx: Reader, node: Pick<NodeRow, 'id' | 'host' | 'resources_json'>, now: string): Promise<void> {
  await tx
    .insertInto('compute_nodes')
    .values({ ...node, disabled: 0, disabled_reason: null, forced_down: 0, connected: 1, last_seen_at: now, created_at: now, updated_at: now })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ host: node.host, resources_json: node.resources_json, connected: 1, last_seen_at: now, updated_at: now }),
    )
    .execute();
}

export async function setConnected(tx: Reader, id: string, connected: boolean, now: string): Promise<void> {
  await tx.updateTable('compute_nodes').set({ connected: connected ? 1 : 0, last_seen_at: now }).where('id', '=', id).execute();
}

export async function touchNodes(tx: Reader, ids: readonly string[], now: string): Promise<void> {
  if (ids.length > 0) await tx.updateTable('compute_nodes').set({ last_seen_at: now }).where('id', 'in', ids).execute();
}
