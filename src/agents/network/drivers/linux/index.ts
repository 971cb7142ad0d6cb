import { readFile } from 'node:fs/promises';
import { badRequest } from '../../../../kernel/fault.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { NetworkDriver, NodeNetworkState, PortReport } from '../../protocol.ts';
import { soundWiring } from '../../wiring.ts';
import { applyState } from './apply.ts';
import { removeCloud } from './base.ts';
import { readCounters, type TapCounters } from './counters.ts';
import { checkCloud, guestNamespace, namespacePath } from './names.ts';
import { type MetadataNetworks, metadataNetworks } from './metadata.ts';
import { createNode, ensureReady, stopTools, type Node } from './node.ts';
import { plugDevice, unplugDevice } from './plug.ts';

export type { TapCounters } from './counters.ts';

export interface LinuxNetworkOptions {
  /** Prefix of every name in the kernel: 1 to 6 lower-case letters and digits. */
  cloud: string;
  log: Log;
  /** This node's address for tunnels; without it there are none. */
  tunnel_ip?: string;
  /** Name of the namespace that plays the host (legs, tunnels); the agent's own by default. */
  host_namespace?: string;
  /** A command that takes longer fails. Default 10 s. */
  timeout_ms?: number;
  /** How long the packet filter is trusted unread while new states come in. Default 25 s. */
  look_every_ms?: number;
  /** Scripts inside guests at once. Default 3. */
  shells?: number;
  /** Guests' namespaces looked into per check for drift, in turn. Default 16. */
  guests_per_look?: number;
}

export interface LinuxNetworkDriver extends NetworkDriver {
  /** Per MAC, as the guest sees it; empty for an unknown device. */
  tapCounters(device_id: string): Promise<TapCounters[]>;
  metadata: MetadataNetworks;
}

/** The network of a node in the kernel: bridges, veth pairs, nftables, VXLAN. Needs root. */
export function createLinuxNetworkDriver(options: LinuxNetworkOptions): LinuxNetworkDriver {
  checkCloud(options.cloud);
  const node = createNode(options);
  return {
    apply: (state) => apply(node, state),
    plug: (device_id, slice) => plug(node, device_id, slice),
    unplug: (device_id) => node.lock.shared(() => node.devices(device_id, () => unplugDevice(node, device_id))),
    purge: () => node.lock.alone(() => purge(node)),
    tapCounters: (device_id) => tapCounters(node, device_id),
    metadata: metadataNetworks(node),
    close: () => node.lock.alone(() => stopTools(node)),
  };
}

async function apply(node: Node, state: NodeNetworkState): Promise<PortReport[]> {
  const sound = soundWiring(state, (problem) => node.log.warn({ problem }, 'wiring left out'));
  const reports = await node.lock.alone(() => applyState(node, sound.state));
  for (const [port_id, reason] of sound.bad) reports.push({ port_id, status: 'ERROR', reason });
  return reports;
}

async function plug(node: Node, device_id: string, slice: NodeNetworkState): Promise<{ netns: string }> {
  const sound = soundWiring(slice, (problem) => node.log.warn({ problem }, 'wiring left out'));
  const [problem] = sound.bad.values();
  if (problem !== undefined) throw badRequest('network.bad-wiring', problem);
  await node.lock.shared(() => node.devices(device_id, () => plugDevice(node, device_id, sound.state)));
  return { netns: namespacePath(guestNamespace(node.cloud, device_id)) };
}

async function purge(node: Node): Promise<void> {
  const { shell, enter_host } = node.tools;
  await removeCloud(shell, node.cloud, enter_host);
  await node.forget();
}

async function tapCounters(node: Node, device_id: string): Promise<TapCounters[]> {
  await ensureReady(node);
  let pid = node.tools.inside.pid();
  if (pid === undefined) {
    await node.tools.inside.run(['link show lo']);
    pid = node.tools.inside.pid();
  }
  const ports = [...node.cables.values()].filter((port) => port.device_id === device_id);
  return readCounters(await readFile(`/proc/${pid}/net/dev`, 'utf8'), ports);
}
