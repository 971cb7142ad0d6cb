/** A compute service over real tasks, placement and the fake driver; networking and images are doubles in memory. */
import assert from 'node:assert/strict';
import { createLog, silentLog } from '../../src/kernel/log/log.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Auth } from '../../src/kernel/context.ts';
import type { Database } from '../../src/kernel/db/database.ts';
import { migrate } from '../../src/kernel/db/migrate.ts';
import { badRequest, conflict, notFound, unavailable } from '../../src/kernel/fault.ts';
import { uuid } from '../../src/kernel/ids.ts';
import { taskMigrations } from '../../src/kernel/task/migrations.ts';
import { createTasks, type Tasks } from '../../src/kernel/task/tasks.ts';
import type { ConnectedNode } from '../../src/kernel/bus/node-link.ts';
import { computeHandlers } from '../../src/agents/compute/serve.ts';
import { createFakeNodes, type FakeDriver } from '../../src/agents/compute/drivers/fake/index.ts';
import { computeMethods } from '../../src/agents/compute/protocol.ts';
import type { ImageClient, ImageInfo, SnapshotClient } from '../../src/services/image/client.ts';
import type { NetworkApi, NetworkClient, PlannedNic, ServerNic } from '../../src/services/network/client.ts';
import type { PlacementClient } from '../../src/services/placement/client.ts';
import { createPlacementService } from '../../src/services/placement/index.ts';
import { ComputeSection, type ComputeConfig } from '../../src/services/compute/config.ts';
import type { ComputeNodes, JobDeps } from '../../src/services/compute/deps.ts';
import { takeInventory } from '../../src/services/compute/jobs/take-inventory.ts';
import { type ComputeService, createComputeService } from '../../src/services/compute/index.ts';
import { Value } from 'typebox/value';
import { freshDatabase, type TestDatabase } from './database.ts';
import { type FakeBlockStorage, fakeBlockStorage } from './fake-block-storage.ts';
import { serveSurfaces, testAuth, type TestSurface } from './surface.ts';

export interface FakeNodes extends ComputeNodes {
  drivers: FakeDriver[];
  ids: string[];
  /** Takes a node away, long ago or at this `moment`, or brings it back with what it had. */
  setConnected(index: number, connected: boolean, moment?: string): void;
  /** What a node asks of the controller. */
  ask<T>(index: number, method: string, params: unknown): Promise<T>;
  /** Every call so far: `compute.spawn` … */
  calls: { node_id: string; method: string }[];
}

