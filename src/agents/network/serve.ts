import type { Log } from '../../kernel/log/log.ts';
import type { NetworkDriver, NodeNetworkState, PortReport } from './protocol.ts';
import { networkMethods } from './protocol.ts';

export interface Controller {
  /** `network.desired` of the controller. */
  fetchDesired(): Promise<NodeNetworkState>;
  /** `network.report`. */
  report(ports: PortReport[]): Promise<void>;
}

export interface ServeOptions {
  log: Log;
  /** How often the node is checked without a poke. Default 30 s. */
  every_ms?: number;
  /** How long after a failure it is tried again; doubles up to `every_ms`. Default 1 s. */
  retry_ms?: number;
}

export interface NetworkService {
  /** What the bus calls by method name. */
  handlers: Record<string, (params: unknown) => Promise<unknown>>;
  /** Fetch and apply now, or once more after the run under way; resolves when a run that began after the call has ended. */
  poke(): Promise<void>;
  /** Waits for the run under way and stops the timer. */
  close(): Promise<void>;
}

/**
 * Keeps a node as the controller wants it: on a poke, on a timer, again after a failure. Pokes during a run lead
 * to one more run, however many they are.
 */
export function networkHandlers(driver: NetworkDriver, controller: Controller, options: ServeOptions): NetworkService {
  const every = options.every_ms ?? 30_000;
  const first = Math.min(options.retry_ms ?? 1000, every);
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let retry = first;
  let closed = false;

  function schedule(after: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => void poke(), after);
    timer.unref();
  }

  async function converge(): Promise<void> {
    try {
      const state = await controller.fetchDesired();
      await controller.report(await driver.apply(state));
      retry = first;
      schedule(every);
    } catch (error) {
      options.log.error({ err: error, retry_ms: retry }, 'the network of this node could not be brought up to date');
      schedule(retry);
      retry = Math.min(retry * 2, every);
    }
  }

  function start(): Promise<void> {
    running = converge().finally(() => {
      running = undefined;
    });
    return running;
  }

  function poke(): Promise<void> {
    if (closed) return Promise.resolve();
    if (running === undefined) return start();
    next ??= running.then(() => {
      next = undefined;
      return closed ? undefined : start();
    });
    return next;
  }

  schedule(0);
  return {
    handlers: {
      [networkMethods.poke]: async () => void poke(),
    },
    poke,
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
