import type { Kysely } from 'kysely';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import type { JobDeps } from '../deps.ts';
import { findDevice } from '../store/block-devices.ts';
import { findServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';

const NODE_MS = 60_000;

/**
 * The guest sees that its volume has grown. A server that is on no node, or whose node is away, sees so when it starts.
 * @returns false when the server has no such volume.
 */
export async function volumeExtended(deps: JobDeps, volume_id: string, server_id: string): Promise<boolean> {
  const db = deps.db.read as Kysely<ComputeTables>;
  const [row, device] = [await findServer(db, server_id), await findDevice(db, server_id, volume_id)];
  if (row === undefined || row.deleted === 1 || device === undefined) return false;
  if (row.node_id !== null && deps.nodes.isConnected(row.node_id)) await deps.nodes.call(row.node_id, computeMethods.volumeExtended, { server_id, volume_id }, { timeout_ms: NODE_MS });
  return true;
}
