import type { NodeNetworkState, PortReport, RouterWiring } from '../../protocol.ts';
import { isOpen, reportRouter } from '../../router-wiring.ts';
import { KernelError } from './co-process.ts';
import type { Observed } from './model.ts';
import { bridgeName, namespacePath, routerEnd, routerNamespace } from './names.ts';
import type { Node } from './node.ts';
import { ROUTER_SETTINGS, type DesiredRouter, type LegAction, type RouterPlan } from './router-model.ts';
import { observeRouter } from './router-observe.ts';
import { planRouter } from './router-plan.ts';
import { ROUTE_PROTOCOL } from './routes.ts';
import { GONE, ipInGuest, THERE, type IpCommand } from './tools.ts';

/**
 * Makes the node's routers be those of the state, after the bridges are there. A router that was applied as it is
 * wanted and whose cables are in is looked into only when `look` says so, some of them each time.
 */
export async function applyRouters(node: Node, state: NodeNetworkState, observed: Observed, look: boolean): Promise<PortReport[]> {
  const networks = new Map(state.networks.map((network) => [network.network_id, network]));
  const routers = state.routers ?? [];
  const wanted = routers.filter((router) => router.legs.some((leg) => isOpen(router, leg)));
  await removeOthers(node, wanted, observed);
  const due = dueRouters(node, wanted, networks, observed, look);
  const problems = new Map<string, string>();
  await Promise.all(wanted.filter((router) => due.has(router.router_id)).map(async (router) => {
    try {
      await applyRouter(node, { router, networks }, observed);
      node.routers.set(router.router_id, routerKey({ router, networks }));
    } catch (error) {
      node.log.error({ err: error, router_id: router.router_id }, 'a router could not be brought up to date');
      node.routers.delete(router.router_id);
      problems.set(router.router_id, error instanceof Error ? error.message : String(error));
    }
  }));
  return routers.flatMap((router) => reportRouter(router, problems.get(router.router_id)));
}

const routerKey = ({ router, networks }: DesiredRouter): string => JSON.stringify([router, router.legs.map((leg) => networks.get(leg.network_id)?.mtu)]);

function dueRouters(node: Node, wanted: readonly RouterWiring[], networks: DesiredRouter['networks'], observed: Observed, look: boolean): Set<string> {
  const due = new Set<string>();
  const clean: string[] = [];
  for (const router of wanted) {
    const plugged = router.legs.filter((leg) => isOpen(router, leg)).every((leg) => {
      const end = observed.router_ends.get(routerEnd(leg.port_id));
      return end?.up === true && end.bridge === bridgeName(leg.network_id);
    });
    const right = plugged && observed.routers.has(router.router_id) && node.routers.get(router.router_id) === routerKey({ router, networks });
    if (right) clean.push(router.router_id);
    else due.add(router.router_id);
  }
  const count = look ? Math.min(node.guests_per_look, clean.length) : 0;
  for (let at = 0; at < count; at += 1) due.add(clean[(node.turn + at) % clean.length]!);
  return due;
}

async function removeOthers(node: Node, wanted: readonly RouterWiring[], observed: Observed): Promise<void> {
  const ids = new Set(wanted.map((router) => router.router_id));
  const ends = new Set(wanted.flatMap((router) => router.legs.filter((leg) => isOpen(router, leg)).map((leg) => routerEnd(leg.port_id))));
  const lines = [...observed.router_ends.keys()].filter((end) => !ends.has(end)).map((end): IpCommand => ({ line: `link del ${end}`, unless: GONE }));
  for (const id of observed.routers) {
    if (ids.has(id)) continue;
    lines.push({ line: `netns del ${routerNamespace(node.cloud, id)}`, unless: GONE });
    node.routers.delete(id);
  }
  await node.tools.inside.run(lines);
}

