import type { Action } from './model.ts';
import { guestNamespace, namespacePath } from './names.ts';
import { ROUTE_PROTOCOL } from './routes.ts';
import { GONE, ipInGuest, THERE, type IpCommand, type IpTool, type Shell } from './tools.ts';

export interface Tools {
  cloud: string;
  /** `ip` in the cloud's namespace. */
  inside: IpTool;
  /** `ip` in the host's namespace. */
  host: IpTool;
  shell: Shell;
  /** Runs a script in the host's namespace. */
  enter_host: string;
}

const BRIDGE = 'mcast_snooping 0 stp_state 0 forward_delay 0 nf_call_iptables 1 nf_call_ip6tables 1';

/** Lines for `ip` in the cloud's namespace. */
function insideLines(action: Action, cloud: string): IpCommand[] {
  switch (action.do) {
    case 'bridge.create':
      return [
        { line: `link add ${action.bridge} mtu ${action.mtu} type bridge ${BRIDGE}`, unless: THERE },
        `link set ${action.bridge} mtu ${action.mtu} up type bridge ${BRIDGE}`,
      ];
    case 'bridge.set':
      return [`link set ${action.bridge} mtu ${action.mtu} up type bridge ${BRIDGE}`];
    case 'bridge.delete':
      return [{ line: `link del ${action.bridge}`, unless: GONE }];
    case 'leg.set':
      return [`link set ${action.leg} mtu ${action.mtu} master ${action.bridge} up`];
    case 'tunnel.set':
      return [`link set ${action.tunnel} mtu ${action.mtu} master ${action.bridge} up`];
    case 'tunnel.delete':
      return [{ line: `link del ${action.tunnel}`, unless: GONE }];
    case 'tunnel.neighbour':
      return action.verb === 'add'
        ? [`neigh replace ${action.entry} dev ${action.tunnel} nud permanent`]
        : [{ line: `neigh del ${action.entry.split(' ')[0]} dev ${action.tunnel}`, unless: GONE }];
    case 'device.create':
      return [{ line: `netns add ${guestNamespace(cloud, action.device_id)}`, unless: THERE }];
    case 'device.delete':
      return [{ line: `netns del ${guestNamespace(cloud, action.device_id)}`, unless: GONE }];
    case 'cable.delete':
      return [{ line: `link del ${action.tap}`, unless: GONE }];
    case 'tap.join':
      return [`link set ${action.tap} mtu ${action.mtu} alias "${action.alias}" master ${action.bridge}`];
    case 'tap.up':
      return [`link set ${action.tap} up`];
    case 'tap.down':
      return [`link set ${action.tap} down`];
    default:
      return [];
  }
}

/** Lines for `ip` inside the guest's namespace. */
function guestLines(action: Action, cloud: string): IpCommand[] {
  switch (action.do) {
    case 'cable.create':
      return [
        `link add ${action.name} address ${action.mac} mtu ${action.mtu} type veth peer name ${action.tap} mtu ${action.mtu} netns ${cloud}`,
        `link set ${action.name} up`,
      ];
    case 'link.delete':
      return [{ line: `link del ${action.name}`, unless: GONE }];
    case 'link.set':
      return [`link set ${action.name} address ${action.mac} mtu ${action.mtu} up`];
    case 'address': {
      if (action.verb === 'del') return [{ line: `addr del ${action.address} dev ${action.name}`, unless: GONE }];
      const six = action.address.includes(':');
      const broadcast = six || Number(action.address.split('/')[1]) > 30 ? '' : ' brd +';
      return [{ line: `addr add ${action.address}${broadcast} dev ${action.name}${six ? ' nodad' : ''}`, unless: THERE }];
    }
    case 'route': {
      const [version, ...rest] = action.route.split(' ');
      const route = `${rest.join(' ')} proto ${ROUTE_PROTOCOL}`;
      const family = version === '6' && rest[0] === 'default' ? route.replace('default', '::/0') : route;
      return action.verb === 'add'
        ? [{ line: `route add ${family}${action.route.includes(' via ') ? ' onlink' : ' scope link'}`, unless: THERE }]
        : [{ line: `route del ${family}`, unless: GONE }];
    }
    default:
      return [];
  }
}

/** A new namespace: loopback up, no duplicate detection to wait for, low ports and ping for everyone as containers expect. */
export const GUEST_SETTINGS = [
  'cd /proc/sys/net',
  'echo 0 > ipv6/conf/all/accept_dad; echo 0 > ipv6/conf/default/accept_dad',
  'echo 0 > ipv4/ip_forward; echo 1 > ipv4/conf/all/promote_secondaries',
  'echo "0 2147483647" > ipv4/ping_group_range; echo 0 > ipv4/ip_unprivileged_port_start',
  'cd /',
];

/** Carries out a guest's actions in one go. `fresh`: its namespace was made just now. */
export async function executeGuest(tools: Tools, device_id: string, actions: Action[], fresh: boolean): Promise<void> {
  const lines = actions.flatMap((action) => guestLines(action, tools.cloud));
  const before = fresh ? GUEST_SETTINGS : [];
  const first: IpCommand[] = fresh ? ['link set lo up'] : [];
  await ipInGuest(tools.shell, guestNamespace(tools.cloud, device_id), [...first, ...lines], before);
}

