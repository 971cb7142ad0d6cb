import type { PortWiring } from '../../protocol.ts';
import { canonical, parseRange, rangeText } from '../../firewall/addresses.ts';

/** Routes carry this protocol number, so that ours are told from the guest's own. */
export const ROUTE_PROTOCOL = 117;

/** Where every guest asks for its metadata. */
export const METADATA_V4 = '169.254.169.254';
export const METADATA_V6 = 'fe80::a9fe:a9fe';

/** A neighbour on the guest's first network with IPv4: no router is needed. */
export const metadataRoute = (name: string): string => `4 ${METADATA_V4} dev ${name} metric 0`;

interface Wanted {
  version: 4 | 6;
  destination: string;
  via: string;
  name: string;
}

/** `4 default via 10.0.0.1 dev eth0 metric 0`: one spelling for wanted and observed routes. */
export function routeText(version: 4 | 6, destination: string, via: string, name: string, metric: number): string {
  return `${version} ${destination} via ${via} dev ${name} metric ${metric}`;
}

function wantedOf(port: PortWiring, name: string): Wanted[] {
  const own = new Set(port.fixed_ips.map((ip) => canonical(ip.ip_address)));
  const wanted: Wanted[] = [];
  const add = (version: 4 | 6, destination: string, hop: string): void => {
    const range = parseRange(destination);
    const via = canonical(hop);
    if (range === undefined || range.version !== version || own.has(via)) return;
    wanted.push({ version, destination: range.prefix === 0 ? 'default' : rangeText(range), via, name });
  };
  for (const ip of port.fixed_ips) {
    const any = ip.ip_version === 4 ? '0.0.0.0/0' : '::/0';
    for (const route of ip.routes) add(ip.ip_version, route.destination, route.nexthop);
    if (ip.gateway_ip !== null) add(ip.ip_version, any, ip.gateway_ip);
  }
  return wanted;
}

/**
 * All routes of a guest, its cables in order. Of routes to one destination the first has the lowest metric:
 * the first port with a gateway is the way out, further ones stand in when it goes away.
 */
export function guestRoutes(cables: { port: PortWiring; name: string }[]): Set<string> {
  const routes = new Set<string>();
  const seen = new Map<string, number>();
  const known = new Set<string>();
  for (const { port, name } of cables) {
    for (const one of wantedOf(port, name)) {
      const same = `${one.version} ${one.destination} ${one.via} ${one.name}`;
      if (known.has(same)) continue;
      known.add(same);
      const key = `${one.version} ${one.destination}`;
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      const lowest = one.version === 4 ? 0 : 1024;
      routes.add(routeText(one.version, one.destination, one.via, one.name, before === 0 ? lowest : lowest + 100 + before));
    }
  }
  const way = cables.find(({ port }) => port.fixed_ips.some((ip) => ip.ip_version === 4));
  if (way !== undefined && ![...routes].some((route) => route.startsWith(`4 ${METADATA_V4}`))) routes.add(metadataRoute(way.name));
  return routes;
}
