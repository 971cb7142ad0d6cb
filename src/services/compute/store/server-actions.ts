import type { Kysely } from 'kysely';
import { page, where, type Filter, type Page } from '../../../kernel/db/list-query.ts';
import type { ComputeTables, ServerActionEventRow, ServerActionRow } from './tables.ts';

type Reader = Kysely<ComputeTables>;

export async function insertAction(tx: Reader, row: ServerActionRow): Promise<void> {
  await tx.insertInto('compute_server_actions').values(row).execute();
}

/** Begins an event of an action; done twice it changes nothing. */
export async function insertEvent(tx: Reader, row: ServerActionEventRow): Promise<void> {
  await tx.insertInto('compute_server_action_events').values(row).onConflict((conflict) => conflict.column('id').doNothing()).execute();
  await tx.updateTable('compute_server_actions').set({ updated_at: row.start_time }).where('id', '=', row.action_id).execute();
}

export interface EventEnd {
  finish_time: string;
  result: 'Success' | 'Error';
  details: string | null;
  traceback: string | null;
}

export async function finishEvent(tx: Reader, id: string, end: EventEnd): Promise<void> {
  const row = await tx
    .updateTable('compute_server_action_events')
    .set(end)
    .where('id', '=', id)
    .where('finish_time', 'is', null)
    .returning('action_id')
    .executeTakeFirst();
  if (row === undefined) return;
  const failed = end.result === 'Error' ? { message: 'Error' } : {};
  await tx.updateTable('compute_server_actions').set({ updated_at: end.finish_time, ...failed }).where('id', '=', row.action_id).execute();
}

export async function findAction(db: Reader, server_id: string, request_id: string): Promise<ServerActionRow | undefined> {
  return await db
    .selectFrom('compute_server_actions')
    .selectAll()
    .where('server_id', '=', server_id)
    .where('request_id', '=', request_id)
    .orderBy('start_time', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Newest first. */
export async function eventsOf(db: Reader, action_id: string): Promise<ServerActionEventRow[]> {
  return await db
    .selectFrom('compute_server_action_events')
    .selectAll()
    .where('action_id', '=', action_id)
    .orderBy('start_time', 'desc')
    .orderBy('id', 'desc')
    .limit(1000)
    .execute();
}

/** Newest first, paged by request id; undefined when there is no such marker. */
export async function listActions(db: Reader, server_id: string, filters: Filter[], limit: number, marker: string | undefined): Promise<Page<ServerActionRow> | undefined> {
  const after = marker === undefined ? undefined : await findAction(db, server_id, marker);
  if (marker !== undefined && after === undefined) return undefined;
  const query = where(db.selectFrom('compute_server_actions').selectAll().where('server_id', '=', server_id), filters);
  return await page(query, {
    sort: [{ column: 'start_time', direction: 'desc' }],
    marker: after === undefined ? undefined : { start_time: after.start_time, id: after.id },
    limit,
  });
}

export async function hasAction(tx: Reader, id: string): Promise<boolean> {
  return (await tx.selectFrom('compute_server_actions').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
}
