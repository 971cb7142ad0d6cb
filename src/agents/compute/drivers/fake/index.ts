/**
 * Servers that exist in memory only: for tests, for trying out a large cloud on one machine, for rehearsing failures.
 * What shall go wrong is said by the server's own metadata:
 *   `fail:spawn`, `fail:destroy`, `fail:power`, `fail:password`, `fail:capture`, `fail:resize`, `fail:move`, `fail:attach`, `fail:detach` = the message of the fault;
 *   `slow:spawn`, `slow:destroy`, `slow:power`, `slow:password`, `slow:capture`, `slow:resize`, `slow:move` = how long it takes (`200ms`, `5s`, `1m`);
 *   `exit:code` = the guest ends with this code, `exit:after` its spawn (default at once), `exit:oom` = `true` for want of memory.
 */
import type { Clock } from '../../../../kernel/clock.ts';
import { notImplemented } from '../../../../kernel/fault.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import { noGuest, type ComputeDriver, type GuestReport, type GuestSpec, type HostResources, type KeptImage, type PowerAction } from '../../protocol.ts';
import { openFakeConsole } from './console.ts';
import { fakeMoving, NOTHING_WRITTEN } from './moving.ts';
import type { SendLayer } from '../../disk/transport.ts';
import { fakeVolumes } from './volumes.ts';
import { fakeCaptures } from './captures.ts';
import { consoleOf, createFakeGuests, diagnosticsOf, nextReport, obey, parseDuration, sleepFor, type Guest, type Sleep } from './guests.ts';
import { fakeHandles, fakeInside, type Given } from './inside.ts';

export { parseDuration } from './guests.ts';

export interface FakeDriverOptions {
  clock: Clock;
  /** How `slow:` and `exit:after` wait; tests hand in one that does not. */
  sleep?: Sleep;
  resources?: Partial<HostResources>;
  /** Where captured layers go to; without it, whoever asks has them already. */
  layers?: SendLayer;
}

export interface FakeDriver extends ComputeDriver {
  /** As if the guest's process had ended on its own. */
  exit(serverId: string, code: number, oom?: boolean): void;
  /** As if it had ended on its own and been started again. */
  restarted(serverId: string, count: number, exit_code: number): void;
  /** The specification with which a guest was spawned. */
  specOf(serverId: string): GuestSpec | undefined;
  /** Of the guest that runs in a server's place. */
  rescueOf(serverId: string): GuestSpec | undefined;
  /** Signals and hashes of passwords that guests were given, in order. */
  given: Given[];
}

export function createFakeDriver(options: FakeDriverOptions): FakeDriver {
  const { clock, sleep = sleepFor } = options;
  const guests = createFakeGuests(clock);
  const lock = createKeyedLock();
  const given: Given[] = [];
  const closing = new AbortController();
  const { signal } = closing;

  async function spawn(spec: GuestSpec): Promise<GuestReport> {
    const existing = guests.all.get(spec.server_id);
    if (existing !== undefined && isSame(existing, spec)) return { ...existing.report };
    guests.all.delete(spec.server_id);
    await obey(spec, 'spawn', sleep, signal);
    const power = spec.off === true ? { power_state: 'shutdown' as const } : { power_state: 'running' as const, started_at: clock.now().toISOString() };
    const guest: Guest = { spec, report: { ...noGuest(spec.server_id), container_id: `fake-${spec.server_id}`, ...power } };
    guests.all.set(spec.server_id, guest);
    guests.change(guest, {});
    if (spec.metadata['exit:code'] !== undefined && spec.off !== true) planExit(spec, (code, oom) => guests.exit(spec.server_id, code, oom), sleep, signal);
    return { ...guest.report, ...(spec.layer === undefined ? {} : { layer: NOTHING_WRITTEN }) };
  }

  async function power(serverId: string, action: PowerAction): Promise<GuestReport> {
    const guest = guests.need(serverId);
    const next = nextReport(serverId, action, guest.report.power_state, clock.now().toISOString());
    if (next === undefined) return { ...guest.report };
    await obey(guest.spec, 'power', sleep, signal);
    return guests.change(guest, next);
  }

  async function destroy(serverId: string): Promise<void> {
    const guest = guests.all.get(serverId);
    if (guest === undefined) return;
    await obey(guest.spec, 'destroy', sleep, signal);
    guests.all.delete(serverId);
    guests.change(guest, noGuest(serverId));
  }

  return {
    ...fakeHandles(clock, guests),
    given,
    spawn: (spec) => lock.run(spec.server_id, () => spawn(spec)),
    power: (serverId, action) => lock.run(serverId, () => power(serverId, action)),
    ...fakeInside(clock, guests, given, (spec, what) => obey(spec, what, sleep, signal)),
    ...fakeMoving(guests, lock, (spec, what) => obey(spec, what, sleep, signal)),
    ...fakeVolumes(guests, lock, (spec, what) => obey(spec, what, sleep, signal)),
    destroy: (serverId) => lock.run(serverId, () => destroy(serverId)),
    inspect: async (serverId) => copy(guests.all.get(serverId)),
    list: async () => [...guests.all.values()].map((guest) => ({ ...guest.report })),
    consoleOutput: async (serverId, lines) => consoleOf(guests.need(serverId), lines),
    openConsole: async (serverId, request) => openFakeConsole(guests, serverId, request),
    diagnostics: async (serverId) => diagnosticsOf(guests.need(serverId), clock),
    resources: async () => ({ ...RESOURCES, ...options.resources }),
    ...fakeImages(clock, (image_id) => [...guests.all.values()].some(({ spec }) => spec.image.id === image_id)),
    convertDisk: refuseDisk,
    ...fakeCaptures({ guests, clock, sleep, signal, layers: options.layers }),
    onChange: (listener) => void guests.listen(listener),
    close: async () => closing.abort(),
  };
}

