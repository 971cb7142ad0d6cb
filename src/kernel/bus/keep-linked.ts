import type { Log } from '../log/log.ts';
import { dial, Refused, type Dialled } from './dial.ts';
import { closeCode, type Hello } from './frames.ts';

export interface Backoff {
  min_ms: number;
  max_ms: number;
}

export interface KeepLinkedOptions {
  url: string;
  hello: () => Hello;
  ca: Buffer | undefined;
  /** Between attempts: doubles from `min_ms` to `max_ms`, half of it by chance. */
  backoff: Backoff;
  log: Log;
  signal: AbortSignal;
  /** Takes the socket over at once; resolves with the code of its end. */
  onWelcome(dialled: Dialled): Promise<number>;
}

/** Enough doublings to reach any longest pause. */
const LONGEST = 8;

/** Dials, and dials again after every end, until the signal. */
export async function keepLinked({ url, hello, ca, backoff, log, signal, onWelcome }: KeepLinkedOptions): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const code = await dial(url, hello(), ca, signal, onWelcome);
      // Two agents with one identity would chase each other at full speed.
      failures = code === closeCode.replaced ? LONGEST : 0;
    } catch (error) {
      if (signal.aborted) break;
      // What was refused once will be refused again until someone acts.
      failures = error instanceof Refused && error.code !== closeCode.failed ? LONGEST : failures + 1;
      const why = error instanceof Refused ? { code: error.code, reason: error.message } : { err: error };
      log.warn({ url, ...why }, 'no link to the controller');
    }
    await pause(delay(backoff, failures), signal);
  }
}

function delay({ min_ms, max_ms }: Backoff, failures: number): number {
  const whole = Math.min(max_ms, min_ms * 2 ** failures);
  return whole / 2 + (Math.random() * whole) / 2;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
