/** Volumes of a server that lives: what a user may ask, and what nova answers when it cannot be (nova `compute/api.py` attach_volume). */
import type { Kysely } from 'kysely';
import { isoMicros } from '../../../kernel/clock.ts';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, conflict, type Fault, forbidden, isFault, notFound } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { VolumeInfo } from '../../block-storage/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { devicesOf, devicesOfVolume, findDevice, insertDevices, updateDevice } from '../store/block-devices.ts';
import type { BlockDeviceRow, ComputeTables, ServerRow } from '../store/tables.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import { freeDevice, placeOfDevice } from './device-names.ts';
import { checkAction } from './server-state.ts';
import { type Actor, beginTask } from './server-tasks.ts';

export interface AttachVolume {
  volume_id: string;
  /** A device's name or a path to mount it at; undefined: the next free name. */
  device: string | undefined;
  tag: string | undefined;
  delete_on_termination: boolean;
  /** Whether the caller knows of volumes that several servers have. */
  multiattach: boolean;
}

const reader = (deps: Pick<ComputeDeps, 'db'>): Kysely<ComputeTables> => deps.db.read as Kysely<ComputeTables>;

export const invalidVolume = (reason: string): Fault => badRequest('compute.volume-invalid', `Invalid volume: ${reason}`);

/** Who asks, as long work remembers it. */
export const withoutToken = (auth: Auth): Auth => ({ ...auth, token: '' });

/** @throws Fault 404 in nova's words. */
export async function volumeOf(deps: ComputeDeps, auth: Auth, id: string): Promise<VolumeInfo> {
  try {
    return await deps.volumes.getVolume(auth, id);
  } catch (error) {
    if (isFault(error) && error.status === 404) throw notFound('compute.volume-not-found', `Volume ${id} could not be found.`);
    throw error;
  }
}

export function notAttached(server_id: string, volume_id: string): Fault {
  return notFound('compute.volume-not-attached', `Instance ${server_id} is not attached to volume ${volume_id}`);
}

/** @throws Fault 404 */
export async function findAttachment(deps: Pick<ComputeDeps, 'db'>, server_id: string, volume_id: string): Promise<BlockDeviceRow> {
  const device = await findDevice(reader(deps), server_id, volume_id);
  if (device === undefined) throw notAttached(server_id, volume_id);
  return device;
}

/** Answers when the server has it. Faults: 400, 403, 404, 409 in nova's words. */
export async function attachVolume(deps: ComputeDeps, actor: Actor, auth: Auth, row: ServerRow, asked: AttachVolume): Promise<BlockDeviceRow> {
  checkAction('attach_volume', row, actor.is_admin);
  const volume = await volumeOf(deps, auth, asked.volume_id);
  await checkNotAttached(deps, row, volume);
  checkShelved(row, volume, asked);
  if (volume.multiattach && !asked.multiattach) throw oldMicroversion();
  checkNode(row, volume);
  const device = await newDevice(deps, row, volume, asked);
  const task = await beginTask(deps, actor, row, {
    action: 'attach_volume', task_state: row.task_state, recorded: 'attach_volume', kind: 'attach-volume',
    input: { device_id: device.id, auth: withoutToken(auth) },
    also: (tx) => insertDevices(tx, [device]),
  });
  await deps.tasks.ended(task);
  return device;
}

export const oldMicroversion = (): Fault => badRequest('compute.multiattach-version', 'Multiattach volumes are only supported starting with compute API version 2.60.');

async function checkNotAttached(deps: ComputeDeps, row: ServerRow, volume: VolumeInfo): Promise<void> {
  const devices = await devicesOfVolume(reader(deps), volume.id);
  if (devices.length === 0) return;
  if (!volume.multiattach) throw invalidVolume(`volume ${volume.id} is already attached to instances: ${devices.map(({ server_id }) => server_id).join(' ')}`);
  if (devices.some(({ server_id }) => server_id === row.id)) throw invalidVolume(`volume ${volume.id} already attached`);
}

function checkShelved({ vm_state }: ServerRow, volume: VolumeInfo, { tag }: AttachVolume): void {
  if (vm_state !== 'shelved_offloaded') return;
  if (tag !== undefined) throw badRequest('compute.tag-unsupported', 'Tagged volume attachment is not supported for shelved-offloaded instances.');
  if (volume.multiattach) throw badRequest('compute.multiattach-unsupported', 'Attaching multiattach volumes is not supported for shelved-offloaded instances.');
}

