/** Volumes that come with a new server: whether they can be had, and what its image is when it boots from one. */
import { badRequest, type Fault, isFault } from '../../../kernel/fault.ts';
import type { Auth } from '../../../kernel/context.ts';
import type { Kysely } from 'kysely';
import { uuid } from '../../../kernel/ids.ts';
import type { HostResources } from '../../../agents/compute/protocol.ts';
import type { VolumeInfo } from '../../block-storage/client.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { ComputeDeps } from '../deps.ts';
import { devicesOfVolume } from '../store/block-devices.ts';
import { listNodes } from '../store/nodes.ts';
import type { BlockDeviceRow, ComputeTables } from '../store/tables.ts';
import type { WantedVolume } from './block-device-mapping.ts';
import { invalidVolume, oldMicroversion, volumeOf } from './volumes.ts';

/** A volume that is there, or null: it is still to be made. */
export type PlannedVolume = WantedVolume & { volume: VolumeInfo | null };

interface Asked {
  volumes: readonly WantedVolume[];
  max_count: number;
  /** Whether the caller knows of volumes that several servers have. */
  multiattach: boolean;
}

/** Faults: 400 in nova's words. */
export async function planVolumes(deps: ComputeDeps, auth: Auth, { volumes, max_count, multiattach }: Asked): Promise<PlannedVolume[]> {
  if (max_count > 1 && volumes.some(({ source_type }) => source_type === 'volume')) throw badRequest('compute.volume-shared', 'Cannot attach one or more volumes to multiple instances');
  const planned: PlannedVolume[] = [];
  for (const wanted of volumes) {
    if (wanted.source_type === 'image') await imageOf(deps, auth, wanted.source_id!);
    planned.push({ ...wanted, volume: wanted.source_type === 'volume' ? await availableVolume(deps, auth, wanted.source_id!, multiattach) : null });
  }
  return planned;
}

async function availableVolume(deps: ComputeDeps, auth: Auth, id: string, multiattach: boolean): Promise<VolumeInfo> {
  let volume: VolumeInfo;
  try {
    volume = await volumeOf(deps, auth, id);
  } catch (error) {
    if (isFault(error) && error.status === 404) throw badRequest('compute.mapping-invalid', `Block Device Mapping is Invalid: failed to get volume ${id}.`);
    throw error;
  }
  if (volume.multiattach && !multiattach) throw oldMicroversion();
  const others = await devicesOfVolume(deps.db.read as Kysely<ComputeTables>, id);
  if (others.length > 0 && !volume.multiattach) throw invalidVolume(`volume ${id} is already attached to instances: ${others.map(({ server_id }) => server_id).join(' ')}`);
  if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use')) throw invalidVolume(`volume '${id}' status must be 'available'. Currently in '${volume.status}'`);
  return volume;
}

async function imageOf(deps: ComputeDeps, auth: Auth, id: string): Promise<ImageInfo> {
  try {
    return await deps.image.getImage(auth, id);
  } catch (error) {
    if (isFault(error) && error.status === 404) throw badRequest('compute.mapping-invalid', `Block Device Mapping is Invalid: failed to get image ${id}.`);
    throw error;
  }
}

const notBootable = (id: string, why: string): Fault => badRequest('compute.volume-not-bootable', `Block Device ${id} is not bootable.${why}`);

/**
 * What a server runs that boots from a volume: the image that the volume was made of. Undefined: it does not.
 * @throws Fault 400 when that is not known, or no node can boot from volumes.
 */
export async function imageOfRoot(deps: ComputeDeps, auth: Auth, volumes: readonly PlannedVolume[]): Promise<ImageInfo | undefined> {
  const root = volumes.find(({ boot_index }) => boot_index === 0);
  if (root === undefined) return undefined;
  await checkNodesCan(deps);
  if (root.source_type === 'image') return await imageOf(deps, auth, root.source_id!);
  const { volume } = root;
  if (volume === null) throw notBootable(root.source_id ?? 'blank', ' A server here boots from a volume that was made of an image: make one of the snapshot first.');
  const image_id = volume.image_metadata['image_id'];
  if (!volume.bootable) throw notBootable(volume.id, '');
  if (image_id === undefined) throw notBootable(volume.id, ' It is not known of which image it was made.');
  return await imageOf(deps, auth, image_id);
}

async function checkNodesCan(deps: ComputeDeps): Promise<void> {
  const nodes = await listNodes(deps.db.read as Kysely<ComputeTables>);
  if (nodes.some(({ resources_json }) => (JSON.parse(resources_json) as HostResources).boots_volumes === true)) return;
  throw badRequest('compute.boot-volume-unsupported', 'Block Device Mapping is Invalid: no host here can boot a server from a volume. Boot it from the image, and attach the volume to it.');
}

/** @param at keeps the order. Pure. */
export function newDevices(server_id: string, volumes: readonly PlannedVolume[], at: string): BlockDeviceRow[] {
  return volumes.map(({ volume, ...wanted }) => ({
    id: uuid(), server_id, source_type: wanted.source_type, source_id: wanted.source_type === 'volume' ? null : wanted.source_id, volume_id: volume?.id ?? uuid(), attachment_id: null,
    device: wanted.device, mount_path: wanted.mount_path, boot_index: wanted.boot_index, tag: wanted.tag, volume_type: wanted.volume_type, volume_name: volume === null ? '' : volume.name,
    volume_size: wanted.size ?? volume?.size ?? 0, node_id: volume?.node_id ?? null, delete_on_termination: wanted.delete_on_termination ? 1 : 0, multiattach: volume?.multiattach === true ? 1 : 0,
    made: 0, created_at: at,
  }));
}
