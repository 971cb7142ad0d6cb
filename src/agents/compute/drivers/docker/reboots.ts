/** Guests that end themselves to be rebooted: started again, but not in a frenzy. */
import { SERVER_LABEL } from './container-config.ts';
import type { DriverContext } from './driver-context.ts';
import { findContainers, inspectContainer } from './guests.ts';
import { isRebooting, isSystem } from './system-guest.ts';

/** A guest that reboots again and again does so no oftener. */
const SHORTEST_RUN_MS = 5_000;

export interface Reboots {
  died(serverId: string, containerId: string): Promise<void>;
  /** Of what happened while nobody listened. */
  catchUp(): Promise<void>;
}

export function createReboots(ctx: DriverContext, start: (serverId: string) => Promise<void>): Reboots {
  const begin = (serverId: string): void => {
    start(serverId).catch((error: unknown) => ctx.log.warn({ err: error, server_id: serverId }, 'could not look at a guest that rebooted itself'));
  };
  return {
    async died(serverId, containerId) {
      const state = (await inspectContainer(ctx, containerId))?.State;
      if (state === undefined || !isRebooting(state, await ctx.notes.read(serverId))) return;
      const ran = Math.max(0, new Date(state.FinishedAt).getTime() - new Date(state.StartedAt).getTime());
      if (ran >= SHORTEST_RUN_MS) begin(serverId);
      else setTimeout(begin, SHORTEST_RUN_MS - ran, serverId).unref();
    },
    async catchUp() {
      for (const one of await findContainers(ctx)) {
        if (one.State === 'exited' && isSystem(one.Labels)) begin(one.Labels[SERVER_LABEL]!);
      }
    },
  };
}
