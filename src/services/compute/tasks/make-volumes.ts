/** Volumes that come with a new server: those that are not there yet are made, and all are reserved for it. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import type { NewVolume } from '../../block-storage/client.ts';
import { devicesOf, updateDevice } from '../store/block-devices.ts';
import { findServer } from '../store/servers.ts';
import type { BlockDeviceRow, ComputeTables, ServerRow } from '../store/tables.ts';
import { authOf, connectVolume, releaseVolume, reserveVolume, unlessGone } from './guest-volumes.ts';
import type { TaskDeps } from './task-deps.ts';

export async function makeVolumes(deps: TaskDeps, ctx: StepContext, row: ServerRow): Promise<void> {
  const auth = authOf(row);
  for (const device of await devicesOf(deps.db.read as Kysely<ComputeTables>, row.id)) {
    if (device.source_type !== 'volume') await make(deps, ctx, row, device);
    await connectVolume(deps, row, await reserveVolume(deps, auth, device));
  }
}

async function make(deps: TaskDeps, ctx: StepContext, row: ServerRow, device: BlockDeviceRow): Promise<void> {
  await change(deps, device, { made: 1 });
  await deps.volumes.createVolume(authOf(row), newVolume(row, device));
  const { status, size, node_id } = await deps.volumes.whenReady(device.volume_id, ctx.signal);
  if (status === 'error') throw new Fault(500, 'compute.volume-not-made', `Build of instance ${row.id} aborted: Volume ${device.volume_id} could not be made: its status is error.`);
  await change(deps, device, { volume_size: size, node_id });
}

function newVolume({ node_id }: ServerRow, { volume_id: id, source_type, source_id, volume_size: size, volume_type, volume_name }: BlockDeviceRow): NewVolume {
  const source = source_type === 'image' ? { image_id: source_id! } : source_type === 'snapshot' ? { snapshot_id: source_id! } : {};
  return { id, size, name: volume_name ?? '', volume_type, node_id: node_id!, ...source };
}

async function change(deps: TaskDeps, { id }: BlockDeviceRow, to: Partial<Omit<BlockDeviceRow, 'id' | 'server_id'>>): Promise<void> {
  await deps.db.transaction((tx) => updateDevice(asTransaction<ComputeTables>(tx), id, to));
}

export async function unmakeVolumes(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<void> {
  const row = await findServer(deps.db.read as Kysely<ComputeTables>, server_id);
  if (row === undefined) return;
  for (const device of await devicesOf(deps.db.read as Kysely<ComputeTables>, server_id)) {
    await releaseVolume(deps, authOf(row), device);
    if (device.made === 1) await unmake(deps, row, device);
    await change(deps, device, { attachment_id: null, ...(device.made === 1 ? { made: 0, node_id: null } : {}) });
    ctx.log.info({ server_id, volume_id: device.volume_id }, 'a server that could not be made let go of a volume');
  }
}

async function unmake(deps: TaskDeps, row: ServerRow, { volume_id }: BlockDeviceRow): Promise<void> {
  if ((await unlessGone(deps.volumes.whenReady(volume_id, new AbortController().signal))) === undefined) return;
  await unlessGone(deps.volumes.deleteVolume(authOf(row), volume_id));
}
