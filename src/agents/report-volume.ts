import type { AgentLink } from '../kernel/bus/agent-link.ts';
import type { Log } from '../kernel/log/log.ts';
import { volumeMethods, type VolumeDriver } from './volume/protocol.ts';

export interface ReportVolumeOptions {
  driver: Pick<VolumeDriver, 'report'>;
  link: Pick<AgentLink, 'connected' | 'call' | 'onConnect'>;
  log: Log;
  interval_ms?: number;
}

/** Tells the controller what this node's backend has: on every connection, and again and again. @returns how to stop. */
export function reportVolume({ driver, link, log, interval_ms = 30_000 }: ReportVolumeOptions): () => void {
  let running: Promise<void> | undefined;
  const tell = async (): Promise<void> => {
    try {
      await link.call(volumeMethods.report, { backends: [await driver.report()] });
    } catch (error) {
      if (link.connected()) log.warn({ err: error }, 'the volumes of this node could not be reported; it is tried again');
    }
  };
  const run = (): void => {
    if (!link.connected()) return;
    running ??= tell().finally(() => {
      running = undefined;
    });
  };
  const timer = setInterval(run, interval_ms);
  timer.unref();
  const unhook = link.onConnect(run);
  return () => {
    clearInterval(timer);
    unhook();
  };
}
