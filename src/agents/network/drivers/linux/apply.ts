import { readdir, readlink, stat } from 'node:fs/promises';
import { revokedFlows } from '../../firewall/cuts.ts';
import type { NodeNetworkState, PortReport, PortWiring } from '../../protocol.ts';
import { applyMetadata } from './metadata.ts';
import { executeGuest, executeNode } from './execute.ts';
import { KernelError } from './co-process.ts';
import type { Action, Desired, Observed, Plan } from './model.ts';
import { guestNamespace, namespacePath, tapName } from './names.ts';
import { currentState, cutFlows, deviceKey, ensureReady, networkKey, updateRules, type Node } from './node.ts';
import { observeGuest, observeLinks, observeRules, observeTunnels } from './observe.ts';
import { planNode, realisable } from './plan.ts';
import { applyRouters } from './routers.ts';

/**
 * Makes the node be `given`. The same generation again means: look for drift everywhere. A newer one trusts what is
 * known of the filter and of untouched guests, for as long as `look_every_ms`.
 */
export async function applyState(node: Node, given: NodeNetworkState): Promise<PortReport[]> {
  await ensureReady(node);
  const before = currentState(node);
  const again = given.generation === node.base.generation;
  for (const [device_id, slice] of node.slices) if (slice.generation <= given.generation) node.slices.delete(device_id);
  node.base = given;
  const state = currentState(node);
  const first = !node.applied;
  node.applied = true;
  const look = again || first || Date.now() - node.looked_at > node.look_every_ms;
  const observed = await observe(node, state, look);
  const desired: Desired = {
    cloud: node.cloud, state, networks: new Map(state.networks.map((network) => [network.network_id, network])),
    ports: state.ports, devices: await keptDevices(node, state, observed), tunnel_ip: node.tunnel_ip,
  };
  const plan = planNode(desired, observed);
  const failed = await carryOut(node, desired, observed, plan);
  const routed = await applyRouters(node, state, observed, look);
  await applyMetadata(node, state, observed);
  await cutFlows(node, first ? [] : revokedFlows(before, state));
  await clean(node, plan);
  if (look && failed.size === 0) node.looked_at = Date.now();
  return [...state.ports.map((port) => report(node, port, failed)), ...routed];
}

function report(node: Node, port: PortWiring, failed: Map<string, string>): PortReport {
  const reason = failed.get(port.port_id);
  if (reason !== undefined) return { port_id: port.port_id, status: 'ERROR', reason };
  const up = node.cables.has(port.port_id) && port.admin_state_up;
  return { port_id: port.port_id, status: up ? 'ACTIVE' : 'DOWN' };
}

async function observe(node: Node, state: NodeNetworkState, look: boolean): Promise<Observed> {
  const { shell, enter_host } = node.tools;
  const { observed, indexes } = await observeLinks(shell, node.cloud, enter_host);
  await observeTunnels(shell, node.cloud, observed);
  if (look || node.rules === undefined) node.rules = await observeRules(shell, node.cloud);
  const devices = devicesToLookInto(node, state, observed, look);
  await Promise.all(
    devices.map(async (device_id) => {
      const guest = await observeGuest(shell, node.cloud, device_id, indexes);
      if (guest === undefined) observed.devices.delete(device_id);
      else observed.guests.set(device_id, guest);
    }),
  );
  return observed;
}

/** Those whose wiring changed or whose cable is missing; on a look for drift some more, in turn. */
function devicesToLookInto(node: Node, state: NodeNetworkState, observed: Observed, look: boolean): string[] {
  const byDevice = Map.groupBy(state.ports, (port) => port.device_id);
  const dirty = new Set<string>();
  const clean: string[] = [];
  for (const device_id of observed.devices) {
    const ports = byDevice.get(device_id) ?? [];
    const whole = ports.every((port) => observed.taps.has(tapName(port.port_id)));
    if (!whole || node.wired.get(device_id) !== deviceKey(ports, state)) dirty.add(device_id);
    else clean.push(device_id);
  }
  const count = look ? Math.min(node.guests_per_look, clean.length) : 0;
  for (let index = 0; index < count; index += 1) dirty.add(clean[(node.turn + index) % clean.length] ?? '');
  node.turn += count;
  dirty.delete('');
  return [...dirty];
}

