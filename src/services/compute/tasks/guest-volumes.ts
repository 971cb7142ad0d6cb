/** Volumes of servers, as nodes and block storage are told of them. */
import type { Kysely } from 'kysely';
import { computeMethods, type GuestVolume } from '../../../agents/compute/protocol.ts';
import { asTransaction } from '../../../kernel/db/database.ts';
import type { Auth } from '../../../kernel/context.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import { devicesOf, updateDevice } from '../store/block-devices.ts';
import type { BlockDeviceRow, ComputeTables, ServerRow } from '../store/tables.ts';
import type { TaskDeps } from './task-deps.ts';

const NODE_MS = 120_000;

export type ReservedDevice = BlockDeviceRow & { attachment_id: string };

/** Those that are a server's: block storage has given them to it. */
export async function reservedDevices(deps: Pick<TaskDeps, 'db'>, server_id: string): Promise<ReservedDevice[]> {
  const devices = await devicesOf(deps.db.read as Kysely<ComputeTables>, server_id);
  return devices.filter((device): device is ReservedDevice => device.attachment_id !== null);
}

export const guestVolume = ({ volume_id, attachment_id, device, mount_path, boot_index, multiattach }: ReservedDevice): GuestVolume => ({
  volume_id, attachment_id, device, mount_path, read_only: false, boot_index, multiattach: multiattach === 1,
});

/** Asked for twice, it is reserved once: what an attempt has reserved that was cut off is found again. */
export async function reserveVolume(deps: TaskDeps, auth: Auth, device: BlockDeviceRow): Promise<ReservedDevice> {
  if (device.attachment_id !== null) return { ...device, attachment_id: device.attachment_id };
  const attachment_id = (await attachmentOf(deps, auth, device)) ?? (await deps.volumes.reserve(auth, device.volume_id, device.server_id)).attachment_id;
  await deps.db.transaction((tx) => updateDevice(asTransaction<ComputeTables>(tx), device.id, { attachment_id }));
  return { ...device, attachment_id };
}

async function attachmentOf(deps: TaskDeps, auth: Auth, { volume_id, server_id }: BlockDeviceRow): Promise<string | undefined> {
  return (await deps.volumes.getVolume(auth, volume_id)).attachments.find((one) => one.server_id === server_id)?.id;
}

/** Also what an attempt has reserved that was cut off. A volume that is gone needs no release. */
export async function releaseVolume(deps: TaskDeps, auth: Auth, device: BlockDeviceRow): Promise<void> {
  const attachment_id = device.attachment_id ?? (await unlessGone(attachmentOf(deps, auth, device)));
  if (attachment_id !== undefined) await unlessGone(deps.volumes.release(attachment_id));
}

export async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.status === 404) return undefined;
    throw error;
  }
}

/** Of a server that is gone: they are free again, and those that were to go with it are deleted. */
export async function leaveVolumes(deps: TaskDeps, ctx: StepContext, row: ServerRow): Promise<void> {
  const auth = authOf(row);
  for (const device of await devicesOf(deps.db.read as Kysely<ComputeTables>, row.id)) {
    await releaseVolume(deps, auth, device);
    if (device.delete_on_termination === 0) continue;
    await deps.volumes.deleteVolume(auth, device.volume_id).catch((error: unknown) => {
      if (!isFault(error) || error.status >= 500) throw error;
      if (error.status !== 404) ctx.log.warn({ err: error, volume_id: device.volume_id, server_id: row.id }, 'a volume stays though its server is gone');
    });
  }
}

/** Compute itself, for the owner of a server. */
export function authOf({ user_id, project_id }: Pick<ServerRow, 'user_id' | 'project_id'>): Auth {
  return {
    token: '', user_id, user_name: '', user_domain_id: 'default', user_domain_name: 'Default', project_id, project_name: undefined, project_domain_id: 'default', domain_id: undefined, domain_name: undefined,
    system_scope: undefined, roles: ['member', 'reader'], role_ids: [], is_admin_project: true, expires_at: '9999-12-31T23:59:59.000000Z', application_credential_id: undefined, trust_id: undefined,
  };
}

/** Says to block storage on which node the server has it. */
export async function connectVolume(deps: TaskDeps, row: Pick<ServerRow, 'node_id' | 'host'>, device: ReservedDevice): Promise<void> {
  if (row.node_id === null || row.host === null) return;
  await deps.volumes.connect(device.attachment_id, { node_id: row.node_id, host: row.host, mountpoint: device.device, mode: 'rw' });
}

export async function completeVolumes(deps: TaskDeps, server_id: string): Promise<void> {
  for (const { attachment_id } of await reservedDevices(deps, server_id)) await deps.volumes.complete(attachment_id);
}

/** A server that came to another node has its volumes there. */
export async function moveVolumes(deps: TaskDeps, server_id: string, to: Pick<ServerRow, 'node_id' | 'host'>): Promise<void> {
  for (const device of await reservedDevices(deps, server_id)) await connectVolume(deps, to, device);
  await completeVolumes(deps, server_id);
}

/** @returns false when there is no guest to have it: the next one is made with it. */
export async function attachToGuest(deps: TaskDeps, ctx: StepContext, row: ServerRow, device: ReservedDevice): Promise<boolean> {
  if (row.node_id === null) return false;
  return await withGuest(deps.nodes.call(row.node_id, computeMethods.attachVolume, { server_id: row.id, volume: guestVolume(device) }, { timeout_ms: NODE_MS, signal: ctx.signal }));
}

/** @throws Fault 409 `compute.device-busy` while the guest uses it. */
export async function detachFromGuest(deps: TaskDeps, ctx: StepContext, row: ServerRow, volume_id: string, force: boolean): Promise<boolean> {
  if (row.node_id === null) return false;
  return await withGuest(deps.nodes.call(row.node_id, computeMethods.detachVolume, { server_id: row.id, volume_id, force }, { timeout_ms: NODE_MS, signal: ctx.signal }));
}

async function withGuest(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isFault(error) && error.code === 'compute.server-unknown') return false;
    throw error;
  }
}
