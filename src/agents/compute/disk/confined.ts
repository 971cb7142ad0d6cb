/** Programs that read what strangers made: without network, in namespaces that end with them, and never longer alive than this process. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ConfinedOptions {
  /** Further files, as 3, 4 … */
  files?: number[];
  signal: AbortSignal;
}

export interface Confined {
  stdout: Readable;
  pid: number | undefined;
  /** Exit code and what the program complained of; code undefined: it was killed. @throws Error when it cannot be started. */
  ended: Promise<{ code: number | undefined; stderr: string }>;
}

const MAX_STDERR = 4096;
/** The mounts, and with them the loop devices, go when the last of these processes does. */
const WRAP = ['setpriv', '--pdeathsig', 'KILL', '--', 'unshare', '--mount', '--propagation', 'private', '--net', '--ipc', '--pid', '--fork', '--kill-child=KILL', '--'];

export function runConfined(command: readonly string[], { files = [], signal }: ConfinedOptions): Confined {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...files];
  const [program, ...args] = [...WRAP, ...command];
  const child = spawn(program!, args, { stdio, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, signal, killSignal: 'SIGKILL' });
  return { stdout: child.stdout!, pid: child.pid, ended: ending(child) };
}

function ending(child: ChildProcess): Confined['ended'] {
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, MAX_STDERR);
  });
  const ended = new Promise<{ code: number | undefined; stderr: string }>((resolve, reject) => {
    child.once('error', (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (code) => resolve({ code: code ?? undefined, stderr: stderr.trim() }));
  });
  ended.catch(() => {});
  return ended as Confined['ended'];
}
