/** Guests and shims that an engine which was killed has lost: nobody else would ever end them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KeyedLock } from '../../../../kernel/locks.ts';
import { endProcesses, processesOf } from './container-processes.ts';
import type { DriverContext } from './driver-context.ts';
import type { ContainerInspect, ContainerSummary } from './engine-types.ts';
import { findContainers, inspectContainer } from './guests.ts';

const OFF: readonly ContainerSummary['State'][] = ['created', 'exited', 'dead'];
/** The engine puts a container away some time after it says that it has ended. */
const PUT_AWAY_MS = 10_000;
const LOOKS = 6;
const LOOK_EVERY_MS = 500;

/** Ends what runs of this cloud's containers while the engine has no such container, or says that it does not run. One at a time. */
export function createOrphans(ctx: DriverContext, lock: KeyedLock): { end(): Promise<void> } {
  let busy = false;
  return {
    async end() {
      if (busy) return;
      busy = true;
      try {
        await endOrphans(ctx, lock);
      } finally {
        busy = false;
      }
    },
  };
}

async function endOrphans(ctx: DriverContext, lock: KeyedLock): Promise<void> {
  // Read before the engine is asked: what it does not name then has been removed, and is not just being made.
  const made = await ctx.made.list();
  const known = new Map((await findContainers(ctx)).map((one) => [one.Id, one.State]));
  const suspects = made.filter(({ id }) => !known.has(id) || OFF.includes(known.get(id)!));
  if (suspects.length === 0) return;
  const alive = await processesOf(new Set(suspects.map(({ id }) => id)));
  for (const { id, server_id } of suspects) {
    if (alive.has(id)) await lock.run(server_id, () => endOrphan(ctx, id, server_id));
    else if (!known.has(id)) await ctx.made.remove(id);
  }
}

async function endOrphan(ctx: DriverContext, id: string, server_id: string): Promise<void> {
  const container = await inspectContainer(ctx, id);
  if (container !== undefined && !(await staysOff(ctx, container))) return;
  const gone = await endProcesses(id);
  ctx.log.warn({ server_id, container_id: id, gone }, gone ? 'what ran of a container unknown to the engine was ended' : 'what runs of a container unknown to the engine does not end');
  if (gone && container === undefined) await ctx.made.remove(id);
}

/** Somebody may be starting it at this moment. */
async function staysOff(ctx: DriverContext, container: ContainerInspect): Promise<boolean> {
  if (!isOff(ctx, container)) return false;
  for (let look = 0; look < LOOKS; look += 1) {
    await delay(LOOK_EVERY_MS);
    const now = await inspectContainer(ctx, container.Id);
    if (now === undefined || !isOff(ctx, now)) return false;
  }
  return (await processesOf(new Set([container.Id]))).has(container.Id);
}

function isOff({ clock }: DriverContext, { State }: ContainerInspect): boolean {
  return OFF.includes(State.Status) && State.Pid === 0 && (State.Status === 'created' || clock.now().getTime() - Date.parse(State.FinishedAt) > PUT_AWAY_MS);
}
