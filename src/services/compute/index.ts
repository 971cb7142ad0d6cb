/** Compute v2.1: servers, and all that it takes to run them on the nodes. */
import type { GuestReport, MetadataRequest } from '../../agents/compute/protocol.ts';
import { computeMethods } from '../../agents/compute/protocol.ts';
import type { ConnectedNode } from '../../kernel/bus/node-link.ts';
import { createKeyedLock } from '../../kernel/locks.ts';
import type { Service } from '../../kernel/service.ts';
import type { Tasks } from '../../kernel/task/tasks.ts';
import { computeEndpoints } from './api/index.ts';
import { consoleSocket } from './console/socket.ts';
import { volumeAttachmentPolicies } from './api/volume-attachments.ts';
import { layerRelayEndpoints } from './api/layer-relay.ts';
import { resourcePolicies } from './api/resources.ts';
import type { ComputeDeps, JobDeps } from './deps.ts';
import { formatFault, invalidInput } from './faults.ts';
import { offloadShelvedJob } from './jobs/offload-shelved.ts';
import { createNicRefresh } from './jobs/refresh-nics.ts';
import { removeConsoleTokensJob } from './jobs/remove-console-tokens.ts';
import { createMetadataService } from './model/metadata/serve.ts';
import { reclaimServersJob } from './jobs/reclaim-servers.ts';
import { releaseAllocationsJob } from './jobs/release-allocations.ts';
import { releaseStuckServersJob } from './jobs/release-stuck-servers.ts';
import { confirmResizesJob } from './jobs/settle-moves.ts';
import { createPowerSync, type PowerSync } from './jobs/sync-power-state.ts';
import { nodeLeft, takeInventory, takeInventoryJob } from './jobs/take-inventory.ts';
import { createBuildFailures } from './model/build-failures.ts';
import { createLayerRelay } from './model/layer-relay.ts';
import { serverPolicies } from './policies.ts';
import { migrations } from './store/migrations/index.ts';
import { type SshOptions, sshDoorkeeper } from './ssh/doorkeeper.ts';
import { volumeExtended } from './model/volume-extended.ts';
import { computeTasks } from './tasks/index.ts';
import { computeVersions } from './versions.ts';

export type ComputeServiceDeps = JobDeps & {
  readonly tasks: Tasks;
  /** Without it nobody is let in by ssh. */
  readonly ssh?: SshOptions;
};

export interface ComputeService {
  service: Service;
  /** Listens to nodes and networking from now on. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A volume of a server has grown: its guest is told. */
  volumeExtended(volume_id: string, server_id: string): Promise<void>;
}

export function createComputeService(deps: ComputeServiceDeps): ComputeService {
  const { tasks: engine, ssh, ...rest } = deps;
  const sync = createPowerSync(rest);
  const relay = createLayerRelay();
  const taskDeps = { ...rest, engine, settled: sync.settled, relay, failures: createBuildFailures(), turns: createKeyedLock() };
  const { definitions, starter } = computeTasks(taskDeps, engine);
  const all: ComputeDeps = { ...rest, tasks: starter };
  const metadata = createMetadataService(rest);
  deps.nodes.handle(computeMethods.metadata, (node, request: MetadataRequest) => metadata(node.id, request));
  const service: Service = {
    name: 'compute',
    prefix: '/compute',
    microversions: computeVersions,
    endpoints: [...computeEndpoints(all), ...layerRelayEndpoints(relay)],
    policies: [...serverPolicies, ...volumeAttachmentPolicies, ...resourcePolicies],
    formatFault,
    invalid: invalidInput,
    requestIdHeaders: ['x-compute-request-id'],
    tasks: definitions,
    jobs: [sync.job, takeInventoryJob(rest), releaseAllocationsJob(rest), releaseStuckServersJob(taskDeps, starter), reclaimServersJob(rest, starter), offloadShelvedJob(rest, starter), confirmResizesJob(all), removeConsoleTokensJob(rest)],
    migrations,
    sockets: [consoleSocket(rest)],
  };
  const wires = listeners(rest, sync);
  const doorkeeper = ssh === undefined ? undefined : sshDoorkeeper(rest, ssh);
  return {
    service,
    async volumeExtended(volume_id, server_id) {
      await volumeExtended(rest, volume_id, server_id);
    },
    async start() {
      await wires.start();
      await doorkeeper?.start();
    },
    async stop() {
      await doorkeeper?.stop();
      await wires.stop();
    },
  };
}

/** The wires from nodes and networking, joined at start and cut at stop. */
function listeners(deps: JobDeps, sync: PowerSync): Pick<ComputeService, 'start' | 'stop'> {
  const cuts: (() => void)[] = [];
  const nics = createNicRefresh(deps);
  const running = new Set<Promise<void>>();
  const isCompute = (node: ConnectedNode): boolean => node.roles.includes('compute');

  function background(what: string, node_id: string, work: () => Promise<unknown>): void {
    const done = work()
      .then(() => {})
      .catch((error: unknown) => deps.log.warn({ err: error, node_id }, what))
      .finally(() => running.delete(done));
    running.add(done);
  }

  async function arrived(node: ConnectedNode): Promise<void> {
    await takeInventory(deps, node);
    await sync.syncNode(node.id);
  }

  return {
    async start() {
      cuts.push(
        deps.nodes.onConnect((node) => isCompute(node) && background('a new node could not be looked at', node.id, () => arrived(node))),
        deps.nodes.onDisconnect((node) => isCompute(node) && background('a node that left could not be noted', node.id, () => nodeLeft(deps, node.id))),
        deps.nodes.onEvent((node, event, params: GuestReport) => {
          if (event === computeMethods.changed) background('what a node told could not be used', node.id, () => sync.reported(node.id, params));
        }),
      );
      deps.network.onServerNicsChanged((server_id) => nics.changed(server_id));
    },
    async stop() {
      for (const cut of cuts.splice(0)) cut();
      await Promise.allSettled(running);
      await nics.idle();
    },
  };
}
