import type { ObservedRuleset } from '../../firewall/ruleset.ts';
import type { NetworkWiring, RouterWiring } from '../../protocol.ts';

/** A router's namespace as it is. */
export interface ObservedRouter {
  /** By name. */
  links: Map<string, ObservedLeg>;
  /** Of our own protocol number, see `routeText`. */
  routes: Set<string>;
  rules: ObservedRuleset;
  /** The settings of the namespace, see `ROUTER_SETTINGS`. */
  settings: string;
}

export interface ObservedLeg {
  mac: string;
  mtu: number;
  up: boolean;
  /** Number of the interface at the other end of the cable. */
  peer: number | undefined;
  /** `10.0.0.1/24`, none that the kernel made up. */
  addresses: Set<string>;
}

/** The bridge's end of a leg. */
export interface ObservedEnd {
  index: number;
  bridge: string | null;
  mtu: number;
  up: boolean;
}

export interface DesiredRouter {
  router: RouterWiring;
  networks: ReadonlyMap<string, NetworkWiring>;
}

/** What makes the one into the other, in the order of the fields: nothing passes a leg before the translation stands. */
export interface RouterPlan {
  create: boolean;
  settings: boolean;
  /** Ends to remove from the bridges' namespace. */
  ends: string[];
  dropped: string[];
  legs: LegAction[];
  /** nft commands of one transaction. */
  rules: string[];
  joins: { end: string; bridge: string; mtu: number }[];
  /** Legs to take up. */
  raise: string[];
  routes: { verb: 'add' | 'del'; route: string }[];
  /** Legs whose neighbours have to hear where its addresses are. */
  announce: { leg: string; mac: string }[];
  /** Floating addresses that are translated no more, or to another one: their flows end. */
  cut: string[];
}

export type LegAction =
  | { do: 'create'; leg: string; end: string; mac: string; mtu: number }
  | { do: 'set'; leg: string; mac: string; mtu: number }
  | { do: 'address'; verb: 'add' | 'del'; leg: string; address: string };

/** `/proc/sys/net` of a router. A gratuitous ARP follows each setting of a MAC (arp_notify); an address answers on its own leg only. */
export const ROUTER_SETTINGS: readonly (readonly [path: string, value: string])[] = [
  ['ipv4/ip_forward', '1'], ['ipv6/conf/all/forwarding', '1'],
  ['ipv4/conf/all/arp_notify', '1'], ['ipv4/conf/all/arp_ignore', '1'], ['ipv4/conf/all/arp_announce', '2'],
  ['ipv4/conf/all/send_redirects', '0'], ['ipv4/conf/default/send_redirects', '0'], ['ipv4/conf/all/accept_redirects', '0'],
  ['ipv4/conf/all/rp_filter', '0'], ['ipv4/conf/default/rp_filter', '0'],
  ['ipv6/conf/all/accept_dad', '0'], ['ipv6/conf/default/accept_dad', '0'], ['ipv6/conf/default/accept_ra', '0'],
];

export const RIGHT_SETTINGS = ROUTER_SETTINGS.map(([, value]) => value).join(' ');

export const isEmptyRouterPlan = (plan: RouterPlan): boolean =>
  !plan.create && !plan.settings && [plan.ends, plan.dropped, plan.legs, plan.rules, plan.joins, plan.raise, plan.routes, plan.announce, plan.cut].every((list) => list.length === 0);
