/** Which machine a guest is told that it has. Pure. */
import type { GuestSpec } from '../../protocol.ts';
import type { DriveDevice } from './config-drives.ts';
import type { GuestView } from './views.ts';

const GIB = 1024 ** 3;
/** A major number that Linux leaves to local use: no disk of the host has it, whose mounts programs would tell of. */
const LOCAL = 120;
const LOOP = 7;
/** As a machine's CD drive. */
const DRIVE = 'sr0';

export function guestView({ limits }: Pick<GuestSpec, 'limits'>, drive?: DriveDevice): GuestView {
  const root = { name: 'vda', major: LOCAL, minor: 0, bytes: limits.disk_gb * GIB, read_only: false, removable: false };
  return {
    machine: { vcpus: limits.vcpus, memory_mb: limits.memory_mb, swap_mb: limits.swap_mb, disks: drive === undefined ? [root] : [root, { name: DRIVE, major: LOOP, minor: drive.minor, bytes: drive.bytes, read_only: true, removable: true }] },
    links: drive === undefined ? [] : [['/dev/disk/by-label/config-2', `../../${DRIVE}`]],
  };
}

/** The device and the folder of a config drive, as the engine gives them to a container; the folder is where cloud-init looks as well. */
export function driveConfig(drive: DriveDevice | undefined): object {
  if (drive === undefined) return {};
  return {
    // Programs ask to write first and take no for an answer from the device alone, which is read-only itself.
    Devices: [{ PathOnHost: drive.device, PathInContainer: `/dev/${DRIVE}`, CgroupPermissions: 'rw' }],
    Binds: [`${drive.folder}:${DRIVE_FOLDER}:ro`],
  };
}

const DRIVE_FOLDER = '/var/lib/cloud/seed/config_drive';
