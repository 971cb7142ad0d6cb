import { canonical, parseRange, rangeText } from '../../firewall/addresses.ts';
import { addChain, addSet, diffRuleset, emptyObserved, emptyRuleset, type ObservedRuleset, type Ruleset } from '../../firewall/ruleset.ts';
import type { FixedIpWiring, RouterLegWiring, RouterWiring } from '../../protocol.ts';
import { isOpen } from '../../router-wiring.ts';
import { bridgeName, routerEnd, routerLeg } from './names.ts';
import { RIGHT_SETTINGS, type DesiredRouter, type ObservedEnd, type ObservedLeg, type ObservedRouter, type RouterPlan } from './router-model.ts';
import { routeText } from './routes.ts';

const NAT = 'ip nat';

/**
 * The translation of a router. Floating IPs first, both ways; then what goes out bears the router's own address.
 * A guest that calls a neighbour by its floating IP is answered by way of the router (hairpin). Pure.
 */
export function compileRouter(router: RouterWiring): Ruleset {
  const ruleset = emptyRuleset();
  const inward = new Map(router.floating_ips.map((fip) => [fip.floating_ip_address, fip.fixed_ip_address]));
  const outward = new Map(router.floating_ips.map((fip) => [fip.fixed_ip_address, fip.floating_ip_address]));
  const elements = (map: Map<string, string>): string[] => [...map].map(([from, to]) => `${from} : ${to}`);
  const own = router.enable_snat && router.snat_address !== null ? `snat to ${router.snat_address}` : undefined;
  const hairpin = 'iifname "qr-*" oifname "qr-*" ct status dnat';
  addSet(ruleset, 'map', `${NAT} fip_dnat`, 'type ipv4_addr : ipv4_addr;', elements(inward));
  addSet(ruleset, 'map', `${NAT} fip_snat`, 'type ipv4_addr : ipv4_addr;', elements(outward));
  addChain(ruleset, `${NAT} prerouting`, '{ type nat hook prerouting priority -100; policy accept; }', ['dnat to ip daddr map @fip_dnat']);
  addChain(ruleset, `${NAT} postrouting`, '{ type nat hook postrouting priority 100; policy accept; }', [
    `${hairpin} snat to ip saddr map @fip_snat`,
    `${hairpin} ${own ?? 'masquerade'}`,
    'oifname "qg-*" snat to ip saddr map @fip_snat',
    ...(own === undefined ? [] : [`oifname "qg-*" iifname "qr-*" ${own}`]),
  ]);
  return ruleset;
}

interface WantedLeg {
  leg: string;
  end: string;
  mac: string;
  mtu: number;
  bridge: string;
  addresses: Set<string>;
}

function wantedLeg({ router, networks }: DesiredRouter, leg: RouterLegWiring): WantedLeg {
  const floating = leg.is_gateway ? router.floating_ips.map((fip) => `${canonical(fip.floating_ip_address)}/32`) : [];
  return {
    leg: routerLeg(leg), end: routerEnd(leg.port_id), mac: leg.mac_address.toLowerCase(), bridge: bridgeName(leg.network_id),
    mtu: Math.min(leg.mtu, networks.get(leg.network_id)?.mtu ?? leg.mtu),
    addresses: new Set([...leg.fixed_ips.map((ip) => `${canonical(ip.ip_address)}/${ip.prefix_length}`), ...floating]),
  };
}

const EXTRA_METRIC = 100;
const GATEWAY_METRIC = 1000;

const holds = (ip: FixedIpWiring, address: string): boolean => {
  const range = parseRange(`${ip.ip_address}/${ip.prefix_length}`);
  const one = parseRange(address);
  return range !== undefined && one !== undefined && range.version === one.version && one.first >= range.first && one.first <= range.last;
};