const isSame = ({ spec }: Guest, { incarnation }: GuestSpec): boolean => incarnation === undefined || spec.incarnation === incarnation;
function planExit({ metadata }: GuestSpec, end: (code: number, oom: boolean) => void, sleep: Sleep, signal: AbortSignal): void {
  const exit = (): void => end(Number(metadata['exit:code']), metadata['exit:oom'] === 'true');
  const after = metadata['exit:after'];
  if (after === undefined) return exit();
  void sleep(parseDuration(after), signal).then(() => {
    if (!signal.aborted) exit();
  });
}

async function refuseDisk(): Promise<never> {
  throw notImplemented('compute.disk-unsupported', 'This node only simulates servers: it cannot read disk images.');
}

function copy(guest: Guest | undefined): GuestReport | undefined {
  return guest === undefined ? undefined : { ...guest.report };
}

/** Many nodes with names of their own: `fake-0001` … */
export function createFakeNodes(count: number, options: FakeDriverOptions): { hostname: string; driver: FakeDriver }[] {
  return Array.from({ length: count }, (_, index) => {
    const hostname = `fake-${String(index + 1).padStart(4, '0')}`;
    const host_ip = `127.1.${(index >> 8) & 255}.${index & 255}`;
    return { hostname, driver: createFakeDriver({ ...options, resources: { host_ip, ...options.resources, hostname } }) };
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
  boots_volumes: true,
  uptime_seconds: 86_400,
  load_average: [0, 0, 0],
  host_ip: '127.0.0.1',
};

/** @param inUse whether a guest was made from it */
function fakeImages(clock: Clock, inUse: (image_id: string) => boolean): Pick<ComputeDriver, 'prefetch' | 'keptImages' | 'dropImage'> {
  const there = new Map<string, { digest: string; kept: KeptImage }>();
  return {
    async prefetch({ id, digest, size }) {
      const now = clock.now().toISOString();
      const old = there.get(id);
      const present = old?.digest === digest;
      there.set(id, { digest, kept: present ? { ...old.kept, hits: old.kept.hits + 1, last_used: now } : { image_id: id, size, kept_since: now, last_used: null, hits: 0 } });
      return { present, bytes_fetched: present ? 0 : size, layers_fetched: 0, layers_reused: 0, bytes_reused: 0, ms: 0 };
    },
    keptImages: async () => [...there.values()].map(({ kept }) => kept),
    dropImage: async (image_id) => (inUse(image_id) ? 'in-use' : there.delete(image_id) ? 'removed' : 'absent'),
  };
}
