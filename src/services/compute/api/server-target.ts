/** The server that a call names: loaded once, hidden from those who may not know of it. */
import type { Kysely } from 'kysely';
import type { Call } from '../../../kernel/api/endpoint.ts';
import type { Context } from '../../../kernel/context.ts';
import { type Fault, notFound } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';

type AnyCall = Pick<Call, 'ctx' | 'auth' | 'allows'> & { params: unknown };

const loaded = new WeakMap<Context, ServerRow>();

export const isAdmin = (call: Pick<Call, 'allows'>): boolean => call.allows('context_is_admin');

export function serverNotFound(id: string): Fault {
  return notFound('compute.server-not-found', `Instance ${id} could not be found.`, { type: 'InstanceNotFound' });
}

export const readerOf = (deps: Pick<ComputeDeps, 'db'>): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

/** The `target` of every endpoint below `/servers/{server_id}`. @throws Fault 404 */
export function serverTarget(deps: Pick<ComputeDeps, 'db'>, deletedToo: (call: Call) => boolean = () => false) {
  return async (call: AnyCall): Promise<Record<string, unknown>> => {
    const { server_id } = call.params as { server_id: string };
    const row = await findServer(readerOf(deps), server_id);
    const there = row !== undefined && (row.deleted === 0 || deletedToo(call as Call));
    if (!there || (row.project_id !== call.auth.project_id && !isAdmin(call))) throw serverNotFound(server_id);
    loaded.set(call.ctx, row);
    return { project_id: row.project_id, user_id: row.user_id };
  };
}

/** What `serverTarget` has loaded for this call. */
export function serverOf(call: Pick<Call, 'ctx'>): ServerRow {
  const row = loaded.get(call.ctx);
  if (row === undefined) throw new Error('the endpoint has no serverTarget');
  return row;
}
