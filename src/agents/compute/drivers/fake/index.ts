/**
 * Servers that exist in memory only: for tests, for trying out a large cloud on one machine, for rehearsing failures.
 * What shall go wrong is said by the server's own metadata:
 *   `fail:spawn`, `fail:destroy`, `fail:power` = the message of the fault;
 *   `slow:spawn`, `slow:destroy`, `slow:power` = how long it takes (`200ms`, `5s`, `1m`);
 *   `exit:code` = the guest ends with this code, `exit:after` its spawn (default at once), `exit:oom` = `true` for want of memory.
 */
import type { Clock } from '../../../../kernel/clock.ts';
import { badRequest, conflict, Fault, notFound } from '../../../../kernel/fault.ts';
import { createKeyedLock } from '../../locks.ts';
import type { ComputeDriver, GuestDiagnostics, GuestReport, GuestSpec, HostResources, PowerAction } from '../../protocol.ts';

export interface FakeDriverOptions {
  clock: Clock;
  /** How `slow:` and `exit:after` wait; tests hand in one that does not. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  resources?: Partial<HostResources>;
}

export interface FakeDriver extends ComputeDriver {
  /** As if the guest's process had ended on its own. */
  exit(serverId: string, code: number, oom?: boolean): void;
  /** The specification with which a guest was spawned. */
  specOf(serverId: string): GuestSpec | undefined;
}

interface Guest {
  spec: GuestSpec;
  report: GuestReport;
}

export function createFakeDriver(options: FakeDriverOptions): FakeDriver {
  const { clock, sleep = sleepFor } = options;
  const guests = new Map<string, Guest>();
  const listeners: ((report: GuestReport) => void)[] = [];
  const lock = createKeyedLock();
  const closing = new AbortController();
  const now = (): string => clock.now().toISOString();

  function need(serverId: string): Guest {
    const guest = guests.get(serverId);
    if (guest === undefined) throw notFound('compute.server-unknown', `This node has no server ${serverId}.`);
    return guest;
  }

  function change(guest: Guest, report: Partial<GuestReport>): GuestReport {
    guest.report = { ...guest.report, ...report };
    for (const listener of listeners) listener({ ...guest.report });
    return { ...guest.report };
  }

  function exit(serverId: string, code: number, oom = false): void {
    const guest = guests.get(serverId);
    if (guest === undefined || (guest.report.power_state !== 'running' && guest.report.power_state !== 'paused')) return;
    const bad = code !== 0 || oom;
    change(guest, {
      power_state: bad ? 'crashed' : 'shutdown',
      exit_code: code,
      oom_killed: oom,
      finished_at: now(),
      last_output: bad ? `exited with ${code}\n` : '',
    });
  }

  async function obey(spec: GuestSpec, what: 'spawn' | 'destroy' | 'power'): Promise<void> {
    const wait = spec.metadata[`slow:${what}`];
    if (wait !== undefined) await sleep(parseDuration(wait), closing.signal);
    const message = spec.metadata[`fail:${what}`];
    if (message !== undefined) throw new Fault(500, `compute.${what === 'spawn' ? 'start' : what}-failed`, message);
  }

  async function spawn(spec: GuestSpec): Promise<GuestReport> {
    const existing = guests.get(spec.server_id);
    if (existing !== undefined) return { ...existing.report };
    await obey(spec, 'spawn');
    const guest: Guest = { spec, report: { ...stopped(spec.server_id), power_state: 'running', started_at: now() } };
    guests.set(spec.server_id, guest);
    change(guest, {});
    const code = spec.metadata['exit:code'];
    if (code !== undefined) await plannedExit(spec, Number(code));
    return { ...guest.report };
  }

  async function plannedExit(spec: GuestSpec, code: number): Promise<void> {
    const oom = spec.metadata['exit:oom'] === 'true';
    const after = spec.metadata['exit:after'];
    if (after === undefined) return exit(spec.server_id, code, oom);
    void sleep(parseDuration(after), closing.signal).then(() => {
      if (!closing.signal.aborted) exit(spec.server_id, code, oom);
    });
  }

  async function power(serverId: string, action: PowerAction): Promise<GuestReport> {
    const guest = need(serverId);
    const state = guest.report.power_state;
    const next = nextReport(serverId, action, state, now());
    if (next === undefined) return { ...guest.report };
    await obey(guest.spec, 'power');
    return change(guest, next);
  }

  return {
    exit,
    specOf: (serverId) => guests.get(serverId)?.spec,
    spawn: (spec) => lock.run(spec.server_id, () => spawn(spec)),
    power: (serverId, action) => lock.run(serverId, () => power(serverId, action)),
    destroy: (serverId) =>
      lock.run(serverId, async () => {
        const guest = guests.get(serverId);
        if (guest === undefined) return;
        await obey(guest.spec, 'destroy');
        guests.delete(serverId);
        change(guest, { ...stopped(serverId), container_id: null });
      }),
    inspect: async (serverId) => {
      const guest = guests.get(serverId);
      return guest === undefined ? undefined : { ...guest.report };
    },
    list: async () => [...guests.values()].map((guest) => ({ ...guest.report })),
    async consoleOutput(serverId, lines) {
      const { spec, report } = need(serverId);
      const all = [`${spec.name} started at ${report.started_at}`, ...(report.last_output === '' ? [] : [report.last_output.trimEnd()])];
      const shown = lines === undefined ? all : lines <= 0 ? [] : all.slice(-lines);
      return shown.map((line) => `${line}\n`).join('');
    },
    diagnostics: async (serverId) => diagnosticsOf(need(serverId), clock),
    resources: async () => ({ ...RESOURCES, ...options.resources }),
    onChange: (listener) => void listeners.push(listener),
    async close() {
      closing.abort();
    },
  };
}

