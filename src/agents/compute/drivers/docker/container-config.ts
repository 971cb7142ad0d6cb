/** What a guest's container is made of. Pure. */
import { badRequest } from '../../../../kernel/fault.ts';
import type { GuestLimits, GuestSpec } from '../../protocol.ts';
import { flavorHostConfig, optionConfig, optionHostConfig, RESTART_LABEL, restartLabel } from './guest-options.ts';
import type { DriveDevice } from './config-drives.ts';
import { driveConfig } from './guest-view.ts';
import { systemConfig, systemEnvironment, systemHostConfig, systemLabels } from './system-guest.ts';

export const CLOUD_LABEL = 'gantry.cloud';
export const SERVER_LABEL = 'gantry.server';
/** Empty unless the guest was made anew. */
export const INCARNATION_LABEL = 'gantry.incarnation';
export const SSH_LABEL = 'gantry.ssh';
/** Of the guest that runs in place of a server's own; empty for all others. */
export const RESCUE_LABEL = 'gantry.rescue';
export const RUNTIME = 'gantry';

const MIB = 1024 * 1024;
const CPU_PERIOD = 100_000;
/** The engine refuses less. */
const MIN_MEMORY = 6 * MIB;
const MAX_CPU_SHARES = 262_144;
const DEFAULT_PIDS = 1024;

/** Docker's own default set without MKNOD: device nodes come from outside, for volumes only. */
const CAPABILITIES = [
  'AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_BIND_SERVICE', 'NET_RAW',
  'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT',
];

/** runc's usual ones, and what later engines added: power meters and interrupt counts tell of the neighbours. */
const MASKED_PATHS = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
];

export function containerName(cloud: string, serverId: string): string {
  return `${cloud}-${serverId}`;
}

/** The only name by which this node knows an image: no tenant's choice of words is in it, and no other cloud's image has it. */
export function imageTag(cloud: string, image: { id: string; digest: string }): string {
  return `${imageRepository(cloud, image.id)}:${image.digest.slice(0, 32)}`;
}

export const imageRepository = (cloud: string, image_id: string): string => `gantry/${cloud}/${image_id.toLowerCase()}`;

/**
 * Body of `POST /containers/create`. `disk`: the device below the engine's data, for flavors that bound its use.
 * Throws a fault on values that no container can have.
 */
export function containerConfig(spec: GuestSpec, cloud: string, disk?: string, drive?: DriveDevice): object {
  return {
    Hostname: hostname(spec.hostname),
    Image: imageTag(cloud, spec.image),
    Env: environment({ ...spec.environment, ...systemEnvironment(spec) }),
    ...(spec.command === null ? {} : { Cmd: spec.command }),
    // For whoever attaches; nothing is lost when nobody does.
    OpenStdin: true,
    Tty: spec.tty ?? spec.options?.tty ?? false,
    AttachStdout: false,
    AttachStderr: false,
    ...optionConfig(spec.options ?? {}),
    Labels: { ...spec.options?.labels, ...labels(spec, cloud) },
    ...systemConfig(spec),
    HostConfig: { ...hostConfig(spec, disk), ...driveConfig(drive) },
  };
}

/** All of ours are always set: an image's own labels lose against them. */
function labels(spec: GuestSpec, cloud: string): Record<string, string> {
  return {
    [CLOUD_LABEL]: cloud,
    [SERVER_LABEL]: spec.server_id,
    'gantry.name': spec.name,
    'gantry.project': spec.project_id,
    'gantry.user': spec.user_id,
    'gantry.flavor': spec.flavor_name,
    'gantry.image': spec.image.id,
    [SSH_LABEL]: spec.ssh_door === true ? '1' : '',
    [INCARNATION_LABEL]: spec.incarnation ?? '',
    [RESCUE_LABEL]: '',
    [RESTART_LABEL]: restartLabel(spec.options?.restart),
    ...systemLabels(spec),
  };
}

function hostConfig(spec: GuestSpec, disk: string | undefined): object {
  const { caps, ...system } = systemHostConfig(spec);
  return {
    // The runtime gives the container the namespace that the agent has wired; Docker's own networking stays out.
    NetworkMode: 'none',
    Runtime: RUNTIME,
    ...limitsConfig(spec.limits),
    CapDrop: ['ALL'],
    CapAdd: [...CAPABILITIES, ...caps],
    SecurityOpt: ['no-new-privileges'],
    Privileged: false,
    Init: true,
    IpcMode: 'private',
    CgroupnsMode: 'private',
    MaskedPaths: MASKED_PATHS,
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
    ...optionHostConfig(spec.options ?? {}, spec.system !== undefined),
    ...system,
    ...flavorHostConfig(spec.of_flavor ?? {}, { disk, caps: [...CAPABILITIES, ...caps] }),
    ...extraHosts(spec),
    ...(spec.dns.servers.length > 0 ? { Dns: spec.dns.servers } : {}),
    ...(spec.dns.search.length > 0 ? { DnsSearch: spec.dns.search } : {}),
  };
}

/** What a flavor bounds, as the engine takes it at create and for a guest that runs. */
export function limitsConfig(limits: GuestLimits): object {
  const memory = Math.max(limits.memory_mb * MIB, MIN_MEMORY);
  return {
    Memory: memory,
    MemorySwap: memory + limits.swap_mb * MIB,
    // Quota and period rather than NanoCpus, which the engine refuses above the host's own number.
    CpuPeriod: CPU_PERIOD,
    CpuQuota: Math.max(1000, Math.round(limits.vcpus * CPU_PERIOD)),
    CpuShares: Math.min(MAX_CPU_SHARES, Math.max(2, Math.round(limits.vcpus * 1024))),
    // 0 would mean no limit.
    PidsLimit: limits.pids > 0 ? limits.pids : DEFAULT_PIDS,
  };
}

/** The guest's own name leads to its first address, as programs expect; Docker knows of none. */
function extraHosts(spec: GuestSpec): object {
  const addresses = spec.network.ports.filter((port) => port.device_id === spec.server_id).flatMap((port) => port.fixed_ips);
  const first = addresses.find((one) => one.ip_version === 4) ?? addresses[0];
  return first === undefined ? {} : { ExtraHosts: [`${hostname(spec.hostname)}:${first.ip_address}`] };
}

function environment(variables: Record<string, string>): string[] {
  return Object.entries(variables).map(([name, value]) => {
    if (name === '' || /[=\0]/.test(name) || value.includes('\0')) {
      throw badRequest('compute.environment-invalid', `The environment variable ${JSON.stringify(name)} cannot be set in a container.`);
    }
    return `${name}=${value}`;
  });
}

/** The kernel takes 64 bytes; names beyond a DNS label are cut. */
function hostname(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9.-]/g, '-').replace(/^[.-]+/, '').slice(0, 63).replace(/[.-]+$/, '');
  return plain === '' ? 'server' : plain;
}