/** Nodes in this process: a call goes straight to the fake driver, and crosses as JSON. */
export function fakeNodes(count: number): FakeNodes {
  const nodes = createFakeNodes(count, { clock: systemClock });
  const ids = nodes.map((_, index) => `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`);
  const connected = new Set(ids);
  const seen = new Map<string, string>();
  const listeners = { connect: new Set<(node: ConnectedNode) => void>(), disconnect: new Set<(node: ConnectedNode) => void>(), event: new Set<(node: ConnectedNode, event: string, params: unknown) => void>() };
  const facts = nodes.map(({ hostname }, index): ConnectedNode => ({ id: ids[index]!, hostname, roles: ['compute'], tunnel_ip: null, host_ip: null }));
  const handlers = nodes.map(({ driver }) => computeHandlers(driver));
  const calls: FakeNodes['calls'] = [];
  const answers = new Map<string, (node: ConnectedNode, params: unknown) => unknown>();
  nodes.forEach(({ driver }, index) => {
    driver.onChange((report) => {
      if (connected.has(ids[index]!)) for (const listener of listeners.event) listener(facts[index]!, computeMethods.changed, structuredClone(report));
    });
  });
  const add = <T>(set: Set<T>) => (listener: T) => {
    set.add(listener);
    return () => void set.delete(listener);
  };
  return {
    drivers: nodes.map(({ driver }) => driver),
    ids,
    calls,
    setConnected(index, on, moment = '') {
      seen.set(ids[index]!, moment);
      if (on) connected.add(ids[index]!);
      else connected.delete(ids[index]!);
      for (const listener of on ? listeners.connect : listeners.disconnect) listener(facts[index]!);
    },
    async call<T>(node_id: string, method: string, params?: unknown, options?: { signal?: AbortSignal }): Promise<T> {
      calls.push({ node_id, method });
      const away = unavailable('bus.node-unavailable', `The node ${node_id} is not connected.`);
      if (!connected.has(node_id)) throw away;
      const handler = handlers[ids.indexOf(node_id)]?.[method];
      if (handler === undefined) throw notFound('bus.no-such-method', `No method ${method}.`);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      aborted.catch(() => {});
      options?.signal?.addEventListener('abort', () => reject(options.signal!.reason));
      const reply = await Promise.race([handler(JSON.parse(JSON.stringify(params ?? null))), aborted]);
      return JSON.parse(JSON.stringify(reply ?? null)) as T;
    },
    expectStream: () => assert.fail('these nodes open no streams'),
    openStream: async () => assert.fail('these nodes open no streams'),
    handle: (method, handler) => void answers.set(method, handler),
    ask: async <T>(index: number, method: string, params: unknown) => structuredClone(await answers.get(method)!(facts[index]!, structuredClone(params))) as T,
    isConnected: (id) => connected.has(id),
    nodes: async () =>
      facts.map((node) => ({ ...node, state: connected.has(node.id) ? 'up' : 'down', disabled: false, created_at: '', last_seen_at: seen.get(node.id) ?? '', resources: null })),
    onConnect: add(listeners.connect),
    onDisconnect: add(listeners.disconnect),
    onEvent: add(listeners.event),
  };
}

export interface FakeNetwork extends NetworkClient {
  /** The NICs of living servers. */
  ports: Map<string, ServerNic[]>;
  network_id: string;
  /** The next claims fail with this message. */
  failClaims: string | undefined;
  plugged: Map<string, boolean>;
  /** Servers whose ports are bound to no host. */
  unbound: Set<string>;
  tell(server_id: string): void;
}

