/** How work on a server ends: its row, and the event that the API shows. */
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import type { ServerTaskInput } from '../deps.ts';
import { endEvent, startEvent } from '../model/server-actions.ts';
import { type Guard, type ServerChange, updateServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import type { TaskDeps } from './task-deps.ts';

export interface Settled {
  event: string;
  change: ServerChange;
  /** What a user may read of why it failed; left out: it succeeded. */
  failure?: string | undefined;
  /** A deletion that has begun meanwhile keeps its hands on the row, unless told otherwise. */
  guard?: Guard;
  /** What else belongs into the transaction. */
  also?: (tx: Tx) => Promise<unknown>;
}

export type Tx = ReturnType<typeof asTransaction<ComputeTables>>;

/** The server is idle again. */
export async function settleServer(deps: TaskDeps, { server_id, action_id }: ServerTaskInput, settled: Settled): Promise<void> {
  const updated_at = isoMicros(deps.clock.now());
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await updateServer(tx, server_id, { task_state: null, updated_at, ...settled.change }, settled.guard ?? { not_task_state: ['deleting', 'soft-deleting'] });
    await settled.also?.(tx);
    // Work that failed before it began has an event too.
    if (settled.failure !== undefined) await startEvent(tx, deps.clock, action_id, settled.event, null);
    await endEvent(tx, deps.clock, action_id, settled.event, settled.failure);
  });
  deps.settled(server_id);
}
