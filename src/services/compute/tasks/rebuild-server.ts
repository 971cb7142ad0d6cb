/** A server made anew: its image is brought to the node while the old guest still runs, which then gives its place, cables and addresses to the new one. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport, type ImageFetch } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { endedBadly, exitFault, exitMessage, powerStateNumber } from '../model/guest-exit.ts';
import { imageRefFor } from '../model/image-checks.ts';
import { startEvent } from '../model/server-actions.ts';
import { findBoot } from '../store/servers.ts';
import type { ComputeTables, ServerBootRow, ServerRow } from '../store/tables.ts';
import { serverOnNode, showTask } from './capture-steps.ts';
import { powerOff } from './power-off.ts';
import { settleServer } from './settle.ts';
import { spawnOn } from './spawn-on.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

export type RebuildInput = ServerTaskInput & ServerTasks['rebuild'];

const EVENT = 'compute_rebuild_instance';

export function rebuildServerTask(deps: TaskDeps): TaskDefinition<RebuildInput> {
  return defineTask<RebuildInput>('compute.rebuild-server')
    .step('fetch', { do: (ctx, input) => fetch(deps, ctx, input) })
    .step('stop', { do: (ctx, { server_id }) => powerOff(deps, ctx, server_id) })
    .step('replace', { do: (ctx, input) => replace(deps, ctx, input) })
    .step('stop-again', {
      async do(ctx, { server_id, stopped }, done) {
        if (!stopped) return done.replace;
        return (await powerOff(deps, ctx, server_id)) ?? done.replace;
      },
    })
    .build({
      concurrency: 64,
      onDone: (_ctx, input, done) => finish(deps, input, done['stop-again']),
      onFailed: (_ctx, input, error) => giveUp(deps, input, error),
    }) as TaskDefinition<RebuildInput>;
}

async function load(deps: TaskDeps, server_id: string): Promise<{ row: ServerRow & { node_id: string }; boot: ServerBootRow }> {
  const row = await serverOnNode(deps, server_id);
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, server_id);
  if (boot === undefined) throw conflict('compute.server-deleted', `Instance ${server_id} was deleted meanwhile.`);
  return { row, boot };
}

/** What cannot be loaded is found out before the old guest is gone. */
async function fetch(deps: TaskDeps, ctx: StepContext, { server_id, action_id }: RebuildInput): Promise<void> {
  const { row, boot } = await load(deps, server_id);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, EVENT, row.host));
  await deps.nodes.call<ImageFetch>(row.node_id, computeMethods.prefetch, { image: imageRefFor(boot) }, { timeout_ms: deps.config.boot_timeout * 1000, signal: ctx.signal });
}

async function replace(deps: TaskDeps, ctx: StepContext, { server_id, action_id }: RebuildInput): Promise<GuestReport> {
  const { row, boot } = await load(deps, server_id);
  await showTask(deps, server_id, 'rebuild_spawning');
  return await spawnOn(deps, ctx, row, boot, { incarnation: action_id });
}

async function finish(deps: TaskDeps, input: RebuildInput, report: GuestReport): Promise<void> {
  const now = isoMicros(deps.clock.now());
  const bad = !input.stopped && endedBadly(report);
  const change = {
    vm_state: bad ? 'error' : report.power_state === 'running' ? 'active' : 'stopped',
    power_state: powerStateNumber(report.power_state),
    launched_at: now,
    fault_json: bad ? JSON.stringify(exitFault(report, now)) : null,
  };
  await settleServer(deps, input, { event: EVENT, change, failure: bad ? exitMessage(report) : undefined });
}

/** It can be rebuilt again, or deleted. */
async function giveUp(deps: TaskDeps, input: RebuildInput, error: TaskError): Promise<void> {
  const fault = taskFault(error, 'The server could not be rebuilt', isoMicros(deps.clock.now()));
  await settleServer(deps, input, { event: EVENT, change: { vm_state: 'error', fault_json: JSON.stringify(fault) }, failure: fault.message });
}
