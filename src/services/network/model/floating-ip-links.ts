/** The tie between a floating IP and a port, apart from both: a port that goes lets its floating IPs go. */
import { floatingIpsOfPorts, updateFloatingIpRow } from '../store/floating-ips.ts';
import { findRouter } from '../store/routers.ts';
import type { FloatingIpRow, Tx } from '../store/tables.ts';
import { instant, nodesChanged, type NetworkDeps } from '../deps.ts';

export type Link = Pick<FloatingIpRow, 'fixed_port_id' | 'fixed_ip_address' | 'router_id'>;

export const NO_LINK: Link = { fixed_port_id: null, fixed_ip_address: null, router_id: null };

/** The nodes of these routers have something to do. */
export async function routersChanged(env: NetworkDeps, tx: Tx, router_ids: Iterable<string | null>): Promise<void> {
  const nodes: (string | null)[] = [];
  for (const id of new Set(router_ids)) if (id !== null) nodes.push((await findRouter(tx, id))?.node_id ?? null);
  await nodesChanged(env, tx, nodes);
}

/** Frees the floating IPs of a port. */
export async function disassociatePort(env: NetworkDeps, tx: Tx, port_id: string): Promise<void> {
  const mine = await floatingIpsOfPorts(tx, [port_id]);
  for (const { id, revision_number } of mine) {
    await updateFloatingIpRow(tx, id, { ...NO_LINK, status: 'DOWN', revision_number: revision_number + 1, updated_at: instant(env) });
  }
  if (mine.length > 0) await routersChanged(env, tx, mine.map((one) => one.router_id));
}
