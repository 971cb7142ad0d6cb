import { computeMethods } from '../../../agents/compute/protocol.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import type { ComputeDeps } from '../deps.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { endEvent, startAction, startEvent } from './server-actions.ts';
import { checkAction } from './server-state.ts';
import type { Actor } from './server-tasks.ts';

const EVENT = 'compute_trigger_crash_dump';
const CALL_MS = 30_000;

/** A signal to the guest's first process; nothing of the server changes by that alone. @throws Fault 409 in nova's words. */
export async function triggerCrashDump(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<void> {
  checkAction('trigger_crash_dump', row, actor.is_admin);
  const { node_id } = row;
  if (node_id === null) throw conflict('compute.server-not-ready', `Instance ${row.id} is not ready`);
  const action_id = await record(deps, actor, row);
  let failure: string | undefined;
  try {
    await deps.nodes.call(node_id, computeMethods.signal, { server_id: row.id, signal: deps.config.crash_dump_signal }, { timeout_ms: CALL_MS });
  } catch (error) {
    failure = isFault(error) ? error.message : 'An unexpected error.';
    throw error;
  } finally {
    await deps.db.transaction((tx) => endEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENT, failure));
  }
}

async function record(deps: ComputeDeps, actor: Actor, row: ServerRow): Promise<string> {
  return await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const action_id = await startAction(tx, actor.ctx, row.id, 'trigger_crash_dump');
    await startEvent(tx, deps.clock, action_id, EVENT, row.host);
    return action_id;
  });
}
