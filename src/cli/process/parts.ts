import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkout } from '../settings.ts';
import { alive, identityOf, readPidFile } from './pid-file.ts';
import type { Identity } from './pid-file.ts';

/** A process that outlives the command line, kept running by libexec/supervise. */
export interface Part {
  name: string;
  command: string[];
  env: NodeJS.ProcessEnv;
}

export interface PartState {
  supervisor: Identity | undefined;
  process: Identity | undefined;
}

const MAX_LOG_BYTES = 20 * 1024 * 1024;

export const runDir = (data_dir: string): string => join(data_dir, 'run');
export const logFile = (data_dir: string, name: string): string => join(data_dir, 'log', `${name}.log`);

/** Only what is alive counts. */
export function partState(data_dir: string, name: string): PartState {
  const read = (kind: string): Identity | undefined => {
    const identity = readPidFile(join(runDir(data_dir), `${name}.${kind}`));
    return alive(identity) ? identity : undefined;
  };
  return { supervisor: read('supervisor'), process: read('pid') };
}

/** Ids of all living processes of the cloud in this data directory. */
export function livePids(data_dir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(runDir(data_dir));
  } catch {
    return [];
  }
  const identities = names.filter((name) => /\.(pid|supervisor)$/.test(name)).map((name) => readPidFile(join(runDir(data_dir), name)));
  return identities.filter(alive).map((identity) => identity.pid);
}

/** Starts the part in a session of its own. Give back once its supervisor has taken over. */
export async function startPart(data_dir: string, part: Part): Promise<void> {
  mkdirSync(runDir(data_dir), { recursive: true, mode: 0o755 });
  mkdirSync(join(data_dir, 'log'), { recursive: true, mode: 0o750 });
  forget(data_dir, part.name);
  const args = [join(checkout, 'libexec', 'supervise'), part.name, runDir(data_dir), logFile(data_dir, part.name), String(MAX_LOG_BYTES), ...part.command];
  const child = spawn('/bin/sh', args, { detached: true, stdio: 'ignore', cwd: '/', env: part.env });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.unref();
  const begun = join(runDir(data_dir), `${part.name}.pid`);
  const recorded = until(() => existsSync(begun) && partState(data_dir, part.name).supervisor !== undefined, 10_000);
  if (!(await Promise.race([recorded, failed]))) throw new Error(`${part.name}: its supervisor did not start`);
}

/** Ends the part: asks the supervisor, then the process itself, then leaves no choice. Nothing there: nothing happens. */
export async function stopPart(data_dir: string, name: string, patience_ms = 20_000): Promise<boolean> {
  const { supervisor, process: child } = partState(data_dir, name);
  if (supervisor === undefined) await endHelpers(data_dir, name);
  if (supervisor === undefined && child === undefined) {
    forget(data_dir, name);
    return false;
  }
  const gone = (): boolean => !alive(supervisor) && !alive(child);
  signal(supervisor ?? child, 'SIGTERM');
  if (!(await until(gone, patience_ms))) {
    if (supervisor !== undefined) signalGroup(supervisor, 'SIGKILL');
    signal(child, 'SIGKILL');
    if (!(await until(gone, 5_000))) throw new Error(`${name} (process ${(child ?? supervisor)!.pid}) does not end, not even when killed`);
  }
  forget(data_dir, name);
  return true;
}

/** Running means supervised: a process whose supervisor was killed is ended, so that a start can follow. */
export async function healPart(data_dir: string, name: string): Promise<'running' | 'dead'> {
  const state = partState(data_dir, name);
  if (state.supervisor !== undefined) return 'running';
  await stopPart(data_dir, name);
  return 'dead';
}

/** What a killed supervisor leaves behind would end by itself, but only with its next turn. */
async function endHelpers(data_dir: string, name: string): Promise<void> {
  const marks = [join(checkout, 'libexec', 'supervise'), name, runDir(data_dir)];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const words = commandOf(Number(pid));
    if (marks.every((mark, index) => words[index + 1] === mark)) await end(identityOf(Number(pid)));
  }
}

/** The words of a process's command line; none when it has gone. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Asks a process to end, then leaves it no choice. */
export async function end(identity: Identity | undefined, patience_ms = 2_000): Promise<void> {
  signal(identity, 'SIGTERM');
  if (await until(() => !alive(identity), patience_ms)) return;
  signal(identity, 'SIGKILL');
  await until(() => !alive(identity), 5_000);
}

/** Polls until the condition holds. @returns false when it did not within the time. */
export async function until(condition: () => boolean | Promise<boolean>, timeout_ms: number, every_ms = 25): Promise<boolean> {
  const end = Date.now() + timeout_ms;
  while (!(await condition())) {
    if (Date.now() >= end) return false;
    await sleep(every_ms);
  }
  return true;
}

function forget(data_dir: string, name: string): void {
  for (const kind of ['pid', 'supervisor', 'pid.new', 'supervisor.new']) rmSync(join(runDir(data_dir), `${name}.${kind}`), { force: true });
}

function signal(identity: Identity | undefined, name: NodeJS.Signals): void {
  if (!alive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The supervisor leads a session and group of its own. */
function signalGroup(leader: Identity, name: NodeJS.Signals): void {
  if (!alive(leader)) return;
  try {
    process.kill(-leader.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
