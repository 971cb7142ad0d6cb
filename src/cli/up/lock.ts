import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from '../errors.ts';
import { alive, identityOf, readPidFile } from '../process/pid-file.ts';

/** One command at a time changes a cloud. A lock whose holder has died is taken over. @returns what releases it. */
export function takeLock(data_dir: string, command: string): () => void {
  const path = join(data_dir, 'run', 'command.lock');
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const own = identityOf(process.pid)!;
  // Linked into place as a whole: a lock is never seen half written.
  const draft = `${path}.${own.pid}`;
  writeFileSync(draft, `${own.pid} ${own.start} ${command}\n`, { mode: 0o644 });
  try {
    return linkLock(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

function linkLock(draft: string, path: string): () => void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      linkSync(draft, path);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = readPidFile(path);
      if (alive(holder)) throw held(path, holder.pid);
      rmSync(path, { force: true });
    }
  }
  throw held(path, 0);
}

function held(path: string, pid: number): CliError {
  let command = 'another command';
  try {
    command = `gantry ${readFileSync(path, 'utf8').trim().split(' ')[2] ?? ''}`;
  } catch {
    // It has just ended: the message need not name it.
  }
  return new CliError('GY-LOCK-001', `${command} (process ${pid}) is at work on this cloud`, { next: 'wait until it has ended, then run the same command again' });
}