/** Devices that keep a namespace without ports: plugged since the start, or some process lives in it. */
async function keptDevices(node: Node, state: NodeNetworkState, observed: Observed): Promise<Set<string>> {
  const kept = new Set(node.plugged);
  const ported = new Set(state.ports.map((port) => port.device_id));
  const doubtful = [...observed.devices].filter((device_id) => !kept.has(device_id) && !ported.has(device_id));
  if (doubtful.length === 0) return kept;
  const inhabited = await inhabitedNamespaces();
  for (const device_id of doubtful) {
    const info = await stat(namespacePath(guestNamespace(node.cloud, device_id))).catch(() => undefined);
    if (info !== undefined && inhabited.has(`net:[${info.ino}]`)) kept.add(device_id);
  }
  return kept;
}

async function inhabitedNamespaces(): Promise<Set<string>> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const links = await Promise.all(processes.map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => '')));
  return new Set(links);
}

type Failed = Map<string, string>;

async function carryOut(node: Node, desired: Desired, observed: Observed, plan: Plan): Promise<Failed> {
  const failed: Failed = new Map();
  node.ready.clear();
  await executeNode(node.tools, plan.prepare);
  for (const network of desired.networks.values()) node.ready.set(network.network_id, networkKey(network, desired.state));
  const lost = await wireGuests(node, desired, observed, plan, failed);
  await eachTap(node, desired, plan.join.filter((action) => !lost.has(tapOf(action))), failed);
  const cabled = realisable(desired, observed).filter((port) => {
    const tap = tapName(port.port_id);
    return !lost.has(tap) && (observed.taps.has(tap) || created(plan).has(tap));
  });
  node.cables.clear();
  for (const port of cabled) node.cables.set(port.port_id, port);
  await updateRules(node).catch(async (error: unknown) => {
    node.log.warn({ err: error }, 'the packet filter refused a change, reading it afresh');
    await updateRules(node);
  });
  await eachTap(node, desired, plan.open.filter((action) => !lost.has(tapOf(action))), failed);
  remember(node, desired, observed, failed);
  return failed;
}

const tapOf = (action: Action): string => ('tap' in action ? action.tap : '');
const created = (plan: Plan): Set<string> =>
  new Set([...plan.guests.values()].flat().filter((action) => action.do === 'cable.create').map(tapOf));

/** @returns the taps that were to be made and could not be. */
async function wireGuests(node: Node, desired: Desired, observed: Observed, plan: Plan, failed: Failed): Promise<Set<string>> {
  const lost = new Set<string>();
  await Promise.all(
    [...plan.guests].map(async ([device_id, actions]) => {
      try {
        await executeGuest(node.tools, device_id, actions, !observed.devices.has(device_id));
      } catch (error) {
        node.log.error({ err: error, device_id }, 'wiring a guest failed');
        const fresh = actions.filter((action) => action.do === 'cable.create').map(tapOf);
        for (const tap of fresh) lost.add(tap);
        await node.tools.inside.run(fresh.map((tap) => ({ line: `link del ${tap}`, unless: /./ })));
        for (const port of desired.ports) if (port.device_id === device_id) failed.set(port.port_id, textOf(error));
      }
    }),
  );
  return lost;
}

const textOf = (error: unknown): string => (error instanceof KernelError ? error.message : error instanceof Error ? error.message : String(error));

/** Each tap by itself, so that one that fails is told by its port and stops no other. */
async function eachTap(node: Node, desired: Desired, actions: Action[], failed: Failed): Promise<void> {
  const byTap = new Map(desired.ports.map((port) => [tapName(port.port_id), port.port_id]));
  await Promise.all(
    actions.map((action) =>
      executeNode(node.tools, [action]).catch((error: unknown) => {
        node.log.error({ err: error, action }, 'a cable could not be set');
        failed.set(byTap.get(tapOf(action)) ?? tapOf(action), textOf(error));
      }),
    ),
  );
}

function remember(node: Node, desired: Desired, observed: Observed, failed: Failed): void {
  const byDevice = Map.groupBy(desired.ports, (port) => port.device_id);
  const known = new Set([...observed.devices, ...desired.devices]);
  node.wired.clear();
  for (const device_id of known) {
    const ports = byDevice.get(device_id) ?? [];
    if (!ports.some((port) => failed.has(port.port_id))) node.wired.set(device_id, deviceKey(ports, desired.state));
  }
}

async function clean(node: Node, plan: Plan): Promise<void> {
  for (const action of plan.clean) {
    await executeNode(node.tools, [action]).catch((error: unknown) => {
      node.log.error({ err: error, action }, 'cleaning up failed; tried again at the next apply');
    });
    if (action.do === 'device.delete') node.wired.delete(action.device_id);
  }
}
