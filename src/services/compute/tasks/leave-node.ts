import { computeMethods } from '../../../agents/compute/protocol.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log/log.ts';
import type { TaskDeps } from './task-deps.ts';

const DESTROY_MS = 120_000;

/**
 * Removes the guest from its node. A node that is not there keeps its guest for now: the job that compares the node with
 * the rows removes it when the node is back.
 * @returns false when it was left behind.
 */
export async function leaveNode(deps: Pick<TaskDeps, 'nodes'>, log: Log, node_id: string, server_id: string): Promise<boolean> {
  if (!deps.nodes.isConnected(node_id)) {
    log.warn({ node_id, server_id }, 'a guest stays on a node that is away until it is back');
    return false;
  }
  try {
    await deps.nodes.call(node_id, computeMethods.destroy, { server_id }, { timeout_ms: DESTROY_MS });
    return true;
  } catch (error) {
    if (isFault(error) && error.code === 'bus.node-unavailable' && !deps.nodes.isConnected(node_id)) {
      log.warn({ node_id, server_id }, 'a node went away while a guest was being removed');
      return false;
    }
    throw error;
  }
}
