/** What a flavor's extra specs give a guest beside memory and processors: only an operator makes flavors, so these may reach further. Pure. */
import type { DiskRates, FlavorOptions } from '../../../agents/compute/protocol.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';

type Specs = Readonly<Record<string, string>>;

const CAPABILITIES = new Set(
  ('AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE ' +
    'MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE ' +
    'SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM').split(' '),
);

/** `runc` is what every node has. */
const RUNTIMES = ['runc', 'runsc', 'kata'] as const;

type Reader = (value: string, key: string) => FlavorOptions;

const docker: Record<string, Reader> = {
  'docker:privileged': (value, key) => {
    const privileged = booleanFrom(value);
    if (privileged === undefined) throw refused(key, 'must be "true" or "false"');
    return privileged ? { privileged } : {};
  },
  'docker:cap_add': (value, key) => {
    const cap_add = value.split(/[\s,]+/).filter((name) => name !== '').map((name) => name.toUpperCase().replace(/^CAP_/, ''));
    const unknown = cap_add.find((name) => !CAPABILITIES.has(name));
    if (unknown !== undefined || cap_add.length === 0) throw refused(key, `must be names of Linux capabilities with commas between; ${unknown ?? 'nothing'} is none`);
    return { cap_add };
  },
  'docker:pids': (value, key) => ({ pids: whole(value, key, 1, 4_194_304) }),
  'docker:runtime': (value, key) => {
    const runtime = RUNTIMES.find((name) => name === value);
    if (runtime === undefined) throw refused(key, `must be one of ${RUNTIMES.join(', ')}`);
    return runtime === 'runc' ? {} : { runtime };
  },
};

/** The kernel's own bounds. */
const quotas: Record<string, Reader> = {
  'quota:cpu_shares': (value, key) => ({ cpu_shares: whole(value, key, 2, 262_144) }),
  'quota:cpu_period': (value, key) => ({ cpu_period: whole(value, key, 1000, 1_000_000) }),
  'quota:cpu_quota': (value, key) => (value.trim() === '-1' ? { cpu_quota: -1 } : { cpu_quota: whole(value, key, 1000, 1_000_000_000) }),
};

const RATES: Readonly<Record<string, (keyof DiskRates)[]>> = {
  'quota:disk_read_bytes_sec': ['read_bytes'],
  'quota:disk_write_bytes_sec': ['write_bytes'],
  'quota:disk_total_bytes_sec': ['read_bytes', 'write_bytes'],
  'quota:disk_read_iops_sec': ['read_iops'],
  'quota:disk_write_iops_sec': ['write_iops'],
  'quota:disk_total_iops_sec': ['read_iops', 'write_iops'],
};

/** @throws Fault 400 that names the extra spec. */
export function flavorOptions(specs: Specs): FlavorOptions {
  let out: FlavorOptions = {};
  const rates: Partial<DiskRates> = {};
  for (const [key, value] of Object.entries(specs)) {
    const reader = readerOf(key);
    if (reader !== undefined) out = { ...out, ...reader(value, key) };
    // What is said of one direction counts before what is said of both.
    for (const rate of Object.hasOwn(RATES, key) ? RATES[key]! : []) if (!key.includes('_total_') || rates[rate] === undefined) rates[rate] = whole(value, key, 0, Number.MAX_SAFE_INTEGER);
  }
  const limited = Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate > 0));
  return Object.keys(limited).length === 0 ? out : { ...out, disk_rates: limited };
}

const readerOf = (key: string): Reader | undefined => (Object.hasOwn(docker, key) ? docker[key] : Object.hasOwn(quotas, key) ? quotas[key] : undefined);

/** Of one extra spec when it is set. @throws Fault 400 */
export function checkFlavorWord(key: string, value: string): void {
  if (key.startsWith('docker:') && !Object.hasOwn(docker, key)) throw refused(key, `is nothing that flavors know; there are ${Object.keys(docker).join(', ')}`);
  if (Object.hasOwn(docker, key)) docker[key]!(value, key);
}

function whole(value: string, key: string, least: number, most: number): number {
  const number = /^\s*\d{1,16}\s*$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw refused(key, `must be a whole number from ${least} to ${most}`);
  return number;
}

function refused(key: string, why: string): Error {
  return badRequest('compute.extra-spec-invalid', `Invalid extra spec: "${key}" ${why}.`);
}
