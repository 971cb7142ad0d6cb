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
  return new JobLoop(job, options);
}

class JobLoop implements Reconciler {
  readonly #job: Job;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  readonly #status: JobStatus;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> | undefined;
  #poked = false;
  #started = false;

  constructor(job: Job, options: ReconcilerOptions) {
    this.#job = job;
    this.#log = options.log.child({ job: job.name });
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#status = {
      name: job.name, running: false, runs: 0, failures: 0, started_at: undefined, finished_at: undefined,
      next_at: undefined, duration_ms: undefined, result: undefined, error: undefined,
    };
  }

  start(): void {
    this.#started = true;
    this.#begin();
  }

  poke(): void {
    this.#poked = true;
    if (this.#started) this.#begin();
  }

  async idle(): Promise<void> {
    for (let run = this.#current; run !== undefined; run = this.#current) await run;
  }

  status(): JobStatus {
    return { ...this.#status };
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the process stops'));
    clearTimeout(this.#timer);
    await this.#current;
  }

  #begin(): void {
    if (this.#current !== undefined || this.#abort.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#current = this.#runOnce().finally(() => {
      this.#current = undefined;
      if (this.#poked) this.#begin();
      else this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#abort.signal.aborted) return;
    const every = this.#job.every_seconds * 1_000;
    const { failures } = this.#status;
    const ms = jittered(failures === 0 ? every : backOff(failures, every), this.#random);
    this.#status.next_at = isoMicros(new Date(this.#clock.now().getTime() + ms));
    this.#timer = setTimeout(() => this.#begin(), ms).unref();
  }

  async #runOnce(): Promise<void> {
    this.#poked = false;
    const status = this.#status;
    const from = performance.now();
    Object.assign(status, { running: true, started_at: isoMicros(this.#clock.now()), next_at: undefined });
    try {
      const result = await this.#job.run({ log: this.#log, clock: this.#clock, signal: this.#abort.signal });
      Object.assign(status, { failures: 0, error: undefined, result: result ?? undefined });
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failed(error);
    }
    const duration_ms = Math.round(performance.now() - from);
    Object.assign(status, { running: false, runs: status.runs + 1, finished_at: isoMicros(this.#clock.now()), duration_ms });
  }

  #failed(error: unknown): void {
    this.#status.failures += 1;
    this.#status.error = error instanceof Error ? error.message : String(error);
    // Pokes that came meanwhile wait for the back-off: they would only meet the same error.
    this.#poked = false;
    this.#log.error({ err: error, failures: this.#status.failures }, 'a job failed');
  }
}

function jittered(ms: number, random: () => number): number {
  return ms * (1 - JITTER + 2 * JITTER * random());
}

/** 1, 2, 4 … seconds, but no longer than the job's own interval. */
function backOff(failures: number, every: number): number {
  return Math.min(FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 20), every);
}
