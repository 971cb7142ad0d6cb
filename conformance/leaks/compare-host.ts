/** Rows against the machine, both ways. */
import { portChains } from '../../src/agents/network/firewall/compile.ts';
import { bridgeName, hostLegName, legName, tapName, vxlanName } from '../../src/agents/network/drivers/linux/names.ts';
import type { Leak } from '../leaks.ts';
import type { HostView } from './host.ts';
import type { RowView, ServerRow } from './rows.ts';

export function compareHost(rows: RowView, host: HostView): Leak[] {
  return [...containers(rows, host), ...namespaces(rows, host), ...devices(rows, host), ...filter(rows, host), ...links(host), ...views(host), ...notes(rows, host)];
}

const leak = (side: Leak['side'], kind: string, id: string, detail: string): Leak => ({ side, kind, id, detail });

/** What the engine shows for a server in this state; undefined: anything. */
function expectedStates({ vm_state }: ServerRow): string[] | undefined {
  if (vm_state === 'active') return ['running'];
  if (vm_state === 'paused') return ['paused'];
  if (vm_state === 'stopped') return ['exited', 'created'];
  return undefined;
}

const hasGuest = ({ vm_state }: ServerRow): boolean => ['active', 'paused', 'stopped'].includes(vm_state);

function containers({ servers }: RowView, host: HostView): Leak[] {
  const found: Leak[] = [];
  const held = Map.groupBy(host.containers, (container) => container.server_id);
  for (const [server_id, mine] of held) {
    const server = servers.get(server_id);
    if (server === undefined) found.push(...mine.map(({ id, state }) => leak('docker', 'container', server_id, `${id.slice(0, 12)}, ${state}, of no server`)));
    else if (server.node_id === null) found.push(leak('docker', 'container', server_id, `of a server that is on no node (${server.vm_state})`));
    else if (mine.length > 1) found.push(leak('docker', 'container', server_id, `${mine.length} of them for one server`));
    else if (server.task_state === null && expectedStates(server)?.includes(mine[0]!.state) === false) found.push(leak('docker', 'container', server_id, `${mine[0]!.state}, the server is ${server.vm_state}`));
  }
  const missing = !host.real.docker ? [] : [...servers.values()].filter((server) => hasGuest(server) && !held.has(server.id));
  return [...found, ...missing.map((server) => leak('rows', 'server', server.id, `${server.vm_state}, but there is no container`))];
}

function namespaces({ servers, ports }: RowView, host: HostView): Leak[] {
  const stray = [...host.namespaces].filter((id) => servers.get(id)?.node_id == null);
  const running = !host.real.kernel ? [] : host.containers.filter(({ state, server_id }) => state === 'running' && !host.namespaces.has(server_id));
  const served = new Set([...ports.values()].filter((port) => port.node_id !== null).map((port) => port.network_id));
  return [
    ...[...host.metadata].filter((id) => !served.has(id)).map((id) => leak('kernel', 'namespace', `${host.cloud}-m-${id}`, 'for the metadata of a network without a port on this node')),
    ...stray.map((id) => leak('kernel', 'namespace', `${host.cloud}-${id}`, 'of no server on this node')),
    ...running.map(({ server_id }) => leak('rows', 'namespace', `${host.cloud}-${server_id}`, 'is missing though the container runs')),
  ];
}

function devices(rows: RowView, host: HostView): Leak[] {
  const bound = [...rows.ports.values()].filter((port) => port.node_id !== null && rows.servers.has(port.device_id));
  const networks = new Set(bound.map((port) => port.network_id));
  const wanted = new Set([...bound.map((port) => tapName(port.id)), ...[...networks].flatMap((id) => [bridgeName(id), legName(id), vxlanName(id)])]);
  const legs = new Set([...networks].map((id) => hostLegName(host.cloud, id)));
  const alive = new Set(host.containers.filter(({ state }) => state === 'running' || state === 'paused').map(({ server_id }) => server_id));
  const missing = !host.real.kernel ? [] : bound.filter((port) => port.plugged === 1 && alive.has(port.device_id)).map((port) => tapName(port.id)).filter((name) => !host.devices.has(name));
  return [
    ...[...host.devices].filter((name) => !wanted.has(name)).map((name) => leak('kernel', 'device', name, 'of no port or network on this node')),
    ...[...host.legs].filter((name) => !legs.has(name)).map((name) => leak('kernel', 'leg of the host', name, 'of no network on this node')),
    ...missing.map((name) => leak('rows', 'device', name, 'is missing though its port is plugged')),
  ];
}

const short = (id: string): string => id.slice(0, 11).replace('-', '');
const bare = (chain: string): string => chain.split(' ').at(-1)!;

/** Chains and sets that are there for one port, network or group. */
function filter(rows: RowView, host: HostView): Leak[] {
  const bound = [...rows.ports.values()].filter((port) => port.node_id !== null);
  const wanted = new Set([
    ...bound.flatMap((port) => portChains(port.id).map(bare)),
    ...bound.map((port) => `zone_${short(port.network_id)}`),
  ]);
  const groups = new Set([...rows.groups].map((id) => id.replaceAll('-', '')));
  return [...host.filter].filter((name) => {
    const group = /^(?:g[io]|m[46])_(.+)$/.exec(name)?.[1];
    if (group !== undefined) return !groups.has(group);
    return /^(as|out|in|zone)_/.test(name) && !wanted.has(name);
  }).map((name) => leak('kernel', 'packet filter', name, 'of no port, network or group on this node'));
}

function links(host: HostView): Leak[] {
  const ids = new Set(host.containers.map(({ id }) => id));
  return [...host.links].filter(([id]) => !ids.has(id)).map(([id, target]) => leak('files', 'namespace link', id.slice(0, 12), `to ${target}, of no container`));
}

function views(host: HostView): Leak[] {
  const ids = new Set(host.containers.map(({ id }) => id));
  return [...host.views].filter((id) => !ids.has(id)).map((id) => leak('files', 'view of a guest', id.startsWith('.') ? id.slice(1) : id.slice(0, 12), 'of no container'));
}

function notes({ servers }: RowView, host: HostView): Leak[] {
  return [
    ...[...host.drives].filter(([, id]) => !servers.has(id)).map(([device, id]) => leak('kernel', 'config drive', id, `${device}, of no server`)),
    ...[...host.notes].filter((id) => !servers.has(id)).map((id) => leak('files', 'note of the agent', id, 'of no server')),
  ];
}
