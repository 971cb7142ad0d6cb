import type { GuestLimits, GuestReport } from '../../protocol.ts';
import { limitsConfig } from './container-config.ts';
import type { DriverContext } from './driver-context.ts';
import { unknownServer } from './faults.ts';
import { guestView } from './guest-view.ts';
import { inspectContainer, needContainer, reportContainer } from './guests.ts';
import { engineCall } from './spawn.ts';

const UPDATE_MS = 60_000;

/** Other limits for a container that goes on: its processes notice nothing but the room that they have. */
export async function resizeServer(ctx: DriverContext, serverId: string, limits: GuestLimits): Promise<GuestReport> {
  const found = await engineCall('look for the server', () => needContainer(ctx, serverId));
  const container = await engineCall('look at the server', () => inspectContainer(ctx, found.Id));
  if (container === undefined) throw unknownServer(serverId);
  const call = { body: limitsConfig(limits), timeout_ms: UPDATE_MS };
  await engineCall('change the size of the server', () => ctx.engine.json('POST', `/containers/${found.Id}/update`, call), 'compute.resize-failed');
  await ctx.disks.resize(serverId, container, limits.disk_gb);
  const view = guestView({ limits });
  await ctx.notes.update(serverId, { view });
  await ctx.views.change(found.Id, view);
  const report = await engineCall('look at the server', () => reportContainer(ctx, serverId, found.Id));
  if (report === undefined) throw unknownServer(serverId);
  return report;
}
