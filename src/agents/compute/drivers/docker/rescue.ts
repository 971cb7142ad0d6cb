/** Another guest in a server's place: with its cables and addresses, and with the server's own file system to be looked at and mended. */
import { conflict } from '../../../../kernel/fault.ts';
import type { GuestReport, GuestSpec, Unrescue } from '../../protocol.ts';
import { containerConfig, containerName, INCARNATION_LABEL, RESCUE_LABEL } from './container-config.ts';
import { leaveRescue, rescueDisk } from './destroy.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect } from './engine-types.ts';
import { unknownServer } from './faults.ts';
import { findContainers, inspectContainer, isRescue, reportContainer } from './guests.ts';
import { guestView } from './guest-view.ts';
import { firstBoot } from './first-boot.ts';
import { tryPasswords } from './passwords.ts';
import { post, start, stop } from './power.ts';
import { volumesReady } from './volumes.ts';
import { createWithImage, engineCall, networkFault, startContainer } from './spawn.ts';

/** Where the server's root file system is in the other guest. */
const OLD_ROOT = '/mnt/rescue';
const STOP_SECONDS = 10;
const COPY_MS = 120_000;

export async function rescueServer(ctx: DriverContext, spec: GuestSpec): Promise<GuestReport> {
  const { server_id } = spec;
  const there = (await findContainers(ctx, server_id)).find((one) => isRescue(one) && one.Labels[INCARNATION_LABEL] === spec.incarnation);
  if (there !== undefined && there.State !== 'created') return await needReport(ctx, server_id, there.Id);
  await leaveRescue(ctx, server_id);
  const own = await ownContainer(ctx, server_id);
  await putOut(ctx, server_id, own);
  try {
    await ctx.disks.ready(server_id, own);
    return await run(ctx, spec, await ctx.oldRoots.put(server_id, own));
  } catch (error) {
    await leaveRescue(ctx, server_id);
    throw error;
  }
}

export async function unrescueServer(ctx: DriverContext, serverId: string, how: Unrescue): Promise<GuestReport> {
  await leaveRescue(ctx, serverId);
  const own = await ownContainer(ctx, serverId);
  if (how.start && ['created', 'exited'].includes(own.State.Status)) await start(ctx, serverId, own, how.network);
  return await needReport(ctx, serverId, own.Id);
}

async function run(ctx: DriverContext, spec: GuestSpec, oldRoot: string): Promise<GuestReport> {
  const config = rescueConfig(spec, ctx.cloud, oldRoot);
  const { id, image_fetch } = await createWithImage(ctx, spec, config, `${containerName(ctx.cloud, spec.server_id)}-rescue`);
  const container = await engineCall('look at the server', () => inspectContainer(ctx, id));
  if (container === undefined) throw unknownServer(spec.server_id);
  const disk = await ctx.disks.prepare(rescueDisk(spec.server_id), spec.limits.disk_gb);
  await disk?.attach(container);
  // User data are for the server's own system.
  const { user_data: _own, ...plain } = spec;
  const { files } = await firstBoot(ctx, id, plain);
  if (files !== undefined) await engineCall('put files into the server', () => ctx.engine.json('PUT', `/containers/${id}/archive`, { query: { path: '/' }, bytes: files, timeout_ms: COPY_MS }), 'compute.inject-failed');
  const { netns } = await ctx.network.plug(spec.server_id, spec.network).catch((error: unknown) => {
    throw networkFault(error);
  });
  const view = guestView(spec);
  await (await ctx.views.prepare(spec.server_id, view)).attach(id);
  await ctx.links.put(id, netns);
  await ctx.notes.update(spec.server_id, { network: spec.network });
  await volumesReady(ctx, spec.server_id, id);
  await startContainer(ctx, id);
  const report = await needReport(ctx, spec.server_id, id);
  if (report.power_state !== 'running') throw conflict('compute.rescue-failed', `The image to rescue with ended at once${report.exit_code === null ? '' : ` with code ${report.exit_code}`}: ${report.last_output.trim().split('\n').at(-1) ?? ''}`);
  if (spec.passwords !== undefined) await tryPasswords(ctx, spec.server_id, id, spec.passwords);
  return image_fetch === undefined ? report : { ...report, image_fetch };
}

/** That of any guest, with the server's file system bound into it. */
export function rescueConfig(spec: GuestSpec, cloud: string, oldRoot: string): object {
  const config = containerConfig(spec, cloud) as { Labels: Record<string, string>; HostConfig: object };
  return { ...config, Labels: { ...config.Labels, [RESCUE_LABEL]: 'yes' }, HostConfig: { ...config.HostConfig, Binds: [`${oldRoot}:${OLD_ROOT}`] } };
}

async function ownContainer(ctx: DriverContext, serverId: string): Promise<ContainerInspect> {
  const found = (await engineCall('look for the server', () => findContainers(ctx, serverId))).find((one) => !isRescue(one));
  const container = found === undefined ? undefined : await engineCall('look at the server', () => inspectContainer(ctx, found.Id));
  if (container === undefined) throw unknownServer(serverId);
  return container;
}

async function putOut(ctx: DriverContext, serverId: string, own: ContainerInspect): Promise<void> {
  if (own.State.Status === 'paused') await post(ctx, own.Id, 'unpause');
  if (own.State.Status === 'running' || own.State.Status === 'paused') await stop(ctx, serverId, own, STOP_SECONDS);
}

async function needReport(ctx: DriverContext, serverId: string, id: string): Promise<GuestReport> {
  const report = await engineCall('look at the server', () => reportContainer(ctx, serverId, id));
  if (report === undefined) throw unknownServer(serverId);
  return report;
}
