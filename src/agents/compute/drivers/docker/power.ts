import { conflict } from '../../../../kernel/fault.ts';
import type { NodeNetworkState } from '../../../network/protocol.ts';
import type { GuestReport, PowerAction } from '../../protocol.ts';
import type { DriverContext } from './driver-context.ts';
import { leaveRescue } from './destroy.ts';
import { unknownServer, wrongState } from './faults.ts';
import type { ContainerInspect } from './engine-types.ts';
import { findContainer, inspectContainer, isSuspended, needContainer, reportContainer } from './guests.ts';
import { isPending } from './restart-plan.ts';
import { releaseMemory } from './release-memory.ts';
import { engineCall, networkFault, startContainer } from './spawn.ts';
import { volumesReady } from './volumes.ts';
import { isRebooting, isSystem } from './system-guest.ts';

const CALL_MS = 120_000;

/** Carries the action out on a container that stays, whatever happens. Asked for what is already so, it does nothing. */
export async function powerServer(ctx: DriverContext, serverId: string, action: PowerAction): Promise<GuestReport> {
  // By force it is the server itself that comes up, whatever ran in its place.
  if (action.action === 'reboot' && action.hard) await leaveRescue(ctx, serverId);
  const found = await engineCall('look for the server', () => needContainer(ctx, serverId));
  const container = await engineCall('look at the server', () => inspectContainer(ctx, found.Id));
  if (container === undefined) throw unknownServer(serverId);
  await act(ctx, serverId, container, action);
  const report = await engineCall('look at the server', () => reportContainer(ctx, serverId, container.Id));
  if (report === undefined) throw unknownServer(serverId);
  return report;
}

async function act(ctx: DriverContext, serverId: string, container: ContainerInspect, action: PowerAction): Promise<void> {
  const state = container.State.Status;
  const is = (...states: string[]): boolean => states.includes(state);
  switch (action.action) {
    case 'start':
      if (is('running')) return;
      if (!is('created', 'exited')) throw wrongState(serverId, 'start', state);
      await beginAnew(ctx, serverId);
      return await start(ctx, serverId, container, action.network);
    case 'stop':
      if (is('exited', 'created')) return await ctx.notes.update(serverId, { stopped_run: container.State.StartedAt });
      if (!is('running')) throw wrongState(serverId, 'stop', state);
      return await stop(ctx, serverId, container, action.timeout_seconds);
    case 'pause':
    case 'suspend':
      return await freeze(ctx, serverId, container, action.action);
    case 'unpause':
    case 'resume':
      return await thaw(ctx, serverId, container, action);
    case 'reboot':
      return await reboot(ctx, serverId, container, action);
  }
}

export async function start(ctx: DriverContext, serverId: string, container: ContainerInspect, network?: NodeNetworkState): Promise<void> {
  await ctx.disks.ready(serverId, container);
  await ctx.drives.ready(serverId);
  await plugAgain(ctx, serverId, container.Id, network);
  await volumesReady(ctx, serverId, container.Id);
  await viewAgain(ctx, serverId, container.Id);
  await startContainer(ctx, container.Id);
}

/** A guest that has ended with the wish to be rebooted, or is to be restarted, runs again; nothing happens to any other. */
export async function startRebooted(ctx: DriverContext, serverId: string): Promise<void> {
  const found = await findContainer(ctx, serverId);
  const container = found === undefined ? undefined : await inspectContainer(ctx, found.Id);
  if (container === undefined) return;
  const note = await ctx.notes.read(serverId);
  const rebooting = isSystem(container.Config.Labels) && isRebooting(container.State, note);
  if (!rebooting && !isPending(container, note)) return;
  try {
    await start(ctx, serverId, container);
    ctx.log.info({ server_id: serverId }, rebooting ? 'a guest rebooted itself' : 'a guest that had ended runs again');
  } catch (error) {
    // It is off then, and whoever starts it learns why.
    await ctx.notes.update(serverId, { stopped_run: container.State.StartedAt });
    ctx.log.error({ err: error, server_id: serverId }, 'a guest that had ended could not be started again');
  }
}

/** Who starts a guest by hand gives it all its restarts again. */
async function beginAnew(ctx: DriverContext, serverId: string): Promise<void> {
  const { restarts } = await ctx.notes.read(serverId);
  if (restarts !== undefined) await ctx.notes.update(serverId, { restarts: { ...restarts, in_a_row: 0 } });
}

