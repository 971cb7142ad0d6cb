import type { Probes } from './probes.ts';

/** `ok` is ready, `warn` works or is put right by `up`, `fail` stops `up`. */
export type Level = 'ok' | 'warn' | 'fail';

/** One line of the doctor. `id` is stable for ever; `cause` and `fix` are there unless all is well. */
export interface Finding {
  id: string;
  title: string;
  level: Level;
  cause?: string;
  fix?: string;
}

/** What a check may depend on beside the host itself. */
export interface Subject {
  name: string;
  /** CIDRs of the ready-made networks. */
  subnets: { public: string; private: string };
  data_dir: string;
  host: string;
  port: number;
  docker_socket: string;
  runtime: string;
  controller_uid: number;
  /** Root folder of this program. */
  checkout: string;
  /** False with --no-install. */
  may_install: boolean;
  /** Process ids of this very cloud: what they hold is no clash. */
  own_pids: readonly number[];
  /** Whether the data directory holds a cloud already. */
  exists: boolean;
}

export interface Check {
  (probes: Probes, subject: Subject): Promise<Finding[]> | Finding[];
}

export function ok(id: string, title: string): Finding {
  return { id, title, level: 'ok' };
}

export function warn(id: string, title: string, cause: string, fix: string): Finding {
  return { id, title, level: 'warn', cause, fix };
}

export function fail(id: string, title: string, cause: string, fix: string): Finding {
  return { id, title, level: 'fail', cause, fix };
}
