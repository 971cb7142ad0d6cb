/** The threads that hash, started when large data come and ended when none have come for a while. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

export type Algorithm = 'md5' | 'sha256' | 'sha512';

type Request =
  | { op: 'begin'; hash: number; algorithm: Algorithm }
  | { op: 'update'; hash: number; memory: SharedArrayBuffer; at: number; length: number }
  | { op: 'end' | 'forget'; hash: number };
export type DigestRequest = Request & { seq: number };
export interface DigestReply {
  seq: number;
  digest?: string;
}

/** One hash on one thread. */
export interface Lane {
  update(memory: SharedArrayBuffer, at: number, length: number): Promise<void>;
  digest(): Promise<string>;
  forget(): void;
}

const IDLE_MS = 30_000;

interface Thread {
  ask(request: Request): Promise<string>;
  end(): void;
  hashes: number;
  idle: NodeJS.Timeout | undefined;
}

export interface Lanes {
  open(algorithm: Algorithm): Lane;
}

/** @param nice how far the threads step back behind all others, as of nice(1) */
export function createLanes(nice = 0, most = Math.max(2, availableParallelism())): Lanes {
  const threads = new Set<Thread>();
  let count = 0;

  function start(): Thread {
    const thread = startThread(nice, () => threads.delete(thread));
    threads.add(thread);
    return thread;
  }

  function pick(): Thread {
    const free = [...threads].sort((a, b) => a.hashes - b.hashes)[0];
    return free === undefined || (free.hashes > 0 && threads.size < most) ? start() : free;
  }

  function leave(thread: Thread): void {
    thread.hashes -= 1;
    if (thread.hashes === 0) thread.idle = setTimeout(() => thread.end(), IDLE_MS).unref();
  }

  return {
    open(algorithm) {
      const thread = pick();
      const hash = (count += 1);
      clearTimeout(thread.idle);
      thread.hashes += 1;
      thread.ask({ op: 'begin', hash, algorithm }).catch(() => {});
      return {
        update: (memory, at, length) => thread.ask({ op: 'update', hash, memory, at, length }).then(() => {}),
        digest: () => thread.ask({ op: 'end', hash }).finally(() => leave(thread)),
        forget: () => void thread.ask({ op: 'forget', hash }).catch(() => {}).finally(() => leave(thread)),
      };
    },
  };
}

function startThread(nice: number, onEnd: () => void): Thread {
  const worker = new Worker(new URL('./digest-worker.ts', import.meta.url), { workerData: { nice }, resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } });
  const waiting = new Map<number, PromiseWithResolvers<string>>();
  let count = 0;
  let ended: Error | undefined;
  const fail = (error: Error): void => {
    ended ??= error;
    onEnd();
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.unref();
  worker.on('message', ({ seq, digest }: DigestReply) => {
    waiting.get(seq)?.resolve(digest ?? '');
    waiting.delete(seq);
    if (waiting.size === 0) worker.unref();
  });
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('a hashing thread ended')));
  return {
    hashes: 0,
    idle: undefined,
    async ask(request) {
      if (ended !== undefined) throw ended;
      const seq = (count += 1);
      const reply = Promise.withResolvers<string>();
      waiting.set(seq, reply);
      worker.ref();
      worker.postMessage({ ...request, seq }, []);
      return reply.promise;
    },
    end() {
      onEnd();
      void worker.terminate();
    },
  };
}
