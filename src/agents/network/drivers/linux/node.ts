import type { Log } from '../../../../kernel/log/log.ts';
import { liveCuts } from '../../firewall/cuts.ts';
import { compileRuleset } from '../../firewall/compile.ts';
import { asObserved, diffRuleset, mergeObserved, type ObservedRuleset } from '../../firewall/ruleset.ts';
import type { NetworkWiring, NodeNetworkState, PortWiring } from '../../protocol.ts';
import { emptyState, withSlice } from '../../wiring.ts';
import { ensureCloud, namespaceId } from './base.ts';
import type { Tools } from './execute.ts';
import type { LinuxNetworkOptions } from './index.ts';
import { keyedLock, sharedLock, type SharedLock } from './lock.ts';
import { namespacePath } from './names.ts';
import { observeRules } from './observe.ts';
import { ipTool, nftTool, shellPool, type NftTool } from './tools.ts';

/** What the driver knows between two calls. The kernel is the truth; all of it can be read again. */
export interface Node {
  cloud: string;
  log: Log;
  tunnel_ip: string | null;
  tools: Tools;
  nft: NftTool;
  lock: SharedLock;
  devices: ReturnType<typeof keyedLock>;
  networks: ReturnType<typeof keyedLock>;
  look_every_ms: number;
  guests_per_look: number;
  /** The last applied state; before the first, rules of an earlier run must survive a plug. */
  base: NodeNetworkState;
  applied: boolean;
  looked_at: number;
  /** Slices of plugs that no applied state is new enough to have seen. */
  slices: Map<string, NodeNetworkState>;
  plugged: Set<string>;
  /** Ports whose cable exists. */
  cables: Map<string, PortWiring>;
  /** What the packet filter holds; undefined: to be read. */
  rules: ObservedRuleset | undefined;
  /** Networks whose bridge and leg are known to be right, as they were asked for. */
  ready: Map<string, string>;
  /** Devices whose cables are known to be right, as they were asked for. */
  wired: Map<string, string>;
  /** Routers that are known to be right, as they were asked for. */
  routers: Map<string, string>;
  /** Networks whose metadata can be reached, by the number of their leg. */
  metadata: Map<string, number>;
  /** How many legs were made for them so far. */
  legs: number;
  metadataChanged: () => void;
  /** Where the next look into guests goes on. */
  turn: number;
  namespace: string | undefined;
  preparing: Promise<void> | undefined;
  /** Ends the co-processes and forgets everything: the kernel holds nothing any more. */
  forget(): Promise<void>;
}

export function createNode(options: LinuxNetworkOptions): Node {
  const { cloud, log } = options;
  const timeout = options.timeout_ms ?? 10_000;
  const host = options.host_namespace;
  const shell = shellPool(options.shells ?? 3, timeout, log);
  const hostIp = ipTool(host, timeout, log);
  const enter_host = host === undefined ? '' : `nsenter --net=${namespacePath(host)} `;
  const node: Node = {
    cloud, log, tunnel_ip: options.tunnel_ip ?? null,
    tools: { cloud, inside: ipTool(cloud, timeout, log), host: hostIp, shell, enter_host },
    nft: nftTool(cloud, timeout, log),
    lock: sharedLock(), devices: keyedLock(), networks: keyedLock(),
    look_every_ms: options.look_every_ms ?? 25_000,
    guests_per_look: options.guests_per_look ?? 16,
    base: emptyState(), applied: false, looked_at: 0, slices: new Map(), plugged: new Set(), cables: new Map(),
    rules: undefined, ready: new Map(), wired: new Map(), routers: new Map(), metadata: new Map(), legs: 0, metadataChanged: () => {}, turn: 0, namespace: undefined, preparing: undefined,
    async forget() {
      await Promise.all([node.tools.inside.close(), node.nft.close()]);
      node.tools.inside = ipTool(cloud, timeout, log);
      node.nft = nftTool(cloud, timeout, log);
      Object.assign(node, { base: emptyState(), applied: false, namespace: undefined });
      forgetKernel(node);
      node.slices.clear();
      node.plugged.clear();
    },
  };
  return node;
}

