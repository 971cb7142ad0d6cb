import type { Kysely } from 'kysely';
import { asTransaction } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { findServers, updateServer } from '../store/servers.ts';
import type { ComputeTables } from '../store/tables.ts';
import { shownNics } from './server-row.ts';

/** Copies what networking says of the NICs of these servers into their rows, where lists read it. */
export async function refreshNics(deps: Pick<ComputeDeps, 'db' | 'network'>, ids: readonly string[]): Promise<void> {
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
