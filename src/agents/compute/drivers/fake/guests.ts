/** The guests of one simulated node and what becomes of them. */
import type { Clock } from '../../../../kernel/clock.ts';
import { badRequest, conflict, Fault, notFound } from '../../../../kernel/fault.ts';
import type { GuestDiagnostics, GuestReport, GuestSpec, PowerAction } from '../../protocol.ts';

export interface Guest {
  spec: GuestSpec;
  report: GuestReport;
  /** What runs in its place. */
  rescue?: GuestSpec;
}

export interface FakeGuests {
  all: Map<string, Guest>;
  /** Throws `compute.server-unknown`. */
  need(serverId: string): Guest;
  /** Changes the report and tells all listeners. */
  change(guest: Guest, report: Partial<GuestReport>): GuestReport;
  exit(serverId: string, code: number, oom?: boolean): void;
  /** @returns how to stop. */
  listen(listener: (report: GuestReport) => void): () => void;
}

export function createFakeGuests(clock: Clock): FakeGuests {
  const all = new Map<string, Guest>();
  const listeners = new Set<(report: GuestReport) => void>();

  function change(guest: Guest, report: Partial<GuestReport>): GuestReport {
    guest.report = { ...guest.report, ...report };
    for (const listener of listeners) listener({ ...guest.report });
    return { ...guest.report };
  }

  return {
    all,
    change,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    need(serverId) {
      const guest = all.get(serverId);
      if (guest === undefined) throw notFound('compute.server-unknown', `This node has no server ${serverId}.`);
      return guest;
    },
    exit(serverId, code, oom = false) {
      const guest = all.get(serverId);
      if (guest === undefined || (!['running', 'paused', 'suspended'].includes(guest.report.power_state))) return;
      const bad = code !== 0 || oom;
      change(guest, {
        power_state: bad ? 'crashed' : 'shutdown',
        exit_code: code,
        oom_killed: oom,
        finished_at: clock.now().toISOString(),
        last_output: bad ? `exited with ${code}\n` : '',
      });
    },
  };
}

export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Waits and fails as the server's metadata say. */
export async function obey(spec: GuestSpec, what: 'spawn' | 'destroy' | 'power' | 'password' | 'rescue' | 'unrescue' | 'capture' | 'resize' | 'move' | 'attach' | 'detach', sleep: Sleep, signal: AbortSignal): Promise<void> {
  const wait = spec.metadata[`slow:${what}`];
  if (wait !== undefined) await sleep(parseDuration(wait), signal);
  const message = spec.metadata[`fail:${what}`];
  if (message !== undefined) throw new Fault(what === 'password' ? 409 : 500, `compute.${what === 'spawn' ? 'start' : what}-failed`, message);
}

export function consoleOf({ spec, report }: Guest, lines: number | undefined): string {
  const all = [`${spec.name} started at ${report.started_at}`, ...(report.last_output === '' ? [] : [report.last_output.trimEnd()])];
  const shown = lines === undefined ? all : lines <= 0 ? [] : all.slice(-lines);
  return shown.map((line) => `${line}\n`).join('');
}

/** What changes by the action; undefined when the guest is so already. Throws the same faults as the Docker driver. Pure. */
export function nextReport(serverId: string, action: PowerAction, state: GuestReport['power_state'], at: string): Partial<GuestReport> | undefined {
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
    case 'suspend':
      return state === 'suspended' ? undefined : state === 'running' || state === 'paused' ? { power_state: 'suspended' } : refuse();
    case 'resume':
      return state === 'running' ? undefined : state === 'suspended' ? { power_state: 'running' } : off ? started : refuse();
    case 'reboot':
      return action.hard || state === 'running' ? started : refuse();
  }
}

export function diagnosticsOf(guest: Guest, clock: Clock): GuestDiagnostics {
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

export async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
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
