import type { NetworkWiring, NodeNetworkState, PortWiring } from '../../protocol.ts';
import type { ObservedEnd } from './router-model.ts';

/** What is in the kernel of a node, as far as it was looked at. */
export interface Observed {
  bridges: Map<string, { mtu: number; up: boolean; filtered: boolean }>;
  taps: Map<string, ObservedTap>;
  /** Bridge ends of host legs. */
  legs: Map<string, { bridge: string | null; mtu: number; up: boolean }>;
  /** Host ends of host legs with their addresses (`10.10.1.1/24`). */
  host_legs: Map<string, { mtu: number; up: boolean; addresses: Set<string> }>;
  tunnels: Map<string, ObservedTunnel>;
  /** Bridge ends of routers' legs. */
  router_ends: Map<string, ObservedEnd>;
  /** Routers whose namespace exists. */
  routers: Set<string>;
  /** Networks with a namespace for their metadata, and the bridges' ends of their legs. */
  metadata: Set<string>;
  metadata_ends: Map<string, ObservedEnd>;
  /** Devices whose pinned namespace exists. */
  devices: Set<string>;
  /** Devices whose namespace was looked into; its cables by tap. */
  guests: Map<string, ObservedGuest>;
}

export interface ObservedTap {
  device_id: string | null;
  bridge: string | null;
  mtu: number;
  up: boolean;
  alias: string;
}

export interface ObservedTunnel {
  vni: number;
  bridge: string | null;
  up: boolean;
  mtu: number;
  /** `MAC dst IP` */
  forwarding: Set<string>;
  /** `IP lladdr MAC` */
  neighbours: Set<string>;
}

export interface ObservedGuest {
  links: Map<string, GuestLink>;
  /** Names taken in the namespace, also by links that are not ours. */
  names: Set<string>;
  /** Links without a cable of this cloud at the other end, by name: their MAC. */
  strays: Map<string, string>;
  /** Routes of our own protocol number, see `routeText`. */
  routes: Set<string>;
}

export interface GuestLink {
  name: string;
  mac: string;
  mtu: number;
  up: boolean;
  /** Address with length → whether it may be taken away (not dynamic, not link-local). */
  addresses: Map<string, boolean>;
}

export const emptyObserved = (): Observed => ({
  bridges: new Map(), taps: new Map(), legs: new Map(), host_legs: new Map(), tunnels: new Map(), router_ends: new Map(), routers: new Set(), metadata: new Set(), metadata_ends: new Map(), devices: new Set(), guests: new Map(),
});

/** What a node has to be: the wiring, and the ports of devices whose namespace it keeps. */
export interface Desired {
  cloud: string;
  state: NodeNetworkState;
  networks: Map<string, NetworkWiring>;
  /** In the order of the state: the order of a device's interfaces. */
  ports: PortWiring[];
  /** Devices that have to have a namespace even without a port. */
  devices: Set<string>;
  tunnel_ip: string | null;
}

export type Action =
  | { do: 'bridge.create'; bridge: string; mtu: number }
  | { do: 'bridge.set'; bridge: string; mtu: number }
  | { do: 'bridge.delete'; bridge: string }
  | { do: 'leg.create'; leg: string; host_leg: string; bridge: string; mtu: number }
  | { do: 'leg.set'; leg: string; host_leg: string; bridge: string; mtu: number }
  | { do: 'leg.delete'; leg: string; host_leg: string }
  | { do: 'leg.address'; verb: 'add' | 'del'; host_leg: string; address: string }
  | { do: 'tunnel.create'; tunnel: string; vni: number; bridge: string; mtu: number; local: string }
  | { do: 'tunnel.set'; tunnel: string; bridge: string; mtu: number }
  | { do: 'tunnel.delete'; tunnel: string }
  | { do: 'tunnel.forward'; verb: 'add' | 'del'; tunnel: string; entry: string }
  | { do: 'tunnel.neighbour'; verb: 'add' | 'del'; tunnel: string; entry: string }
  | { do: 'device.create'; device_id: string }
  | { do: 'device.delete'; device_id: string }
  | { do: 'cable.create'; device_id: string; tap: string; name: string; mac: string; mtu: number }
  | { do: 'cable.delete'; tap: string; device_id: string | null }
  | { do: 'link.set'; device_id: string; tap: string; name: string; mac: string; mtu: number }
  | { do: 'link.delete'; device_id: string; name: string }
  | { do: 'address'; verb: 'add' | 'del'; device_id: string; tap: string; name: string; address: string }
  | { do: 'route'; verb: 'add' | 'del'; device_id: string; route: string }
  | { do: 'tap.join'; tap: string; bridge: string; mtu: number; alias: string }
  | { do: 'tap.up'; tap: string }
  | { do: 'tap.down'; tap: string };

/**
 * The order is part of the type: bridges before cables, cables before rules (a rule hooks a device),
 * rules before any tap opens (the packet filter is changed between `join` and `open`).
 */
export interface Plan {
  prepare: Action[];
  /** Per device; devices do not depend on each other. */
  guests: Map<string, Action[]>;
  join: Action[];
  open: Action[];
  clean: Action[];
}

export const isEmpty = (plan: Plan): boolean =>
  plan.prepare.length + plan.guests.size + plan.join.length + plan.open.length + plan.clean.length === 0;
