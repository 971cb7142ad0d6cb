/** What this machine holds of a cloud: containers, namespaces, devices, packet filter, links, notes. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { metadataOf } from '../../src/agents/network/drivers/linux/names.ts';
import { dockerRequest } from '../../src/cli/docker.ts';
import { hostProbes } from '../../src/cli/doctor/probes.ts';
import { loopsOf, viewsOf } from '../../src/cli/leftovers.ts';
import type { Settings } from '../../src/cli/settings.ts';

export interface ContainerView {
  id: string;
  server_id: string;
  /** `running`, `paused`, `exited`, `created` … */
  state: string;
}

export interface HostView {
  cloud: string;
  /** False with fake drivers, which keep nothing on the machine. */
  real: { docker: boolean; kernel: boolean };
  containers: ContainerView[];
  /** Devices of which the machine has a network namespace. */
  namespaces: Set<string>;
  /** Networks whose metadata the machine has a namespace for. */
  metadata: Set<string>;
  /** Names of devices in the cloud's namespace: `tap…`, `brq…`, `ext…`, `vxl…`. */
  devices: Set<string>;
  /** Ends of the host's own legs. */
  legs: Set<string>;
  /** Chains and sets, without their family and table. */
  filter: Set<string>;
  /** Container id → where its link leads. */
  links: Map<string, string>;
  /** Folders of what guests see: containers, or servers whose container was being made. */
  views: Set<string>;
  /** Loop device → server whose config drive is on it. */
  drives: Map<string, string>;
  /** Servers of which the agent keeps a note. */
  notes: Set<string>;
}

const LINKS = '/run/gantry/netns';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export async function observeHost(settings: Settings): Promise<HostView> {
  const { cloud, agent } = settings.config;
  const { name } = cloud;
  const real = { docker: agent.compute_driver === 'docker', kernel: agent.network_driver === 'linux' };
  const inside = real.kernel && existsSync(join('/run/netns', name));
  return {
    cloud: name,
    real,
    containers: real.docker ? await containers(agent.docker_socket, name) : [],
    namespaces: new Set(real.kernel ? ownNames(entries('/run/netns'), name).filter((id) => UUID.test(id)) : []),
    metadata: new Set(real.kernel ? entries('/run/netns').flatMap((entry) => metadataOf(name, entry) ?? []) : []),
    devices: new Set(inside ? devicesIn(name) : []),
    legs: new Set(real.kernel ? entries('/sys/class/net').filter((link) => link.startsWith(`${name}-`)) : []),
    filter: new Set(inside ? filterIn(name) : []),
    links: new Map(entries(LINKS).map((id) => [id, readlinkSync(join(LINKS, id))] as const).filter(([, target]) => target.startsWith(`/run/netns/${name}-`))),
    views: new Set(real.docker ? viewsOf(name, hostProbes()).map((folder) => basename(folder)) : []),
    drives: new Map(real.docker ? drivesOf(agent.state_dir) : []),
    notes: new Set(real.docker ? entries(join(agent.state_dir, 'guests')).map((file) => file.replace(/\.json(\.new)?$/, '')) : []),
  };
}

async function containers(socket: string, cloud: string): Promise<ContainerView[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`gantry.cloud=${cloud}`] }));
  const rows = (await dockerRequest(socket, 'GET', `/containers/json?all=1&filters=${filters}`, 60_000)) as { Id: string; State: string; Labels: Record<string, string> }[];
  return rows.map((row) => ({ id: row.Id, state: row.State, server_id: row.Labels['gantry.server'] ?? '' }));
}

function drivesOf(state_dir: string): [device: string, server_id: string][] {
  return loopsOf(state_dir, hostProbes()).filter(({ file }) => basename(file) === 'drive.img').map(({ device, file }) => [device, basename(dirname(file))]);
}

function devicesIn(cloud: string): string[] {
  const links = JSON.parse(execFileSync('ip', ['-n', cloud, '-j', 'link', 'show'], { encoding: 'utf8' })) as { ifname?: string }[];
  return links.flatMap((link) => (link.ifname !== undefined && /^(tap|brq|ext|vxl)/.test(link.ifname) ? [link.ifname] : []));
}

function filterIn(cloud: string): string[] {
  const text = execFileSync('ip', ['netns', 'exec', cloud, 'nft', '-j', 'list', 'ruleset'], { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
  const items = (JSON.parse(text) as { nftables: Record<string, { name?: string } | undefined>[] }).nftables;
  return items.flatMap((item) => item['chain']?.name ?? item['set']?.name ?? []);
}

function ownNames(names: readonly string[], cloud: string): string[] {
  return names.filter((name) => name.startsWith(`${cloud}-`)).map((name) => name.slice(cloud.length + 1));
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
