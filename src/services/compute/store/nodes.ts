import { sql, type Kysely } from 'kysely';
import { page, where, type Filter, type Page } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, NodeRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

/** With what migration 5 adds: the number by which the API knows a node up to 2.52. */
export type NumberedNodeRow = NodeRow & { number: number };

const numbered = (db: Reader): Kysely<{ compute_nodes: NumberedNodeRow }> => db as unknown as Kysely<{ compute_nodes: NumberedNodeRow }>;

/** More nodes than a cloud of this kind has: a bound, not a page. */
const MAX_NODES = 10_000;

export async function listNodes(db: Reader): Promise<NumberedNodeRow[]> {
  return await numbered(db).selectFrom('compute_nodes').selectAll().orderBy('host').limit(MAX_NODES).execute();
}

/** Without what they have, which is most of their rows: for the scheduler. */
export async function listHosts(db: Reader): Promise<Pick<NodeRow, 'id' | 'host' | 'disabled' | 'forced_down'>[]> {
  return await db.selectFrom('compute_nodes').select(['id', 'host', 'disabled', 'forced_down']).orderBy('host').limit(MAX_NODES).execute();
}

export async function findNode(db: Reader, id: string): Promise<NumberedNodeRow | undefined> {
  return await numbered(db).selectFrom('compute_nodes').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findNodeByNumber(db: Reader, number: number): Promise<NumberedNodeRow | undefined> {
  return await numbered(db).selectFrom('compute_nodes').selectAll().where('number', '=', number).executeTakeFirst();
}

export async function findNodeByHost(db: Reader, host: string): Promise<NumberedNodeRow | undefined> {
  return await numbered(db).selectFrom('compute_nodes').selectAll().where('host', '=', host).executeTakeFirst();
}

/** In the order in which they came; undefined when there is no node of the marker's number. */
export async function pageNodes(db: Reader, filters: Filter[], limit: number, after: number | undefined): Promise<Page<NumberedNodeRow> | undefined> {
  if (after !== undefined && (await findNodeByNumber(db, after)) === undefined) return undefined;
  const query = where(numbered(db).selectFrom('compute_nodes').selectAll(), filters);
  return await page(query, { sort: [{ column: 'number', direction: 'asc' }], key: 'number', marker: after === undefined ? undefined : { number: after }, limit });
}

/** A node has reported: it is made if it is new; what an operator set stays. */
export async function saveNode(tx: Reader, node: Pick<NodeRow, 'id' | 'host' | 'resources_json'>, now: string): Promise<void> {
  const number = sql<number>`(select coalesce(max(number), 0) + 1 from compute_nodes)`;
  await numbered(tx)
    .insertInto('compute_nodes')
    .values({ ...node, number, disabled: 0, disabled_reason: null, forced_down: 0, connected: 1, last_seen_at: now, created_at: now, updated_at: now })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ host: node.host, resources_json: node.resources_json, connected: 1, last_seen_at: now, updated_at: now }),
    )
    .execute();
}

export async function setConnected(tx: Reader, id: string, connected: boolean, now: string): Promise<void> {
  await tx.updateTable('compute_nodes').set({ connected: connected ? 1 : 0, last_seen_at: now }).where('id', '=', id).execute();
}

/** What an operator decides about a node. */
export type NodeDecision = Partial<Pick<NodeRow, 'disabled' | 'disabled_reason' | 'forced_down'>>;

export async function decideNode(tx: Reader, id: string, change: NodeDecision): Promise<NumberedNodeRow | undefined> {
  return await numbered(tx).updateTable('compute_nodes').set(change).where('id', '=', id).returningAll().executeTakeFirst();
}

export async function deleteNode(tx: Reader, id: string): Promise<boolean> {
  return (await tx.deleteFrom('compute_nodes').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n;
}

/** How many living servers of one flavor a node has, and how many of them are in the middle of something. */
export interface NodeFlavorUse {
  node_id: string;
  flavor_json: string;
  servers: number;
  busy: number;
}

export async function flavorsOnNodes(db: Reader, node_ids: readonly string[]): Promise<NodeFlavorUse[]> {
  if (node_ids.length === 0) return [];
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => ['node_id', 'flavor_json', eb.fn.countAll().as('servers'), sql<number>`sum(case when task_state is null then 0 else 1 end)`.as('busy')])
    .where('node_id', 'in', node_ids)
    .where('deleted', '=', 0)
    .groupBy(['node_id', 'flavor_json'])
    .execute();
  return rows.map((row) => ({ node_id: row.node_id!, flavor_json: row.flavor_json, servers: Number(row.servers), busy: Number(row.busy) }));
}

/** The same for one node, by project. */
export async function flavorsOfProjects(db: Reader, node_id: string): Promise<{ project_id: string; flavor_json: string; servers: number }[]> {
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => ['project_id', 'flavor_json', eb.fn.countAll().as('servers')])
    .where('node_id', '=', node_id)
    .where('deleted', '=', 0)
    .groupBy(['project_id', 'flavor_json'])
    .orderBy('project_id')
    .execute();
  return rows.map((row) => ({ ...row, servers: Number(row.servers) }));
}

/** More servers than the nodes of one page run: a bound, not a page. */
const MAX_SERVERS = 100_000;

export async function serversOnNodes(db: Reader, node_ids: readonly string[]): Promise<{ id: string; node_id: string | null }[]> {
  if (node_ids.length === 0) return [];
  return await db
    .selectFrom('compute_servers')
    .select(['id', 'node_id'])
    .where('node_id', 'in', node_ids)
    .where('deleted', '=', 0)
    .orderBy('id')
    .limit(MAX_SERVERS)
    .execute();
}

/** Living servers on hosts with one of these names. */
export async function countServersOnHosts(db: Reader, hosts: readonly string[]): Promise<number> {
  if (hosts.length === 0) return 0;
  const row = await db
    .selectFrom('compute_servers')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('node_id', 'in', (eb) => eb.selectFrom('compute_nodes').select('id').where('host', 'in', hosts))
    .where('deleted', '=', 0)
    .executeTakeFirstOrThrow();
  return Number(row.n);
}