/** Carries out what concerns the cloud's and the host's namespace, in order. */
export async function executeNode(tools: Tools, actions: Action[]): Promise<void> {
  let lines: IpCommand[] = [];
  for (const action of actions) {
    lines.push(...insideLines(action, tools.cloud));
    if (!OUTSIDE.has(action.do)) continue;
    await tools.inside.run(lines);
    lines = [];
    await executeOutside(tools, action);
  }
  await tools.inside.run(lines);
}

const OUTSIDE: ReadonlySet<Action['do']> = new Set(['leg.create', 'leg.set', 'leg.delete', 'leg.address', 'tunnel.create', 'tunnel.forward']);

async function executeOutside(tools: Tools, action: Action): Promise<void> {
  if (action.do === 'leg.create') await createLeg(tools, action);
  if (action.do === 'leg.set') await tools.host.run([`link set ${action.host_leg} mtu ${action.mtu} up`]);
  if (action.do === 'leg.delete') {
    if (action.host_leg !== '') await tools.host.run([{ line: `link del ${action.host_leg}`, unless: GONE }]);
    if (action.leg !== '') await tools.inside.run([{ line: `link del ${action.leg}`, unless: GONE }]);
  }
  if (action.do === 'leg.address') {
    const tail = action.address.includes(':') ? ' nodad' : '';
    const line = action.verb === 'add' ? `addr add ${action.address} dev ${action.host_leg}${tail}` : `addr del ${action.address} dev ${action.host_leg}`;
    await tools.host.run([{ line, unless: action.verb === 'add' ? THERE : GONE }]);
  }
  if (action.do === 'tunnel.create') await createTunnel(tools, action);
  if (action.do === 'tunnel.forward') await forward(tools, action);
}

/** What comes in by a leg ends at the host: not forwarded, not for the host's other addresses, and answers only: guests find no service of the host there. */
function legFilter(cloud: string): string {
  return [
    `add table inet ${cloud}`,
    `add chain inet ${cloud} forward { type filter hook forward priority -10; policy accept; }`,
    `add chain inet ${cloud} input { type filter hook input priority -10; policy accept; }`,
    `flush table inet ${cloud}`,
    `add rule inet ${cloud} forward iifname "${cloud}-*" counter drop`,
    `add rule inet ${cloud} forward oifname "${cloud}-*" counter drop`,
    `add rule inet ${cloud} input iifname "${cloud}-*" fib daddr . iif type != { local, broadcast, multicast } counter drop`,
    `add rule inet ${cloud} input iifname "${cloud}-*" ct state established,related accept`,
    `add rule inet ${cloud} input iifname "${cloud}-*" meta l4proto != { icmp, icmpv6 } counter drop`,
  ].join('\n');
}

async function createLeg(tools: Tools, action: Action & { do: 'leg.create' }): Promise<void> {
  const { status, output } = await tools.shell.run(`${tools.enter_host}nft -f - <<'@@end'\n${legFilter(tools.cloud)}\n@@end`);
  if (status !== 0) throw new Error(`The host's filter for its leg was refused: ${output.trim()}`);
  await tools.inside.run([{ line: `link del ${action.leg}`, unless: GONE }]);
  await tools.host.run([{ line: `link del ${action.host_leg}`, unless: GONE }]);
  await tools.host.run([
    `link add ${action.host_leg} mtu ${action.mtu} type veth peer name ${action.leg} mtu ${action.mtu} netns ${tools.cloud}`,
  ]);
  await tools.inside.run([`link set ${action.leg} master ${action.bridge} up`]);
  const conf = `/proc/sys/net/ipv4/conf/${action.host_leg}/forwarding`;
  const quiet = await tools.shell.run(`${tools.enter_host}sh -c 'echo 0 > ${conf}'`);
  if (quiet.status !== 0) throw new Error(`Forwarding stays on at ${action.host_leg}: ${quiet.output.trim()}`);
  await tools.host.run([`link set ${action.host_leg} up`]);
}

/** Made in the host's namespace, where its packets travel, and moved to the bridge's. */
async function createTunnel(tools: Tools, action: Action & { do: 'tunnel.create' }): Promise<void> {
  await tools.host.run([
    `link add name ${action.tunnel} netns ${tools.cloud} mtu ${action.mtu} type vxlan id ${action.vni} local ${action.local} dstport 4789 nolearning proxy`,
  ]);
  await tools.inside.run([
    `link set ${action.tunnel} master ${action.bridge}`,
    `link set ${action.tunnel} type bridge_slave learning off`,
    `link set ${action.tunnel} mtu ${action.mtu} up`,
  ]);
}

async function forward(tools: Tools, action: Action & { do: 'tunnel.forward' }): Promise<void> {
  const [mac = '', ...dst] = action.entry.split(' ');
  const add = /^[0:]+$/.test(mac) ? 'append' : 'replace';
  const verb = action.verb === 'del' ? 'del' : add;
  const script = `nsenter --net=${namespacePath(tools.cloud)} bridge fdb ${verb} ${mac} dev ${action.tunnel} ${dst.join(' ')} self permanent`;
  const { status, output } = await tools.shell.run(script);
  if (status !== 0 && !GONE.test(output) && !THERE.test(output)) throw new Error(`${script}: ${output.trim()}`);
}
