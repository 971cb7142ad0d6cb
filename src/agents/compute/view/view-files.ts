/** What a guest reads of its machine in /proc and /sys: its own processors, memory and disks, not the host's. Pure. */

/** A disk of a guest, in the order of its devices. */
export interface ViewedDisk {
  /** `vda` */
  name: string;
  major: number;
  minor: number;
  bytes: number;
  read_only: boolean;
  removable: boolean;
}

export interface ViewedMachine {
  vcpus: number;
  memory_mb: number;
  swap_mb: number;
  disks: readonly ViewedDisk[];
}

/** What it has used since it was started. */
export interface ViewedUsage {
  memory_bytes: number;
  /** Of that what the kernel could take back: the page cache. */
  cache_bytes: number;
  user_ms: number;
  system_ms: number;
  up_ms: number;
  /** Seconds since 1970. */
  booted_at: number;
  processes: number;
}

export const idle = (booted_at: number): ViewedUsage => ({ memory_bytes: 0, cache_bytes: 0, user_ms: 0, system_ms: 0, up_ms: 0, booted_at, processes: 1 });

const SECTOR = 512;
const MIB = 1024 * 1024;
/** Clock ticks per second that programs count by, whatever the kernel's own. */
const TICKS_MS = 10;

/** What stays as it is while the guest runs: by path below the root, text. */
export function fixedFiles(machine: ViewedMachine, hostCpus: string): Map<string, string> {
  const files = new Map<string, string>();
  files.set('/proc/cpuinfo', cpuinfo(hostCpus, machine.vcpus));
  files.set('/proc/partitions', partitions(machine.disks));
  files.set('/proc/diskstats', machine.disks.map((disk) => `${String(disk.major).padStart(4)} ${String(disk.minor).padStart(7)} ${disk.name}${' 0'.repeat(17)}\n`).join(''));
  files.set('/proc/swaps', swaps(machine.swap_mb));
  files.set('/sys/devices/system/cpu/online', machine.vcpus > 1 ? `0-${machine.vcpus - 1}\n` : '0\n');
  for (const disk of machine.disks) {
    for (const [name, text] of blockFiles(disk)) files.set(`/sys/block/${disk.name}/${name}`, text);
  }
  return files;
}

/** What is put over the kernel's own: files one by one, devices as whole folders. */
export const SHOWN = [
  '/proc/cpuinfo', '/proc/meminfo', '/proc/stat', '/proc/partitions', '/proc/diskstats', '/proc/swaps', '/sys/devices/system/cpu/online', '/sys/block', '/sys/dev/block',
] as const;

/** Of one length whatever the figures, so that they can be written in place. */
export function movingFiles(machine: ViewedMachine, usage: ViewedUsage): Map<string, string> {
  return new Map([
    ['/proc/meminfo', meminfo(machine, usage)],
    ['/proc/stat', stat(machine.vcpus, usage)],
  ]);
}

/** As many stanzas as the guest has processors, after the host's; numbers of cores and sockets are those of one socket. */
function cpuinfo(host: string, vcpus: number): string {
  const stanzas = host.split(/\n\s*\n/).filter((stanza) => /^processor\s*:/m.test(stanza));
  if (stanzas.length === 0) return host;
  const rest = host.split(/\n\s*\n/).filter((stanza) => stanza.trim() !== '' && !/^processor\s*:/m.test(stanza));
  const own = Array.from({ length: Math.max(1, vcpus) }, (_, index) => {
    const numbers: Record<string, number> = { processor: index, 'core id': index, apicid: index, 'initial apicid': index, 'physical id': 0, siblings: vcpus, 'cpu cores': vcpus };
    return stanzas[index % stanzas.length]!.replaceAll(/^([a-z ]+?)(\s*): \d+$/gm, (line, name: string, space: string) => (name in numbers ? `${name}${space}: ${numbers[name]}` : line));
  });
  return `${[...own, ...rest].map((stanza) => stanza.trim()).join('\n\n')}\n\n`;
}

function partitions(disks: readonly ViewedDisk[]): string {
  const lines = disks.map(({ major, minor, bytes, name }) => `${String(major).padStart(4)} ${String(minor).padStart(8)} ${String(Math.ceil(bytes / 1024)).padStart(10)} ${name}\n`);
  return `major minor  #blocks  name\n\n${lines.join('')}`;
}

function swaps(swap_mb: number): string {
  const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
  return swap_mb === 0 ? head : `${head}none\t\t\t\t\tvirtual\t\t${swap_mb * 1024}\t\t0\t\t0\n`;
}

function blockFiles({ major, minor, bytes, read_only, removable, name }: ViewedDisk): [string, string][] {
  return [
    ['dev', `${major}:${minor}\n`],
    ['size', `${Math.ceil(bytes / SECTOR)}\n`],
    ['ro', read_only ? '1\n' : '0\n'],
    ['removable', removable ? '1\n' : '0\n'],
    ['uevent', `MAJOR=${major}\nMINOR=${minor}\nDEVNAME=${name}\nDEVTYPE=disk\n`],
    ['queue/rotational', '0\n'],
    ['queue/logical_block_size', `${SECTOR}\n`],
    ['queue/physical_block_size', '4096\n'],
  ];
}

function meminfo({ memory_mb, swap_mb }: ViewedMachine, usage: ViewedUsage): string {
  const total = memory_mb * MIB;
  const used = Math.min(total, usage.memory_bytes);
  const cache = Math.min(used, usage.cache_bytes);
  const swap = swap_mb * MIB;
  const fields: [string, number][] = [
    ['MemTotal', total], ['MemFree', total - used], ['MemAvailable', total - used + cache], ['Buffers', 0], ['Cached', cache], ['SwapCached', 0],
    ['Active', used - cache], ['Inactive', cache], ['SwapTotal', swap], ['SwapFree', swap], ['Dirty', 0], ['Writeback', 0], ['AnonPages', used - cache], ['Mapped', 0], ['Shmem', 0], ['Slab', 0],
  ];
  return fields.map(([name, bytes]) => `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`).join('');
}

/** What was used is told evenly over the processors: which of the host's it was, is none of the guest's business. */
function stat(vcpus: number, usage: ViewedUsage): string {
  const count = Math.max(1, vcpus);
  const line = (name: string, user: number, system: number, up: number): string => {
    const idleFor = Math.max(0, up - user - system);
    return `${name} ${[user, 0, system, idleFor, 0, 0, 0, 0, 0, 0].map((ms, at) => (at === 0 || at === 2 || at === 3 ? String(Math.floor(ms / TICKS_MS)).padStart(12) : '0')).join(' ')}\n`;
  };
  const cpus = Array.from({ length: count }, (_, index) => line(`cpu${index}`, usage.user_ms / count, usage.system_ms / count, usage.up_ms));
  return [
    line('cpu ', usage.user_ms, usage.system_ms, usage.up_ms * count), ...cpus,
    'intr 0\nctxt 0\n', `btime ${usage.booted_at}\n`, `processes ${String(usage.processes).padStart(10)}\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`,
  ].join('');
}
