/** Passwords of a guest's users, written into its own files from outside: it needs no program for that, and none of its programs is run. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { conflict } from '../../../../kernel/fault.ts';
import type { PasswordHash } from '../../protocol.ts';
import type { DriverContext } from './driver-context.ts';
import { unknownServer, wrongState } from './faults.ts';
import { inspectContainer, needContainer } from './guests.ts';
import { engineCall } from './spawn.ts';

const PROGRAM = join(import.meta.dirname, '../../../../../libexec/set-passwords');
const TIMEOUT_MS = 20_000;

/** @throws Fault 409 in a user's words when the guest has none of the users, or no file for it. */
export async function setPasswords(ctx: DriverContext, serverId: string, passwords: readonly PasswordHash[]): Promise<void> {
  const { Id } = await engineCall('look for the server', () => needContainer(ctx, serverId));
  await write(ctx, serverId, Id, passwords);
}

/** At a server's first start: an image without users is no reason not to run it. */
export async function tryPasswords(ctx: DriverContext, serverId: string, containerId: string, passwords: readonly PasswordHash[]): Promise<void> {
  try {
    await write(ctx, serverId, containerId, passwords);
  } catch (error) {
    ctx.log.info({ err: error, server_id: serverId }, 'a new server has no user for its password');
  }
}

async function write(ctx: DriverContext, serverId: string, containerId: string, passwords: readonly PasswordHash[]): Promise<void> {
  const container = await engineCall('look at the server', () => inspectContainer(ctx, containerId));
  if (container === undefined) throw unknownServer(serverId);
  const { Status, Pid } = container.State;
  if (Status !== 'running' || Pid <= 0) throw wrongState(serverId, 'set the password of', Status);
  const { code, stderr } = await run([`/proc/${Pid}/root`], passwords.map(({ user, hash }) => `${user}:${hash}\n`).join(''));
  if (code !== 0) throw conflict('compute.password-failed', stderr === '' ? 'its file system could not be read' : stderr);
}

async function run(args: string[], input: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(PROGRAM, args, { stdio: ['pipe', 'ignore', 'pipe'], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, 500);
  });
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  return { code, stderr: stderr.trim() };
}
