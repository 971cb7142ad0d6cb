/** What a guest has used, by its control groups: read without asking the engine. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ViewedUsage } from './view-files.ts';

const ROOT = '/sys/fs/cgroup';

/** Where engines put a container's group, below each controller's folder (version 1) or the one root (version 2). */
const places = (id: string): string[] => [`docker/${id}`, `system.slice/docker-${id}.scope`];

export type Used = Omit<ViewedUsage, 'up_ms' | 'booted_at'>;

/** Undefined when the container does not run, or its group is somewhere unusual. */
export async function readUsage(containerId: string, root = ROOT): Promise<Used | undefined> {
  for (const place of places(containerId)) {
    if (await there(join(root, place))) return await unified(join(root, place));
    if (await there(join(root, 'memory', place))) return await legacy(root, place);
  }
  return undefined;
}

const there = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

async function number(path: string): Promise<number> {
  return Number(await readFile(path, 'utf8').catch(() => '0')) || 0;
}

async function fields(path: string): Promise<Map<string, number>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return new Map(text.split('\n').map((line) => line.split(' ')).flatMap(([name, value]) => (name && value ? [[name, Number(value)] as const] : [])));
}

async function legacy(root: string, place: string): Promise<Used> {
  const [memory_bytes, memory, cpu, processes] = await Promise.all([
    number(join(root, 'memory', place, 'memory.usage_in_bytes')),
    fields(join(root, 'memory', place, 'memory.stat')),
    fields(join(root, 'cpuacct', place, 'cpuacct.stat')),
    number(join(root, 'pids', place, 'pids.current')),
  ]);
  return { memory_bytes, cache_bytes: memory.get('total_inactive_file') ?? 0, user_ms: (cpu.get('user') ?? 0) * 10, system_ms: (cpu.get('system') ?? 0) * 10, processes };
}

async function unified(folder: string): Promise<Used> {
  const [memory_bytes, memory, cpu, processes] = await Promise.all([
    number(join(folder, 'memory.current')),
    fields(join(folder, 'memory.stat')),
    fields(join(folder, 'cpu.stat')),
    number(join(folder, 'pids.current')),
  ]);
  return { memory_bytes, cache_bytes: memory.get('inactive_file') ?? 0, user_ms: (cpu.get('user_usec') ?? 0) / 1000, system_ms: (cpu.get('system_usec') ?? 0) / 1000, processes };
}
