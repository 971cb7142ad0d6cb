import { existsSync } from 'node:fs';
import { revokedFlows } from '../../firewall/cuts.ts';
import type { NetworkWiring, NodeNetworkState, PortWiring } from '../../protocol.ts';
import { executeGuest, executeNode } from './execute.ts';
import { ensureMetadata } from './metadata.ts';
import { emptyObserved, type Desired, type Observed, type Plan } from './model.ts';
import { bridgeName, guestNamespace, hostLegName, legName, namespacePath, tapName, vxlanName } from './names.ts';
import { currentState, cutFlows, deviceKey, ensureReady, networkKey, updateRules, type Node } from './node.ts';
import { observeGuest, observeLinks, observeTunnels } from './observe.ts';
import { planNode } from './plan.ts';
import { GONE } from './tools.ts';

/** Wires a device. A stale picture of the kernel (a bridge gone meanwhile) is looked at afresh once. */
export async function plugDevice(node: Node, device_id: string, slice: NodeNetworkState): Promise<void> {
  await ensureReady(node);
  const before = currentState(node);
  const known = { slice: node.slices.get(device_id), plugged: node.plugged.has(device_id) };
  node.slices.set(device_id, slice);
  node.plugged.add(device_id);
  const attempt = async (): Promise<void> => {
    const state = currentState(node);
    const ports = state.ports.filter((port) => port.device_id === device_id);
    await ensureNetworks(node, state, ports);
    await wire(node, state, device_id, ports);
  };
  try {
    await attempt().catch((error: unknown) => {
      node.log.warn({ err: error, device_id }, 'plug failed, looking at the kernel afresh');
      node.ready.clear();
      return attempt();
    });
  } catch (error) {
    if (known.slice === undefined) node.slices.delete(device_id);
    else node.slices.set(device_id, known.slice);
    if (!known.plugged) node.plugged.delete(device_id);
    throw error;
  }
  await cutFlows(node, revokedFlows(onlyDevice(before, device_id), onlyDevice(currentState(node), device_id)));
}

const onlyDevice = (state: NodeNetworkState, device_id: string): NodeNetworkState => ({
  ...state,
  ports: state.ports.filter((port) => port.device_id === device_id),
});

/** Bridges, legs and tunnels of the ports' networks: no look at the kernel where they are known to be right. */
async function ensureNetworks(node: Node, state: NodeNetworkState, ports: PortWiring[]): Promise<void> {
  const ids = new Set(ports.map((port) => port.network_id));
  const wanted = state.networks.filter((network) => ids.has(network.network_id));
  const isReady = (network: NetworkWiring): boolean => node.ready.get(network.network_id) === networkKey(network, state);
  if (wanted.every(isReady)) return await ensureMetadata(node, wanted);
  await node.networks('all', async () => {
    const missing = wanted.filter((network) => !isReady(network));
    if (missing.length === 0) return;
    const { observed } = await observeLinks(node.tools.shell, node.cloud, node.tools.enter_host);
    await observeTunnels(node.tools.shell, node.cloud, observed);
    await executeNode(node.tools, planNode(desiredOf(node, state, missing, []), onlyNetworks(node, observed, missing)).prepare);
    for (const network of missing) node.ready.set(network.network_id, networkKey(network, state));
  });
  await ensureMetadata(node, wanted);
}

function desiredOf(node: Node, state: NodeNetworkState, networks: NetworkWiring[], ports: PortWiring[]): Desired {
  const byId = new Map(networks.map((network) => [network.network_id, network]));
  return { cloud: node.cloud, state, networks: byId, ports, devices: new Set(), tunnel_ip: node.tunnel_ip };
}

function onlyNetworks(node: Node, observed: Observed, networks: NetworkWiring[]): Observed {
  const part = emptyObserved();
  const copy = <T>(from: Map<string, T>, to: Map<string, T>, name: string): void => {
    const found = from.get(name);
    if (found !== undefined) to.set(name, found);
  };
  for (const { network_id } of networks) {
    copy(observed.bridges, part.bridges, bridgeName(network_id));
    copy(observed.legs, part.legs, legName(network_id));
    copy(observed.host_legs, part.host_legs, hostLegName(node.cloud, network_id));
    copy(observed.tunnels, part.tunnels, vxlanName(network_id));
  }
  return part;
}

