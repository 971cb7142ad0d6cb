import { isIP } from 'node:net';
import { isUuid } from '../../kernel/ids.ts';
import { parseRange } from './firewall/addresses.ts';
import type { FloatingIpWiring, PortReport, PortWiring, RouterLegWiring, RouterWiring } from './protocol.ts';

type PortProblem = (port: PortWiring) => string | undefined;

const asPort = (router_id: string, leg: RouterLegWiring): PortWiring => ({
  ...leg, device_id: router_id, allowed_address_pairs: [], port_security_enabled: false, security_group_ids: [],
});

/**
 * Keeps of routers what can be realised; all that reaches a command line is checked here.
 * @param bad told the legs that are left out, with the reason.
 */
export function soundRouters(routers: readonly RouterWiring[], networks: ReadonlySet<string>, problemOf: PortProblem, bad: Map<string, string>, complain: (problem: string) => void): RouterWiring[] {
  return routers.filter((router) => isUuid(router.router_id)).map((router) => {
    const keep = <T>(items: readonly T[], sound: (item: T) => boolean): T[] =>
      items.filter((item) => {
        if (sound(item)) return true;
        complain(`router ${router.router_id}: ${JSON.stringify(item)} makes no sense`);
        return false;
      });
    const legs = router.legs.filter((leg) => {
      const problem = problemOf(asPort(router.router_id, leg)) ?? (networks.has(leg.network_id) ? undefined : `port ${leg.port_id}: network ${leg.network_id} is not given`);
      if (problem !== undefined) bad.set(leg.port_id, problem);
      return problem === undefined;
    });
    return {
      ...router, legs,
      snat_address: router.snat_address !== null && isIP(router.snat_address) === 4 ? router.snat_address : null,
      routes: keep(router.routes, (route) => isIP(route.nexthop) !== 0 && parseRange(route.destination)?.version === isIP(route.nexthop)),
      floating_ips: keep(router.floating_ips, (fip) => isIP(fip.floating_ip_address) === 4 && isIP(fip.fixed_ip_address) === 4),
    };
  });
}

/** Whether anything passes this leg, as far as its administrators are concerned. */
export const isOpen = (router: RouterWiring, leg: RouterLegWiring): boolean => router.admin_state_up && leg.admin_state_up;

/** What is told of a router's legs; the gateway's tells what is translated. */
export function reportRouter(router: RouterWiring, problem?: string): PortReport[] {
  return router.legs.map((leg): PortReport => {
    const floating = (ips: FloatingIpWiring[]): Pick<PortReport, 'floating_ips'> => (leg.is_gateway ? { floating_ips: ips } : {});
    if (problem !== undefined) return { port_id: leg.port_id, status: 'ERROR', reason: problem, ...floating([]) };
    return isOpen(router, leg) ? { port_id: leg.port_id, status: 'ACTIVE', ...floating(router.floating_ips) } : { port_id: leg.port_id, status: 'DOWN', ...floating([]) };
  });
}
