/** What is different for a guest that runs an init of its own, because its image was made from a disk. Pure. */
import type { GuestSpec, SystemGuest } from '../../protocol.ts';
import type { ContainerState } from './engine-types.ts';
import type { GuestNote } from './guest-notes.ts';

/** Names the init; empty for applications, whose images could bring a label of this name. */
export const SYSTEM_LABEL = 'gantry.system';

/** By reboot(2) of PID 1 in its namespace: the kernel ends it with these signals. */
const REBOOTED = 128 + 1;
const POWERED_OFF = 128 + 2;

/** What makes each of them shut down as its own `poweroff` does; others are asked as any process. */
const STOP_SIGNALS: Readonly<Record<SystemGuest['init'], string | undefined>> = { systemd: 'SIGRTMIN+3', busybox: 'SIGUSR2', other: undefined };

export function isSystem(labels: Record<string, string> | null | undefined): boolean {
  return (labels?.[SYSTEM_LABEL] ?? '') !== '';
}

/** Fields of the container's configuration that come on top of an application's, or in their place. */
export function systemConfig(spec: GuestSpec): object {
  if (spec.system === undefined) return {};
  const signal = STOP_SIGNALS[spec.system.init];
  return { Tty: true, ...(signal === undefined ? {} : { StopSignal: signal }) };
}

/** systemd takes the machine's id from `container_uuid`. */
export function systemEnvironment(spec: GuestSpec): Record<string, string> {
  return spec.system === undefined ? {} : { container: 'docker', container_uuid: spec.server_id };
}

export function systemLabels(spec: GuestSpec): Record<string, string> {
  return { [SYSTEM_LABEL]: spec.system?.init ?? '' };
}

/**
 * Its users become root as on any system, hence privileges may be gained; SYS_BOOT lets it end itself, in its own pid namespace only.
 * The tmpfs at /run tells the runtime that it may write its own cgroup.
 */
export function systemHostConfig(spec: GuestSpec): { Init?: boolean; SecurityOpt?: string[]; Tmpfs?: Record<string, string>; caps: string[] } {
  if (spec.system === undefined) return { caps: [] };
  return {
    Init: false,
    SecurityOpt: [],
    Tmpfs: { '/run': 'rw,exec,nosuid,nodev,mode=755', '/run/lock': 'rw,noexec,nosuid,nodev,mode=1777,size=5m', '/tmp': 'rw,exec,nosuid,nodev,mode=1777' },
    caps: ['SYS_BOOT'],
  };
}

/** The guest asked for its own reboot: it is to be started again. */
export function isRebooting(state: ContainerState, note: GuestNote): boolean {
  return state.Status === 'exited' && state.ExitCode === REBOOTED && note.stopped_run !== state.StartedAt;
}

/** An init that ends because it was told to, has not failed. */
export function systemExitCode(code: number): number {
  return code === REBOOTED || code === POWERED_OFF ? 0 : code;
}
