import { as } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';

/** The zone of every host, by host name. */
export async function zonesOfHosts(deps: Pick<ComputeDeps, 'db' | 'config'>): Promise<Map<string, string>> {
  const nodes = await listNodes(as<ComputeTables>(deps.db).read);
  return new Map(nodes.map(({ host }) => [host, deps.config.default_availability_zone]));
}
