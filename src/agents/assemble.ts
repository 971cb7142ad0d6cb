import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connectToController, type AgentLink, type AgentLinkOptions } from '../kernel/bus/agent-link.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log/log.ts';
import { imageStore } from './image-store.ts';
import { createDockerDriver } from './compute/drivers/docker/index.ts';
import { createFakeDriver } from './compute/drivers/fake/index.ts';
import { hostAddress } from './compute/host.ts';
import { createDiskTransport, layerSender } from './compute/disk/transport.ts';
import { keepSshDoors, type SshDoors } from './compute/ssh-doors.ts';
import { type ComputeDriver, computeMethods, type MetadataReply } from './compute/protocol.ts';
import { computeHandlers } from './compute/serve.ts';
import { createFakeNetworkDriver } from './network/drivers/fake/index.ts';
import { createLinuxNetworkDriver } from './network/drivers/linux/index.ts';
import type { MetadataNetworks } from './network/drivers/linux/metadata.ts';
import { createMetadataProxy } from './network/metadata/proxy.ts';
import { networkMethods, type NetworkDriver, type NodeNetworkState } from './network/protocol.ts';
import { networkHandlers, type NetworkService } from './network/serve.ts';
import { reportCompute } from './report-compute.ts';
import { reportVolume } from './report-volume.ts';
import { imageWriter } from './volume-images.ts';
import { createFileVolumeDriver } from './volume/drivers/file/index.ts';
import { createFakeVolumeDriver } from './volume/drivers/fake/index.ts';
import { chunkPath, type VolumeDriver } from './volume/protocol.ts';
import { volumeHandlers } from './volume/serve.ts';

export interface AgentOptions {
  /** `ws://` or `wss://`. */
  controller_url: string;
  /** Holds id and key of the node; made when missing. */
  identity_file: string;
  /** Needed until the node has joined. */
  join_token?: string;
  /** PEM file of the authority behind a `wss://` controller. */
  ca_file?: string;
  hostname: string;
  roles: ('compute' | 'network' | 'volume')[];
  /** Name of the cloud on this host. */
  cloud: string;
  docker_socket: string;
  /** Whether the size of a flavor's disk is enforced. */
  disk_limit?: 'auto' | 'off';
  state_dir: string;
  tunnel_ip?: string;
  drivers: { compute: 'docker' | 'fake'; network: 'linux' | 'fake'; volume?: 'file' | 'fake' };
  /** Holds the volumes of the driver `file`; below `state_dir` when missing. */
  volume_dir?: string;
  log: Log;
  backoff?: NonNullable<AgentLinkOptions['backoff']>;
}

export interface Agent {
  readonly node_id: string;
  readonly link: AgentLink;
  /** Undefined without the role `compute`. */
  readonly compute: ComputeDriver | undefined;
  readonly network: NetworkDriver;
  /** Undefined without the role `volume`. */
  readonly volume: VolumeDriver | undefined;
  /** Leaves guests, cables and rules as they are. */
  close(): Promise<void>;
}

/** Builds the drivers and links them to the controller. @throws Error when the identity or an option is of no use. */
export function startAgent(options: AgentOptions): Agent {
  const { log } = options;
  // The drivers fetch by the link, and the link calls the drivers: one of them has to be made first.
  let link: AgentLink | undefined;
  const linked = (): AgentLink => {
    if (link === undefined) throw new Error('the agent is not linked yet');
    return link;
  };
  const { network, metadata } = createNetwork(options);
  const volume = options.roles.includes('volume') ? createVolume(options, linked) : undefined;
  const compute = options.roles.includes('compute') ? createCompute(options, network, linked, volume) : undefined;
  let converging: NetworkService | undefined;
  let doors: SshDoors | undefined;
  const telling = metadata && createMetadataProxy({ networks: metadata, ask: (request) => linked().call<MetadataReply>(computeMethods.metadata, request, { timeout_ms: 15_000 }), log: log.child({ part: 'metadata' }) });
  link = connectToController({
    url: options.controller_url,
    identityFile: options.identity_file,
    ...(options.join_token !== undefined && { joinToken: options.join_token }),
    ...(options.ca_file !== undefined && { caFile: options.ca_file }),
    ...(options.tunnel_ip !== undefined && { tunnel_ip: options.tunnel_ip }),
    ...(options.backoff !== undefined && { backoff: options.backoff }),
    hostname: options.hostname,
    host_ip: hostAddress(),
    roles: options.roles,
    handlers: {
      ...(compute !== undefined && computeHandlers(behindDoors(compute, () => doors), (event, params) => void link?.emit(event, params), (stream_id) => linked().openStream(stream_id))),
      ...(volume !== undefined && volumeHandlers(volume, (path, body) => linked().send(path, body))),
      [networkMethods.poke]: (params) => converging?.handlers[networkMethods.poke]?.(params),
    },
    log,
  });
  link.onConnect(() => {
    // The first state is asked for only when there is someone to ask.
    if (converging === undefined) converging = converge(network, linked(), log);
    else void converging.poke();
  });
  const stopReporting = compute === undefined ? () => {} : reportCompute({ driver: compute, link, hostname: options.hostname, log });
  if (compute !== undefined) doors = keepSshDoors({ driver: compute, link, log });
  const stopReportingVolumes = volume === undefined ? () => {} : reportVolume({ driver: volume, link, log });
  return {
    node_id: link.node_id,
    link,
    compute,
    network,
    volume,
    async close() {
      stopReporting();
      stopReportingVolumes();
      doors?.close();
      await telling?.close();
      await linked().close();
      await converging?.close();
      await compute?.close();
      await volume?.stop();
      await network.close();
    },
  };
}

