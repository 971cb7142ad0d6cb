/** A node whose agent or engine restarts is back within seconds: it is waited for, not long. */
import { setTimeout as delay } from 'node:timers/promises';
import { Fault, isFault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import type { TaskDeps } from './task-deps.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;

/** Whether the node could not be asked, rather than said no. */
export function isNodeAway(error: unknown): error is Fault {
  return isFault(error) && (error.code === 'compute.engine-unavailable' || error.code === 'bus.node-unavailable');
}

/**
 * Asks again, for `[compute] node_wait` seconds, while the node is away; what is asked is idempotent.
 * @throws Fault 500 `compute.node-away` after a wait in vain, which no step tries again; the signal's reason.
 */
export async function waitForNode<T>(deps: Pick<TaskDeps, 'config' | 'clock'>, ctx: Pick<StepContext, 'signal' | 'log'>, ask: () => Promise<T>): Promise<T> {
  const { node_wait } = deps.config;
  const end = deps.clock.now().getTime() + node_wait * 1000;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await ask();
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (!isNodeAway(error)) throw error;
      const left = end - deps.clock.now().getTime();
      if (left <= 0) throw inVain(error, node_wait);
      ctx.log.debug({ err: error }, 'a node is away and is waited for');
      await delay(Math.min(pause, left), undefined, { signal: ctx.signal });
    }
  }
}

function inVain(error: Fault, seconds: number): Fault {
  const waited = seconds === 0 ? '' : ` It stayed away for ${seconds} s.`;
  return new Fault(500, 'compute.node-away', `${error.message}${waited}`, { cause: error });
}
