import type { Kysely } from 'kysely';
import { as } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes, type NumberedNodeRow } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';
import { allAggregates, zoneOfAggregate } from './aggregates.ts';

type Deps = Pick<ComputeDeps, 'db' | 'config'>;

/** By host name, of the hosts that an aggregate with a zone has; all others are in the default zone. */
export async function zonesOfHosts(deps: Deps): Promise<Map<string, string>> {
  const zones = new Map<string, string>();
  for (const { row, hosts } of await allAggregates(deps)) {
    const zone = zoneOfAggregate(row);
    if (zone !== null) for (const host of hosts) zones.set(host, zone);
  }
  return zones;
}

export async function nodesWithZones(deps: Deps): Promise<{ node: NumberedNodeRow; zone: string }[]> {
  const zones = await zonesOfHosts(deps);
  const nodes = await listNodes(as<ComputeTables>(deps.db).read as Kysely<ComputeTables>);
  return nodes.map((node) => ({ node, zone: zones.get(node.host) ?? deps.config.default_availability_zone }));
}
