/** Copies what networking says of a server's NICs into its row, where lists read it. */
import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import type { JobDeps } from '../deps.ts';
import { shownNics } from '../model/server-row.ts';
import { findServers, updateServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';

export interface NicRefresh {
  /** This server's addresses, groups or ports have changed. */
  changed(server_id: string): void;
  /** Resolves when all that was told so far has been copied. */
  idle(): Promise<void>;
}

const AT_ONCE = 200;

export function createNicRefresh(deps: JobDeps): NicRefresh {
  const waiting = new Set<string>();
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (waiting.size > 0) {
      const ids = [...waiting].slice(0, AT_ONCE);
      for (const id of ids) waiting.delete(id);
      try {
        await refresh(ids);
      } catch (error) {
        deps.log.warn({ err: error, server_ids: ids }, 'the NICs of servers could not be copied');
      }
    }
  }

  async function refresh(ids: readonly string[]): Promise<void> {
    const nics = await deps.network.nicsOf([...ids]);
    const rows = await findServers(deps.db.read as Kysely<ComputeTables>, ids);
    await deps.db.transaction(async (raw) => {
      const tx = asTransaction<ComputeTables>(raw);
      for (const row of rows) {
        const shown = shownNics(nics.get(row.id) ?? []);
        // A server without a node shows none; its boot copies them itself.
        if (row.deleted === 1 || row.node_id === null) continue;
        if (shown.nics_json === row.nics_json && shown.security_groups_json === row.security_groups_json) continue;
        await updateServer(tx, row.id, shown);
      }
    });
  }

  return {
    changed(server_id) {
      waiting.add(server_id);
      running ??= Promise.resolve()
        .then(drain)
        .finally(() => {
          running = undefined;
        });
    },
    async idle() {
      while (running !== undefined) await running;
    },
  };
}
