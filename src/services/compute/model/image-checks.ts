import type { Transaction } from 'kysely';
import type { Auth } from '../../../kernel/context.ts';
import { badRequest, forbidden, isFault } from '../../../kernel/fault.ts';
import type { ImageRef } from '../../../agents/compute/protocol.ts';
import type { ImageInfo } from '../../image/client.ts';
import type { ComputeDeps } from '../deps.ts';
import type { ServerBootRow } from '../store/tables.ts';
import type { FlavorSnapshot } from './flavors.ts';
import { type BootSystem, bootSystem, containerForm, declaredSystem, isDiskImage, unacceptable } from './system-image.ts';

const GiB = 1024 ** 3;

/** What a boot is told of its image; `system`: it came as a disk; `admin_user`: who logs in, beside root, as the image says; `origin`: what images that are made of the server inherit. */
export type BootImage = ImageRef & { system?: BootSystem; admin_user?: string; origin?: ImageOrigin };

/** What images that are made of a server have from the image that it was made of, and from who made it. */
export interface ImageOrigin {
  /** The image's own, and what nova adds: base_image_ref, boot_roles … */
  properties: Record<string, string>;
  /** MiB and GiB. */
  min_ram: number;
  min_disk: number;
}

/** Pure. */
export function originOf(image: Pick<ImageInfo, 'id' | 'properties' | 'min_ram' | 'min_disk'>, auth: Pick<Auth, 'roles' | 'user_name' | 'project_name'>): ImageOrigin {
  const made = { base_image_ref: image.id, boot_roles: auth.roles.join(','), owner_user_name: auth.user_name, owner_project_name: auth.project_name ?? '' };
  return { properties: { ...image.properties, ...made }, min_ram: image.min_ram, min_disk: image.min_disk };
}

/** The image of a new server. @throws Fault 400 in nova's words when the caller has no such image. */
export async function imageForServer(deps: ComputeDeps, auth: Auth, id: string): Promise<ImageInfo> {
  return await inWords(deps.image.getImage(auth, id));
}

/** What a node is told of the image of a server that is there. Pure. */
export function imageRefFor(boot: Pick<ServerBootRow, 'image_json'>): ImageRef {
  const { id, digest, size, container_format, disk_format } = JSON.parse(boot.image_json) as BootImage;
  return { id, digest, size, container_format, disk_format };
}

/** In the transaction that makes a server of it: its layers stay for as long as the server does. @throws Fault 400 when it was deleted meanwhile. */
export async function holdImage(deps: Pick<ComputeDeps, 'image'>, tx: Transaction<any>, server_id: string, id: string): Promise<void> {
  await inWords(deps.image.snapshots.hold(tx, server_id, id));
}

async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.status === 404) throw badRequest('compute.image-not-found', 'Can not find requested image', { type: 'ImageNotFound' });
    throw error;
  }
}

/** What a node is told of the image. Pure. @throws Fault 400 when no server can run it, 409 when none can yet. */
export function imageRefOf(image: ImageInfo): BootImage {
  if (image.status !== 'active') throw badRequest('compute.image-not-active', `Image ${image.id} is not active.`, { type: 'ImageNotActive' });
  if (image.container_format !== 'docker' && !isDiskImage(image)) {
    const found = image.container_format ?? 'unset';
    throw unacceptable(image.id, `servers are containers here: its container_format must be "docker" (made by "docker save") or "bare" (a disk), not "${found}".`);
  }
  const form = isDiskImage(image) ? containerForm(image) : undefined;
  // what was just pushed is known by its manifest first
  const digest = form ?? image.digest ?? image.manifest_digest;
  if (digest === null || image.size === null) throw unacceptable(image.id, 'it has no data.');
  const { id, size } = image;
  const system = image.system === null ? declaredSystem(image) : bootSystem({ ...image, system: image.system });
  const admin_user = image.properties['os_admin_user'];
  return { id, digest, size, container_format: image.container_format ?? 'docker', disk_format: image.disk_format ?? 'raw', ...(system && { system }), ...(admin_user && { admin_user }) };
}

/**
 * Whether a server of this flavor can run this image. Pure.
 * @param zeroDisk whether the caller may use a flavor without a disk limit.
 * @throws Fault 400, 403
 */
export function checkImage(image: ImageInfo, flavor: Pick<FlavorSnapshot, 'ram_mb' | 'disk_gb'>, zeroDisk: boolean): BootImage {
  const ref = imageRefOf(image);
  checkFlavorFits(image, flavor);
  if (flavor.disk_gb === 0 && !zeroDisk) {
    throw forbidden('compute.flavor-zero-disk', 'Only volume-backed servers are allowed for flavors with zero disk.', {
      type: 'BootFromVolumeRequiredForZeroDiskFlavor',
    });
  }
  return ref;
}

/** The same for a server whose disk is a volume: of the flavor's disk it needs nothing. Pure. @throws Fault 400 */
export function checkImageOnVolume(image: ImageInfo, { ram_mb }: Pick<FlavorSnapshot, 'ram_mb'>): BootImage {
  const ref = imageRefOf(image);
  checkFlavorFits(image, { ram_mb, disk_gb: 0 });
  return ref;
}

/** Whether a flavor is large enough for an image, whatever state that is in. Pure. @throws Fault 400 */
export function checkFlavorFits(image: ImageInfo, { ram_mb, disk_gb }: Pick<FlavorSnapshot, 'ram_mb' | 'disk_gb'>): void {
  if (ram_mb < image.min_ram) throw badRequest('compute.flavor-memory', "Flavor's memory is too small for requested image.", { type: 'FlavorMemoryTooSmall' });
  if (disk_gb > 0) checkDisk(image, disk_gb);
}

function checkDisk(image: ImageInfo, disk_gb: number): void {
  const disk = disk_gb * GiB;
  if ((image.size ?? 0) > disk) {
    const message = `Flavor's disk is too small for requested image. Flavor disk is ${disk} bytes, image is ${image.size} bytes.`;
    throw badRequest('compute.flavor-disk', message, { type: 'FlavorDiskSmallerThanImage' });
  }
  if (image.min_disk * GiB > disk) {
    const message =
      "Flavor's disk is smaller than the minimum size specified in image metadata. " +
      `Flavor disk is ${disk} bytes, minimum size is ${image.min_disk * GiB} bytes.`;
    throw badRequest('compute.flavor-disk', message, { type: 'FlavorDiskSmallerThanMinDisk' });
  }
}
