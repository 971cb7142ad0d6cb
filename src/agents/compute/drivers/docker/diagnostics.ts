import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { GuestDiagnostics } from '../../protocol.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerStats } from './engine-types.ts';
import { unknownServer } from './faults.ts';
import { inspectContainer, needContainer } from './guests.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;

/** Figures of the kernel about a guest: its cgroup by the engine, its interfaces by its namespace. */
export async function readDiagnostics(ctx: DriverContext, serverId: string): Promise<GuestDiagnostics> {
  const { Id: id } = await needContainer(ctx, serverId);
  const [container, stats, nics] = await Promise.all([
    inspectContainer(ctx, id),
    ctx.engine.json<ContainerStats>('GET', `/containers/${id}/stats`, { query: { stream: false, 'one-shot': true }, timeout_ms: TIMEOUT_MS }),
    readNics(ctx, id),
  ]);
  if (container === undefined) throw unknownServer(serverId);
  const up = container.State.Running ? ctx.clock.now().getTime() - new Date(container.State.StartedAt).getTime() : 0;
  return { ...describeStats(stats), uptime_seconds: Math.max(0, Math.floor(up / 1000)), nics };
}

/** Pure. Memory that is only cache does not count as used. */
export function describeStats(stats: ContainerStats): Omit<GuestDiagnostics, 'uptime_seconds' | 'nics'> {
  const memory = stats.memory_stats;
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  const bytes = (op: string): number =>
    (stats.blkio_stats.io_service_bytes_recursive ?? []).filter((one) => one.op.toLowerCase() === op).reduce((sum, one) => sum + one.value, 0);
  return {
    cpu_time_ns: stats.cpu_stats.cpu_usage.total_usage,
    memory_used_bytes: Math.max(0, (memory.usage ?? 0) - cache),
    memory_maximum_bytes: memory.limit ?? 0,
    pids: stats.pids_stats.current ?? 0,
    disk_read_bytes: bytes('read'),
    disk_write_bytes: bytes('write'),
  };
}

interface IpLink {
  ifname: string;
  link_type: string;
  address: string;
  stats64?: Record<'rx' | 'tx', Record<'bytes' | 'packets' | 'errors' | 'dropped', number>>;
}

async function readNics(ctx: DriverContext, containerId: string): Promise<GuestDiagnostics['nics']> {
  if (!(await ctx.links.ready(containerId))) return [];
  const { stdout } = await run('nsenter', [`--net=${ctx.links.path(containerId)}`, 'ip', '-j', '-s', 'link', 'show'], { timeout: TIMEOUT_MS });
  return (JSON.parse(stdout) as IpLink[])
    .filter((link) => link.link_type === 'ether')
    .map(({ address, stats64 }) => ({
      mac_address: address,
      rx_bytes: stats64?.rx.bytes ?? 0,
      tx_bytes: stats64?.tx.bytes ?? 0,
      rx_packets: stats64?.rx.packets ?? 0,
      tx_packets: stats64?.tx.packets ?? 0,
      rx_errors: stats64?.rx.errors ?? 0,
      tx_errors: stats64?.tx.errors ?? 0,
      rx_drop: stats64?.rx.dropped ?? 0,
      tx_drop: stats64?.tx.dropped ?? 0,
    }));
}
