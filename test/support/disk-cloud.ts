/** Disk images in a running cloud: uploaded, waited for, logged in to. */
import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../src/cli/api.ts';
import { type Ran, runProgram, within } from './real-cloud.ts';

export interface ImageView {
  id: string;
  status: string;
  virtual_size: number | null;
  gantry_conversion?: string;
  gantry_conversion_message?: string;
}

export async function uploadDisk(session: Session, name: string, path: string, disk_format: 'raw' | 'qcow2', properties: object = {}): Promise<string> {
  const image = await session.call('image', 'POST', '/images', { name, container_format: 'bare', disk_format, ...properties });
  await session.upload('image', `/images/${image.id}/file`, createReadStream(path));
  return image.id;
}

/** Until the conversion is where it is wanted. @throws Error when it fails instead. */
export async function waitConversion(session: Session, id: string, state: string, timeout_ms = 120_000): Promise<ImageView> {
  let seen: ImageView | undefined;
  await within(timeout_ms, `image ${id} is not ${state}`, () => JSON.stringify(seen), async () => {
    seen = await session.call('image', 'GET', `/images/${id}`);
    return seen?.gantry_conversion === state || (seen?.gantry_conversion === 'failed' && state !== 'failed');
  });
  if (seen!.gantry_conversion !== state) throw new Error(`the conversion failed: ${seen!.gantry_conversion_message}`);
  return seen!;
}

export interface Key {
  file: string;
  name: string;
}

/** A new key pair, its public half told to nova. */
export async function makeKey(session: Session, directory: string, name: string): Promise<Key> {
  const file = join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  await session.call('compute', 'POST', '/os-keypairs', { keypair: { name, public_key: readFileSync(`${file}.pub`, 'utf8').trim() } });
  return { file, name };
}

const OPTIONS = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=5', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-F', 'none'];

export function ssh(key: Key, user: string, address: string, command: string): Promise<Ran> {
  return runProgram(['ssh', ...OPTIONS, '-o', 'IdentitiesOnly=yes', '-i', key.file, `${user}@${address}`, command], { timeout_ms: 15_000 });
}

/** As soon as the server lets us in. */
export async function sshWhenUp(key: Key, user: string, address: string, command: string, timeout_ms = 60_000): Promise<Ran> {
  let ran: Ran | undefined;
  await within(timeout_ms, `${user}@${address} does not answer SSH`, () => JSON.stringify(ran), async () => {
    ran = await ssh(key, user, address, command);
    return ran.code !== 255;
  });
  return ran!;
}
