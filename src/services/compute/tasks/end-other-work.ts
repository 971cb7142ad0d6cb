import { asTransaction } from '../../../kernel/db/database.ts';
import { otherWorkEnds } from '../../../kernel/task/other-work.ts';
import type { ServerTaskInput } from '../deps.ts';
import { startEvent } from '../model/server-actions.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import type { TaskDeps } from './task-deps.ts';

/** How a deletion of either kind begins: what holds the server ends first. */
export async function endOtherWork(deps: TaskDeps, { server_id, action_id }: ServerTaskInput, event: string, resources: readonly string[]): Promise<void> {
  await otherWorkEnds(deps.engine, ...resources);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await startEvent(tx, deps.clock, action_id, event, (await findServer(tx, server_id))?.host ?? null);
  });
}
