import { isoMicros, type Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';

export interface JobContext {
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted when the process stops: a long run should end soon then. What it throws for it is no error. */
  readonly signal: AbortSignal;
}

/** Heals drift; takes no input, and may run at any time and any number of times. */
export interface Job {
  readonly name: string;
  readonly every_seconds: number;
  /** What it found and did, as figures for people. */
  run(ctx: JobContext): Promise<object | void>;
}

export function defineJob(job: Job): Job {
  if (!(job.every_seconds > 0)) throw new Error(`job ${job.name}: every_seconds must be positive`);
  return job;
}

export interface JobStatus {
  name: string;
  running: boolean;
  runs: number;
  /** In a row; 0 after a success. */
  failures: number;
  /** ISO instants. */
  started_at: string | undefined;
  finished_at: string | undefined;
  next_at: string | undefined;
  duration_ms: number | undefined;
  /** What the last good run returned. */
  result: object | undefined;
  error: string | undefined;
}

/** Runs one job: on a poke, and on a timer; never twice at a time. */
export interface Reconciler {
  start(): void;
  /** Runs as soon as possible. While it runs: once more after it, however often it was poked. */
  poke(): void;
  /** Resolves when no run is under way or due. */
  idle(): Promise<void>;
  status(): JobStatus;
  /** Begins no run, and waits for the one under way. */
  stop(): Promise<void>;
}

export interface ReconcilerOptions {
  log: Log;
  clock: Clock;
  /** From 0 to 1; spreads the runs of jobs and of controllers. */
  random?: () => number;
}

const FIRST_BACK_OFF_MS = 1_000;
/** Of the interval, up or down. */
const JITTER = 0.1;

export function createReconciler(job: Job, options: ReconcilerOptions): Reconciler {
  const { clock, random = Math.random } = options;
  const log = options.log.child({ job: job.name });
  const every = job.every_seconds * 1_000;
  const abort = new AbortController();
  const status: JobStatus = {
    name: job.name, running: false, runs: 0, failures: 0, started_at: undefined, finished_at: undefined,
    next_at: undefined, duration_ms: undefined, result: undefined, error: undefined,
  };
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> | undefined;
  let poked = false;
  let started = false;

  function schedule(ms: number): void {
    clearTimeout(timer);
    if (abort.signal.aborted) return;
    status.next_at = isoMicros(new Date(clock.now().getTime() + ms));
    timer = setTimeout(begin, ms).unref();
  }

  function begin(): void {
    if (current !== undefined || abort.signal.aborted) return;
    clearTimeout(timer);
    current = runOnce().finally(() => {
      current = undefined;
      if (poked) return begin();
      schedule(status.failures === 0 ? jittered(every, random) : backOff(status.failures, every, random));
    });
  }

  async function runOnce(): Promise<void> {
    poked = false;
    const from = performance.now();
    Object.assign(status, { running: true, started_at: isoMicros(clock.now()), next_at: undefined });
    try {
      const result = await job.run({ log, clock, signal: abort.signal });
      Object.assign(status, { failures: 0, error: undefined, result: result ?? undefined });
    } catch (error) {
      if (!abort.signal.aborted) failed(error);
    }
    const duration_ms = Math.round(performance.now() - from);
    Object.assign(status, { running: false, runs: status.runs + 1, finished_at: isoMicros(clock.now()), duration_ms });
  }

  function failed(error: unknown): void {
    status.failures += 1;
    status.error = error instanceof Error ? error.message : String(error);
    // Pokes that came meanwhile wait for the back-off: they would only meet the same error.
    poked = false;
    log.error({ err: error, failures: status.failures }, 'a job failed');
  }

  return {
    start() {
      started = true;
      begin();
    },
    poke() {
      poked = true;
      if (started) begin();
    },
    async idle() {
      while (current !== undefined) await current;
    },
    status: () => ({ ...status }),
    async stop() {
      abort.abort(new Error('the process stops'));
      clearTimeout(timer);
      await current;
    },
  };
}

function jittered(ms: number, random: () => number): number {
  return ms * (1 - JITTER + 2 * JITTER * random());
}

/** 1, 2, 4 … seconds, but no longer than the job's own interval. */
function backOff(failures: number, every: number, random: () => number): number {
  return jittered(Math.min(FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 20), every), random);
}
