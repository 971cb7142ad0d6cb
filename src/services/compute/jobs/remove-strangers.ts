import type { Kysely } from 'kysely';
import { computeMethods } from '../../../agents/compute/protocol.ts';
import type { JobDeps } from '../deps.ts';
import { LEFT_BEHIND, OPEN } from '../model/server-migrations.ts';
import { migrationsOfServer } from '../store/server-migrations.ts';
import { findServers } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';

/** Removes guests that no server has, out of those named. */
export interface Strangers {
  /** @returns how many were removed */
  remove(node_id: string, ids: readonly string[]): Promise<number>;
}

/** Guests without a server may be someone's who is just being made, hence the grace. */
export function createStrangers(deps: JobDeps): Strangers {
  const reader = deps.db.read as Kysely<ComputeTables>;
  /** In ms, by node and guest. */
  const firstSeen = new Map<string, number>();

  /** Whether the guest belongs to a move that has not ended, or was left behind by one that has. */
  async function moveThrough(node_id: string, server_id: string): Promise<'under way' | 'left' | undefined> {
    const moves = await migrationsOfServer(reader, server_id, [...OPEN, LEFT_BEHIND]);
    if (moves.some((move) => move.status !== LEFT_BEHIND && (move.source_node_id === node_id || move.dest_node_id === node_id))) return 'under way';
    return moves.some((move) => move.source_node_id === node_id) ? 'left' : undefined;
  }

  async function remove(node_id: string, ids: readonly string[]): Promise<number> {
    const now = deps.clock.now().getTime();
    const rows = new Map((await findServers(reader, ids)).map((row) => [row.id, row]));
    let removed = 0;
    for (const key of firstSeen.keys()) if (key.startsWith(`${node_id}/`) && !ids.includes(key.slice(node_id.length + 1))) firstSeen.delete(key);
    for (const id of ids) {
      const row = rows.get(id);
      if (row?.node_id === node_id && row.deleted === 0) continue;
      const move = row === undefined || row.deleted === 1 ? undefined : await moveThrough(node_id, id);
      if (move === 'under way') continue;
      const since = firstSeen.get(`${node_id}/${id}`) ?? now;
      firstSeen.set(`${node_id}/${id}`, since);
      if (row?.deleted !== 1 && move !== 'left' && now - since < deps.config.orphan_grace * 1000) continue;
      await deps.nodes.call(node_id, computeMethods.destroy, { server_id: id });
      deps.log.warn({ node_id, server_id: id }, 'a guest without a server was removed from its node');
      firstSeen.delete(`${node_id}/${id}`);
      removed += 1;
    }
    return removed;
  }

  return { remove };
}
