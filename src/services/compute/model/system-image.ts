/** Images that were made from a disk: whether one can be booted yet, and who logs in to it. Pure. */
import type { LoginUser, SystemGuest } from '../../../agents/compute/protocol.ts';
import { badRequest, conflict } from '../../../kernel/fault.ts';
import type { ImageInfo, ImageSystem } from '../../image/client.ts';

/** What a boot has to know of it. */
export interface BootSystem extends SystemGuest {
  has_cloud_init: boolean;
}

const ROOT: LoginUser = { name: 'root', uid: 0, gid: 0, home: '/root' };

/** Users that distributions' cloud images log in by; most are named after the distribution. */
const USUAL: Readonly<Record<string, readonly string[]>> = { centos: ['cloud-user', 'centos'], rhel: ['cloud-user', 'ec2-user'], amzn: ['ec2-user'], opensuse: ['opensuse'], 'opensuse-leap': ['opensuse'] };

export const isDiskImage = (image: Pick<ImageInfo, 'container_format'>): boolean => image.container_format === 'bare';

/**
 * The digest by which nodes know the container form.
 * @throws Fault 409 while it is being made, 400 when it cannot be.
 */
export function containerForm({ id, conversion, manifest_digest, disk_format }: ImageInfo): string {
  if (conversion?.state === 'done' && manifest_digest !== null) return manifest_digest;
  if (conversion === null) {
    throw unacceptable(id, `its data are no disk image that a server could boot: qcow2 or raw (disk_format is "${disk_format ?? 'unset'}") with ext4, xfs or btrfs on it.`);
  }
  const message = conversion.message ?? '';
  if (conversion.state === 'failed') throw unacceptable(id, message);
  const how = conversion.state === 'waiting' ? 'waits to be made' : 'is being made';
  throw conflict('compute.image-converting', `Image ${id} cannot be booted yet: its container form ${how}${message === '' ? '' : ` (${message.replace(/\.$/, '')})`}. Try again later.`);
}

/** @throws Fault 400 when the image names a user that it does not have. */
export function bootSystem({ id, system, properties }: Pick<ImageInfo, 'id' | 'properties'> & { system: ImageSystem }): BootSystem {
  return { init: system.init, user: loginUser(id, system, properties['os_admin_user']), has_cloud_init: system.has_cloud_init };
}

function loginUser(id: string, { os_id, users }: ImageSystem, wanted: string | undefined): LoginUser {
  const named = (name: string): LoginUser | undefined => users.find((user) => user.name === name);
  if (wanted !== undefined && wanted !== '') {
    const user = named(wanted);
    if (user === undefined) throw unacceptable(id, `its property os_admin_user names "${wanted}", but the system on it has no such user.`);
    return user;
  }
  const usual = [...(USUAL[os_id] ?? []), os_id].map(named).find((user) => user !== undefined);
  return usual ?? named('root') ?? ROOT;
}

/** A docker image that says of itself that it boots like a machine: property `docker:system`. Its user is looked up on the node. */
export function declaredSystem({ id, properties }: Pick<ImageInfo, 'id' | 'properties'>): BootSystem | undefined {
  const init = properties['docker:system'];
  if (init === undefined || init === '' || init === 'false') return undefined;
  if (init !== 'systemd' && init !== 'busybox' && init !== 'other') throw unacceptable(id, `its property docker:system must be "systemd", "busybox" or "other" (any init that ends on SIGTERM), not "${init}".`);
  return { init, user: ROOT, has_cloud_init: false };
}

export function unacceptable(id: string, reason: string): Error {
  return badRequest('compute.image-unacceptable', `Image ${id} is unacceptable: ${reason}`, { type: 'ImageUnacceptable' });
}