/** One network `private`, 10.0.0.0/24, with the group `default` and `web`. */
export function fakeNetwork(): FakeNetwork {
  const network_id = '11111111-1111-4111-8111-111111111111';
  const groups = [{ id: 'd0000000-0000-4000-8000-000000000000', name: 'default' }, { id: 'd0000000-0000-4000-8000-000000000001', name: 'web' }];
  const listeners: ((server_id: string) => void)[] = [];
  const ports = new Map<string, ServerNic[]>();
  let next = 10;
  const nicFor = (nic: PlannedNic, group_ids: string[]): ServerNic => ({
    port_id: nic.port_id ?? uuid(),
    network_id: nic.network_id,
    network_name: 'private',
    mac_address: `fa:16:3e:00:00:${(next % 256).toString(16).padStart(2, '0')}`,
    mtu: 1450,
    status: 'DOWN',
    made_for_server: nic.port_id === undefined,
    fixed_ips: [
      { ip_address: nic.fixed_ip ?? `10.0.0.${next++}`, ip_version: 4, subnet_id: network_id, cidr: '10.0.0.0/24', gateway_ip: '10.0.0.1', dns_nameservers: ['10.0.0.2'], routes: [] },
    ],
    floating_ips: [],
    security_groups: groups.filter(({ id }) => group_ids.includes(id)),
    tag: nic.tag ?? null,
  });
  const network: FakeNetwork = {
    api: new Proxy({} as NetworkApi, { get: (_target, name) => assert.fail(`the fake network has no API of its own: ${String(name)}`) }),
    ports,
    network_id,
    failClaims: undefined,
    plugged: new Map(),
    unbound: new Set(),
    tell: (server_id) => listeners.forEach((listener) => listener(server_id)),
    async planNics(_auth, requested) {
      if (requested === 'none') return [];
      if (requested === 'auto') return [{ network_id, port_id: undefined, fixed_ip: undefined, tag: undefined }];
      return requested.map((nic) => {
        if (nic.network_id !== undefined && nic.network_id !== network_id) throw badRequest('network.not-found', `Network ${nic.network_id} could not be found.`);
        return { network_id, port_id: nic.port_id, fixed_ip: nic.fixed_ip, tag: nic.tag };
      });
    },
    async resolveSecurityGroups(auth, names) {
      return names.map((name) => {
        const found = groups.find((group) => group.name === name || group.id === name);
        if (!found) throw badRequest('network.group-not-found', `Security group ${name} not found for project ${auth.project_id}.`);
        return found;
      });
    },
    async claimNics({ server_id, nics, security_group_ids }) {
      if (network.failClaims !== undefined) throw conflict('network.no-address', network.failClaims);
      const held = ports.get(server_id) ?? nics.map((nic) => nicFor(nic, security_group_ids));
      ports.set(server_id, held);
      network.unbound.delete(server_id);
      return structuredClone(held);
    },
    async unbindNics(server_id) {
      network.plugged.delete(server_id);
      network.unbound.add(server_id);
    },
    async releaseNics(server_id) {
      ports.delete(server_id);
      network.plugged.delete(server_id);
    },
    async addNic({ server_id, nic, new_port_id }) {
      if (network.failClaims !== undefined) throw conflict('network.no-address', network.failClaims);
      const held = ports.get(server_id) ?? [];
      const port_id = nic.port_id ?? new_port_id;
      if (!held.some((one) => one.port_id === port_id)) ports.set(server_id, [...held, { ...nicFor(nic, [groups[0]!.id]), port_id }]);
      network.tell(server_id);
    },
    async removeNic(server_id, port_id) {
      ports.set(server_id, (ports.get(server_id) ?? []).filter((one) => one.port_id !== port_id));
      network.tell(server_id);
    },
    addFixedIp: async () => assert.fail('the fake network has one address a port'),
    removeFixedIp: async () => assert.fail('the fake network has one address a port'),
    nicsOf: async (ids) => new Map(ids.flatMap((id) => (ports.has(id) ? [[id, structuredClone(ports.get(id)!)] as const] : []))),
    sliceFor: async () => ({ generation: 1, networks: [], ports: [], security_groups: [], group_members: [], peers: [] }),
    async setPlugged(server_id, plugged) {
      network.plugged.set(server_id, plugged);
    },
    async changeServerGroup(server_id, change, name) {
      const group = groups.find((one) => one.name === name || one.id === name);
      if (!group) throw notFound('network.group-not-found', `Security group ${name} not found for project x.`);
      for (const nic of ports.get(server_id) ?? []) {
        const others = nic.security_groups.filter(({ id }) => id !== group.id);
        nic.security_groups = change === 'add' ? [...others, group] : others;
      }
      network.tell(server_id);
    },
    securityGroups: async (ids) => groups.filter(({ id }) => ids.includes(id)).map((group) => ({ ...group, description: '', project_id: 'a'.repeat(32), rules: [] })),
    onServerNicsChanged: (listener) => void listeners.push(listener),
  };
  return network;
}

export interface FakeImages extends ImageClient {
  images: Map<string, ImageInfo>;
  /** Image ids by holder. */
  holds: Map<string, string>;
  add(over?: Partial<ImageInfo>): ImageInfo;
}

async function noData(): Promise<never> {
  throw new Error('the fake driver asks for no data');
}

