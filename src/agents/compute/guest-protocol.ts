/** What a server's maker and its flavor say of a container, beside its size: a part of the protocol. */

/** When a guest that ends by itself is started again. `most`: how often in a row, of `on-failure`; 0: no bound of its own. */
export interface RestartRule {
  name: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  most: number;
}

export interface Ulimit {
  name: string;
  soft: number;
  hard: number;
}

/** What the maker of a server says of its container; absent: as the image has it. */
export interface GuestOptions {
  entrypoint?: string[];
  /** Absolute. */
  working_dir?: string;
  /** `www-data`, `1000:1000` */
  user?: string;
  tty?: boolean;
  /** Whether a small init reaps what is orphaned; it does unless told. */
  init?: boolean;
  /** Its root file system. */
  read_only?: boolean;
  stop_signal?: string;
  /** Seconds. */
  stop_timeout?: number;
  restart?: RestartRule;
  /** `test`: `CMD` and words, or `CMD-SHELL` and a line. */
  health?: { test: string[]; interval_ms: number; timeout_ms: number; start_period_ms: number; retries: number };
  /** Options of mount(8) by path. */
  tmpfs?: Record<string, string>;
  ulimits?: Ulimit[];
  labels?: Record<string, string>;
}

/** Bytes and operations per second, as the host's disk sees them. */
export interface DiskRates {
  read_bytes: number;
  write_bytes: number;
  read_iops: number;
  write_iops: number;
}

/** What its flavor gives a guest beyond its size: nobody but an operator asks for these. */
export interface FlavorOptions {
  privileged?: boolean;
  /** Without `CAP_`. */
  cap_add?: string[];
  pids?: number;
  /** Another than runc: `runsc`, `kata`. */
  runtime?: string;
  cpu_shares?: number;
  /** Microseconds; a quota of -1 is none. */
  cpu_period?: number;
  cpu_quota?: number;
  disk_rates?: Partial<DiskRates>;
}

/** A password as crypt(3) has it: what people type never comes to a node. */
export interface PasswordHash {
  user: string;
  hash: string;
}
