import { emptyObserved, type Observed, type ObservedGuest, type GuestLink } from './model.ts';
import { emptyObserved as emptyRules, type ObservedRuleset } from '../../firewall/ruleset.ts';
import { canonical } from '../../firewall/addresses.ts';
import { KernelError } from './co-process.ts';
import { deviceOf, guestNamespace, isHostLeg, metadataOf, namespacePath, routerOf } from './names.ts';
import { METADATA_V4, metadataRoute, ROUTE_PROTOCOL, routeText } from './routes.ts';
import type { Shell } from './tools.ts';

interface AddressJson {
  local?: string;
  prefixlen: number;
  scope: string;
  dynamic?: boolean;
}

export interface LinkJson {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  address?: string;
  master?: string;
  link_index?: number;
  ifalias?: string;
  linkinfo?: { info_kind?: string; info_data?: { id?: number; nf_call_iptables?: number; nf_call_ip6tables?: number } };
  addr_info?: AddressJson[];
}

export interface RouteJson {
  dst: string;
  gateway?: string;
  dev?: string;
  metric?: number;
}

export function parse<T>(what: string, output: string): T[] {
  const text = output.trim();
  if (text === '') return [];
  try {
    return JSON.parse(text) as T[];
  } catch (cause) {
    throw Object.assign(new KernelError(what, text.slice(0, 500)), { cause });
  }
}

async function read(shell: Shell, script: string): Promise<string> {
  const { output, status } = await shell.run(script);
  if (status !== 0) throw new KernelError(script, output.trim() || `exit ${status}`);
  return output;
}

const isUp = (link: LinkJson): boolean => link.flags.includes('UP');

/** Namespaces of this cloud's devices. */
export function devicesOf(cloud: string, names: string[]): Set<string> {
  return new Set(names.map((name) => deviceOf(cloud, name)).filter((id) => id !== undefined));
}

/** Links of the cloud's namespace and the cloud's legs in the host; guests are looked into apart. `indexes`: interface number → tap. */
export async function observeLinks(shell: Shell, cloud: string, host: string): Promise<{ observed: Observed; indexes: Map<number, string> }> {
  const mark = '@@part';
  const output = await read(
    shell,
    `nsenter --net=${namespacePath(cloud)} ip -j -d link show && echo ${mark} && ${host}ip -j addr show type veth && echo ${mark} && ls /run/netns`,
  );
  const [inside = '', outside = '', names = ''] = output.split(`${mark}\n`);
  const observed = emptyObserved();
  const indexes = new Map<number, string>();
  for (const link of parse<LinkJson>('ip link show', inside)) {
    indexes.set(link.ifindex, link.ifname);
    addCloudLink(observed, link);
  }
  for (const link of parse<LinkJson>('ip addr show', outside)) {
    if (!isHostLeg(cloud, link.ifname)) continue;
    const addresses = (link.addr_info ?? []).filter((one) => one.scope === 'global').map((one) => `${canonical(one.local ?? '')}/${one.prefixlen}`);
    observed.host_legs.set(link.ifname, { mtu: link.mtu, up: isUp(link), addresses: new Set(addresses) });
  }
  observed.devices = devicesOf(cloud, names.split('\n'));
  observed.routers = new Set(names.split('\n').flatMap((name) => routerOf(cloud, name) ?? []));
  observed.metadata = new Set(names.split('\n').flatMap((name) => metadataOf(cloud, name) ?? []));
  return { observed, indexes };
}

function addCloudLink(observed: Observed, link: LinkJson): void {
  const up = isUp(link);
  const bridge = link.master ?? null;
  const data = link.linkinfo?.info_data;
  if (link.ifname.startsWith('brq')) {
    const filtered = data?.nf_call_iptables === 1 && data.nf_call_ip6tables === 1;
    observed.bridges.set(link.ifname, { mtu: link.mtu, up, filtered });
  } else if (link.ifname.startsWith('tap')) {
    const alias = link.ifalias ?? '';
    observed.taps.set(link.ifname, { device_id: alias.split(' ')[0] || null, bridge, mtu: link.mtu, up, alias });
  } else if (link.ifname.startsWith('rtr')) {
    observed.router_ends.set(link.ifname, { index: link.ifindex, bridge, mtu: link.mtu, up });
  } else if (link.ifname.startsWith('mdt')) {
    observed.metadata_ends.set(link.ifname, { index: link.ifindex, bridge, mtu: link.mtu, up });
  } else if (link.ifname.startsWith('ext')) {
    observed.legs.set(link.ifname, { bridge, mtu: link.mtu, up });
  } else if (link.ifname.startsWith('vxl')) {
    observed.tunnels.set(link.ifname, { vni: data?.id ?? -1, bridge, up, mtu: link.mtu, forwarding: new Set(), neighbours: new Set() });
  }
}

interface FdbJson {
  mac: string;
  ifname: string;
  dst?: string;
}

/** Fills the forwarding entries of VXLAN devices. */
export async function observeTunnels(shell: Shell, cloud: string, observed: Observed): Promise<void> {
  if (observed.tunnels.size === 0) return;
  const enter = `nsenter --net=${namespacePath(cloud)}`;
  const [fdb = '', neighbours = ''] = (await read(shell, `${enter} bridge -j fdb show && echo @@part && ${enter} ip -j neigh show nud permanent`)).split('@@part\n');
  for (const entry of parse<FdbJson>('bridge fdb show', fdb)) {
    if (entry.dst !== undefined) observed.tunnels.get(entry.ifname)?.forwarding.add(`${entry.mac} dst ${entry.dst}`);
  }
  for (const entry of parse<{ dst: string; dev: string; lladdr?: string }>('ip neigh show', neighbours)) {
    observed.tunnels.get(entry.dev)?.neighbours.add(`${canonical(entry.dst)} lladdr ${entry.lladdr}`);
  }
}