function createNetwork({ drivers, cloud, log, tunnel_ip }: AgentOptions): { network: NetworkDriver; metadata?: MetadataNetworks } {
  if (drivers.network === 'fake') return { network: createFakeNetworkDriver() };
  const network = createLinuxNetworkDriver({ cloud, log: log.child({ part: 'network' }), ...(tunnel_ip !== undefined && { tunnel_ip }) });
  return { network, metadata: network.metadata };
}

function createVolume({ drivers, state_dir, volume_dir }: AgentOptions, linked: () => AgentLink): VolumeDriver {
  const { archive } = imageStore(linked);
  const chunk = (chain: string, digest: string): Promise<Readable> => linked().fetch(chunkPath(chain, digest));
  if (drivers.volume === 'file') return createFileVolumeDriver({ dir: volume_dir ?? join(state_dir, 'volumes'), writeImage: imageWriter(archive), chunk });
  return createFakeVolumeDriver({ image: archive, chunk });
}

function createCompute(options: AgentOptions, network: NetworkDriver, linked: () => AgentLink, volumes: VolumeDriver | undefined): ComputeDriver {
  const { drivers, cloud, docker_socket, disk_limit, state_dir, log } = options;
  if (drivers.compute === 'fake') return withCables(createFakeDriver({ clock: systemClock, resources: { hostname: options.hostname }, layers: layerSender(linked) }), network);
  return createDockerDriver({
    socket_path: docker_socket,
    ...(volumes !== undefined && { volumes }),
    ...(disk_limit !== undefined && { disk_limit }),
    cloud,
    network,
    image_store: imageStore(linked),
    disks: createDiskTransport(linked),
    layers: layerSender(linked),
    moves: { send: (path, body) => linked().send(path, body), fetch: (path) => linked().fetch(path) },
    state_dir,
    clock: systemClock,
    log: log.child({ part: 'compute' }),
    host_ip: hostAddress(),
  });
}

/** Nobody listens in a server's place while another guest takes its place. */
function behindDoors(driver: ComputeDriver, doors: () => SshDoors | undefined): ComputeDriver {
  return { ...driver, spawn: (spec) => doors()?.whileSpawning(spec.server_id, () => driver.spawn(spec)) ?? driver.spawn(spec) };
}

/** Fake guests have their cables plugged as real ones have. */
function withCables(driver: ComputeDriver, network: NetworkDriver): ComputeDriver {
  return {
    ...driver,
    async spawn(spec) {
      await network.plug(spec.server_id, spec.network);
      try {
        return await driver.spawn(spec);
      } catch (error) {
        await network.unplug(spec.server_id);
        throw error;
      }
    },
    async destroy(server_id) {
      await driver.destroy(server_id);
      await network.unplug(server_id);
    },
  };
}

function converge(network: NetworkDriver, link: AgentLink, log: Log): NetworkService {
  return networkHandlers(
    network,
    {
      fetchDesired: () => link.call<NodeNetworkState>(networkMethods.desired, {}, { timeout_ms: 30_000 }),
      report: async (ports) => void (await link.call(networkMethods.report, { ports }, { timeout_ms: 30_000 })),
    },
    { log: log.child({ part: 'network' }) },
  );
}