/** Many nodes with names of their own: `fake-0001` … */
export function createFakeNodes(count: number, options: FakeDriverOptions): { hostname: string; driver: FakeDriver }[] {
  return Array.from({ length: count }, (_, index) => {
    const hostname = `fake-${String(index + 1).padStart(4, '0')}`;
    const host_ip = `127.1.${(index >> 8) & 255}.${index & 255}`;
    return { hostname, driver: createFakeDriver({ ...options, resources: { host_ip, ...options.resources, hostname } }) };
  });
}

function stopped(serverId: string): GuestReport {
  return {
    server_id: serverId,
    container_id: `fake-${serverId}`,
    power_state: 'nostate',
    exit_code: null,
    oom_killed: false,
    started_at: null,
    finished_at: null,
    last_output: '',
  };
}

/** What changes by the action; undefined when the guest is so already. Throws the same faults as the Docker driver. Pure. */
function nextReport(serverId: string, action: PowerAction, state: GuestReport['power_state'], at: string): Partial<GuestReport> | undefined {
  const refuse = (): never => {
    throw conflict('compute.wrong-state', `Cannot ${action.action} server ${serverId} while it is ${state}.`);
  };
  const off = state === 'shutdown' || state === 'crashed';
  const started: Partial<GuestReport> = { power_state: 'running', exit_code: null, oom_killed: false, started_at: at, finished_at: null, last_output: '' };
  switch (action.action) {
    case 'start':
      return state === 'running' ? undefined : off ? started : refuse();
    case 'stop':
      return off ? undefined : state === 'running' ? { power_state: 'shutdown', exit_code: 143, finished_at: at } : refuse();
    case 'pause':
      return state === 'paused' ? undefined : state === 'running' ? { power_state: 'paused' } : refuse();
    case 'unpause':
      return state === 'running' ? undefined : state === 'paused' ? { power_state: 'running' } : refuse();
    case 'reboot':
      return action.hard || state === 'running' ? started : refuse();
  }
}

function diagnosticsOf(guest: Guest, clock: Clock): GuestDiagnostics {
  const { report, spec } = guest;
  const running = report.power_state === 'running' && report.started_at !== null;
  const ms = running ? Math.max(0, clock.now().getTime() - new Date(report.started_at!).getTime()) : 0;
  return {
    cpu_time_ns: ms * 1_000_000,
    memory_used_bytes: running ? (spec.limits.memory_mb * 1024 * 1024) / 4 : 0,
    memory_maximum_bytes: spec.limits.memory_mb * 1024 * 1024,
    pids: running ? 1 : 0,
    uptime_seconds: Math.floor(ms / 1000),
    nics: spec.network.ports
      .filter((port) => port.device_id === spec.server_id)
      .map((port) => ({ mac_address: port.mac_address, rx_bytes: 0, tx_bytes: 0, rx_packets: 0, tx_packets: 0, rx_errors: 0, tx_errors: 0, rx_drop: 0, tx_drop: 0 })),
    disk_read_bytes: 0,
    disk_write_bytes: 0,
  };
}

/** `200ms`, `5s`, `1.5m`; a bare number is seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text.trim());
  if (match === null) throw badRequest('compute.duration-invalid', `Not a duration: ${JSON.stringify(text)} (write 200ms, 5s or 1m).`);
  const unit = { ms: 1, s: 1000, m: 60_000 }[match[2] ?? 's'] ?? 1000;
  return Math.round(Number(match[1]) * unit);
}

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}

const RESOURCES: HostResources = {
  hostname: 'fake',
  vcpus: 64,
  memory_mb: 262_144,
  disk_gb: 2000,
  memory_used_mb: 1024,
  disk_used_gb: 10,
  hypervisor_type: 'fake',
  hypervisor_version: 1_000_000,
  cpu_info: { arch: 'x86_64', model: 'Fake CPU', vendor: 'Fake', features: [], topology: { cores: 32, threads: 2, sockets: 1 } },
  uptime_seconds: 86_400,
  load_average: [0, 0, 0],
  host_ip: '127.0.0.1',
};
