/** Which backend takes a volume: filters, then the one with the most room. Pure. */
import type { Backend } from './backends.ts';

export interface Wanted {
  /** GiB */
  size: number;
  availability_zone: string | null;
  extra_specs: Readonly<Record<string, string>>;
  /** It has to be with the data that it is made of. */
  node_id: string | null;
  /** Of OS-SCH-HNT: hosts of these volumes. */
  same_host?: readonly string[];
  different_host?: readonly string[];
}

export interface Space {
  max_over_subscription_ratio: number;
  reserved_percentage: number;
}

const GIB = 2 ** 30;

/** GiB that a volume may still take. */
export function freeGigabytes({ report }: Pick<Backend, 'report'>, space: Space): number {
  const reserved = (report.total_bytes * space.reserved_percentage) / 100;
  const real = report.free_bytes - reserved;
  if (!report.thin) return Math.min(real, report.total_bytes - report.provisioned_bytes - reserved) / GIB;
  return Math.min((report.total_bytes - reserved) * space.max_over_subscription_ratio - report.provisioned_bytes, real * space.max_over_subscription_ratio) / GIB;
}

/** What extra specs may ask of a backend, by name. */
export function capabilitiesOf({ report, hostname }: Pick<Backend, 'report' | 'hostname'>): Record<string, string> {
  return {
    volume_backend_name: report.backend, vendor_name: 'Gantry', driver_version: '1.0', storage_protocol: report.driver, multiattach: pythonBoolean(report.multiattach),
    thin_provisioning_support: pythonBoolean(report.thin), thick_provisioning_support: pythonBoolean(!report.thin), online_extend_support: pythonBoolean(report.online_extend),
    QoS_support: 'False', replication_enabled: 'False', replication: 'False', consistent_group_snapshot_enabled: 'False', hostname,
  };
}

const pythonBoolean = (value: boolean): string => (value ? 'True' : 'False');

/** Best first; empty: no valid host. */
export function candidates(backends: readonly Backend[], wanted: Wanted, space: Space): Backend[] {
  return backends
    .filter((backend) => backend.up && backend.disabled === 0 && backend.frozen === 0)
    .filter((backend) => wanted.node_id === null || backend.node_id === wanted.node_id)
    .filter((backend) => wanted.availability_zone === null || backend.availability_zone === wanted.availability_zone)
    .filter((backend) => freeGigabytes(backend, space) >= wanted.size)
    .filter((backend) => wanted.same_host === undefined || wanted.same_host.length === 0 || wanted.same_host.includes(backend.pool))
    .filter((backend) => !(wanted.different_host ?? []).includes(backend.pool))
    .filter((backend) => fits(capabilitiesOf(backend), wanted.extra_specs))
    .toSorted((a, b) => freeGigabytes(b, space) - freeGigabytes(a, space) || (a.host < b.host ? -1 : 1));
}

/** Specs of another scope than `capabilities:` are for drivers. */
function fits(has: Record<string, string>, specs: Readonly<Record<string, string>>): boolean {
  return Object.entries(specs).every(([name, asked]) => {
    const scoped = name.split(':');
    if (scoped.length > 1 && scoped[0] !== 'capabilities') return true;
    const key = scoped.length > 1 ? scoped.slice(1).join(':') : name;
    return matches(has[key], asked);
  });
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  '=': (a, b) => a >= b, '==': (a, b) => a === b, '!=': (a, b) => a !== b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b,
};

/** oslo's little language: `<is> True`, `<in> x`, `<or> a <or> b`, `>= 3`, `s== x`, or the value itself. */
export function matches(value: string | undefined, asked: string): boolean {
  if (value === undefined) return false;
  const [first = '', ...rest] = asked.trim().split(/\s+/);
  const operand = rest.join(' ');
  if (first === '<is>') return /^(true|1|yes|on|t|y)$/i.test(operand) === /^true$/i.test(value);
  if (first === '<in>') return value.includes(operand);
  if (first === '<or>') return operand.split(/\s*<or>\s*/).includes(value);
  if (first === 's==') return value === operand;
  if (first === 's!=') return value !== operand;
  const compare = Object.hasOwn(COMPARE, first) ? COMPARE[first] : undefined;
  if (compare !== undefined && rest.length > 0) return compare(Number(value), Number(operand));
  return value === asked.trim();
}
