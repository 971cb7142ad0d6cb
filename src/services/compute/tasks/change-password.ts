/** A new password for the users of a running guest. */
import type { Kysely } from 'kysely';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { startEvent } from '../model/server-actions.ts';
import { settingsOf } from '../model/guest-settings.ts';
import { findBoot, findServer, updateBoot } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type Input = ServerTaskInput & ServerTasks['password'];

const EVENT = 'compute_set_admin_password';
const CALL_MS = 60_000;

export function changePasswordTask(deps: TaskDeps): TaskDefinition<Input> {
  return defineTask<Input>('compute.change-password')
    .step('set', { do: (ctx, input) => set(deps, ctx, input) })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (_ctx, input, error) => {
        const fault = taskFault(error, 'The password could not be set', isoMicros(deps.clock.now()));
        return settleServer(deps, input, { event: EVENT, change: {}, failure: fault.message });
      },
    }) as TaskDefinition<Input>;
}

/** A guest that has to be made anew has this password then. */
async function finish(deps: TaskDeps, input: Input): Promise<void> {
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const boot = await findBoot(tx, input.server_id);
    if (boot !== undefined) await updateBoot(tx, input.server_id, { guest_json: JSON.stringify({ ...settingsOf(boot), passwords: input.passwords }) });
  });
  await settleServer(deps, input, { event: EVENT, change: {} });
}

async function set(deps: TaskDeps, ctx: StepContext, { server_id, action_id, passwords }: Input): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1 || row.node_id === null) throw conflict('compute.no-node', `Instance ${server_id} is not ready`);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENT, row.host));
  await deps.nodes.call(row.node_id, computeMethods.setPasswords, { server_id, passwords }, { timeout_ms: CALL_MS, signal: ctx.signal });
}
