type Job = () => Promise<void>;

interface Lane {
  running: number;
  waiting: Job[];
}

/** Runs jobs, at most so many of one kind at once, in the order they came. */
export interface Lanes {
  add(kind: string, limit: number, job: Job): void;
  /** Begins nothing more. */
  close(): void;
  /** Resolves when nothing runs, or what runs was abandoned. */
  idle(): Promise<void>;
  abandon(): void;
}

export function lanes(): Lanes {
  const kinds = new Map<string, Lane>();
  let running = 0;
  let open = true;
  let idle: PromiseWithResolvers<void> | undefined;

  function pump(lane: Lane, limit: number): void {
    if (!open) return;
    while (lane.running < limit && lane.waiting.length > 0) {
      const job = lane.waiting.shift() as Job;
      lane.running += 1;
      running += 1;
      void job().finally(() => {
        lane.running -= 1;
        running -= 1;
        pump(lane, limit);
        if (running === 0) idle?.resolve();
      });
    }
  }

  return {
    add(kind, limit, job) {
      const lane = kinds.get(kind) ?? { running: 0, waiting: [] };
      kinds.set(kind, lane);
      lane.waiting.push(job);
      pump(lane, limit);
    },
    close() {
      open = false;
    },
    async idle() {
      if (running === 0) return;
      idle ??= Promise.withResolvers<void>();
      await idle.promise;
    },
    abandon() {
      running = 0;
      idle?.resolve();
    },
  };
}
