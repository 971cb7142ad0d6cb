/** Programs that were started beside a guest's own: the engine lets them run on when nobody listens any more. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';

/** For a program that is hung up, before it is killed. */
const GRACE_MS = 5_000;

async function pidOf(engine: Engine, containerId: string, execId: string): Promise<number | undefined> {
  const { Running, Pid } = await engine.json<{ Running: boolean; Pid: number }>('GET', `/exec/${execId}/json`);
  if (!Running || !Number.isInteger(Pid) || Pid <= 1) return undefined;
  // Never a process that got the number since: ours is in the container's cgroup, or we do not touch it.
  const cgroup = await readFile(`/proc/${Pid}/cgroup`, 'utf8').catch(() => '');
  return cgroup.includes(containerId) ? Pid : undefined;
}

/** The program and what it has in its process group; nothing when it has ended. */
export async function signalExec(engine: Engine, containerId: string, execId: string, signal: NodeJS.Signals): Promise<boolean> {
  const pid = await pidOf(engine, containerId, execId);
  if (pid === undefined) return false;
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return true;
    } catch {
      // Not the leader of a group, or gone.
    }
  }
  return false;
}

/** As when a terminal is closed. */
export async function hangUp(engine: Engine, containerId: string, execId: string): Promise<void> {
  if (!(await signalExec(engine, containerId, execId, 'SIGHUP'))) return;
  await delay(GRACE_MS, undefined, { ref: false });
  await signalExec(engine, containerId, execId, 'SIGKILL');
}
