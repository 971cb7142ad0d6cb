/**
 * The volumes of guests. The note on a guest says which it has, and is written before anything is done; what is open and mounted is
 * asked of the kernel. So each call can be repeated wherever an earlier one was cut off.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, notImplemented } from '../../../../kernel/fault.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import type { VolumeDriver } from '../../../volume/protocol.ts';
import type { AttachedVolume, GuestVolume } from '../../protocol.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect } from './engine-types.ts';
import { unknownServer } from './faults.ts';
import { findContainer, inspectContainer, needContainer } from './guests.ts';
import { growInside, mountInside, plugDevice, umountInside, unplugDevice, usersOf, type Inside } from './guest-volume.ts';
import { readyFileSystem, roomFor } from './volume-filesystem.ts';
import { checkVolume, runtimeList, viewWith, type OpenVolume } from './volume-plan.ts';

/** What the node's volumes are opened with, and where the runtime looks for those of a container. */
export interface Volumes {
  open(volume: GuestVolume): Promise<OpenVolume>;
  /** Unless another guest has it. */
  close(volume_id: string): Promise<void>;
  /** Those that are open though no guest has them: left by an agent that was killed. */
  closeUnclaimed(): Promise<void>;
  give(containerId: string, volumes: readonly OpenVolume[]): Promise<void>;
  forget(containerId: string): Promise<void>;
  /** Containers of this cloud that were given some. */
  given(): Promise<string[]>;
}

export interface VolumesOptions {
  driver: Pick<VolumeDriver, 'open' | 'close' | 'list'> | undefined;
  /** Where the runtime looks, whatever the cloud. */
  dir: string;
  cloud: string;
  /** Volumes that guests have, by their notes. */
  claimed: () => Promise<string[]>;
}

export function createVolumes({ driver, dir, cloud, claimed }: VolumesOptions): Volumes {
  const lock = createKeyedLock();
  const need = (): NonNullable<typeof driver> => {
    if (driver === undefined) throw notImplemented('compute.volumes-unsupported', 'This node has no volumes: it takes the role volume as well.');
    return driver;
  };
  return {
    open: (volume) =>
      lock.run(volume.volume_id, async () => {
        // Others may write what this guest only reads.
        const device = await need().open(volume.volume_id, { read_only: volume.read_only && !volume.multiattach });
        return { volume, device, type: volume.mount_path === null ? null : await readyFileSystem(device, volume.read_only) };
      }),
    close: (volume_id) =>
      lock.run(volume_id, async () => {
        if (driver !== undefined && !(await claimed()).includes(volume_id)) await driver.close(volume_id);
      }),
    async closeUnclaimed() {
      if (driver === undefined) return;
      const open = (await driver.list()).filter((one) => one.open);
      for (const { volume_id } of open) await this.close(volume_id);
    },
    async give(containerId, volumes) {
      if (volumes.length === 0) return await rm(join(dir, containerId), { force: true });
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, `.${containerId}`), `cloud ${cloud}\n${runtimeList(volumes)}`, { mode: 0o600 });
      await rename(join(dir, `.${containerId}`), join(dir, containerId));
    },
    forget: (containerId) => rm(join(dir, containerId), { force: true }),
    async given() {
      const names = (await readdir(dir).catch(() => [])).filter((name) => !name.startsWith('.'));
      const lists = await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8').catch(() => '')));
      return names.filter((_, at) => lists[at]!.startsWith(`cloud ${cloud}\n`));
    },
  };
}

/** Before every start of a container: its volumes are open, and the runtime puts them in before the first process. */
export async function volumesReady(ctx: DriverContext, serverId: string, containerId: string): Promise<void> {
  const { volumes = [], view } = await ctx.notes.read(serverId);
  const opened: OpenVolume[] = [];
  for (const volume of volumes) opened.push(await ctx.volumes.open(volume));
  await ctx.volumes.give(containerId, opened);
  if (view !== undefined && volumes.length > 0) await ctx.notes.update(serverId, { view: viewWith(view, opened) });
}

/** What a guest that is made has from now on; those that it had before are its no more. */
export async function noteVolumes(ctx: DriverContext, serverId: string, volumes: GuestVolume[]): Promise<void> {
  const { volumes: before = [] } = await ctx.notes.read(serverId);
  await ctx.notes.update(serverId, { volumes });
  for (const { volume_id } of before) await ctx.volumes.close(volume_id);
}

/** After its containers are gone. */
export async function releaseVolumes(ctx: DriverContext, serverId: string): Promise<void> {
  if (((await ctx.notes.read(serverId)).volumes ?? []).length > 0) await noteVolumes(ctx, serverId, []);
}

export async function attachVolume(ctx: DriverContext, serverId: string, volume: GuestVolume): Promise<AttachedVolume> {
  checkVolume(volume);
  const container = await containerOf(ctx, serverId);
  const others = await othersOf(ctx, serverId, volume);
  await ctx.notes.update(serverId, { volumes: [...others, volume] });
  try {
    const opened = await ctx.volumes.open(volume);
    const inside = insideOf(container);
    if (inside !== undefined) await putInside(ctx, inside, opened);
    await show(ctx, serverId, container.Id);
    return { device: volume.device, mounted: inside !== undefined && volume.mount_path !== null };
  } catch (error) {
    await ctx.notes.update(serverId, { volumes: others });
    await ctx.volumes.close(volume.volume_id).catch((left: unknown) => ctx.log.warn({ err: left, volume_id: volume.volume_id }, 'a volume that could not be attached stays open'));
    throw error;
  }
}

