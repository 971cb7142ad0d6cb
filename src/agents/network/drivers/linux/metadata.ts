/**
 * Where the guests of a network reach their metadata: a namespace per network of this node, with the one address that all of them
 * know, on a leg in the network's bridge. Nothing but the metadata service listens there, and nothing is ever routed.
 */
import type { NetworkWiring, NodeNetworkState } from '../../protocol.ts';
import { canonical, linkLocal } from '../../firewall/addresses.ts';
import type { Observed } from './model.ts';
import { bridgeName, METADATA_LEG, metadataEnd, metadataNamespace, namespacePath } from './names.ts';
import { currentState, type Node } from './node.ts';
import { METADATA_V4, METADATA_V6 } from './routes.ts';
import { GONE, ipInGuest, THERE } from './tools.ts';

const SETTINGS = ['cd /proc/sys/net', 'echo 0 > ipv4/ip_forward; echo 0 > ipv6/conf/all/forwarding; echo 0 > ipv6/conf/default/accept_ra; echo 0 > ipv6/conf/default/accept_dad', 'cd /'];

export interface MetadataNetworks {
  /** Networks whose guests are served on this node, with the namespace to listen in. */
  list(): { network_id: string; netns: string; /** Another one after the leg was made anew: sockets of the former one are void. */ made: number }[];
  /** The device that has this address on a network of this node; link-local ones are those of a port's MAC. */
  deviceOf(network_id: string, address: string): string | undefined;
  onChange(listener: () => void): void;
}

/** Networks that guests of this node are on. */
function served(state: NodeNetworkState): NetworkWiring[] {
  const used = new Set(state.ports.map((port) => port.network_id));
  return state.networks.filter((network) => used.has(network.network_id));
}

/** After the bridges are there: what is missing is made, what is not needed any more goes. */
export async function applyMetadata(node: Node, state: NodeNetworkState, observed: Observed): Promise<void> {
  const wanted = served(state);
  const ids = new Set(wanted.map((network) => network.network_id));
  for (const network_id of observed.metadata) if (!ids.has(network_id)) await removeLeg(node, network_id);
  await ensureMetadata(node, wanted, observed);
}

/** @param observed left out: those known to be right are left alone. */
export async function ensureMetadata(node: Node, networks: readonly NetworkWiring[], observed?: Observed): Promise<void> {
  let changed = false;
  await Promise.all(networks.map(async (network) => {
    const end = observed?.metadata_ends.get(metadataEnd(network.network_id));
    const whole = observed === undefined || (observed.metadata.has(network.network_id) && end?.bridge === bridgeName(network.network_id) && end.up && end.mtu === network.mtu);
    if (whole && node.metadata.has(network.network_id)) return;
    try {
      await node.networks(`metadata ${network.network_id}`, () => makeLeg(node, network));
      node.metadata.set(network.network_id, (node.legs += 1));
      changed = true;
    } catch (error) {
      node.log.error({ err: error, network_id: network.network_id }, 'the metadata of a network could not be made reachable; tried again at the next look');
    }
  }));
  if (changed) node.metadataChanged();
}

/** The same whenever it is made, so that guests need not learn another one. */
const legMac = (network_id: string): string => `fa:16:3f:${network_id.replaceAll('-', '').slice(0, 6).replaceAll(/..(?=.)/g, '$&:')}`;

async function makeLeg(node: Node, { network_id, mtu }: NetworkWiring): Promise<void> {
  const namespace = metadataNamespace(node.cloud, network_id);
  const end = metadataEnd(network_id);
  const { inside, shell } = node.tools;
  await inside.run([{ line: `netns add ${namespace}`, unless: THERE }]);
  await inside.run([{ line: `link add ${end} mtu ${mtu} type veth peer name ${METADATA_LEG} address ${legMac(network_id)} mtu ${mtu} netns ${namespace}`, unless: THERE }]);
  await ipInGuest(shell, namespace, [
    'link set lo up',
    `link set ${METADATA_LEG} mtu ${mtu}`,
    { line: `addr add ${METADATA_V4}/32 dev ${METADATA_LEG}`, unless: THERE },
    { line: `addr add ${METADATA_V6}/64 dev ${METADATA_LEG} nodad`, unless: THERE },
    `link set ${METADATA_LEG} up`,
    // Every address of the network is a neighbour.
    { line: `route add default dev ${METADATA_LEG}`, unless: THERE },
  ], SETTINGS);
  await inside.run([`link set ${end} mtu ${mtu} master ${bridgeName(network_id)} up`]);
}

async function removeLeg(node: Node, network_id: string): Promise<void> {
  node.metadata.delete(network_id);
  node.metadataChanged();
  await node.tools.inside.run([
    { line: `link del ${metadataEnd(network_id)}`, unless: GONE },
    { line: `netns del ${metadataNamespace(node.cloud, network_id)}`, unless: GONE },
  ]);
}

export function metadataNetworks(node: Node): MetadataNetworks {
  return {
    list: () => [...node.metadata].map(([network_id, made]) => ({ network_id, made, netns: namespacePath(metadataNamespace(node.cloud, network_id)) })),
    deviceOf(network_id, address) {
      const wanted = canonical(address);
      const port = currentState(node).ports.find((one) => one.network_id === network_id
        && (one.fixed_ips.some((ip) => canonical(ip.ip_address) === wanted) || canonical(linkLocal(one.mac_address)) === wanted));
      return port?.device_id;
    },
    onChange(listener) {
      node.metadataChanged = listener;
    },
  };
}
