/** A driver on the machine's Docker, a cable that is one veth, and an image made on the spot; all removed afterwards, also what a crashed run left. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { SendLayer } from '../../../src/agents/compute/disk/transport.ts';
import { createDockerDriver, type DockerDriver } from '../../../src/agents/compute/drivers/docker/index.ts';
import { CLOUD_LABEL } from '../../../src/agents/compute/drivers/docker/container-config.ts';
import type { MoveTransport } from '../../../src/agents/compute/drivers/docker/move-layer.ts';
import type { LayerSource } from '../../../src/agents/compute/drivers/docker/load-layers.ts';
import { createGuestNotes } from '../../../src/agents/compute/drivers/docker/guest-notes.ts';
import { createEngine, type Engine } from '../../../src/agents/compute/drivers/docker/engine.ts';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import type { GuestSpec, ImageRef } from '../../../src/agents/compute/protocol.ts';
import type { VolumeDriver } from '../../../src/agents/volume/protocol.ts';
import type { NodeNetworkState } from '../../../src/agents/network/protocol.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';

const exec = promisify(execFile);
export const SOCKET = process.env['GANTRY_TEST_DOCKER'] ?? '/var/run/docker.sock';
const PREFIX = 'gtc';
const IMAGE_LABEL = 'gtc.pid';
const APPLETS = ['sh', 'sleep', 'ip', 'cat', 'ls', 'stat', 'id', 'env', 'hostname', 'mknod', 'dd', 'ps', 'kill', 'true', 'false', 'grep', 'head', 'seq', 'yes', 'touch', 'mount', 'echo', 'sync', 'awk', 'tail', 'test', 'nc', 'mkdir', 'chmod', 'chown', 'printf'];

/** A slice with one port of the server at that address. */
export function onePort(serverId: string, ip: string): NodeNetworkState {
  const fixed = { ip_address: ip, prefix_length: 24, ip_version: 4 as const, gateway_ip: null, routes: [], dns_nameservers: [] };
  const port = {
    port_id: randomUUID(), network_id: randomUUID(), device_id: serverId, mac_address: 'fa:16:3e:00:00:01', admin_state_up: true, mtu: 1450,
    fixed_ips: [fixed], allowed_address_pairs: [], port_security_enabled: true, security_group_ids: [],
  };
  return { ...EMPTY_NETWORK, ports: [port] };
}

export const EMPTY_NETWORK: NodeNetworkState = { generation: 1, networks: [], ports: [], security_groups: [], group_members: [], peers: [] };

export interface TestImage {
  ref: ImageRef;
  archive: Buffer;
  /** How the store hands it out, when not simply from its first byte to the last. */
  stream?: () => Readable;
}

export interface ImageOptions {
  cmd?: string[];
  labels?: Record<string, string>;
  user?: string;
  repo_tags?: string[];
  passwd?: string;
  /** Makes two images differ. */
  marker?: string;
}

/** A docker-save archive of one layer: busybox, /etc/passwd, /root, /tmp. */
export async function makeImage(options: ImageOptions = {}): Promise<TestImage> {
  const layer = Buffer.concat([
    ...['bin/', 'etc/', 'root/', 'tmp/'].map((name) => writeEntry({ name, type: '5', mode: 0o755 })),
    writeEntry({ name: 'bin/busybox', content: await readFile('/bin/busybox').catch(() => readFile('/usr/bin/busybox')), mode: 0o755 }),
    ...APPLETS.map((name) => writeEntry({ name: `bin/${name}`, type: '2', link: 'busybox' })),
    writeEntry({ name: 'etc/passwd', content: Buffer.from(options.passwd ?? 'root:x:0:0:root:/root:/bin/sh\n') }),
    writeEntry({ name: 'etc/marker', content: Buffer.from(options.marker ?? 'plain') }),
    endOfArchive(),
  ]);
  const diffId = sha256(layer);
  const config = Buffer.from(JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: options.cmd ?? ['/bin/sleep', '1000'], Env: ['PATH=/bin'], Labels: { [IMAGE_LABEL]: String(process.pid), ...options.labels }, User: options.user ?? '' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created: '2026-01-01T00:00:00Z' }],
  }));
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: options.repo_tags ?? null, Layers: [`${diffId}/layer.tar`] }];
  const archive = Buffer.concat([
    writeEntry({ name: `${diffId}/`, type: '5' }),
    writeEntry({ name: `${diffId}/layer.tar`, content: layer }),
    writeEntry({ name: configName, content: config }),
    writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }),
    writeEntry({ name: 'repositories', content: Buffer.from('{}') }),
    endOfArchive(),
  ]);
  return asImage(archive);
}

