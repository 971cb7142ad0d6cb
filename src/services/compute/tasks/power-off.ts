import { computeMethods, type GuestReport } from '../../../agents/compute/protocol.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { StepContext } from '../../../kernel/task/define.ts';
import { serverOnNode } from './capture-steps.ts';
import type { TaskDeps } from './task-deps.ts';

/** A guest that stands still cannot be asked to end: it is let go on first. */
const STANDS_STILL = 'compute.wrong-state';

/**
 * The guest is off, in whichever state it was; it is asked first, and given its time.
 * @returns undefined when there is no guest.
 */
export async function powerOff(deps: TaskDeps, ctx: StepContext, server_id: string): Promise<GuestReport | undefined> {
  const { node_id, vm_state } = await serverOnNode(deps, server_id);
  const { shutdown_timeout: timeout_seconds } = deps.config;
  const options = { timeout_ms: 60_000 + timeout_seconds * 1000, signal: ctx.signal };
  const power = (action: object): Promise<GuestReport> => deps.nodes.call<GuestReport>(node_id, computeMethods.power, { server_id, action }, options);
  const stop = { action: 'stop', timeout_seconds };
  try {
    const report = await power(stop).catch(async (error: unknown) => {
      if (!isFault(error) || error.code !== STANDS_STILL) throw error;
      await power({ action: vm_state === 'suspended' ? 'resume' : 'unpause' });
      return await power(stop);
    });
    await deps.network.setPlugged(server_id, false);
    return report;
  } catch (error) {
    if (isFault(error) && error.code === 'compute.server-unknown') return undefined;
    throw error;
  }
}

/** What was off for a while is as it was before, as far as a guest that was ended can be: `was` is its vm_state then. */
export async function powerOnAgain(deps: TaskDeps, ctx: StepContext, server_id: string, was: string): Promise<void> {
  if (was === 'stopped') return;
  const { node_id } = await serverOnNode(deps, server_id);
  const power = (action: object): Promise<unknown> => deps.nodes.call(node_id, computeMethods.power, { server_id, action }, { timeout_ms: deps.config.boot_timeout * 1000 });
  try {
    // One that stands still was not ended.
    await power({ action: 'start', network: await deps.network.sliceFor(server_id) }).catch((error: unknown) => {
      if (!isFault(error) || error.code !== STANDS_STILL) throw error;
    });
    if (was === 'paused') await power({ action: 'pause' });
    if (was === 'suspended') await power({ action: 'suspend' });
    await deps.network.setPlugged(server_id, true);
  } catch (error) {
    if (!isFault(error) || deps.nodes.isConnected(node_id)) throw error;
    ctx.log.warn({ err: error, server_id }, 'a server stays off: its node is away');
  }
}
