/** A deletion that can be taken back: the guest is stopped, and everything is kept until it is restored or reclaimed. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport, type PowerAction } from '../../../agents/compute/protocol.ts';
import { isFault } from '../../../kernel/fault.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput } from '../deps.ts';
import { powerStates } from '../model/server-state.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { settleServer } from './settle.ts';
import { endOtherWork } from './end-other-work.ts';
import { serverResource, taskFault, type TaskDeps } from './task-deps.ts';

const EVENT = 'compute_soft_delete_instance';
const CALL_MS = 60_000;
const ATTEMPTS = 3;

export function softDeleteServerTask(deps: TaskDeps): TaskDefinition<ServerTaskInput> {
  return defineTask<ServerTaskInput>('compute.soft-delete-server')
    .step('end-other-work', { do: (_ctx, input) => endOtherWork(deps, input, EVENT, [serverResource(input.server_id)]) })
    .step('stop', { do: (ctx, { server_id }) => stop(deps, ctx, server_id) })
    .build({
      concurrency: 64,
      onDone: (_ctx, input) => finish(deps, input),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<ServerTaskInput>;
}

async function stop(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row?.node_id == null) return;
  const { node_id } = row;
  const call = async <T>(method: string, params: object): Promise<T> => await deps.nodes.call<T>(node_id, method, { server_id, ...params }, { timeout_ms: CALL_MS, signal: ctx.signal });
  const power = async (action: PowerAction): Promise<GuestReport> => await call(computeMethods.power, { action });
  for (let attempt = 1; ; attempt++) {
    const found = await call<GuestReport | null>(computeMethods.inspect, {});
    try {
      // A frozen guest hears nothing.
      if (found?.power_state === 'paused') await power({ action: 'unpause' });
      if (found?.power_state === 'suspended') await power({ action: 'resume' });
      if (found !== null) await power({ action: 'stop', timeout_seconds: 0 });
      break;
    } catch (error) {
      // What was asked for before the deletion may have come to its end in between.
      if (!isFault(error) || error.code !== 'compute.wrong-state' || attempt === ATTEMPTS) throw error;
    }
  }
  await deps.network.setPlugged(server_id, false);
}

async function finish(deps: TaskDeps, input: ServerTaskInput): Promise<void> {
  const change = { vm_state: 'soft-delete', power_state: powerStates.shutdown };
  await settleServer(deps, input, { event: EVENT, change, guard: { task_state: 'soft-deleting' } });
}

async function giveUp(deps: TaskDeps, input: ServerTaskInput, error: TaskError): Promise<void> {
  const fault = taskFault(error, 'The server could not be deleted', isoMicros(deps.clock.now()));
  await settleServer(deps, input, { event: EVENT, change: { deleted_at: null }, failure: fault.message, guard: { task_state: 'soft-deleting' } });
}