export function fakeImages(): FakeImages {
  const images = new Map<string, ImageInfo>();
  const find = (id: string): ImageInfo => {
    const image = images.get(id);
    if (!image) throw notFound('image.not-found', `No image found with ID ${id}`);
    return image;
  };
  const holds = new Map<string, string>();
  return {
    images,
    holds,
    snapshots: fakeSnapshots(images, holds, find),
    add(over = {}) {
      const image: ImageInfo = {
        id: uuid(), name: 'busybox', status: 'active', visibility: 'public', owner: null, container_format: 'docker', disk_format: 'raw', min_disk: 0,
        min_ram: 0, size: 1_000_000, digest: 'a'.repeat(64), manifest_digest: null, conversion: null, system: null, created_at: '', updated_at: '', tags: [], properties: {}, ...over,
      };
      images.set(image.id, image);
      return image;
    },
    getImage: async (_auth, id) => find(id),
    listImages: async () => ({ images: [...images.values()], more: false }),
    showImage: async (_caller, id) => find(id),
    changeProperties: async (_caller, id, change) => Object.assign(find(id), { properties: change(find(id).properties) }),
    async deleteImage(_caller, id) {
      images.delete(find(id).id);
    },
    openData: noData,
    openManifest: noData,
    openBlob: noData,
  };
}

function fakeSnapshots(images: Map<string, ImageInfo>, holds: Map<string, string>, find: (id: string) => ImageInfo): SnapshotClient {
  const blank = { container_format: 'docker', disk_format: 'raw', size: null, digest: null, manifest_digest: null, conversion: null, system: null, tags: [] };
  let order = 0;
  return {
    hold: async (_tx, holder, id) => void holds.set(holder, find(id).id),
    release: async (_tx, holder) => void holds.delete(holder),
    async adopt(_tx, holder, from) {
      const held = holds.get(from);
      if (held !== undefined) holds.set(holder, held);
      holds.delete(from);
    },
    async create({ auth }, wanted) {
      const created_at = String((order += 1)).padStart(9, '0');
      const image: ImageInfo = { ...blank, ...wanted, id: uuid(), owner: auth.project_id ?? null, status: 'queued', created_at, updated_at: created_at };
      return { image, insert: async () => void images.set(image.id, image) };
    },
    async begin(id) {
      if (find(id).status === 'active') throw conflict('image.has-data', 'It has data.');
      find(id).status = 'saving';
    },
    finish: async (id, { layer }) => Object.assign(find(id), { status: 'active', size: 1_000_000 + layer.size, manifest_digest: layer.digest }),
    discard: async (id) => void images.delete(id),
    async siblings(sibling, properties) {
      const owner = images.get(sibling)?.owner;
      const all = [...images.values()].filter((image) => image.owner === owner && Object.entries(properties).every(([name, value]) => image.properties[name] === value));
      return all.sort((a, b) => b.created_at.localeCompare(a.created_at)).map(({ id }) => id);
    },
  };
}

export interface ComputeWorld {
  database: TestDatabase;
  db: Database;
  tasks: Tasks;
  nodes: FakeNodes;
  network: FakeNetwork;
  images: FakeImages;
  placement: PlacementClient;
  volumes: FakeBlockStorage;
  compute: ComputeService;
  deps: JobDeps;
  config: ComputeConfig;
  close(): Promise<void>;
}

/** The defaults of the configuration. */
export function computeConfig(over: Partial<ComputeConfig> = {}): ComputeConfig {
  return { ...(Value.Create(ComputeSection) as ComputeConfig), ...over };
}

const log = process.env['GANTRY_TEST_LOG'] === undefined ? silentLog : createLog();

/** Everything but the HTTP port: its tasks are not running yet, its nodes are known to placement. */
export async function computeWorld(options: { nodes?: number; config?: Partial<ComputeConfig> } = {}): Promise<ComputeWorld> {
  const nodes = fakeNodes(options.nodes ?? 2);
  const network = fakeNetwork();
  const images = fakeImages();
  const config = computeConfig({ orphan_grace: 0, ...options.config });
  const database = await freshDatabase();
  const { db } = database;
  const { client: placement, service: placementService } = createPlacementService({ db, clock: systemClock, log });
  const tasks = createTasks({ db, log, clock: systemClock, exclusive: true, retryDelay: () => 1, undo_attempts: 4 });
  const identity = { authenticate: async () => undefined, findProject: async (id: string) => Object.values(callers).find(({ project_id }) => project_id === id), onProjectDeleted() {} } as never;
  const volumes = fakeBlockStorage(testAuth().project_id!);
  const deps: JobDeps = { db, clock: systemClock, log, config, identity, image: images, network, placement, volumes, nodes };
  const compute = createComputeService({ ...deps, tasks });
  await migrate(db, [...taskMigrations, ...placementService.migrations, ...compute.service.migrations]);
  for (const node of await nodes.nodes()) await takeInventory(deps, node);
  return { database, db, tasks, nodes, network, images, placement, volumes, compute, deps, config, close: () => database.close() };
}

