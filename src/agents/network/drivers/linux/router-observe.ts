import { canonical } from '../../firewall/addresses.ts';
import { KernelError } from './co-process.ts';
import { namespacePath, routerNamespace } from './names.ts';
import { addRoutes, parse, parseRules, type LinkJson, type RouteJson } from './observe.ts';
import { ROUTER_SETTINGS, type ObservedLeg, type ObservedRouter } from './router-model.ts';
import { ROUTE_PROTOCOL } from './routes.ts';
import type { Shell } from './tools.ts';

/** Looks into a router's namespace; undefined when it is not there. */
export async function observeRouter(shell: Shell, cloud: string, router_id: string): Promise<ObservedRouter | undefined> {
  const namespace = routerNamespace(cloud, router_id);
  const files = ROUTER_SETTINGS.map(([path]) => path).join(' ');
  const inner = [
    'ip -j addr show', `ip -j route show proto ${ROUTE_PROTOCOL}`, `ip -j -6 route show proto ${ROUTE_PROTOCOL}`, 'nft -j list ruleset', `cd /proc/sys/net; cat ${files}`,
  ].join(' && echo @@part && ');
  const { output, status } = await shell.run(`nsenter --net=${namespacePath(namespace)} sh -c '${inner}'`);
  if (status !== 0) {
    if (/No such file|Invalid argument/.test(output)) return undefined;
    throw new KernelError(`in namespace ${namespace}`, output.trim());
  }
  const [links = '', four = '', six = '', rules = '', settings = ''] = output.split('@@part\n');
  const routes = { routes: new Set<string>() };
  addRoutes(routes, 4, parse<RouteJson>('ip route show', four));
  addRoutes(routes, 6, parse<RouteJson>('ip -6 route show', six));
  const legs = parse<LinkJson>('ip addr show', links).map((link) => [link.ifname, observedLeg(link)] as const);
  return { links: new Map(legs), routes: routes.routes, rules: parseRules(rules), settings: settings.trim().split('\n').join(' ') };
}

function observedLeg(link: LinkJson): ObservedLeg {
  const addresses = (link.addr_info ?? []).filter((one) => one.scope === 'global').map((one) => `${canonical(one.local ?? '')}/${one.prefixlen}`);
  return { mac: link.address ?? '', mtu: link.mtu, up: link.flags.includes('UP'), peer: link.link_index, addresses: new Set(addresses) };
}
