/** What an agent that was killed while it removed a guest, or made one, has left beside the containers: notes and links of none. */
import type { KeyedLock } from '../../../../kernel/locks.ts';
import { destroyServer } from './destroy.ts';
import type { DriverContext } from './driver-context.ts';
import { findContainer, inspectContainer } from './guests.ts';

/** Looks once at everything there was at its start; what has a container stays. */
export async function removeRemains(ctx: DriverContext, lock: KeyedLock, endOrphans: () => Promise<void>): Promise<void> {
  const noted = new Set([...(await ctx.notes.list()), ...(await ctx.disks.list()), ...(await ctx.drives.list())]);
  const links = await ctx.links.list();
  const prepared = await ctx.views.listPrepared();
  await rememberContainers(ctx, links);
  // First, since it holds disks and volumes.
  await endOrphans();
  for (const id of await ctx.volumes.given()) {
    if ((await inspectContainer(ctx, id)) === undefined) await ctx.volumes.forget(id);
  }
  for (const id of await ctx.views.list()) {
    if ((await inspectContainer(ctx, id)) === undefined) await ctx.views.remove(id);
  }
  for (const server_id of prepared) await lock.run(server_id, () => ctx.views.discard(server_id));
  for (const server_id of noted) await lock.run(server_id, () => forgetGuest(ctx, server_id));
  for (const { container_id, netns } of links) {
    const server_id = netns.startsWith(`/run/netns/${ctx.cloud}-`) ? netns.slice(`/run/netns/${ctx.cloud}-`.length) : undefined;
    if (server_id !== undefined) await lock.run(server_id, () => forgetLink(ctx, container_id));
  }
  await ctx.volumes.closeUnclaimed();
}

/** Those of which there is no note yet. */
async function rememberContainers(ctx: DriverContext, links: readonly { container_id: string; netns: string }[]): Promise<void> {
  const made = new Set((await ctx.made.list()).map(({ id }) => id));
  for (const { container_id: id, netns } of links) {
    if (netns.startsWith(`/run/netns/${ctx.cloud}-`) && !made.has(id)) await ctx.made.add({ id, server_id: netns.slice(`/run/netns/${ctx.cloud}-`.length) });
  }
}

async function forgetGuest(ctx: DriverContext, server_id: string): Promise<void> {
  if ((await findContainer(ctx, server_id)) !== undefined) return;
  await destroyServer(ctx, server_id);
  ctx.log.info({ server_id }, 'what was left of a guest without a container was removed');
}

async function forgetLink(ctx: DriverContext, container_id: string): Promise<void> {
  if ((await inspectContainer(ctx, container_id)) === undefined) await ctx.links.remove(container_id);
}
