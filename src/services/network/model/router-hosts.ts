/** Which node a router lives on. */
import { createHash } from 'node:crypto';
import { knownNodes, legsOf, lockRouter, routersToPlace, updateRouterRow } from '../store/routers.ts';
import type { RouterRow } from '../store/tables.ts';
import { instant, nodesChanged, type NetworkDeps, type NodeView } from '../deps.ts';
import { patchPort } from './ports.ts';

export interface Host {
  node_id: string | null;
  host_id: string;
}

/** How long a silent node keeps its routers (neutron's agent_down_time). */
const PATIENCE_MS = 75_000;

const weight = (node_id: string, router_id: string): string => createHash('sha1').update(`${node_id} ${router_id}`).digest('hex');

/** The same node for the same router as long as that node is among them; spread evenly. Pure. */
export function chooseNode<N extends { id: string }>(nodes: readonly N[], router_id: string): N | undefined {
  return nodes.reduce<N | undefined>((best, node) => (best === undefined || weight(node.id, router_id) > weight(best.id, router_id) ? node : best), undefined);
}

const hosts = (node: NodeView): boolean => node.roles.includes('network');

/** A home for a new router; none while no node with the role `network` is up. */
export async function hostFor(env: NetworkDeps, router_id: string): Promise<Host> {
  const node = chooseNode((await env.nodes.nodes()).filter((one) => hosts(one) && one.state === 'up' && one.disabled !== true), router_id);
  return { node_id: node?.id ?? null, host_id: node?.hostname ?? '' };
}

function isGone(env: NetworkDeps, node: NodeView | undefined): boolean {
  if (node === undefined || !hosts(node)) return true;
  return node.state !== 'up' && env.clock.now().getTime() - Date.parse(node.last_seen_at) > PATIENCE_MS;
}

const BATCH = 200;

/** Gives a node to routers that have none, or whose node is gone for good. @returns how many. */
export async function placeRouters(env: NetworkDeps): Promise<number> {
  const nodes = await env.nodes.nodes();
  const gone = (await knownNodes(env.db.read)).filter((id) => isGone(env, nodes.find((node) => node.id === id)));
  let placed = 0;
  for (const router of await routersToPlace(env.db.read, gone, BATCH)) {
    const host = await hostFor(env, router.id);
    if (host.node_id === null || host.node_id === router.node_id) continue;
    await moveRouter(env, router, host);
    placed += 1;
  }
  return placed;
}

async function moveRouter(env: NetworkDeps, seen: RouterRow, host: Host): Promise<void> {
  await env.db.transaction(async (tx) => {
    const router = await lockRouter(tx, seen.id, instant(env));
    if (router === undefined || router.node_id !== seen.node_id) return;
    await updateRouterRow(tx, router.id, host);
    for (const leg of await legsOf(tx, router.id)) await patchPort(env, tx, leg.id, () => ({ ...host, status: 'DOWN' }));
    await nodesChanged(env, tx, [seen.node_id, host.node_id]);
  });
}
