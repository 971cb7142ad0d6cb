import { Fault } from '../fault.ts';
import { fromWireError } from './frames.ts';
import type { Waiting } from './outbox.ts';

export interface CallOptions {
  /** Default: two minutes. */
  timeout_ms?: number;
  /** Gives up waiting; what the other side began it finishes. */
  signal?: AbortSignal;
}

export const DEFAULT_TIMEOUT_MS = 120_000;

/** Calls that wait for their answer. */
export interface PendingCalls {
  /** Sends by `send` and waits. @throws what `send` throws, the answer's Fault, 504 `bus.timeout`, or the signal's reason. */
  start(method: string, options: CallOptions, send: (id: number) => Waiting): Promise<unknown>;
  /** An answer came. One that was given up meanwhile is passed over. */
  settle(id: number, frame: Record<string, unknown>): void;
  failAll(fault: () => Fault): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** @param peer who answers, for messages. */
export function createPendingCalls(peer: string): PendingCalls {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  return {
    start: (method, { timeout_ms = DEFAULT_TIMEOUT_MS, signal }, send) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const id = (lastId += 1);
        const waiting = send(id);
        const late = (): Fault =>
          new Fault(504, 'bus.timeout', `There was no answer from ${peer} to ${method} within ${timeout_ms} ms.`, { retryable: true });
        const unwatch = watch(signal, timeout_ms, late, (error) => pending.get(id)?.reject(error));
        const settled = (): void => {
          pending.delete(id);
          waiting.dropped = true;
          unwatch();
        };
        pending.set(id, {
          resolve: (result) => (settled(), resolve(result)),
          reject: (error) => (settled(), reject(error)),
        });
      }),
    settle(id, frame) {
      const call = pending.get(id);
      if ('fault' in frame) call?.reject(fromWireError(frame['fault']));
      else call?.resolve(frame['result']);
    },
    failAll(fault) {
      for (const call of pending.values()) call.reject(fault());
    },
  };
}

/** @returns how to stop watching. */
function watch(signal: AbortSignal | undefined, timeout_ms: number, late: () => Fault, give_up: (error: unknown) => void): () => void {
  const timer = setTimeout(() => give_up(late()), timeout_ms);
  if (signal === undefined) return () => clearTimeout(timer);
  const abort = (): void => give_up(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  };
}
