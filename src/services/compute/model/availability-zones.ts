import type { Kysely } from 'kysely';
import { as } from '../../../kernel/db/database.ts';
import type { ComputeDeps } from '../deps.ts';
import { listNodes, type NumberedNodeRow } from '../store/nodes.ts';
import type { ComputeTables } from '../store/tables.ts';
import { allAggregates, zoneOfAggregate } from './aggregates.ts';

type Deps = Pick<ComputeDeps, 'db' | 'config'>;

/** The zone of every host, by host name. */
export async function zonesOfHosts(deps: Deps): Promise<Map<string, string>> {
  return new Map((await nodesWithZones(deps)).map(({ node, zone }) => [node.host, zone]));
}

/** An aggregate with a zone puts its hosts there; the others are in the default zone. */
export async function nodesWithZones(deps: Deps): Promise<{ node: NumberedNodeRow; zone: string }[]> {
  const zones = new Map<string, string>();
  for (const { row, hosts } of await allAggregates(deps)) {
    const zone = zoneOfAggregate(row);
    if (zone !== null) for (const host of hosts) zones.set(host, zone);
  }
  const nodes = await listNodes(as<ComputeTables>(deps.db).read as Kysely<ComputeTables>);
  return nodes.map((node) => ({ node, zone: zones.get(node.host) ?? deps.config.default_availability_zone }));
}
