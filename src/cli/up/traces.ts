import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What dockerd and containerd leave outside of the folders they are given, whatever their settings. Folders come after what is in them. */
const FILES = ['/etc/docker/key.json', '/etc/docker', '/run/docker', '/run/containerd', '/var/lib/containerd', '/opt/containerd'];
const CGROUPS = '/sys/fs/cgroup';

const noteOf = (folder: string): string => join(folder, 'host.before');

function traces(): string[] {
  const controllers = existsSync(CGROUPS) ? readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(CGROUPS, name)) : [];
  const groups = [CGROUPS, ...controllers].map((folder) => join(folder, 'docker'));
  return [...FILES, ...groups].filter((path) => existsSync(path));
}

/** Notes what was there before our own engine started for the first time. */
export function rememberTraces(folder: string): void {
  if (!existsSync(noteOf(folder))) writeFileSync(noteOf(folder), JSON.stringify(traces()), { mode: 0o600 });
}

/** Takes away what our own engine has left, unless another one runs, which uses the same places. @returns what was removed. */
export function forgetTraces(folder: string): string[] {
  if (!existsSync(noteOf(folder)) || runs('dockerd') || runs('containerd')) return [];
  const before = new Set(JSON.parse(readFileSync(noteOf(folder), 'utf8')) as string[]);
  return traces().filter((path) => !before.has(path) && removed(path)).map((path) => `removed ${path}`);
}

/** What is kept for a reboot only goes whole; of other folders only what is empty. */
function removed(path: string): boolean {
  try {
    if (path.startsWith('/run/') || path.endsWith('.json')) rmSync(path, { recursive: true });
    else removeEmpty(path);
    return true;
  } catch {
    // somebody keeps something there
    return false;
  }
}

/** A folder and those in it, as far as no file is in the way. A control group's files go with it. */
function removeEmpty(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  rmdirSync(folder);
}

function runs(program: string): boolean {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).some((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program;
    } catch {
      return false;
    }
  });
}
