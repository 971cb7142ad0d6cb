/** From events to reports: looks at the guest after each, tells listeners what is new, notes deaths for want of memory. */
import { noGuest, type GuestReport } from '../../protocol.ts';
import { createKeyedLock } from '../../../../kernel/locks.ts';
import { SERVER_LABEL } from './container-config.ts';
import type { DriverContext } from './driver-context.ts';
import type { EngineEvent } from './engine-types.ts';
import { watchEvents } from './events.ts';
import { inspectContainer, reportAll, reportServer } from './guests.ts';
import { createReboots } from './reboots.ts';
import { createRestarts } from './restarts.ts';
import { isSystem } from './system-guest.ts';

export interface Changes {
  ready: Promise<void>;
  listen(listener: (report: GuestReport) => void): void;
  close(): void;
}

/** @param startRebooted starts a guest that has asked for its own reboot. */
export function watchChanges(ctx: DriverContext, startRebooted: (serverId: string) => Promise<void>): Changes {
  const listeners: ((report: GuestReport) => void)[] = [];
  const lock = createKeyedLock();
  const reboots = createReboots(ctx, startRebooted);
  const restarts = createRestarts(ctx, startRebooted);
  const catchUp = async (): Promise<void> => {
    await reboots.catchUp();
    await restarts.catchUp();
  };
  /** What was told last, to tell nothing twice; forgetting it is harmless. */
  const told = new Map<string, string>();

  function tell(report: GuestReport): void {
    const text = JSON.stringify(report);
    if (told.get(report.server_id) === text) return;
    if (report.container_id === null) told.delete(report.server_id);
    else told.set(report.server_id, text);
    for (const listener of listeners) listener(report);
  }

  async function look(serverId: string, event: EngineEvent): Promise<void> {
    if (event.Action === 'oom') {
      const container = await inspectContainer(ctx, event.Actor.ID);
      if (container !== undefined) await ctx.notes.update(serverId, { oom_run: container.State.StartedAt });
    }
    if (event.Action === 'die') await restarts.died(serverId, event.Actor.ID);
    if (event.Action === 'die' && isSystem(event.Actor.Attributes)) await reboots.died(serverId, event.Actor.ID);
    // Also when somebody else removed the container.
    if (event.Action === 'destroy') await ctx.links.remove(event.Actor.ID);
    tell((await reportServer(ctx, serverId)) ?? noGuest(serverId));
  }

  function failed(error: unknown): void {
    ctx.log.warn({ err: error }, 'could not look at a guest after an event');
  }

  const events = watchEvents({
    engine: ctx.engine,
    cloud: ctx.cloud,
    log: ctx.log,
    onEvent(event) {
      const serverId = event.Actor.Attributes[SERVER_LABEL];
      if (serverId !== undefined) void lock.run(serverId, () => look(serverId, event)).catch(failed);
    },
    onResume() {
      void catchUp().catch(failed);
      void reportAll(ctx).then((reports) => reports.forEach(tell)).catch(failed);
    },
  });

  void events.ready.then(catchUp).catch(failed);
  return {
    ready: events.ready,
    listen: (listener) => void listeners.push(listener),
    close: () => events.close(),
  };
}
