/** How a server knows its volumes. Pure. */
import { badRequest } from '../../../kernel/fault.ts';

export interface DevicePlace {
  device: string | null;
  mount_path: string | null;
}

/** `vdb` and `/dev/sdb` are both `/dev/vdb`: there is one kind of disks. Another path is where the file system is mounted. @throws Fault 400 */
export function placeOfDevice(asked: string | null | undefined): DevicePlace {
  if (asked === null || asked === undefined || asked === '') return { device: null, mount_path: null };
  const name = /^(?:\/dev\/)?(?:x?[a-z]?d)([a-z]{1,2})\d*$/.exec(asked)?.[1];
  if (name !== undefined) return { device: `/dev/vd${name}`, mount_path: null };
  if (!isMountPath(asked)) throw badRequest('compute.device-invalid', `The supplied device path (${asked}) is invalid.`);
  return { device: null, mount_path: asked };
}

/** Where a file system may be mounted: nowhere that the node itself puts something. */
const NOT_BELOW = /^\/(dev|proc|sys|run)(\/|$)/;

function isMountPath(path: string): boolean {
  if (!/^\/[a-zA-Z0-9._/-]+$/.test(path) || path.endsWith('/') || path.includes('//') || NOT_BELOW.test(path)) return false;
  return !path.split('/').some((part) => part === '.' || part === '..');
}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];

/** The first name that nobody has; undefined: there are too many. */
export function freeDevice(taken: ReadonlySet<string>): string | undefined {
  return LETTERS.map((letter) => `/dev/vd${letter}`).find((name) => !taken.has(name));
}
