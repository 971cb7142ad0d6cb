/** From a specification to a running container: the cable before the process, and nothing left behind on failure. */
import { conflict, isFault } from '../../../../kernel/fault.ts';
import type { GuestReport, GuestSpec, ImageFetch, MovedLayer } from '../../protocol.ts';
import { containerConfig, containerName, INCARNATION_LABEL } from './container-config.ts';
import { destroyServer, removeContainer, removeGuest } from './destroy.ts';
import type { DriverContext } from './driver-context.ts';
import { isEngineStatus } from './engine-error.ts';
import { toFault } from './faults.ts';
import { engineDisk } from './engine-disk.ts';
import { findContainer, inspectContainer, reportContainer } from './guests.ts';
import { firstBoot, runUserData } from './first-boot.ts';
import { checkFiles } from './inject.ts';
import { guestView } from './guest-view.ts';
import { receiveLayer } from './move-layer.ts';
import { tryPasswords } from './passwords.ts';
import { checkVolume } from './volume-plan.ts';
import { noteVolumes, volumesReady } from './volumes.ts';

const CREATE_MS = 120_000;
const START_MS = 120_000;

/** Idempotent by server id: a container that has ever run is adopted as it is, but for one of another incarnation, which is replaced. */
export async function spawnServer(ctx: DriverContext, spec: GuestSpec): Promise<GuestReport> {
  checkFiles(spec.files);
  spec.volumes?.forEach(checkVolume);
  const disk = spec.of_flavor?.disk_rates === undefined ? undefined : await engineDisk(ctx);
  // What no container can have is refused before anything is made.
  containerConfig(spec, ctx.cloud, disk);
  const existing = await adopt(ctx, spec);
  if (existing !== undefined) return existing;
  try {
    return await build(ctx, spec, disk);
  } catch (error) {
    await undo(ctx, spec);
    throw error;
  }
}

async function adopt(ctx: DriverContext, { server_id: serverId, incarnation }: GuestSpec): Promise<GuestReport | undefined> {
  const found = await engineCall('look for the server', () => findContainer(ctx, serverId));
  if (found === undefined) return undefined;
  if (incarnation !== undefined && found.Labels[INCARNATION_LABEL] !== incarnation) {
    await removeGuest(ctx, serverId);
    return undefined;
  }
  const whole = found.State === 'running' || found.State === 'paused' || found.State === 'exited' || found.State === 'restarting';
  if (whole) return await engineCall('look at the server', () => reportContainer(ctx, serverId, found.Id));
  // Never started: an earlier attempt was cut off, nobody knows how far it came.
  await removeContainer(ctx, found.Id);
  return undefined;
}

async function build(ctx: DriverContext, spec: GuestSpec, disk: string | undefined): Promise<GuestReport> {
  const drive = spec.config_drive === undefined ? undefined : await ctx.drives.prepare(spec.server_id, spec.config_drive);
  const view = guestView(spec, drive);
  await noteVolumes(ctx, spec.server_id, spec.volumes ?? []);
  const [plugged, created, viewed] = await Promise.allSettled([
    ctx.network.plug(spec.server_id, spec.network),
    create(ctx, spec, containerConfig(spec, ctx.cloud, disk, drive)),
    ctx.views.prepare(spec.server_id, view),
    ctx.notes.update(spec.server_id, { network: spec.network, view }),
  ]);
  if (created.status === 'rejected') throw created.reason;
  if (plugged.status === 'rejected') throw networkFault(plugged.reason);
  if (viewed.status === 'rejected') throw conflict('compute.view-failed', 'Could not prepare what the server sees of its machine.', { cause: viewed.reason });
  const { id, script, ...how } = created.value;
  await viewed.value.attach(id);
  await giveVolumes(ctx, spec, id);
  await ctx.links.put(id, plugged.value.netns);
  if (spec.off !== true) await startContainer(ctx, id);
  if (script && spec.off !== true) await runUserData(ctx, id, spec.server_id);
  const report = await engineCall('look at the server', () => reportContainer(ctx, spec.server_id, id));
  if (report?.power_state === 'running' && spec.passwords !== undefined) await tryPasswords(ctx, spec.server_id, id, spec.passwords);
  if (report === undefined) throw conflict('compute.start-failed', 'Could not start the server: its container was removed meanwhile.');
  return { ...report, ...how };
}