/** Connected networks before the router's own routes, these before the way out by the gateway. */
export function routerRoutes(router: RouterWiring, legs: readonly RouterLegWiring[]): Set<string> {
  const routes = new Set<string>();
  for (const [at, { destination, nexthop }] of router.routes.entries()) {
    const leg = legs.find((one) => one.fixed_ips.some((ip) => holds(ip, nexthop)));
    const range = parseRange(destination);
    if (leg === undefined || range === undefined) continue;
    routes.add(routeText(range.version, range.prefix === 0 ? 'default' : rangeText(range), canonical(nexthop), routerLeg(leg), EXTRA_METRIC + at));
  }
  for (const leg of legs.filter((one) => one.is_gateway)) {
    const own = new Set(leg.fixed_ips.map((ip) => canonical(ip.ip_address)));
    const ways = new Map(leg.fixed_ips.flatMap((ip) => (ip.gateway_ip === null || own.has(canonical(ip.gateway_ip)) ? [] : [[ip.ip_version, canonical(ip.gateway_ip)] as const])));
    for (const [version, via] of ways) routes.add(routeText(version, 'default', via, routerLeg(leg), GATEWAY_METRIC));
  }
  return routes;
}

/** What has to be done to make a router from what it is into what it has to be. Pure. */
export function planRouter(desired: DesiredRouter, observed: ObservedRouter | undefined, ends: ReadonlyMap<string, ObservedEnd>): RouterPlan {
  const plan: RouterPlan = { create: observed === undefined, settings: observed?.settings !== RIGHT_SETTINGS, ends: [], dropped: [], legs: [], rules: [], joins: [], raise: [], routes: [], announce: [], cut: [] };
  const open = desired.router.legs.filter((leg) => isOpen(desired.router, leg));
  const wanted = open.map((leg) => wantedLeg(desired, leg));
  const names = new Set(wanted.map((leg) => leg.leg));
  for (const name of observed?.links.keys() ?? []) if (/^q[rg]-/.test(name) && !names.has(name)) plan.dropped.push(name);
  const lost = new Set(plan.dropped);
  for (const leg of wanted) if (planLeg(plan, leg, observed?.links.get(leg.leg), ends.get(leg.end))) lost.add(leg.leg);
  planRoutes(plan, routerRoutes(desired.router, open), observed?.routes ?? new Set(), lost);
  const rules = observed?.rules ?? emptyObserved();
  plan.rules = diffRuleset(compileRouter(desired.router), rules, false, [NAT]);
  plan.cut = endedTranslations(desired.router, rules);
  return plan;
}

/** @returns whether the leg is made anew, and so its routes are gone. */
function planLeg(plan: RouterPlan, wanted: WantedLeg, now: ObservedLeg | undefined, end: ObservedEnd | undefined): boolean {
  const { leg, mac, mtu, bridge } = wanted;
  const whole = now !== undefined && end !== undefined && now.peer === end.index;
  if (!whole) {
    if (now !== undefined) plan.dropped.push(leg);
    if (end !== undefined) plan.ends.push(wanted.end);
    plan.legs.push({ do: 'create', leg, end: wanted.end, mac, mtu });
  } else if (now.mac !== mac || now.mtu !== mtu) plan.legs.push({ do: 'set', leg, mac, mtu });
  const there = whole ? now.addresses : new Set<string>();
  const added = [...wanted.addresses].filter((address) => !there.has(address));
  for (const address of there) if (!wanted.addresses.has(address)) plan.legs.push({ do: 'address', verb: 'del', leg, address });
  for (const address of added) plan.legs.push({ do: 'address', verb: 'add', leg, address });
  const joined = whole && end.bridge === bridge && end.mtu === mtu && end.up;
  if (!joined) plan.joins.push({ end: wanted.end, bridge, mtu });
  if (!whole || !now.up) plan.raise.push(leg);
  if (!joined || added.length > 0 || !now?.up || now.mac !== mac) plan.announce.push({ leg, mac });
  return !whole || !now.up;
}

function planRoutes(plan: RouterPlan, wanted: ReadonlySet<string>, now: ReadonlySet<string>, lost: ReadonlySet<string>): void {
  const kept = [...now].filter((route) => !lost.has(/ dev (\S+)/.exec(route)?.[1] ?? ''));
  for (const route of kept) if (!wanted.has(route)) plan.routes.push({ verb: 'del', route });
  for (const route of wanted) if (!kept.includes(route)) plan.routes.push({ verb: 'add', route });
}

function endedTranslations(router: RouterWiring, rules: ObservedRuleset): string[] {
  const wanted = new Map(router.floating_ips.map((fip) => [fip.floating_ip_address, fip.fixed_ip_address]));
  const elements = [...(rules.sets.get(`${NAT} fip_dnat`)?.elements ?? [])].map((element) => element.split(' : ') as [string, string]);
  return elements.filter(([from, to]) => wanted.get(from) !== to).map(([from]) => from);
}
