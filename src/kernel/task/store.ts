import { sql, type Kysely, type Transaction } from 'kysely';
import { isoMicros } from '../clock.ts';
import type { TaskError } from './define.ts';

/** `running`: forward; `undoing`: backward; `failed`: all undone; `stuck`: an undo keeps failing, a person is needed. */
export type TaskState = 'running' | 'undoing' | 'done' | 'failed' | 'stuck';
export type EventName = 'done' | 'failed' | 'undone';

export interface TaskRow {
  id: string;
  kind: string;
  resource: string;
  state: TaskState;
  /** 1 while the task holds the lock on its resource. */
  active: number;
  input: string;
  error: string | null;
  cancelled: number;
  request_id: string;
  global_request_id: string | null;
  owner: string;
  created_at: string;
  updated_at: string;
  settled_at: string | null;
}

export interface EventRow {
  task_id: string;
  number: number;
  step: string;
  event: EventName;
  output: string | null;
  at: string;
}

export interface TaskTables {
  tasks: TaskRow;
  task_events: EventRow;
  task_owners: { owner: string; lease_until: string };
}

type Tx = Transaction<TaskTables>;
type Reader = Kysely<TaskTables>;

export function isActive(state: TaskState): boolean {
  return state === 'running' || state === 'undoing';
}

export async function insertTask(tx: Tx, row: TaskRow): Promise<void> {
  await tx.insertInto('tasks').values(row).execute();
}

export async function findTask(read: Reader, id: string): Promise<TaskRow | undefined> {
  return await read.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listByState(read: Reader, ids: readonly string[]): Promise<TaskRow[]> {
  if (ids.length === 0) return [];
  return await read.selectFrom('tasks').selectAll().where('id', 'in', ids).execute();
}

export async function listStuck(read: Reader, limit: number): Promise<TaskRow[]> {
  return await read
    .selectFrom('tasks')
    .selectAll()
    .where('state', '=', sql.lit('stuck'))
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** Newest first. */
export async function listByResource(read: Reader, resource: string, limit: number): Promise<TaskRow[]> {
  return await read.selectFrom('tasks').selectAll().where('resource', '=', resource).orderBy('created_at', 'desc').limit(limit).execute();
}

export async function listEvents(read: Reader, taskId: string): Promise<EventRow[]> {
  return await read.selectFrom('task_events').selectAll().where('task_id', '=', taskId).orderBy('number').execute();
}

/** The running task of the resource, told to stop; undefined when there is none. */
export async function markCancelled(tx: Tx, resource: string, now: Date): Promise<string | undefined> {
  const row = await tx
    .updateTable('tasks')
    .set({ cancelled: 1, updated_at: isoMicros(now) })
    .where('resource', '=', resource)
    .where('active', '=', sql.lit(1))
    .where('state', '=', 'running')
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

/** A stuck task that goes on undoing takes the lock again: a unique violation when another task has it. */
export async function reviveStuck(tx: Tx, id: string, owner: string, now: Date): Promise<TaskRow | undefined> {
  return await tx
    .updateTable('tasks')
    .set({ state: 'undoing', active: 1, owner, settled_at: null, updated_at: isoMicros(now) })
    .where('id', '=', id)
    .where('state', '=', 'stuck')
    .returningAll()
    .executeTakeFirst();
}

export interface Progress {
  task_id: string;
  owner: string;
  event?: { number: number; step: string; event: EventName; output: string | null };
  state: TaskState;
  error: TaskError | undefined;
  at: Date;
}

/** Whether the task is still the owner's, and whether it was told to stop. */
export type Recorded = { owned: false } | { owned: true; cancelled: boolean };

export async function recordProgress(tx: Tx, progress: Progress): Promise<Recorded> {
  const at = isoMicros(progress.at);
  const active = isActive(progress.state);
  const row = await tx
    .updateTable('tasks')
    .set({
      state: progress.state,
      active: active ? 1 : 0,
      error: progress.error === undefined ? null : JSON.stringify(progress.error),
      updated_at: at,
      settled_at: active ? null : at,
    })
    .where('id', '=', progress.task_id)
    .where('owner', '=', progress.owner)
    .returning('cancelled')
    .executeTakeFirst();
  if (row === undefined) return { owned: false };
  if (progress.event !== undefined) {
    await tx
      .insertInto('task_events')
      .values({ task_id: progress.task_id, at, ...progress.event })
      .execute();
  }
  return { owned: true, cancelled: row.cancelled === 1 };
}

/** Makes processes take over one after the other, so that each sees what the one before has taken. */
export async function lockOwners(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(7311403)`.execute(tx);
}

export async function renewLease(tx: Tx, owner: string, until: Date): Promise<void> {
  const lease_until = isoMicros(until);
  await tx
    .insertInto('task_owners')
    .values({ owner, lease_until })
    .onConflict((conflict) => conflict.column('owner').doUpdateSet({ lease_until }))
    .execute();
}

export async function endLease(tx: Tx, owner: string): Promise<void> {
  await tx.deleteFrom('task_owners').where('owner', '=', owner).execute();
}

/** Forgets the owners whose lease has run out; with `everyone`, all but `owner`. */
export async function dropOwners(tx: Tx, owner: string, now: Date, everyone: boolean): Promise<void> {
  const others = tx.deleteFrom('task_owners').where('owner', '!=', owner);
  await (everyone ? others : others.where('lease_until', '<', isoMicros(now))).execute();
}

/** The live tasks that nobody holds now become the owner's; oldest first. */
export async function takeOrphans(tx: Tx, owner: string, now: Date): Promise<TaskRow[]> {
  const rows = await tx
    .updateTable('tasks')
    .set({ owner, updated_at: isoMicros(now) })
    .where('active', '=', sql.lit(1))
    .where('owner', 'not in', (query) => query.selectFrom('task_owners').select('task_owners.owner'))
    .returningAll()
    .execute();
  return rows.sort((a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0));
}

/** Deletes up to `limit` tasks, with their events, that ended before `before`; stuck ones stay. */
export async function deleteSettled(tx: Tx, before: Date, limit: number): Promise<number> {
  const old = tx
    .selectFrom('tasks')
    .select('id')
    .where('active', '=', sql.lit(0))
    .where('state', '!=', 'stuck')
    .where('settled_at', '<', isoMicros(before))
    .orderBy('settled_at')
    .limit(limit);
  const { numDeletedRows } = await tx.deleteFrom('tasks').where('id', 'in', old).executeTakeFirst();
  return Number(numDeletedRows);
}
