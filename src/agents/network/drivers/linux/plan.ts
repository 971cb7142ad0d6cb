import type { NetworkWiring, PortWiring } from '../../protocol.ts';
import { canonical } from '../../firewall/addresses.ts';
import type { Action, Desired, Observed, ObservedGuest, Plan } from './model.ts';
import { bridgeName, hostLegName, legName, tapName } from './names.ts';
import { guestRoutes } from './routes.ts';
import { planTunnels } from './tunnels.ts';

export const tapAlias = (port: PortWiring): string => `${port.device_id} ${port.mac_address.toLowerCase()}`;

/** Ports that can be realised now: their network is known and their device has (or gets) a namespace. */
export function realisable(desired: Desired, observed: Observed): PortWiring[] {
  return desired.ports.filter(
    (port) => desired.networks.has(port.network_id) && (observed.devices.has(port.device_id) || desired.devices.has(port.device_id)),
  );
}

/** What has to be done to make the node from what it is into what it has to be. Pure; empty when nothing is left. */
export function planNode(desired: Desired, observed: Observed): Plan {
  const plan: Plan = { prepare: [], guests: new Map(), join: [], open: [], clean: [] };
  const ports = realisable(desired, observed);
  planBridges(plan, desired, observed);
  planLegs(plan, desired, observed);
  planTunnels(plan, desired, observed);
  planGuests(plan, desired, observed, ports);
  planTaps(plan, desired, observed, ports);
  return plan;
}

function planBridges(plan: Plan, desired: Desired, observed: Observed): void {
  const wanted = new Map([...desired.networks.values()].map((network) => [bridgeName(network.network_id), network]));
  for (const [bridge, network] of wanted) {
    const now = observed.bridges.get(bridge);
    if (now === undefined) plan.prepare.push({ do: 'bridge.create', bridge, mtu: network.mtu });
    else if (now.mtu !== network.mtu || !now.up || !now.filtered) plan.prepare.push({ do: 'bridge.set', bridge, mtu: network.mtu });
  }
  for (const bridge of observed.bridges.keys()) if (!wanted.has(bridge)) plan.clean.push({ do: 'bridge.delete', bridge });
}

const hasLeg = (network: NetworkWiring): boolean => network.type === 'flat' && network.host_addresses.length > 0;

function planLegs(plan: Plan, desired: Desired, observed: Observed): void {
  const legs = new Set<string>();
  const hosts = new Set<string>();
  for (const network of desired.networks.values()) {
    if (!hasLeg(network)) continue;
    const leg = legName(network.network_id);
    const host_leg = hostLegName(desired.cloud, network.network_id);
    legs.add(leg);
    hosts.add(host_leg);
    planLeg(plan, observed, network, leg, host_leg);
  }
  for (const leg of observed.legs.keys()) if (!legs.has(leg)) plan.clean.push({ do: 'leg.delete', leg, host_leg: '' });
  for (const host_leg of observed.host_legs.keys()) if (!hosts.has(host_leg)) plan.clean.push({ do: 'leg.delete', leg: '', host_leg });
}

function planLeg(plan: Plan, observed: Observed, network: NetworkWiring, leg: string, host_leg: string): void {
  const bridge = bridgeName(network.network_id);
  const inside = observed.legs.get(leg);
  const outside = observed.host_legs.get(host_leg);
  const there = inside !== undefined && outside !== undefined;
  if (!there) plan.prepare.push({ do: 'leg.create', leg, host_leg, bridge, mtu: network.mtu });
  else {
    const right = inside.bridge === bridge && observed.bridges.has(bridge) && inside.up && outside.up && inside.mtu === network.mtu && outside.mtu === network.mtu;
    if (!right) plan.prepare.push({ do: 'leg.set', leg, host_leg, bridge, mtu: network.mtu });
  }
  const wanted = new Set(network.host_addresses.map(canonicalWithLength));
  const now = there ? outside.addresses : new Set<string>();
  for (const address of wanted) if (!now.has(address)) plan.prepare.push({ do: 'leg.address', verb: 'add', host_leg, address });
  for (const address of now) if (!wanted.has(address)) plan.prepare.push({ do: 'leg.address', verb: 'del', host_leg, address });
}

export function canonicalWithLength(text: string): string {
  const [address = '', length = ''] = text.split('/');
  return `${canonical(address)}/${length}`;
}

function planGuests(plan: Plan, desired: Desired, observed: Observed, ports: PortWiring[]): void {
  const byDevice = Map.groupBy(ports, (port) => port.device_id);
  for (const device_id of desired.devices) {
    if (!observed.devices.has(device_id)) plan.prepare.push({ do: 'device.create', device_id });
  }
  const looked = new Set([...observed.guests.keys(), ...[...desired.devices].filter((id) => !observed.devices.has(id))]);
  const wanted = new Map(ports.map((port) => [tapName(port.port_id), port.device_id]));
  for (const [tap, now] of observed.taps) {
    if (!isRight(tap, wanted.get(tap), looked, observed)) plan.prepare.push({ do: 'cable.delete', tap, device_id: now.device_id });
  }
  const deleted = new Set(plan.prepare.flatMap((action) => (action.do === 'cable.delete' ? [action.tap] : [])));
  for (const device_id of looked) {
    const guest = observed.guests.get(device_id);
    const mine = byDevice.get(device_id) ?? [];
    const dead = deadEnds(guest, mine);
    const actions: Action[] = dead.map((name) => ({ do: 'link.delete', device_id, name }));
    actions.push(...planGuest(desired, liveLinks(guest, deleted, dead), device_id, mine));
    if (actions.length > 0) plan.guests.set(device_id, actions);
  }
  for (const device_id of observed.devices) {
    if (!desired.devices.has(device_id) && !byDevice.has(device_id)) plan.clean.push({ do: 'device.delete', device_id });
  }
}