function forgetKernel(node: Node): void {
  node.rules = undefined;
  for (const known of [node.cables, node.ready, node.wired, node.routers, node.metadata]) known.clear();
}

export async function stopTools(node: Node): Promise<void> {
  const { inside, host, shell } = node.tools;
  await Promise.all([inside.close(), host.close(), shell.close(), node.nft.close()]);
}

/** The cloud's namespace exists and the co-processes are in it, not in one that somebody removed. */
export async function ensureReady(node: Node): Promise<void> {
  if (node.namespace !== undefined && namespaceId(node.cloud) === node.namespace) return;
  node.preparing ??= prepare(node).finally(() => {
    node.preparing = undefined;
  });
  await node.preparing;
}

async function prepare(node: Node): Promise<void> {
  await ensureCloud(node.tools.shell, node.cloud);
  if (node.namespace !== undefined) {
    node.tools.inside.restart();
    node.nft.restart();
  }
  forgetKernel(node);
  node.namespace = namespaceId(node.cloud);
}

/** The last state with all slices that it may not have seen. */
export function currentState(node: Node): NodeNetworkState {
  let state = node.base;
  for (const [device_id, slice] of node.slices) state = withSlice(state, device_id, slice);
  return state;
}

/**
 * Makes the packet filter fit the ports that have cables, in one transaction. Until the first state was applied
 * nothing unknown is removed. After a failure the filter is read before the next change.
 */
export async function updateRules(node: Node): Promise<void> {
  if (node.rules === undefined) {
    const read = await observeRules(node.tools.shell, node.cloud);
    node.rules ??= read;
  }
  // From here to the commit nothing is awaited: changes of parallel plugs build on each other.
  const desired = compileRuleset(currentState(node), [...node.cables.values()]);
  const observed = node.rules;
  const commands = diffRuleset(desired, observed, !node.applied);
  node.rules = node.applied ? asObserved(desired) : mergeObserved(observed, desired);
  try {
    await node.nft.commit(commands);
  } catch (error) {
    node.rules = undefined;
    throw error;
  }
}

export function networkKey(network: NetworkWiring, state: NodeNetworkState): string {
  const peers = state.peers.map((peer) => [peer.tunnel_ip, peer.ports.filter((port) => port.network_id === network.network_id)]);
  return JSON.stringify([network, peers]);
}

export const deviceKey = (ports: PortWiring[], state: NodeNetworkState): string => {
  const mtus = new Map(state.networks.map((network) => [network.network_id, network.mtu]));
  return JSON.stringify(ports.map((port) => [port, mtus.get(port.network_id)]));
};

/** Cuts the flows of what was revoked; a missing tool is told, not fatal. */
export async function cutFlows(node: Node, cuts: string[]): Promise<void> {
  if (cuts.length === 0) return;
  const enter = `nsenter --net=${namespacePath(node.cloud)}`;
  const lists = ['ipv4', 'ipv6'].filter((family) => cuts.some((cut) => !cut.includes('-f ') || cut.includes(family)));
  const listing = await node.tools.shell.run(lists.map((family) => `${enter} conntrack -L -f ${family} -o extended 2>/dev/null`).join('\n'));
  const live = listing.status === 0 ? liveCuts(cuts, listing.output) : cuts;
  for (let start = 0; start < live.length; start += 200) await cutSome(node, live.slice(start, start + 200));
}

async function cutSome(node: Node, cuts: string[]): Promise<void> {
  const enter = `nsenter --net=${namespacePath(node.cloud)}`;
  const list = cuts.map((cut) => `-D ${cut}`).join('\n');
  const script = [
    'if ! command -v conntrack >/dev/null; then echo missing',
    `elif ! ${enter} conntrack -R - >/dev/null 2>&1 <<'@@list'`,
    list,
    '@@list',
    'then while read -r cut; do',
    `${enter} conntrack $cut >/dev/null 2>&1 </dev/null`,
    "done <<'@@list'",
    list,
    '@@list',
    'fi',
  ].join('\n');
  const { output } = await node.tools.shell.run(script);
  if (output.includes('missing')) node.log.warn({ cuts: cuts.length }, 'conntrack is not installed: flows of revoked rules live on');
}
