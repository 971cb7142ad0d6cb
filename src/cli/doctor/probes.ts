import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { availableParallelism, freemem, networkInterfaces } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { dockerRequest } from '../docker.ts';

export interface RunResult {
  status: number;
  stdout: string;
  stderr: string;
}

export interface EngineInfo {
  version: string;
  api_version: string;
  cgroup_version: string;
  storage_driver: string;
  runtimes: Record<string, { path: string }>;
  /** What the engine itself complains about, e.g. missing limits. */
  warnings: string[];
}

/** All that the checks look at: the real host below, a made-up one in tests. */
export interface Probes {
  platform(): { os: string; arch: string; node: string };
  uid(): number;
  now(): Date;
  readText(path: string): string | undefined;
  list(path: string): string[];
  /** Permission bits, owner and last change, or undefined. */
  stat(path: string): { mode: number; uid: number; mtime: Date } | undefined;
  which(program: string): string | undefined;
  run(program: string, args: readonly string[]): RunResult;
  memory(): { available_bytes: number };
  /** Free bytes where `path` is or will be. */
  diskFree(path: string): number;
  cpus(): number;
  /** Of all interfaces, without masks. */
  addresses(): string[];
  /** Who listens on a TCP port of this address (0.0.0.0 and :: overlap with all). */
  portHolder(host: string, port: number): { pid: number; program: string } | undefined;
  engine(socket: string): Promise<EngineInfo | { error: string }>;
  /** Names of containers that carry the label. */
  containers(socket: string, label: string): Promise<string[]>;
}

export function hostProbes(): Probes {
  return {
    platform: () => ({ os: process.platform, arch: process.arch, node: process.versions.node }),
    uid: () => process.getuid?.() ?? 0,
    now: () => new Date(),
    readText: (path) => attempt(() => readFileSync(path, 'utf8')),
    list: (path) => attempt(() => readdirSync(path)) ?? [],
    stat: (path) => attempt(() => {
      const { mode, uid, mtime } = statSync(path);
      return { mode, uid, mtime };
    }),
    which,
    run,
    memory: () => ({ available_bytes: memoryAvailable() }),
    diskFree: (path) => {
      const { bavail, bsize } = statfsSync(existingAncestor(path));
      return bavail * bsize;
    },
    cpus: () => availableParallelism(),
    addresses: () => Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
    portHolder,
    engine: engineInfo,
    containers,
  };
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** The program's path, also from the folders that an ordinary user's PATH leaves out. */
export function which(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.filter((folder) => folder !== '').map((folder) => join(folder, program)).find((path) =>
    attempt(() => { accessSync(path, constants.X_OK); return statSync(path).isFile(); }) ?? false);
}

export function run(program: string, args: readonly string[]): RunResult {
  const path = program.includes('/') ? program : which(program);
  if (path === undefined) return { status: 127, stdout: '', stderr: `${program}: not found` };
  const done = spawnSync(path, args, { encoding: 'utf8', timeout: 10_000 });
  return { status: done.status ?? 1, stdout: done.stdout ?? '', stderr: done.stderr ?? done.error?.message ?? '' };
}

function memoryAvailable(): number {
  const line = /^MemAvailable:\s+(\d+) kB/m.exec(attempt(() => readFileSync('/proc/meminfo', 'utf8')) ?? '');
  return line === null ? freemem() : Number(line[1]) * 1024;
}

export function existingAncestor(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingAncestor(dirname(path));
}

/** Listening sockets from /proc/net/tcp and tcp6: state 0A, the tenth field is the inode. Source: proc(5). */
function portHolder(host: string, port: number): { pid: number; program: string } | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (attempt(() => readFileSync(file, 'utf8')) ?? '').split('\n').slice(1)) {
      const field = line.trim().split(/\s+/);
      const [address, listening] = (field[1] ?? '').split(':');
      if (field[3] === '0A' && listening === wanted && overlaps(address!, host)) inodes.add(field[9]!);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (holdsSocket(pid, inodes)) return { pid: Number(pid), program: attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? '?' };
  }
  return { pid: 0, program: 'a process of another user' };
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  const descriptors = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return descriptors.some((fd) => {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const inode = target === undefined ? null : /^socket:\[(\d+)\]$/.exec(target);
    return inode !== null && inodes.has(inode[1]!);
  });
}

/** `hex` is an address in host byte order as /proc shows it. */
function overlaps(hex: string, host: string): boolean {
  if (/^0+$/.test(hex) || host === '0.0.0.0' || host === '::') return true;
  const dotted = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  if (dotted === null) return true;
  const own = dotted.slice(1).reverse().map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0')).join('');
  return hex === own || hex.endsWith(`FFFF0000${own}`);
}

async function engineInfo(socket: string): Promise<EngineInfo | { error: string }> {
  try {
    const [version, info] = await Promise.all([dockerRequest(socket, 'GET', '/version'), dockerRequest(socket, 'GET', '/info')]);
    return {
      version: String(version.Version),
      api_version: String(version.ApiVersion),
      cgroup_version: String(info.CgroupVersion ?? '1'),
      storage_driver: String(info.Driver),
      runtimes: info.Runtimes ?? {},
      warnings: info.Warnings ?? [],
    };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function containers(socket: string, label: string): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  try {
    const rows = (await dockerRequest(socket, 'GET', `/containers/json?all=1&filters=${filters}`)) as { Names: string[] }[];
    return rows.map((row) => (row.Names[0] ?? '').replace(/^\//, ''));
  } catch {
    return [];
  }
}
