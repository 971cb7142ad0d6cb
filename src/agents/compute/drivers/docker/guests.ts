/** Finding our guests on the engine, by label and never by name, and saying how they are. */
import { isUuid } from '../../../../kernel/ids.ts';
import { badRequest } from '../../../../kernel/fault.ts';
import { mapBounded } from '../../../../kernel/locks.ts';
import type { GuestReport, PowerState } from '../../protocol.ts';
import { CLOUD_LABEL, RESCUE_LABEL, SERVER_LABEL } from './container-config.ts';
import { readConsole } from './console.ts';
import type { DriverContext } from './driver-context.ts';
import { isEngineStatus } from './engine-error.ts';
import type { ContainerInspect, ContainerState, ContainerSummary } from './engine-types.ts';
import type { GuestNote } from './guest-notes.ts';
import { isPending } from './restart-plan.ts';
import { isRebooting, isSystem, systemExitCode } from './system-guest.ts';
import { unknownServer } from './faults.ts';

const LAST_OUTPUT_BYTES = 2048;
const LAST_OUTPUT_LINES = 50;

/** Containers of this cloud, or of one server of it; whatever else runs on the engine stays unseen. */
export async function findContainers(ctx: DriverContext, serverId?: string): Promise<ContainerSummary[]> {
  if (serverId !== undefined && !isUuid(serverId)) throw badRequest('compute.server-id-invalid', 'A server id is a UUID.');
  const wanted = [`${CLOUD_LABEL}=${ctx.cloud}`, serverId === undefined ? SERVER_LABEL : `${SERVER_LABEL}=${serverId}`];
  const query = { all: 1, filters: JSON.stringify({ label: wanted }) };
  const found = await ctx.engine.json<ContainerSummary[]>('GET', '/containers/json', { query });
  return found.filter((one) => one.Labels[CLOUD_LABEL] === ctx.cloud && (serverId === undefined || one.Labels[SERVER_LABEL] === serverId));
}

export async function findContainer(ctx: DriverContext, serverId: string): Promise<ContainerSummary | undefined> {
  const found = await findContainers(ctx, serverId);
  return currentOf(found);
}

/** Of the containers of one server the one that it is now. */
function currentOf(found: readonly ContainerSummary[]): ContainerSummary | undefined {
  return found.find(isRescue) ?? found.find((one) => one.State === 'running' || one.State === 'paused') ?? found[0];
}

export const isRescue = ({ Labels }: Pick<ContainerSummary, 'Labels'>): boolean => (Labels[RESCUE_LABEL] ?? '') !== '';

export async function needContainer(ctx: DriverContext, serverId: string): Promise<ContainerSummary> {
  const found = await findContainer(ctx, serverId);
  if (found === undefined) throw unknownServer(serverId);
  return found;
}

export async function inspectContainer(ctx: DriverContext, id: string): Promise<ContainerInspect | undefined> {
  try {
    return await ctx.engine.json<ContainerInspect>('GET', `/containers/${id}/json`);
  } catch (error) {
    if (isEngineStatus(error, 404)) return undefined;
    throw error;
  }
}

export async function reportContainer(ctx: DriverContext, serverId: string, id: string): Promise<GuestReport | undefined> {
  const container = await inspectContainer(ctx, id);
  return container === undefined ? undefined : await reportOf(ctx, serverId, container);
}

export async function reportServer(ctx: DriverContext, serverId: string): Promise<GuestReport | undefined> {
  const found = await findContainer(ctx, serverId);
  return found === undefined ? undefined : await reportContainer(ctx, serverId, found.Id);
}

export async function reportAll(ctx: DriverContext): Promise<GuestReport[]> {
  const all = Map.groupBy(await findContainers(ctx), (one) => one.Labels[SERVER_LABEL]!);
  const found = [...all.values()].map((ofOne) => currentOf(ofOne)!);
  const reports = await mapBounded(found, 8, (one) => reportContainer(ctx, one.Labels[SERVER_LABEL]!, one.Id));
  return reports.filter((one) => one !== undefined);
}

async function reportOf(ctx: DriverContext, serverId: string, container: ContainerInspect): Promise<GuestReport> {
  const state = container.State;
  const note = await ctx.notes.read(serverId);
  const system = isSystem(container.Config.Labels);
  const shown = isPending(container, note) ? { ...state, Status: 'running' as const } : state;
  const described = system ? describeSystem(shown, note) : describeState(shown, note);
  const report = { server_id: serverId, container_id: container.Id, ...described, last_output: '', ...restartsOf(note), ...(state.Health === undefined ? {} : { health: state.Health.Status }) };
  if (report.power_state === 'crashed') {
    report.last_output = await readConsole(ctx.engine, container.Id, LAST_OUTPUT_LINES, { tty: container.Config.Tty, limit: LAST_OUTPUT_BYTES }).catch(() => '');
    if (report.last_output === '' && state.Error !== '') report.last_output = state.Error.slice(0, LAST_OUTPUT_BYTES);
  }
  return report;
}

function restartsOf({ restarts }: GuestNote): Pick<GuestReport, 'restarts'> {
  if (restarts === undefined) return {};
  const { count, exit_code, oom_killed, ended_at } = restarts;
  return { restarts: { count, exit_code, oom_killed, ended_at } };
}

type Described = Pick<GuestReport, 'power_state' | 'exit_code' | 'oom_killed' | 'started_at' | 'finished_at'>;

/** Docker's state in Nova's words. An exit with a code is a crash unless it was asked for. Pure. */
export function describeState(state: ContainerState, note: GuestNote): Described {
  const ended = state.Status === 'exited' || state.Status === 'dead';
  const oom = state.OOMKilled || (note.oom_run !== undefined && note.oom_run === state.StartedAt);
  const asked = note.stopped_run !== undefined && note.stopped_run === state.StartedAt;
  return {
    power_state: isSuspended(state, note) ? 'suspended' : powerState(state, ended && !asked && (state.ExitCode !== 0 || state.OOMKilled)),
    exit_code: ended ? state.ExitCode : null,
    oom_killed: oom,
    started_at: instant(state.StartedAt),
    finished_at: ended ? instant(state.FinishedAt) : null,
  };
}

/** Frozen by a suspend rather than by a pause. */
export function isSuspended(state: Pick<ContainerState, 'Status' | 'StartedAt'>, note: GuestNote): boolean {
  return state.Status === 'paused' && note.suspended_run === state.StartedAt;
}

/** While it reboots it is as good as running: its machine was not turned off. */
function describeSystem(state: ContainerState, note: GuestNote): Described {
  if (isRebooting(state, note)) return { ...describeState({ ...state, Status: 'running' }, note) };
  return describeState({ ...state, ExitCode: systemExitCode(state.ExitCode) }, note);
}

function powerState(state: ContainerState, crashed: boolean): PowerState {
  if (state.Status === 'running' || state.Status === 'restarting') return 'running';
  if (state.Status === 'paused') return 'paused';
  if (state.Status === 'exited' || state.Status === 'dead') return crashed ? 'crashed' : 'shutdown';
  return state.Status === 'created' ? 'shutdown' : 'nostate';
}

/** Docker writes the year 1 for "never". */
function instant(text: string): string | null {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) || at.getUTCFullYear() < 2000 ? null : at.toISOString();
}
