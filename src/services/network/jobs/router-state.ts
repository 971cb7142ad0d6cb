/** The routers of a node: taken out of its ports, with what they translate. */
import type { NodeNetworkState, PortReport, PortWiring, RouterLegWiring, RouterWiring } from '../../../agents/network/protocol.ts';
import type { NetworkDeps } from '../deps.ts';
import type { HostRoute } from '../model/validate.ts';
import { floatingIpsOfRouters, updateFloatingIpRow } from '../store/floating-ips.ts';
import { routerPortsOf, routersOfNode } from '../store/routers.ts';
import type { FloatingIpRow, RouterPortRow, RouterRow } from '../store/tables.ts';

/** Legs of routers are no ports of guests: they move to `routers`. */
export async function withRouters(env: NetworkDeps, node_id: string, state: NodeNetworkState): Promise<NodeNetworkState> {
  const db = env.db.read;
  const rows = await routersOfNode(db, node_id);
  const ids = rows.map((row) => row.id);
  const links = Map.groupBy(await routerPortsOf(db, ids), (link) => link.router_id);
  const floating = Map.groupBy(await floatingIpsOfRouters(db, ids), (fip) => fip.router_id!);
  const ports = new Map(state.ports.map((port) => [port.port_id, port]));
  const routers = rows.map((row) => wireRouter(row, links.get(row.id) ?? [], ports, floating.get(row.id) ?? [])).filter((router) => router.legs.length > 0);
  const legs = new Set(routers.flatMap((router) => router.legs.map((leg) => leg.port_id)));
  return { ...state, ports: state.ports.filter((port) => !legs.has(port.port_id)), routers };
}

function wireRouter(row: RouterRow, links: readonly RouterPortRow[], ports: ReadonlyMap<string, PortWiring>, floating: readonly FloatingIpRow[]): RouterWiring {
  const legs = links.flatMap((link) => wireLeg(link, ports.get(link.port_id)));
  const outside = legs.find((leg) => leg.is_gateway)?.fixed_ips.find((ip) => ip.ip_version === 4);
  return {
    router_id: row.id,
    admin_state_up: row.admin_state_up === 1,
    legs,
    enable_snat: row.enable_snat === 1,
    snat_address: outside?.ip_address ?? null,
    routes: JSON.parse(row.routes) as HostRoute[],
    floating_ips: floating.flatMap((fip) => (fip.fixed_ip_address === null ? [] : [{ floating_ip_address: fip.floating_ip_address, fixed_ip_address: fip.fixed_ip_address }])),
  };
}

function wireLeg(link: RouterPortRow, port: PortWiring | undefined): RouterLegWiring[] {
  if (port === undefined) return [];
  const { port_id, network_id, mac_address, mtu, admin_state_up, fixed_ips } = port;
  return [{ port_id, network_id, mac_address, mtu, admin_state_up, fixed_ips, is_gateway: link.port_type === 'network:router_gateway' }];
}

/** A floating IP is ACTIVE once its router's node says that it translates it to this very address. */
export async function acceptFloatingIps(env: NetworkDeps, node_id: string, reports: readonly PortReport[]): Promise<void> {
  const told = new Map(reports.flatMap((report) => (report.floating_ips === undefined ? [] : [[report.port_id, report.floating_ips] as const])));
  if (told.size === 0) return;
  const routers = new Map((await routersOfNode(env.db.read, node_id)).flatMap((router) => (router.gw_port_id !== null && told.has(router.gw_port_id) ? [[router.id, told.get(router.gw_port_id)!] as const] : [])));
  const differing = (await floatingIpsOfRouters(env.db.read, [...routers.keys()])).filter((fip) => fip.status !== statusOf(fip, routers.get(fip.router_id!)!));
  if (differing.length === 0) return;
  await env.db.transaction(async (tx) => {
    for (const fip of await floatingIpsOfRouters(tx, [...new Set(differing.map((one) => one.router_id!))])) {
      const status = statusOf(fip, routers.get(fip.router_id!)!);
      if (status !== fip.status) await updateFloatingIpRow(tx, fip.id, { status });
    }
  });
}

const statusOf = (fip: FloatingIpRow, told: NonNullable<PortReport['floating_ips']>): FloatingIpRow['status'] =>
  told.some((one) => one.floating_ip_address === fip.floating_ip_address && one.fixed_ip_address === fip.fixed_ip_address) ? 'ACTIVE' : 'DOWN';
