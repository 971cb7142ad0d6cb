import type { NetworkWiring, PeerWiring } from '../../protocol.ts';
import { canonical } from '../../firewall/addresses.ts';
import type { Action, Desired, Observed, ObservedTunnel, Plan } from './model.ts';
import { bridgeName, vxlanName } from './names.ts';

const EVERYONE = '00:00:00:00:00:00';

interface Entries {
  forwarding: Set<string>;
  neighbours: Set<string>;
}

/** Where the other nodes' MACs and addresses are, so that nothing has to be flooded to be found. */
function entriesOf(network: NetworkWiring, peers: PeerWiring[]): Entries {
  const entries: Entries = { forwarding: new Set(), neighbours: new Set() };
  for (const peer of peers) {
    for (const port of peer.ports) {
      if (port.network_id !== network.network_id) continue;
      const mac = port.mac_address.toLowerCase();
      entries.forwarding.add(`${EVERYONE} dst ${peer.tunnel_ip}`);
      entries.forwarding.add(`${mac} dst ${peer.tunnel_ip}`);
      for (const address of port.ip_addresses) entries.neighbours.add(`${canonical(address)} lladdr ${mac}`);
    }
  }
  return entries;
}

/** VXLAN only where another node carries ports of the network. */
export function planTunnels(plan: Plan, desired: Desired, observed: Observed): void {
  const wanted = new Set<string>();
  for (const network of desired.networks.values()) {
    if (network.type !== 'vxlan' || network.segmentation_id === null || desired.tunnel_ip === null) continue;
    const entries = entriesOf(network, desired.state.peers);
    if (entries.forwarding.size === 0) continue;
    const tunnel = vxlanName(network.network_id);
    wanted.add(tunnel);
    plan.prepare.push(...planTunnel(network, network.segmentation_id, desired.tunnel_ip, tunnel, entries, observed));
  }
  for (const tunnel of observed.tunnels.keys()) if (!wanted.has(tunnel)) plan.clean.push({ do: 'tunnel.delete', tunnel });
}

function planTunnel(network: NetworkWiring, vni: number, local: string, tunnel: string, entries: Entries, observed: Observed): Action[] {
  const bridge = bridgeName(network.network_id);
  const actions: Action[] = [];
  let now: ObservedTunnel | undefined = observed.tunnels.get(tunnel);
  if (now !== undefined && now.vni !== vni) {
    actions.push({ do: 'tunnel.delete', tunnel });
    now = undefined;
  }
  if (now === undefined) actions.push({ do: 'tunnel.create', tunnel, vni, bridge, mtu: network.mtu, local });
  else if (now.bridge !== bridge || !observed.bridges.has(bridge) || !now.up || now.mtu !== network.mtu) {
    actions.push({ do: 'tunnel.set', tunnel, bridge, mtu: network.mtu });
  }
  for (const kind of ['forward', 'neighbour'] as const) {
    const want = kind === 'forward' ? entries.forwarding : entries.neighbours;
    const have = (kind === 'forward' ? now?.forwarding : now?.neighbours) ?? new Set<string>();
    for (const entry of have) if (!want.has(entry)) actions.push({ do: `tunnel.${kind}`, verb: 'del', tunnel, entry });
    for (const entry of want) if (!have.has(entry)) actions.push({ do: `tunnel.${kind}`, verb: 'add', tunnel, entry });
  }
  return actions;
}
