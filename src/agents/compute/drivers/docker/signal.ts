import type { DriverContext } from './driver-context.ts';
import { wrongState } from './faults.ts';
import { needContainer } from './guests.ts';
import { engineCall } from './spawn.ts';

/** To the guest's first process; one that is frozen has it when it goes on. Not in the queue: what hangs is what is to be looked into. */
export async function signalGuest(ctx: DriverContext, serverId: string, signal: string): Promise<void> {
  const found = await engineCall('look for the server', () => needContainer(ctx, serverId));
  if (found.State !== 'running' && found.State !== 'paused') throw wrongState(serverId, 'signal', found.State);
  await engineCall('signal the server', () => ctx.engine.json('POST', `/containers/${found.Id}/kill`, { query: { signal } }), 'compute.signal-failed');
}