export const ADMIN_TOKEN = 'admin';
export const callers: Record<string, Auth> = {
  member: testAuth(),
  [ADMIN_TOKEN]: testAuth({ user_id: 'c'.repeat(32), project_id: 'f'.repeat(32), roles: ['admin', 'manager', 'member', 'reader'] }),
  reader: testAuth({ user_id: 'd'.repeat(32), roles: ['reader'] }),
  other: testAuth({ user_id: 'e'.repeat(32), project_id: 'e'.repeat(32) }),
};

export interface ServedWorld extends ComputeWorld {
  http: TestSurface;
  image: ImageInfo;
  /** Latest microversion unless another is named. */
  call(method: string, path: string, options?: { body?: unknown; token?: string; version?: string }): ReturnType<TestSurface['call']>;
  /** Makes a server and waits until its task has settled. @returns its id. */
  boot(over?: Record<string, unknown>, token?: string): Promise<string>;
  /** Waits for everything under way on a server. */
  settled(id: string): Promise<void>;
  show(id: string, token?: string): Promise<any>;
}

/** The whole service over HTTP, its tasks running. */
export async function serveCompute(options: { nodes?: number; config?: Partial<ComputeConfig> } = {}): Promise<ServedWorld> {
  const world = await computeWorld(options);
  const { compute, tasks, images, db } = world;
  tasks.register(...compute.service.tasks);
  await tasks.run();
  await compute.start();
  const http = await serveSurfaces([compute.service], callers);
  const image = images.add();
  await addFlavors(db);
  const call: ServedWorld['call'] = (method, path, { version = 'latest', ...rest } = {}) =>
    http.call(method, `/compute/v2.1${path}`, { ...rest, headers: { 'openstack-api-version': `compute ${version}` } });
  const settled = async (id: string): Promise<void> => {
    for (const resource of [`server:${id}`, `server:${id}:delete`]) {
      const [last] = await tasks.listOf(resource, 1);
      if (last) await tasks.whenSettled(last.id);
    }
  };
  const served: ServedWorld = {
    ...world,
    http,
    image,
    call,
    settled,
    async boot(over = {}, token = 'member') {
      const reply = await call('POST', '/servers', { token, body: { server: { name: 'one', imageRef: image.id, flavorRef: '1', networks: 'auto', ...over } } });
      if (reply.status !== 202) throw new Error(`${reply.status} ${reply.text}`);
      await settled(reply.json.server.id);
      return reply.json.server.id as string;
    },
    show: async (id, token = ADMIN_TOKEN) => (await call('GET', `/servers/${id}`, { token })).json?.server,
    async close() {
      await http.close();
      await tasks.stop();
      await compute.stop();
      await world.close();
    },
  };
  return served;
}

/** `1`: 1 VCPU, 128 MiB, 1 GB · `2`: twice that. */
export async function addFlavors(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    for (const n of [1, 2]) {
      await tx
        .insertInto('compute_flavors')
        .values({
          id: String(n), name: `m${n}`, vcpus: n, ram_mb: 128 * n, disk_gb: n, ephemeral_gb: 0, swap_mb: 0, rxtx_factor: 1, is_public: 1, disabled: 0,
          description: null, extra_specs: '{"docker:pids":"100"}', created_at: '2026-01-01T00:00:00.000000Z', updated_at: null,
        })
        .execute();
    }
  });
}

