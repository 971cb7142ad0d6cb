/** A server on the shelf leaves its node: its guest goes, and what it took there is free; its ports wait for it, bound to no host. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput } from '../deps.ts';
import { startEvent } from '../model/server-actions.ts';
import { findServer } from '../store/servers.ts';
import { findShelved } from '../store/shelved-servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { leaveNode } from './leave-node.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

const EVENT = 'compute_shelve_offload_instance';

export function offloadServerTask(deps: TaskDeps): TaskDefinition<ServerTaskInput> {
  return defineTask<ServerTaskInput>('compute.offload-server')
    .step('check', { do: (_ctx, input) => check(deps, input) })
    .step('destroy', { do: (ctx, { server_id }) => destroy(deps, ctx, server_id) })
    .step('release', {
      async do(_ctx, { server_id }) {
        await deps.network.unbindNics(server_id);
        await deps.placement.release(server_id);
      },
    })
    .build({
      concurrency: 32,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<ServerTaskInput>;
}

async function load(deps: TaskDeps, server_id: string): Promise<ServerRow | undefined> {
  return await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
}

/** Nothing is destroyed that is not in an image. */
async function check(deps: TaskDeps, { server_id, action_id }: ServerTaskInput): Promise<void> {
  const row = await load(deps, server_id);
  const shelved = await findShelved(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1 || shelved === undefined) throw conflict('compute.not-shelved', `Instance ${server_id} is not on the shelf any more.`);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENT, row.host));
}

async function destroy(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await load(deps, server_id);
  if (row?.node_id != null) await leaveNode(deps, ctx.log, row.node_id, server_id);
}

async function finish(deps: TaskDeps, input: ServerTaskInput): Promise<void> {
  const zone = (await load(deps, input.server_id))?.pinned_zone ?? null;
  await settleServer(deps, input, { event: EVENT, change: { vm_state: 'shelved_offloaded', node_id: null, host: null, zone } });
}

/** It is on the shelf as before: taken off its node again, or unshelved, from its guest or else from its image. */
async function giveUp(deps: TaskDeps, input: ServerTaskInput, error: TaskError): Promise<void> {
  await settleServer(deps, input, { event: EVENT, change: {}, failure: taskFault(error, 'The server could not be taken off its node', '').message });
}
