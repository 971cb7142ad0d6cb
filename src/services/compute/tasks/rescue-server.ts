/** Another guest in a server's place, and the way back. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestReport, type GuestSpec } from '../../../agents/compute/protocol.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { conflict, isFault } from '../../../kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskError } from '../../../kernel/task/define.ts';
import type { ServerTaskInput, ServerTasks } from '../deps.ts';
import { powerStateNumber } from '../model/guest-exit.ts';
import { settingsOf } from '../model/guest-settings.ts';
import { startEvent } from '../model/server-actions.ts';
import { nicsOf } from '../model/server-row.ts';
import { powerStates } from '../model/server-state.ts';
import { findBoot, findServer } from '../store/servers.ts';
import type { ComputeTables, ServerRow } from '../store/tables.ts';
import { guestSpec } from './guest-spec.ts';
import { settleServer } from './settle.ts';
import { taskFault, type TaskDeps } from './task-deps.ts';

type RescueInput = ServerTaskInput & ServerTasks['rescue'];
type UnrescueInput = ServerTaskInput;

const RESCUE_EVENT = 'compute_rescue_instance';
const UNRESCUE_EVENT = 'compute_unrescue_instance';
const UNRESCUE_MS = 180_000;

export function rescueServerTask(deps: TaskDeps): TaskDefinition<RescueInput> {
  return defineTask<RescueInput>('compute.rescue-server')
    .step('rescue', {
      do: (ctx, input) => rescue(deps, ctx, input),
      undo: (ctx, { server_id, was_running }) => unlessGone(async () => void (await leave(deps, ctx, server_id, was_running))),
    })
    .build({
      concurrency: 16,
      onDone: (_ctx, input, done) => settleServer(deps, input, { event: RESCUE_EVENT, change: { vm_state: 'rescued', power_state: powerStateNumber(done.rescue.power_state) } }),
      onFailed: (_ctx, input, error) => giveUp(deps, input, RESCUE_EVENT, error),
    }) as TaskDefinition<RescueInput>;
}

export function unrescueServerTask(deps: TaskDeps): TaskDefinition<UnrescueInput> {
  return defineTask<UnrescueInput>('compute.unrescue-server')
    .step('unrescue', {
      async do(ctx, { server_id, action_id }) {
        const row = await serverOnNode(deps, server_id);
        await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, action_id, UNRESCUE_EVENT, row.host));
        return await leave(deps, ctx, server_id, true);
      },
    })
    .build({
      concurrency: 16,
      onDone: (_ctx, input, done) => finishUnrescue(deps, input, done.unrescue),
      onFailed: (_ctx, input, error) => giveUp(deps, input, UNRESCUE_EVENT, error),
    }) as TaskDefinition<UnrescueInput>;
}

async function serverOnNode(deps: TaskDeps, server_id: string): Promise<ServerRow & { node_id: string }> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined || row.deleted === 1 || row.node_id === null) throw conflict('compute.no-node', `Instance ${server_id} is not ready`);
  return { ...row, node_id: row.node_id };
}

async function rescue(deps: TaskDeps, ctx: StepContext, input: RescueInput): Promise<GuestReport> {
  const row = await serverOnNode(deps, input.server_id);
  await deps.db.transaction((tx) => startEvent(asTransaction<ComputeTables>(tx), deps.clock, input.action_id, RESCUE_EVENT, row.host));
  const spec = await rescueSpec(deps, row, input);
  const report = await deps.nodes.call<GuestReport>(row.node_id, computeMethods.rescue, { spec }, { timeout_ms: deps.config.boot_timeout * 1000, signal: ctx.signal });
  await deps.network.setPlugged(row.id, true);
  return report;
}

/** The server's own but for its image, what that runs, and the password. */
async function rescueSpec(deps: TaskDeps, row: ServerRow, { action_id, image, passwords, shell }: RescueInput): Promise<GuestSpec> {
  const boot = await findBoot(deps.db.read as Kysely<ComputeTables>, row.id);
  if (boot === undefined) throw conflict('compute.server-lost', `It is not known any more how instance ${row.id} was made.`);
  const settings = { ...settingsOf(boot), passwords, options: { restart: { name: 'no' as const, most: 0 }, ...(shell ? { entrypoint: ['/bin/sh'], tty: true } : {}) } };
  const other = { ...boot, image_json: JSON.stringify(image), files_json: '[]', environment_json: '{}', command_json: shell ? '[]' : 'null', guest_json: JSON.stringify(settings) };
  return { ...guestSpec(row, other, { nics: nicsOf(row), volumes: [], network: await deps.network.sliceFor(row.id) }, deps.config), incarnation: action_id };
}

async function leave(deps: TaskDeps, ctx: StepContext, server_id: string, start: boolean): Promise<GuestReport> {
  const row = await serverOnNode(deps, server_id);
  const how = { start, network: await deps.network.sliceFor(row.id) };
  return await deps.nodes.call<GuestReport>(row.node_id, computeMethods.unrescue, { server_id, how }, { timeout_ms: UNRESCUE_MS, signal: ctx.signal });
}

/** Of a server that is not there any more nothing is left to be undone. */
async function unlessGone(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isFault(error) || !['compute.server-unknown', 'compute.no-node'].includes(error.code)) throw error;
  }
}

async function finishUnrescue(deps: TaskDeps, input: UnrescueInput, report: GuestReport): Promise<void> {
  const running = report.power_state === 'running';
  const change = { vm_state: running ? 'active' : 'stopped', power_state: running ? powerStates.running : powerStateNumber(report.power_state), fault_json: null };
  await settleServer(deps, input, { event: UNRESCUE_EVENT, change });
}

/** The server is as it was, and idle: it can be asked again. */
async function giveUp(deps: TaskDeps, input: ServerTaskInput, event: string, error: TaskError): Promise<void> {
  const fault = taskFault(error, 'The server could not be rescued', isoMicros(deps.clock.now()));
  await settleServer(deps, input, { event, change: {}, failure: fault.message });
}
