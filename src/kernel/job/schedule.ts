import { createReconciler, type Job, type JobStatus, type ReconcilerOptions } from './reconciler.ts';

export interface Jobs {
  /** Runs each job once, and from then on by its timer and on pokes. */
  start(): void;
  /** Asks for a run of the job as soon as possible; returns at once. Throws on a name that no job has. */
  poke(name: string): void;
  status(): JobStatus[];
  /** Resolves when the job has no run under way or due. */
  idle(name: string): Promise<void>;
  /** Begins no run, and waits for those under way. */
  stop(): Promise<void>;
}

export interface JobsOptions extends ReconcilerOptions {
  jobs: readonly Job[];
}

export function createJobs(options: JobsOptions): Jobs {
  const reconcilers = new Map(options.jobs.map((job) => [job.name, createReconciler(job, options)]));
  if (reconcilers.size !== options.jobs.length) throw new Error('two jobs have the same name');

  function named(name: string): ReturnType<typeof createReconciler> {
    const found = reconcilers.get(name);
    if (found === undefined) throw new Error(`there is no job ${name}`);
    return found;
  }

  return {
    start() {
      for (const reconciler of reconcilers.values()) reconciler.start();
    },
    poke: (name) => named(name).poke(),
    status: () => [...reconcilers.values()].map((reconciler) => reconciler.status()),
    idle: (name) => named(name).idle(),
    async stop() {
      await Promise.all([...reconcilers.values()].map((reconciler) => reconciler.stop()));
    },
  };
}
