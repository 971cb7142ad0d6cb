/** Volumes inside of a container that runs, by `libexec/gantry-volume`. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { conflict, Fault, notImplemented } from '../../../../kernel/fault.ts';
import type { LocalDevice } from '../../../volume/protocol.ts';
import type { GuestVolume } from '../../protocol.ts';
import { linkOf, mountFlags, type OpenVolume } from './volume-plan.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../../../../libexec/gantry-volume');
const TIMEOUT_MS = 60_000;
const IN_USE = 16;

/** A container that runs: its id, and its first process. */
export interface Inside {
  id: string;
  pid: number;
}

async function call(verb: string, { id, pid }: Inside, ...args: (string | number)[]): Promise<string> {
  const { stdout } = await run(PROGRAM, [verb, id, String(pid), ...args.map(String)], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, timeout: TIMEOUT_MS });
  return stdout;
}

const numbers = ({ major, minor }: LocalDevice): [number, number] => [major, minor];

/** Its device node and its link. @throws Fault 409 when the guest has something of that name, 501 where a device alone cannot be given to a guest that runs */
export async function plugDevice(inside: Inside, { volume, device }: OpenVolume): Promise<void> {
  const said = await call('plug', inside, volume.device, ...numbers(device), linkOf(volume), volume.read_only ? 'r' : 'rw').catch((cause: unknown) => {
    throw conflict('compute.attach-failed', `The device ${volume.device} could not be made in the server.`, { cause });
  });
  if (!said.includes('closed') || volume.mount_path !== null) return;
  await unplugDevice(inside, volume, device);
  throw notImplemented('compute.attach-unsupported', 'This node cannot give a device to a server that runs: give the volume a path to be mounted at, or stop the server first.');
}

export async function unplugDevice(inside: Inside, volume: GuestVolume, device: LocalDevice): Promise<void> {
  await call('unplug', inside, volume.device, ...numbers(device), linkOf(volume)).catch((cause: unknown) => {
    throw new Fault(500, 'compute.detach-failed', `The device ${volume.device} could not be taken from the server.`, { cause });
  });
}

export async function mountInside(inside: Inside, one: OpenVolume): Promise<void> {
  const { volume, device, type } = one;
  if (volume.mount_path === null || type === null) return;
  await call('mount', inside, device.path, type, volume.mount_path, mountFlags(one).join(',')).catch((cause: unknown) => {
    throw conflict('compute.mount-failed', `The volume could not be mounted at ${volume.mount_path} in the server.`, { cause });
  });
}

/** @returns false when it is in use there. */
export async function umountInside(inside: Inside, { mount_path }: GuestVolume, device: LocalDevice, force: boolean): Promise<boolean> {
  if (mount_path === null) return true;
  try {
    await call('umount', inside, ...numbers(device), mount_path, force ? 'yes' : 'no');
    return true;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === IN_USE) return false;
    throw new Fault(500, 'compute.detach-failed', `The volume could not be unmounted from ${mount_path} in the server.`, { cause });
  }
}

/** Processes of the container that have the device open, or its file system. */
export async function usersOf(inside: Inside, device: LocalDevice, kill: boolean): Promise<number[]> {
  const said = await call('users', inside, ...numbers(device), ...(kill ? ['kill'] : []));
  return said.split('\n').filter((line) => line !== '').map(Number);
}

/** @param blocks of the file system's own size */
export async function growInside(inside: Inside, { mount_path }: GuestVolume, device: LocalDevice, blocks: number): Promise<void> {
  if (mount_path !== null) await call('grow', inside, ...numbers(device), mount_path, blocks);
}