/** @throws Fault 400 for a volume that is there on another node only. */
function checkNode({ id, node_id, host }: ServerRow, volume: VolumeInfo): void {
  if (volume.node_id === null || node_id === null || volume.node_id === node_id) return;
  throw invalidVolume(`volume ${volume.id} lies on ${volume.host ?? 'another host'} and is there for servers of that host only; instance ${id} is on ${host}.`);
}

async function newDevice(deps: ComputeDeps, row: ServerRow, volume: VolumeInfo, { device, tag, delete_on_termination }: AttachVolume): Promise<BlockDeviceRow> {
  const others = await devicesOf(reader(deps), row.id);
  if (tag !== undefined && others.some((other) => other.tag === tag)) throw badRequest('compute.tag-in-use', `Invalid input received: Tag ${tag} is already in use.`);
  const place = placeOfDevice(device);
  if (place.mount_path !== null && others.some(({ mount_path }) => mount_path === place.mount_path)) throw deviceInUse(place.mount_path);
  const taken = new Set(['/dev/vda', ...others.map((other) => other.device)]);
  if (place.device !== null && taken.has(place.device)) throw deviceInUse(place.device);
  const name = place.device ?? freeDevice(taken);
  if (name === undefined) throw forbidden('compute.too-many-devices', `The maximum allowed number of disk devices (${taken.size}) to attach to a single instance has been exceeded.`);
  return {
    id: uuid(), server_id: row.id, source_type: 'volume', source_id: null, volume_id: volume.id, attachment_id: null, device: name, mount_path: place.mount_path, boot_index: null,
    tag: tag ?? null, volume_type: null, volume_name: null, volume_size: volume.size, node_id: volume.node_id, delete_on_termination: delete_on_termination ? 1 : 0,
    multiattach: volume.multiattach ? 1 : 0, made: 0, created_at: isoMicros(deps.clock.now()),
  };
}

const deviceInUse = (path: string): Fault => conflict('compute.device-in-use', `The supplied device path (${path}) is in use.`);

/** The server lets go of it afterwards. Faults: 400, 404, 409 in nova's words. */
export async function detachVolume(deps: ComputeDeps, actor: Actor, auth: Auth, row: ServerRow, volume_id: string): Promise<void> {
  const volume = await volumeOf(deps, auth, volume_id);
  const device = await findAttachment(deps, row.id, volume_id);
  if (device.boot_index === 0) throw badRequest('compute.root-volume', 'Cannot detach a root device volume');
  checkAction('detach_volume', row, actor.is_admin);
  if (volume.status !== 'in-use') {
    throw invalidVolume("Invalid input received: Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.");
  }
  if (row.node_id !== null && !deps.nodes.isConnected(row.node_id)) throw conflict('compute.host-down', 'Service is unavailable at this time.');
  await beginTask(deps, actor, row, {
    action: 'detach_volume', task_state: row.task_state, recorded: 'detach_volume', kind: 'detach-volume', input: { device_id: device.id, auth: withoutToken(auth) },
  });
}

/** The properties that are not to be changed may be named as they are. */
export interface AttachmentChange {
  id?: string;
  serverId?: string;
  device?: string | null;
  tag?: string;
  delete_on_termination?: boolean;
}

/** @throws Fault 400, 404 */
export async function changeAttachment(deps: ComputeDeps, device: BlockDeviceRow, change: AttachmentChange): Promise<void> {
  const now: Record<string, unknown> = { id: device.volume_id, serverId: device.server_id, device: device.device, tag: device.tag };
  for (const name of ['id', 'serverId', 'device', 'tag'] as const) {
    if (change[name] !== undefined && change[name] !== now[name]) throw badRequest('compute.attachment-immutable', `The ${name} property is not mutable`);
  }
  const { delete_on_termination } = change;
  if (delete_on_termination === undefined) return;
  await deps.db.transaction((tx) => updateDevice(asTransaction<ComputeTables>(tx), device.id, { delete_on_termination: delete_on_termination ? 1 : 0 }));
}

/** Another volume in its place: block storage does so itself when it moves one. @throws Fault 400, 404, 409 */
export async function swapVolume(deps: ComputeDeps, auth: Auth, old_volume_id: string): Promise<void> {
  await volumeOf(deps, auth, old_volume_id);
  throw conflict('compute.volume-not-migrating', `volume ${old_volume_id} is not migrating; this API should only be called by Cinder`);
}
