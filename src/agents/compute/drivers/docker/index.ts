/** The compute driver for Docker Engine 20.10 and newer. Keeps nothing in memory that matters: labels, links and notes are the truth. */
import { dirname, join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import { notImplemented } from '../../../../kernel/fault.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { NetworkDriver } from '../../../network/protocol.ts';
import type { VolumeDriver } from '../../../volume/protocol.ts';
import { hostAddress, readHost } from '../../host.ts';
import { createDiskConverter, type DiskTransport } from '../../disk/convert-disk.ts';
import type { SendLayer } from '../../disk/transport.ts';
import { createGate } from '../../../../kernel/gate.ts';
import { createKeyedLock, type KeyedLock } from '../../../../kernel/locks.ts';
import type { ComputeDriver, HostResources } from '../../protocol.ts';
import { createCaptures } from './captures.ts';
import { watchChanges } from './changes.ts';
import { createConfigDrives } from './config-drives.ts';
import { readConsole } from './console.ts';
import { createDisks, type DisksOptions } from './disks.ts';
import { destroyServer, killServer } from './destroy.ts';
import { readDiagnostics } from './diagnostics.ts';
import type { DriverContext } from './driver-context.ts';
import { createEngine, type Engine } from './engine.ts';
import type { ContainerInspect, ContainerSummary, EngineInfo } from './engine-types.ts';
import { versionNumber } from './engine-version.ts';
import { openConsole } from './guest-console.ts';
import { extraRuntimes } from './guest-options.ts';
import { claimedVolumes, createGuestNotes } from './guest-notes.ts';
import { needContainer, reportAll, reportServer } from './guests.ts';
import { createImages, type ImageStore } from './images.ts';
import { createMadeContainers } from './made-containers.ts';
import { sendLayer, type MoveTransport } from './move-layer.ts';
import { createOrphans } from './orphans.ts';
import { createOldRoots } from './old-roots.ts';
import { createNetnsLinks } from './netns-links.ts';
import { setPasswords } from './passwords.ts';
import { powerServer, startRebooted } from './power.ts';
import { rescueServer, unrescueServer } from './rescue.ts';
import { signalGuest } from './signal.ts';
import { removeRemains } from './remains.ts';
import { resizeServer } from './resize.ts';
import { engineCall, spawnServer } from './spawn.ts';
import { sshDoor } from './ssh-door.ts';
import { createViews } from './views.ts';
import { attachVolume, createVolumes, detachVolume, volumeExtended } from './volumes.ts';

export interface DockerDriverOptions {
  /** An engine's client, or the socket to make one for. */
  engine?: Engine;
  socket_path?: string;
  /** Label value and name prefix of this cloud's containers: `[a-z0-9][a-z0-9-]*`. */
  cloud: string;
  network: Pick<NetworkDriver, 'plug' | 'unplug'>;
  image_store: ImageStore;
  /** How disk images come here, and what is made of them goes back; without it none is converted. */
  disks?: DiskTransport;
  /** Where what servers have changed goes to; without it, it stays on the node. */
  layers?: SendLayer;
  /** How what a moving server has written leaves and comes; without it none moves. */
  moves?: MoveTransport;
  /** Of this node; without it guests have none. */
  volumes?: Pick<VolumeDriver, 'open' | 'close' | 'list'>;
  log: Log;
  clock: Clock;
  /** For the notes on guests; made when missing. */
  state_dir: string;
  /** Where the runtime wrapper looks. */
  netns_dir?: string;
  host_ip?: string;
  /** Whether the flavor's disk size is enforced; `off` when missing. */
  disk_limit?: DisksOptions['limit'];
  /** Spawns under way at a time. */
  concurrent_spawns?: number;
}

export interface DockerDriver extends ComputeDriver {
  /** Resolves when changes of guests are being heard. */
  ready: Promise<void>;
}

function driverContext(options: DockerDriverOptions, engine: Engine): DriverContext {
  const { cloud, network, log, clock, state_dir } = options;
  const netns_dir = options.netns_dir ?? '/run/gantry/netns';
  const notes = createGuestNotes(join(state_dir, 'guests'));
  return {
    engine, cloud, network, log, clock,
    images: createImages({ engine, cloud, store: options.image_store, state_dir, log, clock }),
    made: createMadeContainers(join(state_dir, 'containers')),
    links: createNetnsLinks(netns_dir),
    disks: createDisks({ engine, dir: join(state_dir, 'disks'), limit: options.disk_limit ?? 'off', log }),
    drives: createConfigDrives(join(state_dir, 'config-drives')),
    volumes: createVolumes({ driver: options.volumes, dir: join(dirname(netns_dir), 'volumes'), cloud, claimed: () => claimedVolumes(notes) }),
    views: createViews({ dir: join(dirname(netns_dir), 'views'), cloud, clock, log }),
    oldRoots: createOldRoots(join(state_dir, 'rescue')),
    notes,
    moves: options.moves,
  };
}

export function createDockerDriver(options: DockerDriverOptions): DockerDriver {
  const { cloud, log } = options;
  if (!/^[a-z0-9][a-z0-9-]*$/.test(cloud)) throw new Error(`not usable as a name of a cloud: ${cloud}`);
  const engine = options.engine ?? createEngine({ socket_path: options.socket_path ?? '/var/run/docker.sock' });
  const ctx = driverContext(options, engine);
  const disks = options.disks === undefined ? undefined : createDiskConverter({ directory: join(options.state_dir, 'disks'), transport: options.disks, log });
  const captures = createCaptures({ ctx, dir: join(options.state_dir, 'captures'), send: options.layers ?? nowhere });
  const lock = createKeyedLock();
  const spawns = createGate(options.concurrent_spawns ?? 8);
  const orphans = createOrphans(ctx, lock);
  const endOrphans = (): Promise<void> => orphans.end().catch((error: unknown) => log.warn({ err: error }, 'what runs unknown to the engine could not be looked for'));
  const changes = watchChanges(ctx, (serverId) => lock.run(serverId, () => startRebooted(ctx, serverId)));
  void changes.ready.then(() => captures.thaw()).then(() => removeRemains(ctx, lock, endOrphans)).catch((error: unknown) => log.warn({ err: error }, 'what earlier guests left could not be removed'));

  return {
    ready: changes.ready,
    spawn: (spec) => lock.run(spec.server_id, () => spawns.run(() => spawnServer(ctx, spec))),
    power: (serverId, action) => lock.run(serverId, () => powerServer(ctx, serverId, action)),
    ...insideCalls(ctx, lock),
    resize: (serverId, limits) => lock.run(serverId, () => resizeServer(ctx, serverId, limits)),
    sendLayer: (serverId, path) => lock.run(serverId, () => sendLayer(ctx, serverId, path)),
    async destroy(serverId) {
      await captures.dropOf(serverId);
      await engineCall('stop the server', () => killServer(ctx, serverId));
      await lock.run(serverId, () => destroyServer(ctx, serverId));
    },
    inspect: (serverId) => engineCall('look at the server', () => reportServer(ctx, serverId)),
    async list() {
      const reports = await engineCall('list the servers', () => reportAll(ctx));
      void endOrphans();
      return reports;
    },
    consoleOutput: (serverId, lines) =>
      engineCall('read the console', async () => await readGuestConsole(ctx, await needContainer(ctx, serverId), lines)),
    openConsole: (serverId, request) => engineCall('open the console', () => openConsole(ctx, serverId, request)),
    sshDoor: (serverId) => engineCall('look at the server', () => sshDoor(ctx, serverId)),
    diagnostics: (serverId) => engineCall('read the diagnostics', () => readDiagnostics(ctx, serverId)),
    resources: () => engineCall('read the resources of the node', () => readResources(engine, options.host_ip)),
    ...imageCalls(ctx),
    async convertDisk(asked, tell) {
      if (disks === undefined) throw notImplemented('compute.disk-unsupported', 'This node converts no disk images.');
      return await disks.convert(asked, tell);
    },
    capture: (serverId, imageId) => captures.capture(serverId, imageId),
    sendCapture: (imageId) => captures.send(imageId),
    dropCapture: (imageId) => captures.drop(imageId),
    onChange: (listener) => changes.listen(listener),
    async close() {
      await captures.close();
      await disks?.close();
      changes.close();
      ctx.views.close();
      engine.close();
    },
  };
}

async function nowhere(): Promise<never> {
  throw notImplemented('compute.capture-unsupported', 'This node sends no layers.');
}

/** What is done with a guest that stays. */
function insideCalls(ctx: DriverContext, lock: KeyedLock): Pick<ComputeDriver, 'rescue' | 'unrescue' | 'signal' | 'setPasswords' | 'attachVolume' | 'detachVolume' | 'volumeExtended'> {
  return {
    attachVolume: (serverId, volume) => lock.run(serverId, () => engineCall('attach the volume', () => attachVolume(ctx, serverId, volume))),
    detachVolume: (serverId, volumeId, force) => lock.run(serverId, () => engineCall('detach the volume', () => detachVolume(ctx, serverId, volumeId, force))),
    volumeExtended: (serverId, volumeId) => lock.run(serverId, () => engineCall('enlarge the volume', () => volumeExtended(ctx, serverId, volumeId))),
    rescue: (spec) => lock.run(spec.server_id, () => rescueServer(ctx, spec)),
    unrescue: (serverId, how) => lock.run(serverId, () => unrescueServer(ctx, serverId, how)),
    signal: (serverId, signal) => signalGuest(ctx, serverId, signal),
    setPasswords: (serverId, passwords) => lock.run(serverId, () => setPasswords(ctx, serverId, passwords)),
  };
}

async function readGuestConsole({ engine }: DriverContext, guest: ContainerSummary, lines: number | undefined): Promise<string> {
  const { Config } = await engine.json<ContainerInspect>('GET', `/containers/${guest.Id}/json`);
  return await readConsole(engine, guest.Id, lines, { tty: Config.Tty });
}

async function readResources(engine: Engine, hostIp: string | undefined): Promise<HostResources> {
  const info = await engine.json<EngineInfo>('GET', '/info');
  return {
    ...(await readHost(info.DockerRootDir)),
    hypervisor_type: 'docker',
    hypervisor_version: versionNumber(info.ServerVersion),
    runtimes: extraRuntimes(Object.keys(info.Runtimes ?? {})),
    host_ip: hostIp ?? hostAddress(),
  };
}

const imageCalls = ({ images }: DriverContext): Pick<ComputeDriver, 'prefetch' | 'keptImages' | 'dropImage'> => ({
  prefetch: (image) => engineCall('fetch the image', () => images.ensure(image)),
  keptImages: () => engineCall('list the images', () => images.list()),
  dropImage: (image_id) => engineCall('remove the image', () => images.drop(image_id)),
});
