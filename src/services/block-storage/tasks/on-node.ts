/** What tasks ask of the node that holds a volume. */
import { volumeMethods } from '../../../agents/volume/protocol.ts';
import { isFault, unavailable } from '../../../kernel/fault.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { TaskDeps } from '../deps.ts';
import { garbage, volumes } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';

export const GIB = 2 ** 30;

/** Asks a node, and waits only so long. */
export async function ask<T>(deps: TaskDeps, node_id: string, method: string, params: object, seconds = deps.config.node_timeout): Promise<T> {
  return await deps.nodes.call<T>(node_id, method, params, { timeout_ms: seconds * 1000 });
}

/** The volume and the node that holds it. @throws Fault 503 it has no place */
export async function placed(deps: TaskDeps, volume_id: string): Promise<VolumeRow & { node_id: string }> {
  const row = await volumes.find(deps.db.read, volume_id);
  if (row?.node_id === null || row?.node_id === undefined) throw unavailable('block-storage.no-place', `Volume ${volume_id} is on no backend.`, { retryable: false });
  return { ...row, node_id: row.node_id };
}

/** Removes a volume from a node; from one that is away, later. */
export async function removeOrLeave(deps: TaskDeps, node_id: string, volume_id: string): Promise<void> {
  try {
    await ask(deps, node_id, volumeMethods.remove, { volume_id });
  } catch (error) {
    if (!isFault(error) || ![503, 504].includes(error.status)) throw error;
    await deps.db.transaction((tx) => garbage.insert(tx, { id: uuid(), node_id, volume_id }));
  }
}