async function applyRouter(node: Node, desired: DesiredRouter, observed: Observed): Promise<void> {
  const { router_id } = desired.router;
  const now = observed.routers.has(router_id) ? await observeRouter(node.tools.shell, node.cloud, router_id) : undefined;
  await executeRouter(node, router_id, planRouter(desired, now, observed.router_ends));
}

function legLine(action: LegAction, cloud: string): IpCommand[] {
  const { leg } = action;
  if (action.do === 'create') return [`link add ${leg} address ${action.mac} mtu ${action.mtu} type veth peer name ${action.end} mtu ${action.mtu} netns ${cloud}`];
  if (action.do === 'set') return [`link set ${leg} address ${action.mac} mtu ${action.mtu}`];
  if (action.verb === 'del') return [{ line: `addr del ${action.address} dev ${leg}`, unless: GONE }];
  return [{ line: `addr add ${action.address} dev ${leg}${action.address.includes(':') ? ' nodad' : ''}`, unless: THERE }];
}

function routeLine({ verb, route }: RouterPlan['routes'][number]): IpCommand {
  const [version, ...rest] = route.split(' ');
  const text = rest.join(' ');
  const line = `${version === '6' ? text.replace(/^default/, '::/0') : text} proto ${ROUTE_PROTOCOL}`;
  return verb === 'add' ? { line: `route add ${line} onlink`, unless: THERE } : { line: `route del ${line}`, unless: GONE };
}

const SETTING_LINES = ['cd /proc/sys/net', ...ROUTER_SETTINGS.map(([path, value]) => `echo ${value} > ${path} || exit 1`), 'cd /'];

async function executeRouter(node: Node, router_id: string, plan: RouterPlan): Promise<void> {
  const { inside, shell } = node.tools;
  const namespace = routerNamespace(node.cloud, router_id);
  const lost = plan.ends.map((end): IpCommand => ({ line: `link del ${end}`, unless: GONE }));
  await inside.run([...(plan.create ? [{ line: `netns add ${namespace}`, unless: THERE }] : []), ...lost]);
  const legs = [...plan.dropped.map((leg): IpCommand => ({ line: `link del ${leg}`, unless: GONE })), ...plan.legs.flatMap((action) => legLine(action, node.cloud))];
  await ipInGuest(shell, namespace, [...(plan.create ? ['link set lo up'] : []), ...legs], plan.settings ? SETTING_LINES : []);
  await changeRules(node, namespace, plan.rules);
  await inside.run(plan.joins.map(({ end, bridge, mtu }) => `link set ${end} mtu ${mtu} master ${bridge} up`));
  await ipInGuest(shell, namespace, [
    ...plan.raise.map((leg) => `link set ${leg} up`),
    ...[...plan.routes].sort((a, b) => (a.verb === b.verb ? 0 : a.verb === 'del' ? -1 : 1)).map(routeLine),
    ...plan.announce.map(({ leg, mac }) => `link set ${leg} address ${mac}`),
  ]);
  await endFlows(node, namespace, plan.cut);
}

async function changeRules(node: Node, namespace: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const { output, status } = await node.tools.shell.run(`nsenter --net=${namespacePath(namespace)} nft -f - <<'@@end'\n${commands.join('\n')}\n@@end`);
  if (status !== 0) throw new KernelError(`nft in namespace ${namespace}`, output.trim() || `exit ${status}`);
}

/** Connections by a floating IP that leads elsewhere now, in both directions. Without any, conntrack ends with 1. */
async function endFlows(node: Node, namespace: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  const enter = `nsenter --net=${namespacePath(namespace)} conntrack -D -f ipv4`;
  const cuts = addresses.flatMap((address) => [`${enter} -d ${address} >/dev/null 2>&1`, `${enter} -q ${address} >/dev/null 2>&1`]);
  const { output } = await node.tools.shell.run(['if ! command -v conntrack >/dev/null; then echo missing; else', ...cuts, ':; fi'].join('\n'));
  if (output.includes('missing')) node.log.warn({ addresses }, 'conntrack is not installed: flows by former floating IPs live on');
}