async function putInside(ctx: DriverContext, inside: Inside, opened: OpenVolume): Promise<void> {
  await plugDevice(inside, opened);
  try {
    await mountInside(inside, opened);
  } catch (error) {
    await unplugDevice(inside, opened.volume, opened.device).catch((left: unknown) => ctx.log.warn({ err: left }, 'a device could not be taken back'));
    throw error;
  }
}

/** The volumes that the guest has besides. @throws Fault 409 when one of them is where this one is to be */
async function othersOf(ctx: DriverContext, serverId: string, volume: GuestVolume): Promise<GuestVolume[]> {
  const { volumes = [] } = await ctx.notes.read(serverId);
  const others = volumes.filter(({ volume_id }) => volume_id !== volume.volume_id);
  const old = volumes.find(({ volume_id }) => volume_id === volume.volume_id);
  if (old !== undefined && (old.device !== volume.device || old.mount_path !== volume.mount_path || old.read_only !== volume.read_only)) {
    throw conflict('compute.volume-attached', `The server has the volume already, as ${old.device}.`);
  }
  if (others.some(({ device }) => device === volume.device)) throw conflict('compute.device-taken', `The server has another volume as ${volume.device}.`);
  if (volume.mount_path !== null && others.some(({ mount_path }) => mount_path === volume.mount_path)) throw conflict('compute.device-taken', `The server has another volume at ${volume.mount_path}.`);
  return others;
}

export async function detachVolume(ctx: DriverContext, serverId: string, volumeId: string, force: boolean): Promise<void> {
  const { volumes = [] } = await ctx.notes.read(serverId);
  const volume = volumes.find(({ volume_id }) => volume_id === volumeId);
  if (volume === undefined) return;
  // A container that somebody has removed holds nothing back.
  const found = await findContainer(ctx, serverId);
  const container = found === undefined ? undefined : await inspectContainer(ctx, found.Id);
  const inside = container === undefined ? undefined : insideOf(container);
  // Opened also to learn which device it is.
  if (inside !== undefined) await takeOut(inside, { ...(await ctx.volumes.open({ ...volume, mount_path: null })), volume }, force);
  await ctx.notes.update(serverId, { volumes: volumes.filter((one) => one !== volume) });
  await ctx.volumes.close(volumeId);
  if (container !== undefined) await show(ctx, serverId, container.Id);
}

/** No more of it can be opened first; then whoever has it open is looked for. */
async function takeOut(inside: Inside, { volume, device, type }: OpenVolume, force: boolean): Promise<void> {
  await unplugDevice(inside, volume, device);
  const busy = (await usersOf(inside, device, force)).length > 0 && !force;
  if (!busy && (await umountInside(inside, volume, device, force))) return;
  await plugDevice(inside, { volume, device, type });
  throw conflict('compute.device-busy', `The volume is in use in the server, as ${volume.mount_path ?? volume.device}.`);
}

/** In bytes it is larger already: the guest is told, and what the node has mounted grows. */
export async function volumeExtended(ctx: DriverContext, serverId: string, volumeId: string): Promise<void> {
  const volume = ((await ctx.notes.read(serverId)).volumes ?? []).find(({ volume_id }) => volume_id === volumeId);
  if (volume === undefined) return;
  const container = await containerOf(ctx, serverId);
  const { device } = await ctx.volumes.open({ ...volume, mount_path: null });
  const inside = insideOf(container);
  if (inside !== undefined && volume.mount_path !== null && !volume.read_only) await growMounted(ctx, inside, { volume, device });
  await show(ctx, serverId, container.Id);
}

/** Where the kernel does not let it grow under its users, it is mounted anew; if they use it just now, it grows at the next start. */
async function growMounted(ctx: DriverContext, inside: Inside, { volume, device }: Pick<OpenVolume, 'volume' | 'device'>): Promise<void> {
  const blocks = await roomFor(device);
  if (blocks === undefined) return;
  try {
    await growInside(inside, volume, device, blocks);
  } catch (error) {
    const free = await umountInside(inside, volume, device, false);
    if (free) await mountInside(inside, await ctx.volumes.open(volume));
    else ctx.log.warn({ err: error, volume_id: volume.volume_id }, 'a file system that is in use cannot grow: it will when the server is started again');
  }
}

/** After a change of limits: engines write the rules for devices anew. */
export async function volumesAgain(ctx: DriverContext, serverId: string, container: ContainerInspect): Promise<void> {
  const inside = insideOf(container);
  if (inside === undefined) return;
  for (const volume of (await ctx.notes.read(serverId)).volumes ?? []) await plugDevice(inside, await ctx.volumes.open({ ...volume, mount_path: null }));
}

async function show(ctx: DriverContext, serverId: string, containerId: string): Promise<void> {
  const { volumes = [], view } = await ctx.notes.read(serverId);
  const opened: OpenVolume[] = [];
  for (const volume of volumes) opened.push(await ctx.volumes.open({ ...volume, mount_path: null }));
  if (view === undefined) return;
  const wanted = viewWith(view, opened);
  await ctx.notes.update(serverId, { view: wanted });
  await ctx.views.change(containerId, wanted);
}

async function containerOf(ctx: DriverContext, serverId: string): Promise<ContainerInspect> {
  const found = await needContainer(ctx, serverId);
  const container = await inspectContainer(ctx, found.Id);
  if (container === undefined) throw unknownServer(serverId);
  return container;
}

function insideOf({ Id, State }: ContainerInspect): Inside | undefined {
  return State.Pid > 0 && (State.Status === 'running' || State.Status === 'paused') ? { id: Id, pid: State.Pid } : undefined;
}
