import type { AgentLink } from '../kernel/bus/agent-link.ts';
import type { Log } from '../kernel/log/log.ts';
import { computeMethods, type ComputeDriver, type GuestReport, type HostResources } from './compute/protocol.ts';

/** Node → controller, an event after every connection: all guests of this node, and what it has. */
export const INVENTORY_EVENT = 'compute.inventory';
export interface ComputeInventory {
  resources: HostResources;
  guests: GuestReport[];
}

export interface ReportOptions {
  driver: Pick<ComputeDriver, 'resources' | 'list' | 'onChange'>;
  link: Pick<AgentLink, 'connected' | 'call' | 'emit' | 'onConnect'>;
  /** The node's name in the cloud, whatever the machine calls itself. */
  hostname: string;
  log: Log;
  /** How often resources are told again. */
  interval_ms?: number;
  /** After an engine or a controller that did not answer. */
  retry_ms?: number;
}

/**
 * Keeps the controller's picture of this node true: all of it on each connection, changes of guests as they happen,
 * resources every minute. @returns how to stop.
 */
export function reportCompute(options: ReportOptions): () => void {
  const { driver, link, log, interval_ms = 60_000, retry_ms = 3_000 } = options;
  let changedMeanwhile: GuestReport[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let running = false;
  let again = false;

  const later = (ms: number, guestsToo: boolean): void => {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => void run(guestsToo), ms);
    timer.unref();
  };
  const tell = async (guestsToo: boolean): Promise<void> => {
    const resources: HostResources = { ...(await driver.resources()), hostname: options.hostname };
    await link.call('node.resources', resources);
    if (!guestsToo) return;
    changedMeanwhile = [];
    const inventory: ComputeInventory = { resources, guests: await driver.list() };
    link.emit(INVENTORY_EVENT, inventory);
    // The list may be older than a change that was told before it.
    for (const report of changedMeanwhile.splice(0)) link.emit(computeMethods.changed, report);
  };
  const run = async (guestsToo: boolean): Promise<void> => {
    if (running) {
      again ||= guestsToo;
      return;
    }
    running = true;
    try {
      await tell(guestsToo);
      later(interval_ms, false);
    } catch (error) {
      if (link.connected()) log.warn({ err: error }, 'the node could not be reported; it is tried again');
      if (link.connected()) later(retry_ms, guestsToo);
    } finally {
      running = false;
      changedMeanwhile = [];
    }
    if (again && !stopped) {
      again = false;
      void run(true);
    }
  };

  driver.onChange((report) => {
    if (stopped) return;
    if (running) changedMeanwhile.push(report);
    link.emit(computeMethods.changed, report);
  });
  const unhook = link.onConnect(() => void run(true));
  return () => {
    stopped = true;
    unhook();
    clearTimeout(timer);
  };
}