/** Whether a cable that exists ends in the device that it is for, as far as that was looked into. */
function isRight(tap: string, device_id: string | undefined, looked: Set<string>, observed: Observed): boolean {
  if (device_id === undefined) return false;
  return !looked.has(device_id) || observed.guests.get(device_id)?.links.has(tap) === true;
}

/** Ends of cables that lead nowhere any more: they carry the MAC of a port that is to have another one. */
function deadEnds(guest: ObservedGuest | undefined, ports: PortWiring[]): string[] {
  const macs = new Set(ports.map((port) => port.mac_address.toLowerCase()));
  return [...(guest?.strays ?? [])].filter(([, mac]) => macs.has(mac)).map(([name]) => name);
}

/** A guest as it is once the cables are gone that have to go. */
function liveLinks(guest: ObservedGuest | undefined, deleted: Set<string>, dead: string[]): ObservedGuest | undefined {
  if (guest === undefined) return undefined;
  const names = new Set(guest.names);
  for (const name of dead) names.delete(name);
  for (const [tap, link] of guest.links) if (deleted.has(tap)) names.delete(link.name);
  const links = new Map([...guest.links].filter(([tap]) => !deleted.has(tap)));
  const alive = new Set([...links.values()].map((link) => link.name));
  return { links, names, strays: new Map(), routes: new Set([...guest.routes].filter((route) => alive.has(deviceOfRoute(route)))) };
}

/** Names of a device's cables: what exists keeps its name, what comes takes the lowest free one. */
function nameCables(ports: PortWiring[], guest: ObservedGuest | undefined): { port: PortWiring; tap: string; name: string }[] {
  const taken = new Set(guest?.names ?? []);
  const cables = ports.map((port) => {
    const tap = tapName(port.port_id);
    const name = guest?.links.get(tap)?.name ?? lowestFree(taken);
    taken.add(name);
    return { port, tap, name };
  });
  return cables.sort((a, b) => order(a.name) - order(b.name));
}

const order = (name: string): number => Number(/\d+$/.exec(name)?.[0] ?? 0);

function lowestFree(taken: Set<string>): string {
  let index = 0;
  while (taken.has(`eth${index}`)) index += 1;
  return `eth${index}`;
}

function planGuest(desired: Desired, guest: ObservedGuest | undefined, device_id: string, ports: PortWiring[]): Action[] {
  const actions: Action[] = [];
  const cables = nameCables(ports, guest);
  for (const { port, tap, name } of cables) {
    const mtu = mtuOf(desired, port);
    const mac = port.mac_address.toLowerCase();
    const link = guest?.links.get(tap);
    if (link === undefined) actions.push({ do: 'cable.create', device_id, tap, name, mac, mtu });
    else if (link.mac !== mac || link.mtu !== mtu || !link.up) actions.push({ do: 'link.set', device_id, tap, name, mac, mtu });
    actions.push(...planAddresses(device_id, tap, name, port, link?.addresses ?? new Map()));
  }
  const routes = guest?.routes ?? new Set<string>();
  const wanted = guestRoutes(cables);
  for (const route of routes) if (!wanted.has(route)) actions.push({ do: 'route', verb: 'del', device_id, route });
  for (const route of wanted) if (!routes.has(route)) actions.push({ do: 'route', verb: 'add', device_id, route });
  return actions;
}

const deviceOfRoute = (route: string): string => / dev (\S+)/.exec(route)?.[1] ?? '';

export function mtuOf(desired: Desired, port: PortWiring): number {
  return Math.min(port.mtu, desired.networks.get(port.network_id)?.mtu ?? port.mtu);
}

function planAddresses(device_id: string, tap: string, name: string, port: PortWiring, now: Map<string, boolean>): Action[] {
  const wanted = new Set(port.fixed_ips.map((ip) => canonicalWithLength(`${ip.ip_address}/${ip.prefix_length}`)));
  const shared = new Set(port.allowed_address_pairs.map((pair) => canonical(pair.ip_address.split('/')[0] ?? '')));
  const adds = [...wanted].filter((address) => !now.has(address));
  const dels = [...now].filter(([address, removable]) => removable && !wanted.has(address) && !shared.has(address.split('/')[0] ?? ''));
  return [
    ...adds.map((address): Action => ({ do: 'address', verb: 'add', device_id, tap, name, address })),
    ...dels.map(([address]): Action => ({ do: 'address', verb: 'del', device_id, tap, name, address })),
  ];
}

function planTaps(plan: Plan, desired: Desired, observed: Observed, ports: PortWiring[]): void {
  const created = new Set([...plan.guests.values()].flat().filter((action) => action.do === 'cable.create').map((action) => action.tap));
  for (const port of ports) {
    const tap = tapName(port.port_id);
    const bridge = bridgeName(port.network_id);
    const now = created.has(tap) ? undefined : observed.taps.get(tap);
    if (now === undefined && !created.has(tap)) continue;
    const alias = tapAlias(port);
    const mtu = mtuOf(desired, port);
    const right = now !== undefined && now.bridge === bridge && observed.bridges.has(bridge) && now.alias === alias && now.mtu === mtu;
    if (!right) plan.join.push({ do: 'tap.join', tap, bridge, mtu, alias });
    if (port.admin_state_up && now?.up !== true) plan.open.push({ do: 'tap.up', tap });
    if (!port.admin_state_up && now?.up === true) plan.join.push({ do: 'tap.down', tap });
  }
}