/** Suspended is frozen with a note that says so; both stay over restarts of agent and engine. */
async function freeze(ctx: DriverContext, serverId: string, container: ContainerInspect, how: 'pause' | 'suspend'): Promise<void> {
  const { Status, StartedAt, Pid } = container.State;
  const suspended = isSuspended(container.State, await ctx.notes.read(serverId));
  if (Status === 'paused' && suspended === (how === 'suspend')) return;
  if (Status !== 'running' && !(Status === 'paused' && how === 'suspend')) throw wrongState(serverId, how, suspended ? 'suspended' : Status);
  // The note first: whoever hears of the freeze reads there what it is.
  if (how === 'suspend') await ctx.notes.update(serverId, { suspended_run: StartedAt });
  if (Status === 'running') await post(ctx, container.Id, 'pause');
  if (how === 'suspend') await releaseMemory(ctx.log, serverId, Pid);
}

async function thaw(ctx: DriverContext, serverId: string, container: ContainerInspect, how: Extract<PowerAction, { action: 'unpause' | 'resume' }>): Promise<void> {
  const state = container.State.Status;
  if (state === 'running') return;
  if (state === 'exited' && how.action === 'resume') return await start(ctx, serverId, container, how.network);
  if (state !== 'paused') throw wrongState(serverId, how.action, state);
  await ctx.notes.update(serverId, { suspended_run: '' });
  await post(ctx, container.Id, 'unpause');
}

export async function stop(ctx: DriverContext, serverId: string, container: ContainerInspect, seconds: number): Promise<void> {
  await ctx.notes.update(serverId, { stopped_run: container.State.StartedAt });
  const t = Math.max(0, Math.round(seconds));
  await engineCall('stop the server', () => ctx.engine.json('POST', `/containers/${container.Id}/stop`, { query: { t }, timeout_ms: t * 1000 + CALL_MS }), 'compute.stop-failed');
}

/** Soft: the guest is asked and given its time. Hard: killed, from any state. Disk, address and name stay. */
async function reboot(ctx: DriverContext, serverId: string, container: ContainerInspect, how: Extract<PowerAction, { action: 'reboot' }>): Promise<void> {
  const state = container.State.Status;
  if (!how.hard && state !== 'running' && !isPending(container, await ctx.notes.read(serverId))) throw wrongState(serverId, 'soft reboot', state);
  if (!['running', 'paused', 'exited', 'created'].includes(state)) throw wrongState(serverId, 'reboot', state);
  // Its network first: a server that cannot come up again is better left running.
  await ctx.disks.ready(serverId, container);
  await ctx.drives.ready(serverId);
  await plugAgain(ctx, serverId, container.Id, how.network);
  if (state === 'paused') await ctx.notes.update(serverId, { suspended_run: '' });
  if (state === 'paused') await post(ctx, container.Id, 'unpause');
  if (state === 'running' || state === 'paused') await stop(ctx, serverId, container, how.hard ? 0 : how.timeout_seconds);
  await volumesReady(ctx, serverId, container.Id);
  await viewAgain(ctx, serverId, container.Id);
  await startContainer(ctx, container.Id);
}

/** Its machine as if it had just been turned on. */
async function viewAgain(ctx: DriverContext, serverId: string, containerId: string): Promise<void> {
  await ctx.views.begin(serverId, containerId, (await ctx.notes.read(serverId)).view);
}

/** Cables as the controller says, or, when they are gone with a reboot of the host, as they last were. */
async function plugAgain(ctx: DriverContext, serverId: string, containerId: string, network: NodeNetworkState | undefined): Promise<void> {
  if (network === undefined && (await ctx.links.ready(containerId))) return;
  const slice = network ?? (await ctx.notes.read(serverId)).network;
  if (slice === undefined) throw conflict('compute.network-missing', `The network of server ${serverId} is gone from this node and not known any more.`);
  const plugged = await ctx.network.plug(serverId, slice).catch((error: unknown) => {
    throw networkFault(error);
  });
  await ctx.links.put(containerId, plugged.netns);
  if (network !== undefined) await ctx.notes.update(serverId, { network });
}

export async function post(ctx: DriverContext, id: string, verb: 'pause' | 'unpause'): Promise<void> {
  await engineCall(`${verb} the server`, () => ctx.engine.json('POST', `/containers/${id}/${verb}`, { timeout_ms: CALL_MS }), `compute.${verb}-failed`);
}
