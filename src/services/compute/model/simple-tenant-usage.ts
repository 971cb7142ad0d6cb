/** How long servers ran in a period, and what they had: pure. */
import type { UsageRow } from '../store/simple-tenant-usage.ts';
import type { FlavorSnapshot } from './flavors.ts';

export interface Period {
  start: Date;
  stop: Date;
}

export interface ServerUsage {
  instance_id: string;
  name: string;
  tenant_id: string;
  flavor: string;
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  hours: number;
  /** ISO instants. */
  started_at: string;
  ended_at: string | null;
  state: string;
  /** Seconds from its launch until its end, or now. */
  uptime: number;
}

export interface ProjectUsage {
  tenant_id: string;
  total_hours: number;
  total_vcpus_usage: number;
  total_memory_mb_usage: number;
  total_local_gb_usage: number;
  servers: ServerUsage[];
}

export function serverUsage(row: UsageRow, period: Period, now: Date): ServerUsage {
  const flavor = JSON.parse(row.flavor_json) as FlavorSnapshot;
  const started = Date.parse(row.launched_at!);
  const ended = row.terminated_at === null ? undefined : Date.parse(row.terminated_at);
  const from = Math.max(started, period.start.getTime());
  const to = Math.min(ended ?? Infinity, period.stop.getTime());
  return {
    instance_id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    flavor: flavor.name,
    vcpus: flavor.vcpus,
    memory_mb: flavor.ram_mb,
    local_gb: flavor.disk_gb + flavor.ephemeral_gb,
    hours: Math.max(0, to - from) / 3_600_000,
    started_at: row.launched_at!,
    ended_at: row.terminated_at,
    state: ended === undefined ? row.vm_state : 'terminated',
    uptime: Math.max(0, Math.floor(((ended ?? now.getTime()) - started) / 1000)),
  };
}

/** One sum for each project, in order of their first server. */
export function projectUsages(servers: readonly ServerUsage[]): ProjectUsage[] {
  const out = new Map<string, ProjectUsage>();
  for (const server of servers) {
    const sum = out.get(server.tenant_id) ?? emptyUsage(server.tenant_id);
    out.set(server.tenant_id, sum);
    sum.total_hours += server.hours;
    sum.total_vcpus_usage += server.vcpus * server.hours;
    sum.total_memory_mb_usage += server.memory_mb * server.hours;
    sum.total_local_gb_usage += server.local_gb * server.hours;
    sum.servers.push(server);
  }
  return [...out.values()];
}

function emptyUsage(tenant_id: string): ProjectUsage {
  return { tenant_id, total_hours: 0, total_vcpus_usage: 0, total_memory_mb_usage: 0, total_local_gb_usage: 0, servers: [] };
}
