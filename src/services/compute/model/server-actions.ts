/** The record of what was done to a server: one action per call, one event per piece of work. */
import type { Kysely } from 'kysely';
import { isoMicros, type Clock } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { uuid } from '../../../kernel/ids.ts';
import { finishEvent, insertAction, insertEvent } from '../store/server-actions.ts';
import type { ComputeTables } from '../store/tables.ts';

type Tx = Kysely<ComputeTables>;

/** @returns the id of the action. */
export async function startAction(tx: Tx, ctx: Pick<Context, 'request_id' | 'clock' | 'auth'>, server_id: string, action: string): Promise<string> {
  const id = uuid();
  const at = isoMicros(ctx.clock.now());
  const { project_id = null, user_id = null } = { project_id: ctx.auth?.project_id, user_id: ctx.auth?.user_id };
  await insertAction(tx, { id, server_id, action, request_id: ctx.request_id, project_id, user_id, start_time: at, updated_at: at, message: null });
  return id;
}

/** Idempotent by action and event. */
export async function startEvent(tx: Tx, clock: Clock, action_id: string, event: string, host: string | null): Promise<void> {
  const start_time = isoMicros(clock.now());
  const open = { finish_time: null, result: null, traceback: null, details: null };
  await insertEvent(tx, { id: `${action_id}/${event}`, action_id, event, start_time, host, ...open });
}

/** @param failure what a user may read of why it failed; undefined: it succeeded. */
export async function endEvent(tx: Tx, clock: Clock, action_id: string, event: string, failure?: string): Promise<void> {
  await finishEvent(tx, `${action_id}/${event}`, {
    finish_time: isoMicros(clock.now()),
    result: failure === undefined ? 'Success' : 'Error',
    details: failure ?? null,
    traceback: null,
  });
}
