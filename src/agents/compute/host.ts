/** What the kernel says of the machine: /proc read, parsed and put into Nova's words. */
import { readFile, statfs } from 'node:fs/promises';
import { hostname, machine, networkInterfaces } from 'node:os';
import type { HostResources } from './protocol.ts';

const GIB = 1024 ** 3;

export type HostFigures = Omit<HostResources, 'hypervisor_type' | 'hypervisor_version' | 'host_ip'>;

/** @param dir a path on the file system that guests are kept on. */
export async function readHost(dir: string): Promise<HostFigures> {
  const [cpuinfo, meminfo, loadavg, uptime, disk] = await Promise.all([
    readFile('/proc/cpuinfo', 'utf8'),
    readFile('/proc/meminfo', 'utf8'),
    readFile('/proc/loadavg', 'utf8'),
    readFile('/proc/uptime', 'utf8'),
    statfs(dir),
  ]);
  const memory = parseMemory(meminfo);
  const [one = 0, five = 0, fifteen = 0] = loadavg.split(' ').map(Number);
  return {
    hostname: hostname(),
    ...parseCpus(cpuinfo, machine()),
    memory_mb: memory.total_mb,
    memory_used_mb: memory.used_mb,
    disk_gb: Math.floor((disk.blocks * disk.bsize) / GIB),
    disk_used_gb: Math.ceil(((disk.blocks - disk.bfree) * disk.bsize) / GIB),
    uptime_seconds: Math.floor(Number(uptime.split(' ')[0])),
    load_average: [one, five, fifteen],
  };
}

export function parseMemory(meminfo: string): { total_mb: number; used_mb: number } {
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0);
  const total = kib('MemTotal');
  return { total_mb: Math.floor(total / 1024), used_mb: Math.floor((total - kib('MemAvailable')) / 1024) };
}

/** x86 and arm spell the same things differently; what is missing stays empty. */
export function parseCpus(cpuinfo: string, arch: string): Pick<HostResources, 'vcpus' | 'cpu_info'> {
  const blocks = cpuinfo.split(/\n\s*\n/).filter((block) => /^processor\s*:/m.test(block));
  const field = (block: string, ...names: string[]): string | undefined => {
    for (const name of names) {
      const found = new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(block)?.[1];
      if (found !== undefined) return found.trim();
    }
    return undefined;
  };
  const first = blocks[0] ?? '';
  const sockets = Math.max(1, new Set(blocks.map((block) => field(block, 'physical id') ?? '0')).size);
  const vcpus = Math.max(1, blocks.length);
  const cores = Number(field(first, 'cpu cores') ?? Math.max(1, Math.floor(vcpus / sockets)));
  return {
    vcpus,
    cpu_info: {
      arch,
      model: field(first, 'model name', 'Model') ?? '',
      vendor: field(first, 'vendor_id', 'CPU implementer') ?? '',
      features: (field(first, 'flags', 'Features') ?? '').split(' ').filter((flag) => flag !== ''),
      topology: { cores, threads: Math.max(1, Math.floor(vcpus / (cores * sockets))), sockets },
    },
  };
}

/** The first address by which others could reach this host; loopback when it has none. */
export function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}
