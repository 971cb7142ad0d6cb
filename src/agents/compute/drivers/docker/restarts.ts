/** Guests that end by themselves and are to run again: started by this driver, since the engine knows of no cables; bounded, and told. */
import { SERVER_LABEL } from './container-config.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect } from './engine-types.ts';
import { restartRuleOf } from './guest-options.ts';
import { findContainers, inspectContainer } from './guests.ts';
import { planRestart } from './restart-plan.ts';
import { isRebooting, isSystem } from './system-guest.ts';

export interface Restarts {
  died(serverId: string, containerId: string): Promise<void>;
  /** Of what happened while nobody listened. */
  catchUp(): Promise<void>;
}

/** @param start starts what still has to be. */
export function createRestarts(ctx: DriverContext, start: (serverId: string) => Promise<void>): Restarts {
  function later(serverId: string, pause_ms: number): void {
    setTimeout(() => {
      start(serverId).catch((error: unknown) => ctx.log.warn({ err: error, server_id: serverId }, 'could not look at a guest that is to run again'));
    }, pause_ms).unref();
  }

  async function consider(serverId: string, container: ContainerInspect): Promise<void> {
    const { State, Config } = container;
    const note = await ctx.notes.read(serverId);
    if (isSystem(Config.Labels) && isRebooting(State, note)) return;
    const rule = restartRuleOf(Config.Labels);
    const plan = planRestart(rule, State, note);
    if (plan === undefined) {
      if (rule.name !== 'no' && note.stopped_run !== State.StartedAt && State.Status === 'exited') await ctx.notes.update(serverId, { gave_up_run: State.StartedAt });
      return;
    }
    const known = note.restarts?.ended_run === State.StartedAt;
    const count = (note.restarts?.count ?? 0) + (known ? 0 : 1);
    await ctx.notes.update(serverId, { restarts: { count, in_a_row: plan.in_a_row, ended_run: State.StartedAt, exit_code: State.ExitCode, oom_killed: State.OOMKilled, ended_at: State.FinishedAt } });
    later(serverId, plan.pause_ms);
  }

  return {
    async died(serverId, containerId) {
      const container = await inspectContainer(ctx, containerId);
      if (container !== undefined) await consider(serverId, container);
    },
    async catchUp() {
      for (const one of await findContainers(ctx)) {
        const container = one.State === 'exited' ? await inspectContainer(ctx, one.Id) : undefined;
        if (container !== undefined) await consider(one.Labels[SERVER_LABEL]!, container);
      }
    },
  };
}
