import { readFileSync } from 'node:fs';

/** A process told apart from a later one with the same id by its start time. */
export interface Identity {
  pid: number;
  /** Clock ticks from boot to its start. */
  start: string;
}

/** Field 22 of /proc/PID/stat, or undefined when there is no such process or it is only waiting to be reaped. Source: proc(5). */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function identityOf(pid: number): Identity | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : { pid, start };
}

export function alive(identity: Identity | undefined): identity is Identity {
  return identity !== undefined && startOf(identity.pid) === identity.start;
}

/** Reads "PID START" as libexec/supervise writes it. */
export function readPidFile(path: string): Identity | undefined {
  try {
    const [pid, start] = readFileSync(path, 'utf8').trim().split(' ');
    return pid === undefined || start === undefined || !/^\d+$/.test(pid) ? undefined : { pid: Number(pid), start };
  } catch {
    return undefined;
  }
}
