/** The end of a server: what runs on it is stopped, its guest, cables and claims go, its row says deleted. */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput } from '../deps.ts';
import { endEvent } from '../model/server-actions.ts';
import { LEFT_BEHIND, OPEN } from '../model/server-migrations.ts';
import { powerStates } from '../model/server-state.ts';
import { migrationsOfServer, updateMigration } from '../store/server-migrations.ts';
import { deleteServerParts, findServer, updateServer } from '../store/servers.ts';
import type { ComputeTables, MigrationRow } from '../store/tables.ts';
import { deleteShelved, findShelved } from '../store/shelved-servers.ts';
import { leaveVolumes } from './guest-volumes.ts';
import { leaveNode } from './leave-node.ts';
import { endOtherWork } from './end-other-work.ts';
import { serverResource, shelfOf, softDeletionResource, taskFault, type TaskDeps } from './task-deps.ts';

/** What becomes of its moves: one that was finished counts as confirmed, as in nova. */
const CLOSED_AS: Record<string, string> = { finished: 'confirmed', confirming: 'confirmed', reverting: 'reverted', done: 'completed' };

export const DELETE_EVENT = 'compute_terminate_instance';

export function deleteServerTask(deps: TaskDeps): TaskDefinition<ServerTaskInput> {
  return defineTask<ServerTaskInput>('compute.delete-server')
    .step('end-other-work', { do: (_ctx, input) => endOtherWork(deps, input, DELETE_EVENT, [serverResource(input.server_id), softDeletionResource(input.server_id)]) })
    .step('destroy', { do: (ctx, { server_id }) => destroy(deps, ctx, server_id) })
    .step('release', { do: (ctx, { server_id }) => release(deps, ctx, server_id) })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<ServerTaskInput>;
}

async function destroy(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  const moves = await openMoves(deps, server_id);
  const nodes = [row?.node_id, ...moves.flatMap(({ source_node_id, dest_node_id }) => [source_node_id, dest_node_id])];
  for (const node_id of new Set(nodes)) if (node_id != null) await leaveNode(deps, ctx.log, node_id, server_id);
}

/** A server that was moved and not confirmed yet has guests on two nodes. */
async function openMoves(deps: TaskDeps, server_id: string): Promise<MigrationRow[]> {
  return await migrationsOfServer(deps.db.read as Kysely<ComputeTables>, server_id, [...OPEN, LEFT_BEHIND]);
}

async function release(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row !== undefined) await leaveVolumes(deps, ctx, row);
  await deps.network.releaseNics(server_id);
  await deps.placement.release(server_id);
  for (const { uuid } of await openMoves(deps, server_id)) await deps.placement.release(uuid);
}

async function finish(deps: TaskDeps, { server_id, action_id }: ServerTaskInput): Promise<void> {
  const now = isoMicros(deps.clock.now());
  const shelved = await findShelved(deps.db.read as Kysely<ComputeTables>, server_id);
  if (shelved !== undefined) await deps.image.snapshots.discard(shelved.image_id);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    const gone = { vm_state: 'deleted', task_state: null, power_state: powerStates.nostate, nics_json: '[]', addresses_json: '{}' };
    await updateServer(tx, server_id, { ...gone, terminated_at: now, deleted_at: now, updated_at: now, deleted: 1 });
    await deleteServerParts(tx, server_id);
    await deleteShelved(tx, server_id);
    for (const holder of [server_id, shelfOf(server_id)]) await deps.image.snapshots.release(raw, holder);
    for (const { uuid, status } of await migrationsOfServer(tx, server_id, [...OPEN, LEFT_BEHIND])) {
      await updateMigration(tx, uuid, { status: CLOSED_AS[status] ?? 'error', updated_at: now });
    }
    await endEvent(tx, deps.clock, action_id, DELETE_EVENT);
  });
}

async function giveUp(deps: TaskDeps, { server_id, action_id }: ServerTaskInput, error: TaskError): Promise<void> {
  const now = isoMicros(deps.clock.now());
  const fault = taskFault(error, 'The server could not be deleted', now);
  await deps.db.transaction(async (raw) => {
    const tx = asTransaction<ComputeTables>(raw);
    await updateServer(tx, server_id, { vm_state: 'error', task_state: null, fault_json: JSON.stringify(fault), updated_at: now });
    await endEvent(tx, deps.clock, action_id, DELETE_EVENT, fault.message);
  });
}