export function asImage(archive: Buffer): TestImage {
  return { archive, ref: { id: randomUUID(), digest: sha256(archive), size: archive.length, container_format: 'docker', disk_format: 'raw' } };
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface Rig {
  cloud: string;
  driver: DockerDriver;
  engine: Engine;
  netns_dir: string;
  state_dir: string;
  /** As an agent leaves it that ends in the middle of a capture. */
  noteFrozen(serverId: string): Promise<void>;
  /** Served as whole archives; counts its calls. */
  images: Map<string, TestImage>;
  fetched: string[];
  plug: TestPlug;
  spec(image: TestImage, change?: Partial<GuestSpec>): GuestSpec;
  /** A second driver over the same state: an agent that was restarted. */
  again(): Promise<DockerDriver>;
  /** Runs in the guest; stdout and stderr together. */
  inside(serverId: string, ...command: string[]): Promise<{ code: number; output: string }>;
  containersOf(serverId: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface TestPlug {
  plug(deviceId: string, slice: NodeNetworkState): Promise<{ netns: string }>;
  unplug(deviceId: string): Promise<void>;
  plugs: string[];
  unplugs: string[];
  /** Set to make plug fail. */
  failure: Error | undefined;
  /** Called between making the namespace and returning. */
  beforeReady: () => Promise<void>;
}

export interface RigOptions {
  /** Hands out images by their layers. */
  layers?: LayerSource;
  /** Where captured layers go. */
  send?: SendLayer;
  disk_limit?: 'auto' | 'off';
  moves?: MoveTransport;
  volumes?: Pick<VolumeDriver, 'open' | 'close' | 'list'>;
}

/** @param socket of the engine to work on. */
export async function createRig(socket = SOCKET, { layers, send, moves, volumes, disk_limit = 'off' }: RigOptions = {}): Promise<Rig> {
  const cloud = `${PREFIX}-${process.pid}-${randomUUID().slice(0, 6)}`;
  const stateDir = await mkdtemp(join(tmpdir(), `${cloud}-`));
  const engine = createEngine({ socket_path: socket });
  await removeLeftovers(engine);
  const images = new Map<string, TestImage>();
  const fetched: string[] = [];
  const plug = createTestPlug(cloud);
  const netnsDir = '/run/gantry/netns';
  const drivers: DockerDriver[] = [];
  const make = async (): Promise<DockerDriver> => {
    const driver = createDockerDriver({
      socket_path: socket,
      cloud,
      network: plug,
      image_store: {
        async archive(ref) {
          fetched.push(ref.id);
          const image = images.get(ref.id);
          if (image === undefined) throw new Error('no such test image');
          return image.stream?.() ?? Readable.from(chunked(image.archive, 65_521), { objectMode: false });
        },
        layers,
      },
      log: silentLog,
      clock: systemClock,
      state_dir: stateDir,
      disk_limit,
      ...(moves === undefined ? {} : { moves }),
      ...(volumes === undefined ? {} : { volumes }),
      ...(send === undefined ? {} : { layers: send }),
      netns_dir: netnsDir,
    });
    drivers.push(driver);
    await driver.ready;
    return driver;
  };
  const driver = await make();
  return {
    cloud, driver, engine, images, fetched, plug, netns_dir: netnsDir, state_dir: stateDir,
    noteFrozen: (serverId) => createGuestNotes(join(stateDir, 'guests')).update(serverId, { frozen: true }),
    again: make,
    spec: (image, change = {}) => {
      images.set(image.ref.id, image);
      return guestSpec(image.ref, change);
    },
    inside: (serverId, ...command) => inside(socket, `${cloud}-${serverId}`, command),
    containersOf: (serverId) => containersOf(engine, cloud, serverId),
    async close() {
      for (const one of drivers) await one.close();
      await removeCloud(engine, cloud);
      for (const id of images.keys()) await removeImages(engine, id);
      engine.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

function guestSpec(image: ImageRef, change: Partial<GuestSpec>): GuestSpec {
  return {
    server_id: randomUUID(),
    name: 'web-1',
    hostname: 'web-1',
    project_id: 'p1',
    user_id: 'u1',
    flavor_name: 'm1.tiny',
    image,
    limits: { vcpus: 1, memory_mb: 64, swap_mb: 0, disk_gb: 1, pids: 64 },
    command: null,
    environment: {},
    files: [],
    ssh_keys: [],
    dns: { servers: [], search: [] },
    metadata: {},
    network: EMPTY_NETWORK,
    ...change,
  };
}

/** One namespace per device with a veth of which both ends are in it: eth0 with an address. */
function createTestPlug(cloud: string): TestPlug {
  const name = (deviceId: string): string => `${cloud}-${deviceId.slice(0, 8)}`;
  const self: TestPlug = {
    plugs: [],
    unplugs: [],
    failure: undefined,
    beforeReady: async () => {},
    async plug(deviceId) {
      self.plugs.push(deviceId);
      if (self.failure !== undefined) throw self.failure;
      const netns = name(deviceId);
      const there = await exec('ip', ['netns', 'add', netns]).then(() => false, () => true);
      if (!there) {
        await ipBatch(netns, ['link set lo up', 'link add eth0 type veth peer name peer0', 'addr add 10.99.0.2/24 dev eth0', 'link set eth0 up', 'link set peer0 up']);
      }
      await self.beforeReady();
      return { netns: `/run/netns/${netns}` };
    },
    async unplug(deviceId) {
      self.unplugs.push(deviceId);
      await exec('ip', ['netns', 'del', name(deviceId)]).catch(() => {});
    },
  };
  return self;
}

async function ipBatch(netns: string, lines: string[]): Promise<void> {
  const child = execFile('ip', ['-n', netns, '-batch', '-']);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin!.end(`${lines.join('\n')}\n`);
  if ((await ended) !== 0) throw new Error('ip -batch failed');
}

async function inside(socket: string, container: string, command: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await exec('docker', ['-H', `unix://${socket}`, 'exec', container, ...command]);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { code: failed.code, output: failed.stdout + failed.stderr };
  }
}

interface Summary {
  Id: string;
  Labels: Record<string, string>;
}

async function allContainers(engine: Engine, label: string): Promise<Summary[]> {
  return await engine.json<Summary[]>('GET', '/containers/json', { query: { all: 1, filters: JSON.stringify({ label: [label] }) } });
}

async function containersOf(engine: Engine, cloud: string, serverId: string): Promise<string[]> {
  const found = await allContainers(engine, `${CLOUD_LABEL}=${cloud}`);
  return found.filter((one) => one.Labels['gantry.server'] === serverId).map((one) => one.Id);
}

/** Everything that carries the mark of a test process that lives no more. */
async function removeLeftovers(engine: Engine): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !(await alive(pid))) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
  const clouds = new Set<string>();
  for (const one of await allContainers(engine, CLOUD_LABEL)) clouds.add(one.Labels[CLOUD_LABEL]!);
  for (const name of await readdir('/run/netns').catch(() => [])) clouds.add(name.split('-').slice(0, 3).join('-'));
  for (const cloud of clouds) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(`${cloud}-`)?.[1];
    if (pid !== undefined && !(await alive(pid))) await removeCloud(engine, cloud);
  }
  for (const id of await readdir('/run/gantry/netns').catch(() => [])) {
    const netns = await readlink(`/run/gantry/netns/${id}`).catch(() => '');
    const pid = new RegExp(`^/run/netns/${PREFIX}-(\\d+)-`).exec(netns)?.[1];
    if (pid !== undefined && !(await alive(pid))) await rm(`/run/gantry/netns/${id}`, { force: true });
  }
  const images = await engine.json<Summary[]>('GET', '/images/json', { query: { filters: JSON.stringify({ label: [IMAGE_LABEL] }) } });
  for (const one of images) {
    if (!(await alive(one.Labels[IMAGE_LABEL]!))) await engine.json('DELETE', `/images/${one.Id}`, { query: { force: 1 } }).catch(() => {});
  }
}

export async function alive(pid: string): Promise<boolean> {
  // A zombie that nobody has reaped yet is dead, too.
  return await readFile(`/proc/${pid}/stat`, 'utf8').then((stat) => !/\) [ZX] /.test(stat), () => false);
}

async function removeCloud(engine: Engine, cloud: string): Promise<void> {
  for (const one of await allContainers(engine, `${CLOUD_LABEL}=${cloud}`)) {
    await engine.json('DELETE', `/containers/${one.Id}`, { query: { force: 1, v: 1 } }).catch(() => {});
    await rm(`/run/gantry/netns/${one.Id}`, { force: true });
    await rm(`/run/gantry/volumes/${one.Id}`, { force: true });
  }
  for (const name of await readdir('/run/netns').catch(() => [])) {
    if (name.startsWith(`${cloud}-`)) await exec('ip', ['netns', 'del', name]).catch(() => {});
  }
}

async function removeImages(engine: Engine, id: string): Promise<void> {
  const found = await engine.json<{ RepoTags: string[] | null }[]>('GET', '/images/json', { query: { filters: JSON.stringify({ reference: [`gantry/*/${id}`] }) } });
  for (const tag of found.flatMap((one) => one.RepoTags ?? [])) {
    if (tag.includes(`/${id}:`)) await engine.json('DELETE', `/images/${tag}`, { query: { force: 1 } }).catch(() => {});
  }
}

export function* chunked(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Waits for the condition by asking; fails with the last thing seen. */
export async function until<T>(what: string, ask: () => Promise<T> | T, good: (value: T) => boolean, ms = 20_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await ask();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