/** What is there of a device; nothing has to be asked for one that has no namespace and no cable. */
async function observeDevice(node: Node, device_id: string, ports: PortWiring[]): Promise<Observed> {
  const part = emptyObserved();
  const there = existsSync(namespacePath(guestNamespace(node.cloud, device_id)));
  const cabled = [...node.cables.values()].some((port) => port.device_id === device_id);
  if (!there && !cabled) return part;
  const { observed, indexes } = await observeLinks(node.tools.shell, node.cloud, node.tools.enter_host);
  const mine = new Set(ports.map((port) => tapName(port.port_id)));
  for (const [tap, now] of observed.taps) if (now.device_id === device_id || mine.has(tap)) part.taps.set(tap, now);
  const guest = there ? await observeGuest(node.tools.shell, node.cloud, device_id, indexes) : undefined;
  if (guest !== undefined) {
    part.devices.add(device_id);
    part.guests.set(device_id, guest);
  }
  return part;
}

async function wire(node: Node, state: NodeNetworkState, device_id: string, ports: PortWiring[]): Promise<void> {
  const observed = await observeDevice(node, device_id, ports);
  const networks = state.networks.filter((network) => ports.some((port) => port.network_id === network.network_id));
  for (const network of networks) observed.bridges.set(bridgeName(network.network_id), { mtu: network.mtu, up: true, filtered: true });
  const plain = networks.map((network) => ({ ...network, host_addresses: [] }));
  const desired = { ...desiredOf(node, state, plain, ports), devices: new Set([device_id]), tunnel_ip: null };
  const plan = planNode(desired, observed);
  try {
    await carryOut(node, device_id, ports, plan, !observed.devices.has(device_id));
  } catch (error) {
    await undo(node, device_id, ports, plan, observed);
    throw error;
  }
  node.wired.set(device_id, deviceKey(ports, state));
}

async function carryOut(node: Node, device_id: string, ports: PortWiring[], plan: Plan, fresh: boolean): Promise<void> {
  await executeNode(node.tools, plan.prepare);
  const actions = plan.guests.get(device_id) ?? [];
  if (fresh || actions.length > 0) await executeGuest(node.tools, device_id, actions, fresh);
  await executeNode(node.tools, plan.join);
  for (const port of node.cables.values()) if (port.device_id === device_id) node.cables.delete(port.port_id);
  for (const port of ports) node.cables.set(port.port_id, port);
  await updateRules(node);
  await executeNode(node.tools, plan.open);
}

/** Takes back what this plug has made; what was there before it stays. */
async function undo(node: Node, device_id: string, ports: PortWiring[], plan: Plan, before: Observed): Promise<void> {
  const made = ports.filter((port) => !before.taps.has(tapName(port.port_id)));
  const lines = made.map((port) => ({ line: `link del ${tapName(port.port_id)}`, unless: GONE }));
  const created = plan.prepare.some((action) => action.do === 'device.create');
  if (created) lines.push({ line: `netns del ${guestNamespace(node.cloud, device_id)}`, unless: GONE });
  for (const port of made) node.cables.delete(port.port_id);
  node.wired.delete(device_id);
  try {
    await node.tools.inside.run(lines);
    if (made.length > 0) await updateRules(node);
  } catch (error) {
    node.log.error({ err: error, device_id }, 'undo of a plug failed; the next apply cleans up');
  }
}

/** Removes a device's cables, namespace, rules and flows. */
export async function unplugDevice(node: Node, device_id: string): Promise<void> {
  node.slices.delete(device_id);
  node.plugged.delete(device_id);
  node.wired.delete(device_id);
  const namespace = guestNamespace(node.cloud, device_id);
  const mine = [...node.cables.values()].filter((port) => port.device_id === device_id);
  const there = existsSync(namespacePath(namespace));
  if (!there && mine.length === 0) return;
  await ensureReady(node);
  const taps = new Set(mine.map((port) => tapName(port.port_id)));
  if (mine.length === 0) {
    const { observed } = await observeLinks(node.tools.shell, node.cloud, node.tools.enter_host);
    for (const [tap, now] of observed.taps) if (now.device_id === device_id) taps.add(tap);
  }
  const lines = [...taps].map((tap) => ({ line: `link del ${tap}`, unless: GONE }));
  if (there) lines.push({ line: `netns del ${namespace}`, unless: GONE });
  await node.tools.inside.run(lines);
  for (const port of mine) node.cables.delete(port.port_id);
  const state = currentState(node);
  await updateRules(node);
  await cutFlows(node, revokedFlows({ ...state, ports: mine }, { ...state, ports: [] }));
}
