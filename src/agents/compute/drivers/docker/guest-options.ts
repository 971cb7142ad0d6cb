/** What a server's maker and its flavor say of its container, in the engine's words. Pure. */
import { badRequest } from '../../../../kernel/fault.ts';
import type { FlavorOptions, GuestOptions, RestartRule } from '../../protocol.ts';

/** Of who restarts it: this driver, and never the engine, which knows of no cables. */
export const RESTART_LABEL = 'gantry.restart';
const RUNTIME_PREFIX = 'gantry-';
const NANO = 1_000_000;

/** `gantry-runsc` is the runtime that puts runsc into the namespaces of servers, as `gantry` does with runc. */
export const extraRuntimes = (names: readonly string[]): string[] =>
  names.filter((name) => name.startsWith(RUNTIME_PREFIX)).map((name) => name.slice(RUNTIME_PREFIX.length)).sort();

export const restartLabel = (rule: RestartRule | undefined): string => (rule === undefined ? 'no' : rule.most > 0 ? `${rule.name}:${rule.most}` : rule.name);

export function restartRuleOf(labels: Record<string, string> | null | undefined): RestartRule {
  const [, name, most] = /^(on-failure|always|unless-stopped)(?::(\d+))?$/.exec(labels?.[RESTART_LABEL] ?? '') ?? [];
  return name === undefined ? { name: 'no', most: 0 } : { name: name as RestartRule['name'], most: Number(most ?? 0) };
}

export function optionConfig(options: GuestOptions): object {
  const { entrypoint, working_dir, user, stop_signal, stop_timeout, health } = options;
  return {
    // An image's own probes would run as often as it likes, and at the engine's expense.
    Healthcheck: health === undefined ? { Test: ['NONE'] } : { Test: health.test, Interval: health.interval_ms * NANO, Timeout: health.timeout_ms * NANO, StartPeriod: health.start_period_ms * NANO, Retries: health.retries },
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(working_dir === undefined ? {} : { WorkingDir: working_dir }),
    ...(user === undefined ? {} : { User: user }),
    ...(stop_signal === undefined ? {} : { StopSignal: stop_signal }),
    ...(stop_timeout === undefined ? {} : { StopTimeout: stop_timeout }),
  };
}

/** @param system an init of its own has its folders in memory already, and what it was given beside. */
export function optionHostConfig({ init, read_only, tmpfs, ulimits }: GuestOptions, system: boolean): object {
  if (tmpfs !== undefined && Object.hasOwn(tmpfs, '/run')) throw badRequest('compute.options-invalid', 'A tmpfs at /run is for guests with an init of their own.');
  return {
    ...(init === undefined ? {} : { Init: init }),
    ...(read_only === true ? { ReadonlyRootfs: true } : {}),
    ...(tmpfs === undefined || system ? {} : { Tmpfs: tmpfs }),
    ...(ulimits === undefined ? {} : { Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })) }),
  };
}

export interface FlavorContext {
  /** Device file of the disk that holds the guests; undefined: none is known. */
  disk: string | undefined;
  /** Capabilities of every guest, to which those of the flavor are added. */
  caps: readonly string[];
}

/** @throws Fault 400 for rates of a disk that this node cannot bound. */
export function flavorHostConfig(flavor: FlavorOptions, { disk, caps }: FlavorContext): object {
  const { privileged, cap_add, runtime, cpu_shares, cpu_period, cpu_quota } = flavor;
  return {
    ...(cap_add === undefined ? {} : { CapAdd: [...new Set([...caps, ...cap_add])] }),
    ...(privileged === true ? { Privileged: true, CapDrop: [], CapAdd: [], SecurityOpt: [], MaskedPaths: [], ReadonlyPaths: [] } : {}),
    ...(runtime === undefined ? {} : { Runtime: `${RUNTIME_PREFIX}${runtime}` }),
    ...(cpu_shares === undefined ? {} : { CpuShares: cpu_shares }),
    ...(cpu_period === undefined ? {} : { CpuPeriod: cpu_period }),
    ...(cpu_quota === undefined ? {} : { CpuQuota: cpu_quota }),
    ...diskRates(flavor.disk_rates, disk),
  };
}

function diskRates(rates: FlavorOptions['disk_rates'], disk: string | undefined): object {
  if (rates === undefined) return {};
  if (disk === undefined) throw badRequest('compute.disk-rates', "The flavor bounds the use of the disk (quota:disk_…), which this node cannot: its engine's data are on no block device of its own.");
  const of = (rate: number | undefined): { Path: string; Rate: number }[] => (rate === undefined ? [] : [{ Path: disk, Rate: rate }]);
  return {
    BlkioDeviceReadBps: of(rates.read_bytes),
    BlkioDeviceWriteBps: of(rates.write_bytes),
    BlkioDeviceReadIOps: of(rates.read_iops),
    BlkioDeviceWriteIOps: of(rates.write_iops),
  };
}
