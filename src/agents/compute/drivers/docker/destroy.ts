import type { DriverContext } from './driver-context.ts';
import { EngineError, isEngineStatus } from './engine-error.ts';
import { toFault } from './faults.ts';
import { releaseVolumes } from './volumes.ts';
import { findContainers, isRescue } from './guests.ts';

const REMOVE_MS = 120_000;

/** Container, its anonymous volumes, link, cables and notes. What is not there is no error. */
export async function destroyServer(ctx: DriverContext, serverId: string): Promise<void> {
  await removeGuest(ctx, serverId);
  await releaseVolumes(ctx, serverId);
  await ctx.network.unplug(serverId);
  await ctx.notes.remove(serverId);
}

/** Container and disk; cables and notes stay for the next one. */
export async function removeGuest(ctx: DriverContext, serverId: string): Promise<void> {
  try {
    await leaveRescue(ctx, serverId);
    for (const one of await findContainers(ctx, serverId)) await removeContainer(ctx, one.Id);
  } catch (error) {
    throw toFault(error, 'compute.destroy-failed', 'remove the server');
  }
  await ctx.views.discard(serverId);
  await ctx.disks.remove(serverId);
  await ctx.drives.remove(serverId);
}

/** The guest in a server's place goes, and what it saw of the server. */
export async function leaveRescue(ctx: DriverContext, serverId: string): Promise<void> {
  for (const one of (await findContainers(ctx, serverId)).filter(isRescue)) await removeContainer(ctx, one.Id);
  await ctx.oldRoots.remove(serverId);
  await ctx.disks.remove(rescueDisk(serverId));
}

/** The name of its disk. */
export const rescueDisk = (serverId: string): string => `${serverId}.rescue`;

export async function removeContainer(ctx: DriverContext, id: string): Promise<void> {
  try {
    await ctx.engine.json('DELETE', `/containers/${id}`, { query: { force: 1, v: 1 }, timeout_ms: REMOVE_MS });
  } catch (error) {
    if (isEngineStatus(error, 409) && /already in progress/.test(error.message)) await removed(ctx, id);
    else if (!isEngineStatus(error, 404)) throw toFault(error, 'compute.destroy-failed', 'remove the server');
  }
  await ctx.links.remove(id);
  await ctx.views.remove(id);
  await ctx.volumes.forget(id);
}

/** Somebody else's removal is under way: wait for its end. */
async function removed(ctx: DriverContext, id: string): Promise<void> {
  try {
    await ctx.engine.json('POST', `/containers/${id}/wait`, { query: { condition: 'removed' }, timeout_ms: REMOVE_MS });
  } catch (error) {
    if (!(error instanceof EngineError) || error.status !== 404) throw error;
  }
}

/** Ahead of the queue, so that a deletion does not wait for a slow stop. */
export async function killServer(ctx: DriverContext, serverId: string): Promise<void> {
  for (const one of await findContainers(ctx, serverId)) {
    if (one.State !== 'running') continue;
    await ctx.engine.json('POST', `/containers/${one.Id}/kill`).catch((error: unknown) => {
      if (!isEngineStatus(error, 404) && !isEngineStatus(error, 409)) throw error;
    });
  }
}
