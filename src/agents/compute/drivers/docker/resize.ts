import { isFault } from '../../../../kernel/fault.ts';
import type { GuestLimits, GuestReport } from '../../protocol.ts';
import { limitsConfig } from './container-config.ts';
import { DISK_IN_USE } from './disks.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect } from './engine-types.ts';
import { unknownServer } from './faults.ts';
import { guestView } from './guest-view.ts';
import { inspectContainer, needContainer, reportContainer } from './guests.ts';
import { powerServer } from './power.ts';
import type { GuestView } from './views.ts';
import { volumesAgain } from './volumes.ts';
import { engineCall } from './spawn.ts';

const UPDATE_MS = 60_000;
const STOP_SECONDS = 60;

/** Other limits for a container that goes on: where the kernel allows it, its processes notice nothing but the room that they have. */
export async function resizeServer(ctx: DriverContext, serverId: string, limits: GuestLimits): Promise<GuestReport> {
  const found = await engineCall('look for the server', () => needContainer(ctx, serverId));
  const container = await engineCall('look at the server', () => inspectContainer(ctx, found.Id));
  if (container === undefined) throw unknownServer(serverId);
  const call = { body: limitsConfig(limits), timeout_ms: UPDATE_MS };
  await engineCall('change the size of the server', () => ctx.engine.json('POST', `/containers/${found.Id}/update`, call), 'compute.resize-failed');
  await resizeDisk(ctx, serverId, container, limits.disk_gb);
  await volumesAgain(ctx, serverId, container);
  const view = resizedView((await ctx.notes.read(serverId)).view, guestView({ limits }));
  await ctx.notes.update(serverId, { view });
  await ctx.views.change(found.Id, view);
  const report = await engineCall('look at the server', () => reportContainer(ctx, serverId, found.Id));
  if (report === undefined) throw unknownServer(serverId);
  return report;
}

/** Its other disks stay. */
function resizedView(old: GuestView | undefined, { machine }: GuestView): GuestView {
  return { machine: { ...machine, disks: [...machine.disks, ...(old?.machine.disks ?? []).filter(({ name }) => machine.disks.every((disk) => disk.name !== name))] }, links: old?.links ?? [] };
}

/** A guest whose disk cannot become larger under it is started anew. */
async function resizeDisk(ctx: DriverContext, serverId: string, container: ContainerInspect, gigabytes: number): Promise<void> {
  try {
    await ctx.disks.resize(serverId, container, gigabytes);
  } catch (error) {
    if (!isFault(error) || error.code !== DISK_IN_USE) throw error;
    ctx.log.warn({ server_id: serverId, err: error.cause }, 'a server is started anew, since its disk cannot be enlarged while it runs');
    await powerServer(ctx, serverId, { action: 'stop', timeout_seconds: STOP_SECONDS });
    try {
      await ctx.disks.resize(serverId, { ...container, State: { ...container.State, Running: false } }, gigabytes);
    } finally {
      await powerServer(ctx, serverId, { action: 'start' });
    }
  }
}
