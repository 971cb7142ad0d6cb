import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { createLog, silentLog } from '../../../src/kernel/log/log.ts';
import { createLinuxNetworkDriver, type LinuxNetworkDriver, type LinuxNetworkOptions } from '../../../src/agents/network/drivers/linux/index.ts';
import type { NetworkWiring, NodeNetworkState, PortWiring, SecurityGroupRuleWiring, SecurityGroupWiring } from '../../../src/agents/network/protocol.ts';

const run = promisify(execFile);

export interface Ran {
  code: number;
  out: string;
}

/** A shell command; its exit status and all it printed. */
export async function sh(script: string): Promise<Ran> {
  try {
    const { stdout, stderr } = await run('/bin/sh', ['-c', script], { timeout: 20_000 });
    return { code: 0, out: stdout + stderr };
  } catch (error) {
    const failed = error as { code?: number; stdout?: string; stderr?: string };
    return { code: typeof failed.code === 'number' ? failed.code : 1, out: `${failed.stdout ?? ''}${failed.stderr ?? ''}` };
  }
}

/** A driver of its own prefix; what a crashed run of the same prefix left is removed first. */
export async function freshDriver(cloud: string, options: Partial<LinuxNetworkOptions> = {}): Promise<LinuxNetworkDriver> {
  const log = process.env['GANTRY_TEST_LOG'] === undefined ? silentLog : createLog({ level: 'debug' });
  const driver = createLinuxNetworkDriver({ cloud, log, ...options });
  await driver.purge();
  return driver;
}

export const uuid = (): string => randomUUID();

let zones = 0;
export function network(options: Partial<NetworkWiring> = {}): NetworkWiring {
  zones += 1;
  return {
    network_id: uuid(), zone: zones, type: 'vxlan', segmentation_id: 100 + zones, physical_network: null, mtu: 1450, host_addresses: [], ...options,
  };
}

export function rule(options: Partial<SecurityGroupRuleWiring> = {}): SecurityGroupRuleWiring {
  return {
    id: uuid(), direction: 'ingress', ethertype: 'IPv4', protocol: null, port_range_min: null, port_range_max: null,
    remote_ip_prefix: null, remote_group_id: null, ...options,
  };
}

export const egressAll = (): SecurityGroupRuleWiring[] => [
  rule({ direction: 'egress' }),
  rule({ direction: 'egress', ethertype: 'IPv6' }),
];

export const tcp = (port: number, options: Partial<SecurityGroupRuleWiring> = {}): SecurityGroupRuleWiring =>
  rule({ protocol: 'tcp', port_range_min: port, port_range_max: port, ...options });

export function group(rules: SecurityGroupRuleWiring[], options: Partial<SecurityGroupWiring> = {}): SecurityGroupWiring {
  return { id: uuid(), stateful: true, rules, ...options };
}

let macs = 0;
export function mac(): string {
  macs += 1;
  return `fa:16:3e:00:${(macs >> 8).toString(16).padStart(2, '0')}:${(macs & 255).toString(16).padStart(2, '0')}`;
}

/** A port with one address per text (`10.0.0.5/24`); the gateway is not set. */
export function port(net: NetworkWiring, addresses: string[], groups: SecurityGroupWiring[], options: Partial<PortWiring> = {}): PortWiring {
  return {
    port_id: uuid(), network_id: net.network_id, device_id: uuid(), mac_address: mac(), admin_state_up: true, mtu: net.mtu,
    fixed_ips: addresses.map((text) => {
      const [ip_address = '', length] = text.split('/');
      return { ip_address, prefix_length: Number(length), ip_version: ip_address.includes(':') ? 6 : 4, gateway_ip: null, routes: [], dns_nameservers: [] };
    }),
    allowed_address_pairs: [], port_security_enabled: true, security_group_ids: groups.map((one) => one.id), ...options,
  };
}

let generation = 0;
export function state(parts: Partial<NodeNetworkState>): NodeNetworkState {
  generation += 1;
  return { generation, networks: [], ports: [], security_groups: [], group_members: [], peers: [], ...parts };
}

/** The same with some parts replaced, as of a later generation. */
export const change = (whole: NodeNetworkState, parts: Partial<NodeNetworkState>): NodeNetworkState => state({ ...whole, ...parts, generation: (generation += 1) });

export const sliceOf = (whole: NodeNetworkState, device_id: string): NodeNetworkState => ({
  ...whole,
  ports: whole.ports.filter((one) => one.device_id === device_id),
});

/** Plugs every device of a state and applies it. */
export async function bring(driver: LinuxNetworkDriver, whole: NodeNetworkState): Promise<void> {
  for (const device_id of new Set(whole.ports.map((one) => one.device_id))) await driver.plug(device_id, sliceOf(whole, device_id));
  await driver.apply(whole);
}

export interface Guest {
  device_id: string;
  namespace: string;
  in(script: string): Promise<Ran>;
}

export function guest(cloud: string, device_id: string): Guest {
  return { device_id, namespace: `${cloud}-${device_id}`, in: (script) => inNamespace(`${cloud}-${device_id}`, script) };
}

export function inNamespace(name: string, script: string): Promise<Ran> {
  return sh(`nsenter --net=/run/netns/${name} sh -c '${script.replaceAll("'", `'\\''`)}'`);
}

/** One answer in three tries: a neighbour that was asked for in vain a moment ago is asked again only after a second. */
export const pings = async (from: Guest, address: string): Promise<boolean> =>
  (await from.in(`for try in 1 2 3; do busybox ping -c1 -W1 ${address} && exit 0; done; exit 1`)).code === 0;
