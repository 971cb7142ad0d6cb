/** What a frozen guest holds of the node's memory goes back, as far as the kernel can: caches always, the rest where there is swap. */
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../../../kernel/log/log.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Best effort: a kernel that gives nothing back does not keep a guest from being suspended. */
export async function releaseMemory(log: Log, serverId: string, pid: number): Promise<void> {
  try {
    const bytes = await release(await memoryCgroup(pid));
    log.info({ server_id: serverId, released_bytes: bytes }, 'a suspended guest gave back memory');
  } catch (error) {
    log.warn({ err: error, server_id: serverId }, 'a suspended guest keeps its memory');
  }
}

/** @returns how many bytes less it holds. */
async function release({ dir, unified }: MemoryCgroup): Promise<number> {
  const held = async (): Promise<number> => Number(await readFile(join(dir, unified ? 'memory.current' : 'memory.usage_in_bytes'), 'utf8'));
  const before = await held();
  if (unified) await reclaimUnified(dir, before);
  // It ends with EBUSY when something is left, which is usual without swap.
  else await writeFile(join(dir, 'memory.force_empty'), '0').catch(ignoring('EBUSY'));
  return Math.max(0, before - (await held()));
}

/** While it is reclaimed it may use any swap of the node: what is out stays out when its own bound is back. */
async function reclaimUnified(dir: string, bytes: number): Promise<void> {
  const file = join(dir, 'memory.swap.max');
  const bound = await readFile(file, 'utf8').catch(() => undefined);
  if (bound !== undefined) await writeFile(file, 'max');
  try {
    // EAGAIN: less than was asked for.
    await writeFile(join(dir, 'memory.reclaim'), String(bytes)).catch(ignoring('EAGAIN'));
  } finally {
    if (bound !== undefined) await writeFile(file, bound.trim());
  }
}

function ignoring(code: string): (error: unknown) => void {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  };
}

interface MemoryCgroup {
  dir: string;
  unified: boolean;
}

async function memoryCgroup(pid: number): Promise<MemoryCgroup> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim().split('\n');
  const unified = await access(join(CGROUPS, 'cgroup.controllers')).then(() => true, () => false);
  return { unified, dir: join(CGROUPS, unified ? '' : 'memory', memoryPath(lines, unified)) };
}

/** Out of the lines of `/proc/<pid>/cgroup`. Pure. */
export function memoryPath(lines: readonly string[], unified: boolean): string {
  for (const line of lines) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (unified ? controllers === '' : controllers.split(',').includes('memory')) return path;
  }
  throw new Error('the process is in no cgroup that counts memory');
}
