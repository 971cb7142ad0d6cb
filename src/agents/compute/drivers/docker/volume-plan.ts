/** What a guest's volumes come to: names, what the runtime gives to the container, what the guest is shown. Pure. */
import { badRequest } from '../../../../kernel/fault.ts';
import { isUuid } from '../../../../kernel/ids.ts';
import type { LocalDevice } from '../../../volume/protocol.ts';
import type { GuestVolume } from '../../protocol.ts';
import type { GuestView } from './views.ts';

/** A volume that is open on this node. */
export interface OpenVolume {
  volume: GuestVolume;
  device: LocalDevice;
  /** Of its file system, when it is to be mounted. */
  type: string | null;
}

const LINKS = '/dev/disk/by-id';
const NODE_MODE = 0o660;
/** Folders that are the kernel's, or the engine's. */
const NOT_THERE = /^\/(proc|sys|dev)(\/|$)/;

/** @throws Fault 400 on what cannot be in a guest. */
export function checkVolume({ volume_id, device, mount_path }: GuestVolume): void {
  if (!isUuid(volume_id)) throw badRequest('compute.volume-invalid', 'An id of a volume is a UUID.');
  if (!/^\/dev\/[a-z]{2,8}\d{0,3}$/.test(device)) throw badRequest('compute.device-invalid', `Not a name for a device of a server: ${JSON.stringify(device)}.`);
  if (mount_path === null) return;
  const usual = /^(\/[^/\p{Cc}]+)+$/u.test(mount_path) && mount_path.length < 1024 && !/\/\.\.?(\/|$)/.test(mount_path);
  if (!usual || NOT_THERE.test(mount_path)) throw badRequest('compute.mount-path-invalid', `A volume cannot be mounted at ${JSON.stringify(mount_path)}.`);
}

export const linkOf = ({ volume_id }: GuestVolume): string => `${LINKS}/virtio-${volume_id.slice(0, 20)}`;

const accessOf = ({ read_only }: GuestVolume): string => (read_only ? 'r' : 'rw');

/** Of the file system's own; that no device file and no setuid program counts is the mount's, always. A journal is not replayed on what may not be written. */
export function mountFlags({ volume, type }: OpenVolume): string[] {
  if (!volume.read_only) return ['noatime'];
  return type === 'xfs' ? ['ro', 'norecovery'] : ['ro', 'noload'];
}

/** For the runtime: see `libexec/gantry-runc`. */
export function runtimeList(volumes: readonly OpenVolume[]): string {
  const devices = volumes.map(({ volume, device: { major, minor } }) => ({ path: volume.device, type: 'b', major, minor, fileMode: NODE_MODE, uid: 0, gid: 0 }));
  const rules = volumes.map(({ volume, device: { major, minor } }) => ({ allow: true, type: 'b', major, minor, access: accessOf(volume) }));
  const mounts = volumes.flatMap((one) => (one.volume.mount_path === null || one.type === null ? [] : [{ destination: one.volume.mount_path, type: one.type, source: one.device.path, options: ['nosuid', 'nodev', ...mountFlags(one)] }]));
  return Object.entries({ devices, rules, mounts }).flatMap(([name, list]) => (list.length === 0 ? [] : [`${name} ${list.map((one) => JSON.stringify(one)).join(',')}\n`])).join('');
}

/** The disks that a guest sees: those of its machine, and these volumes. */
export function viewWith(view: GuestView, volumes: readonly OpenVolume[]): GuestView {
  const without = viewWithout(view);
  const disks = volumes.map(({ volume, device }) => ({ name: nameOf(volume), major: device.major, minor: device.minor, bytes: device.size_bytes, read_only: volume.read_only, removable: false }));
  const names = new Set(disks.map(({ name }) => name));
  return {
    machine: { ...without.machine, disks: [...without.machine.disks.filter(({ name }) => !names.has(name)), ...disks] },
    links: [...without.links, ...volumes.map(({ volume }): [string, string] => [linkOf(volume), `../../${nameOf(volume)}`])],
  };
}

/** By their links, since that is what volumes have and nothing else has. */
function viewWithout({ machine, links }: GuestView): GuestView {
  const ours = links.filter(([path]) => path.startsWith(`${LINKS}/virtio-`));
  const names = new Set(ours.map(([, target]) => target.replace('../../', '')));
  return { machine: { ...machine, disks: machine.disks.filter(({ name }) => !names.has(name)) }, links: links.filter((one) => !ours.includes(one)) };
}

const nameOf = ({ device }: GuestVolume): string => device.replace('/dev/', '');
