import { sql, type Kysely, type Updateable } from 'kysely';
import { page, findMarker, where, type Filter, type Page, type SortKey } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export async function insertServers(tx: Reader, rows: readonly ServerRow[], boots: readonly ServerBootRow[]): Promise<void> {
  for (const row of rows) await tx.insertInto('compute_servers').values(row).execute();
  for (const boot of boots) await tx.insertInto('compute_server_boots').values(boot).execute();
}

/** Deleted ones too. */
export async function findServer(db: Reader, id: string): Promise<ServerRow | undefined> {
  return await db.selectFrom('compute_servers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function findServers(db: Reader, ids: readonly string[]): Promise<ServerRow[]> {
  if (ids.length === 0) return [];
  return await db.selectFrom('compute_servers').selectAll().where('id', 'in', ids).execute();
}

/** The living ones of one name, 100 at most. */
export async function findServersByName(db: Reader, name: string): Promise<ServerRow[]> {
  return await db.selectFrom('compute_servers').selectAll().where('name', '=', name).where('deleted', '=', 0).orderBy('created_at').limit(100).execute();
}

export async function findBoot(db: Reader, server_id: string): Promise<ServerBootRow | undefined> {
  return await db.selectFrom('compute_server_boots').selectAll().where('server_id', '=', server_id).executeTakeFirst();
}

export async function updateBoot(tx: Reader, server_id: string, change: Partial<Omit<ServerBootRow, 'server_id'>>): Promise<void> {
  await tx.updateTable('compute_server_boots').set(change).where('server_id', '=', server_id).execute();
}

/** User data of those that have some, by server. */
export async function userDataOf(db: Reader, ids: readonly string[]): Promise<Map<string, string | null>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom('compute_server_boots').select(['server_id', 'user_data']).where('server_id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.server_id, row.user_data]));
}

export type ServerChange = Partial<Omit<ServerRow, 'id'>>;

export interface Guard {
  /** Only while its task state is this one (null: idle); left out: whatever. */
  task_state?: string | null;
  vm_states?: readonly string[];
  node_id?: string | null;
  not_task_state?: string | readonly string[];
}

/** Changes a server that is not deleted. @returns the row as it is now, or undefined when the guard did not hold. */
export async function updateServer(tx: Reader, id: string, change: ServerChange, guard: Guard = {}): Promise<ServerRow | undefined> {
  let query = tx.updateTable('compute_servers').set(change as Updateable<ServerRow>).where('id', '=', id).where('deleted', '=', 0);
  if (guard.task_state === null) query = query.where('task_state', 'is', null);
  else if (guard.task_state !== undefined) query = query.where('task_state', '=', guard.task_state);
  if (guard.not_task_state !== undefined) {
    const others = [guard.not_task_state].flat();
    query = query.where((eb) => eb.or([eb('task_state', 'is', null), eb('task_state', 'not in', others)]));
  }
  if (guard.vm_states !== undefined) query = query.where('vm_state', 'in', [...guard.vm_states]);
  if (guard.node_id === null) query = query.where('node_id', 'is', null);
  else if (guard.node_id !== undefined) query = query.where('node_id', '=', guard.node_id);
  return await query.returningAll().executeTakeFirst();
}

export async function setTags(tx: Reader, server_id: string, tags: readonly string[]): Promise<void> {
  await tx.deleteFrom('compute_server_tags').where('server_id', '=', server_id).execute();
  if (tags.length > 0) await tx.insertInto('compute_server_tags').values(tags.map((tag) => ({ server_id, tag }))).execute();
}

/** Everything that only a living server needs. */
export async function deleteServerParts(tx: Reader, server_id: string): Promise<void> {
  await tx.deleteFrom('compute_server_tags').where('server_id', '=', server_id).execute();
  await tx.deleteFrom('compute_server_passwords').where('server_id', '=', server_id).execute();
  await tx.deleteFrom('compute_block_devices').where('server_id', '=', server_id).execute();
  await tx.deleteFrom('compute_server_boots').where('server_id', '=', server_id).execute();
}

export interface Usage {
  instances: number;
  cores: number;
  ram: number;
}

/** What a project's servers use; deleted ones and those in soft-delete do not count. */
export async function usageOf(db: Reader, project_id: string): Promise<Usage> {
  return await usageOfUser(db, project_id, undefined);
}

/** The same for the servers of one user in a project. */
export async function usageOfUser(db: Reader, project_id: string, user_id: string | undefined): Promise<Usage> {
  const all = db
    .selectFrom('compute_servers')
    .select((eb) => [eb.fn.countAll().as('instances'), eb.fn.sum('vcpus').as('cores'), eb.fn.sum('ram_mb').as('ram')])
    .where('project_id', '=', project_id)
    .where('deleted', '=', 0)
    .where('vm_state', '!=', 'soft-delete');
  const row = await (user_id === undefined ? all : all.where('user_id', '=', user_id)).executeTakeFirstOrThrow();
  return { instances: Number(row.instances), cores: Number(row.cores ?? 0), ram: Number(row.ram ?? 0) };
}

export interface TagFilter {
  all?: string[];
  any?: string[];
  not_all?: string[];
  not_any?: string[];
}

export interface ServerQuery {
  filters: Filter[];
  tags?: TagFilter;
  /** Part of an address of a NIC. */
  ids?: string[];
  sort: SortKey[];
  marker?: string | undefined;
  limit: number;
}

/** What a list shows of a server: all but what only its work needs. */
const LISTED = [
  'id', 'name', 'description', 'hostname', 'project_id', 'user_id', 'reservation_id', 'launch_index', 'image_id', 'flavor_json', 'flavor_id', 'metadata_json', 'tags_json',
  'addresses_json', 'security_groups_json', 'key_name', 'access_ip_v4', 'access_ip_v6', 'disk_config', 'config_drive', 'has_user_data', 'pinned_zone', 'server_group_id',
  'node_id', 'host', 'zone', 'vm_state', 'task_state', 'power_state', 'progress', 'locked_by', 'locked_reason', 'fault_json', 'launched_at', 'terminated_at', 'created_at',
  'updated_at', 'deleted',
] as const satisfies (keyof ServerRow)[];
export type ListedServer = Pick<ServerRow, (typeof LISTED)[number]>;

/** One page; undefined when the marker is not among the servers that `scope` allows to see. */
export async function listServers(db: Reader, query: ServerQuery, scope: Filter[]): Promise<Page<ListedServer> | undefined> {
  return await listColumns(db, LISTED, query, scope);
}

/** The same with ids and names only. */
export async function listServerNames(db: Reader, query: ServerQuery, scope: Filter[]): Promise<Page<Pick<ServerRow, 'id' | 'name'>> | undefined> {
  return await listColumns(db, ['id', 'name'], query, scope);
}

async function listColumns<C extends keyof ServerRow>(db: Reader, columns: readonly C[], query: ServerQuery, scope: Filter[]): Promise<Page<Pick<ServerRow, C>> | undefined> {
  const base = db.selectFrom('compute_servers').select([...columns] as (keyof ServerRow)[]);
  const marker = query.marker === undefined ? undefined : await findMarker(where(base, scope), { sort: query.sort }, query.marker);
  if (query.marker !== undefined && marker === undefined) return undefined;
  let selected = where(base, query.filters);
  for (const condition of tagConditions(query.tags ?? {})) selected = selected.where(condition);
  if (query.ids !== undefined) selected = query.ids.length === 0 ? selected.where(sql<boolean>`1 = 0`) : selected.where('id', 'in', query.ids);
  return (await page(selected, { sort: query.sort, marker, limit: query.limit })) as Page<Pick<ServerRow, C>>;
}

function tagConditions(tags: TagFilter): ReturnType<typeof hasTag>[] {
  const out = (tags.all ?? []).map((tag) => hasTag([tag], false));
  if (tags.any) out.push(hasTag(tags.any, false));
  if (tags.not_any) out.push(hasTag(tags.not_any, true));
  if (tags.not_all) out.push(sql<boolean>`(${sql.join(tags.not_all.map((tag) => hasTag([tag], true)), sql` or `)})`);
  return out;
}

function hasTag(tags: readonly string[], not: boolean) {
  const list = sql.join(tags);
  const inner = sql`(select server_id from compute_server_tags where tag in (${list}))`;
  return not ? sql<boolean>`compute_servers.id not in ${inner}` : sql<boolean>`compute_servers.id in ${inner}`;
}

const SCAN_CHUNK = 5_000;

/** Values of one text column of the servers in scope, for filters that the database cannot answer; at most 50,000. */
export async function columnOf(db: Reader, column: keyof ServerRow & string, filters: Filter[]): Promise<{ id: string; value: string | null }[]> {
  const out: { id: string; value: string | null }[] = [];
  let after: string | undefined;
  while (out.length < 50_000) {
    let query = where(db.selectFrom('compute_servers').select(['id', sql<string | null>`${sql.ref(column)}`.as('value')]), filters);
    if (after !== undefined) query = query.where('id', '>', after);
    const rows = await query.orderBy('id').limit(SCAN_CHUNK).execute();
    out.push(...rows);
    if (rows.length < SCAN_CHUNK) break;
    after = rows.at(-1)!.id;
  }
  return out;
}

export function containsFilter(column: string, text: string): Filter {
  return { column, op: 'contains', value: text };
}

/** The servers that a node has to run, and those being made there. */
export async function serversOfNode(db: Reader, node_id: string): Promise<ServerRow[]> {
  return await db.selectFrom('compute_servers').selectAll().where('node_id', '=', node_id).where('deleted', '=', 0).orderBy('id').execute();
}

/** How many servers are being made on each node. */
export async function buildingOnNodes(db: Reader): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => ['node_id', eb.fn.countAll().as('n')])
    .where('deleted', '=', 0)
    .where('task_state', 'in', ['networking', 'spawning'])
    .where('node_id', 'is not', null)
    .groupBy('node_id')
    .execute();
  return new Map(rows.map((row) => [row.node_id!, Number(row.n)]));
}

/** Living servers that are in the middle of something, oldest change first. */
export async function busyServers(db: Reader, limit: number): Promise<ServerRow[]> {
  return await db
    .selectFrom('compute_servers')
    .selectAll()
    .where('deleted', '=', 0)
    .where('task_state', 'is not', null)
    .orderBy('updated_at')
    .limit(limit)
    .execute();
}

/** Deleted before this instant, and still to be restored. */
export async function reclaimable(db: Reader, before: string, limit: number): Promise<ServerRow[]> {
  return await db
    .selectFrom('compute_servers')
    .selectAll()
    .where('deleted', '=', 0)
    .where('vm_state', '=', 'soft-delete')
    .where('task_state', 'is', null)
    .where('deleted_at', '<=', before)
    .orderBy('deleted_at')
    .limit(limit)
    .execute();
}