/** Looks into a guest's namespace; undefined when it is gone. */
export async function observeGuest(shell: Shell, cloud: string, device_id: string, indexes: Map<number, string>): Promise<ObservedGuest | undefined> {
  const namespace = guestNamespace(cloud, device_id);
  const ip = `ip -j -n ${namespace}`;
  const { output, status } = await shell.run(
    `${ip} addr show && echo @@part && ${ip} route show proto ${ROUTE_PROTOCOL} && echo @@part && ${ip} -6 route show proto ${ROUTE_PROTOCOL}`,
  );
  if (status !== 0) {
    if (/No such file|Invalid argument/.test(output)) return undefined;
    throw new KernelError(`ip -n ${namespace}`, output.trim());
  }
  const [links = '', four = '', six = ''] = output.split('@@part\n');
  const guest: ObservedGuest = { links: new Map(), names: new Set(), strays: new Map(), routes: new Set() };
  for (const link of parse<LinkJson>('ip addr show', links)) {
    guest.names.add(link.ifname);
    const tap = link.link_index === undefined ? undefined : indexes.get(link.link_index);
    if (tap?.startsWith('tap')) guest.links.set(tap, guestLink(link));
    else guest.strays.set(link.ifname, link.address ?? '');
  }
  addRoutes(guest, 4, parse<RouteJson>('ip route show', four));
  addRoutes(guest, 6, parse<RouteJson>('ip -6 route show', six));
  return guest;
}

function guestLink(link: LinkJson): GuestLink {
  const addresses = new Map<string, boolean>();
  for (const one of link.addr_info ?? []) {
    if (one.local !== undefined) addresses.set(`${canonical(one.local)}/${one.prefixlen}`, one.dynamic !== true && one.scope !== 'link');
  }
  return { name: link.ifname, mac: link.address ?? '', mtu: link.mtu, up: isUp(link), addresses };
}

export function addRoutes(guest: Pick<ObservedGuest, 'routes'>, version: 4 | 6, routes: RouteJson[]): void {
  for (const route of routes) {
    if (route.dev === undefined) continue;
    if (route.gateway === undefined && route.dst === METADATA_V4) guest.routes.add(metadataRoute(route.dev));
    if (route.gateway === undefined) continue;
    guest.routes.add(routeText(version, route.dst, canonical(route.gateway), route.dev, route.metric ?? 0));
  }
}

interface NftJson {
  table?: { family: string; name: string };
  chain?: { family: string; table: string; name: string; hook?: string };
  rule?: { family: string; table: string; chain: string; comment?: string };
  set?: NftSetJson;
  map?: NftSetJson;
}

interface NftSetJson {
  family: string;
  table: string;
  name: string;
  elem?: unknown[];
}

/** One element as `firewall/` writes it. */
function elementText(element: unknown): string {
  if (typeof element === 'number') return `${element}`;
  if (typeof element === 'string') return /^(tap|brq)/.test(element) ? `"${element}"` : canonical(element);
  const one = element as { prefix?: { addr: string; len: number }; concat?: unknown[]; elem?: { val: unknown }; jump?: { target: string }; goto?: { target: string } };
  if (one.prefix !== undefined) return `${canonical(one.prefix.addr)}/${one.prefix.len}`;
  if (one.concat !== undefined) return one.concat.map(elementText).join(' . ');
  if (one.elem !== undefined) return elementText(one.elem.val);
  if (one.jump !== undefined) return `jump ${one.jump.target}`;
  if (one.goto !== undefined) return `goto ${one.goto.target}`;
  return JSON.stringify(element);
}

/** Reads the packet filter of the cloud's namespace. A chain counts as intact when every rule carries its digest and none is missing. */
export async function observeRules(shell: Shell, cloud: string): Promise<ObservedRuleset> {
  return parseRules(await read(shell, `nsenter --net=${namespacePath(cloud)} nft -j list ruleset`));
}

export function parseRules(output: string): ObservedRuleset {
  const observed = emptyRules();
  const items = (JSON.parse(output) as { nftables: NftJson[] }).nftables;
  const comments = new Map<string, Map<string, number>>();
  for (const { table, chain, rule, set, map } of items) {
    if (table !== undefined) observed.tables.add(`${table.family} ${table.name}`);
    if (chain !== undefined) observed.chains.set(`${chain.family} ${chain.table} ${chain.name}`, '');
    if (rule !== undefined) {
      const key = `${rule.family} ${rule.table} ${rule.chain}`;
      const seen = comments.get(key) ?? new Map<string, number>();
      seen.set(rule.comment ?? '', (seen.get(rule.comment ?? '') ?? 0) + 1);
      comments.set(key, seen);
    }
    addSetOf(observed, set, 'set');
    addSetOf(observed, map, 'map');
  }
  for (const [key, seen] of comments) {
    const [digest, count] = [...seen][0] ?? ['', 0];
    if (seen.size === 1 && digest.endsWith(`/${count}`)) observed.chains.set(key, digest);
  }
  return observed;
}

function addSetOf(observed: ObservedRuleset, set: NftSetJson | undefined, kind: 'set' | 'map'): void {
  if (set === undefined) return;
  const elements = (set.elem ?? []).map((element) => {
    if (kind === 'map' && Array.isArray(element)) return `${elementText(element[0])} : ${elementText(element[1])}`;
    return elementText(element);
  });
  observed.sets.set(`${set.family} ${set.table} ${set.name}`, { kind, elements: new Set(elements) });
}