/** What the guest is shown has to name them, too. */
async function giveVolumes(ctx: DriverContext, { server_id, volumes = [] }: GuestSpec, containerId: string): Promise<void> {
  if (volumes.length === 0) return;
  await volumesReady(ctx, server_id, containerId);
  await ctx.views.begin(server_id, containerId, (await ctx.notes.read(server_id)).view);
}

interface Created {
  id: string;
  image_fetch?: ImageFetch;
  layer?: MovedLayer;
  /** It carries user data that the node carries out. */
  script: boolean;
}

/** The disk is made while the engine makes the container. */
async function create(ctx: DriverContext, spec: GuestSpec, config: object): Promise<Created> {
  const [disk, made] = await Promise.allSettled([ctx.disks.prepare(spec.server_id, spec.limits.disk_gb), createWithImage(ctx, spec, config)]);
  if (made.status === 'rejected') throw made.reason;
  if (disk.status === 'rejected') throw disk.reason;
  const created = made.value;
  if (disk.value !== undefined || spec.layer !== undefined) {
    const container = await engineCall('look at the server', () => inspectContainer(ctx, created.id));
    if (container === undefined) throw conflict('compute.create-failed', 'Could not create the container: it was removed meanwhile.');
    await disk.value?.attach(container);
    if (spec.layer !== undefined) created.layer = await receiveLayer(ctx, container, spec.layer);
  }
  // What moves here brings its files along.
  if (spec.layer !== undefined) return { ...created, script: false };
  const { files, script } = await engineCall('look into the server', () => firstBoot(ctx, created.id, spec));
  if (files !== undefined) {
    const call = { query: { path: '/' }, bytes: files, timeout_ms: CREATE_MS };
    await engineCall('put files into the server', () => ctx.engine.json('PUT', `/containers/${created.id}/archive`, call), 'compute.inject-failed');
  }
  return { ...created, script };
}

/** Create first, fetch the image only if the engine says that it is missing: the usual start costs one call. */
export async function createWithImage(ctx: DriverContext, spec: GuestSpec, config: object, name = containerName(ctx.cloud, spec.server_id)): Promise<Omit<Created, 'script'>> {
  return await engineCall('create the container', async () => {
    try {
      return { id: await createContainer(ctx, name, config, spec.server_id) };
    } catch (error) {
      if (!isEngineStatus(error, 404)) throw error;
      const image_fetch = await ctx.images.ensure(spec.image);
      return { id: await createContainer(ctx, name, config, spec.server_id), image_fetch };
    }
  }, 'compute.create-failed');
}

async function createContainer(ctx: DriverContext, name: string, config: object, server_id: string): Promise<string> {
  try {
    const reply = await ctx.engine.json<{ Id: string }>('POST', '/containers/create', { query: { name }, body: config, timeout_ms: CREATE_MS });
    await ctx.made.add({ id: reply.Id, server_id });
    return reply.Id;
  } catch (error) {
    if (!isEngineStatus(error, 409)) throw error;
    throw conflict('compute.name-taken', `The container name ${name} is taken by a container that is not this cloud's; it was not touched.`, { cause: error });
  }
}

/** Also for power: the container stays whatever happens. Never sends a body. */
export async function startContainer(ctx: DriverContext, id: string): Promise<void> {
  await engineCall('start the server', () => ctx.engine.json('POST', `/containers/${id}/start`, { timeout_ms: START_MS }), 'compute.start-failed');
}

/** A server whose guest was to be made anew keeps its cables. */
async function undo(ctx: DriverContext, { server_id, incarnation }: GuestSpec): Promise<void> {
  try {
    await (incarnation === undefined ? destroyServer(ctx, server_id) : removeGuest(ctx, server_id));
  } catch (error) {
    ctx.log.error({ err: error, server_id }, 'a failed spawn could not be undone');
  }
}

export async function engineCall<T>(doing: string, call: () => Promise<T>, fallback = 'compute.engine-failed'): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toFault(error, fallback, doing);
  }
}

export function networkFault(error: unknown): Error {
  if (isFault(error)) return error;
  return conflict('compute.network-failed', 'Could not connect the server to its networks.', { cause: error });
}
