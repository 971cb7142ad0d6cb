/** What runs of a container by the kernel's own word, whether or not the engine knows of it. */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { mapBounded } from '../../../../kernel/locks.ts';

const run = promisify(execFile);
const ENDS_WITHIN_MS = 10_000;
const CLEAN_MS = 20_000;
const CONTAINER_ID = /[0-9a-f]{64}/g;

export interface Shim {
  pid: number;
  program: string;
  namespace: string;
  address: string;
  /** Its working directory. */
  bundle: string;
}

export interface ContainerProcesses {
  guests: number[];
  shims: Shim[];
}

/** Of these containers those of which anything runs: members of their control groups, and shims that bear their ids. */
export async function processesOf(ids: ReadonlySet<string>): Promise<Map<string, ContainerProcesses>> {
  const found = new Map<string, ContainerProcesses>();
  const of = (id: string): ContainerProcesses => found.get(id) ?? found.set(id, { guests: [], shims: [] }).get(id)!;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  await mapBounded(pids, 16, async (pid) => {
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    const id = groups.match(CONTAINER_ID)?.find((one) => ids.has(one));
    if (id !== undefined) {
      if (await isAlive(pid)) of(id).guests.push(pid);
      return;
    }
    const shim = await shimOf(pid);
    if (shim !== undefined && ids.has(shim.id)) of(shim.id).shims.push(shim);
  });
  return found;
}

/** Nobody may have reaped what is dead. */
async function isAlive(pid: number): Promise<boolean> {
  return await readFile(`/proc/${pid}/stat`, 'utf8').then((stat) => !/\) [ZX] /.test(stat), () => false);
}

async function shimOf(pid: number): Promise<(Shim & { id: string }) | undefined> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  if (!name.startsWith('containerd-shim')) return undefined;
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  const after = (flag: string): string => (words.includes(flag) ? (words[words.indexOf(flag) + 1] ?? '') : '');
  const id = after('-id');
  if (id === '' || !(await isAlive(pid))) return undefined;
  return { pid, id, program: words[0]!, namespace: after('-namespace'), address: after('-address'), bundle: await readlink(`/proc/${pid}/cwd`).catch(() => '') };
}

/** The guest first, since its shim reaps it; then the shim, and what the runtime keeps of the two. @returns whether all is gone. */
export async function endProcesses(id: string): Promise<boolean> {
  const shims = new Map<number, Shim>();
  for (const end = performance.now() + ENDS_WITHIN_MS; performance.now() < end; await delay(50)) {
    const found = (await processesOf(new Set([id]))).get(id);
    if (found === undefined) {
      for (const shim of shims.values()) await clean(shim, id);
      return true;
    }
    for (const shim of found.shims) shims.set(shim.pid, shim);
    for (const pid of found.guests.length > 0 ? found.guests : found.shims.map((shim) => shim.pid)) kill(pid);
  }
  return false;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** As containerd does it after a shim that died: without it a container that is still there could not be started again. */
async function clean({ program, namespace, address, bundle }: Shim, id: string): Promise<void> {
  if (!bundle.endsWith(`/${id}`)) return;
  await run(program, ['-namespace', namespace, '-address', address, '-id', id, '-bundle', bundle, 'delete'], { cwd: bundle, timeout: CLEAN_MS }).catch(() => {});
}
