/** Builds the services and hands each what it may use of the others. */
import { join } from 'node:path';
import type { NodeLink } from './kernel/bus/node-link.ts';
import type { Clock } from './kernel/clock.ts';
import type { Database } from './kernel/db/database.ts';
import type { Log } from './kernel/log/log.ts';
import type { Service } from './kernel/service.ts';
import type { Tasks } from './kernel/task/tasks.ts';
import type { CloudConfig } from './cloud-config.ts';
import { localUrl } from './kernel/config/config.ts';
import { createBlockStorageService } from './services/block-storage/index.ts';
import { consolePage } from './services/compute/console/page.ts';
import { createComputeService } from './services/compute/index.ts';
import { createIdentityService, type IdentityService } from './services/identity/index.ts';
import { createImageService } from './services/image/index.ts';
import { createNetworkService } from './services/network/index.ts';
import { createPlacementService } from './services/placement/index.ts';

/** What the catalogue lists, and under which path of the one port. */
const catalogue = [
  { type: 'identity', name: 'keystone', path: '/identity/v3' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'placement', name: 'placement', path: '/placement' },
  { type: 'network', name: 'neutron', path: '/networking' },
  { type: 'block-storage', name: 'cinder', path: '/volume/v3' },
  { type: 'volumev3', name: 'cinderv3', path: '/volume/v3' },
];

export interface Foundation {
  config: CloudConfig;
  log: Log;
  clock: Clock;
  db: Database;
  nodes: NodeLink;
  tasks: Tasks;
}

export interface CloudServices {
  services: Service[];
  identity: IdentityService;
  /** After the migrations, before the first request. */
  start(adminPassword: () => string): Promise<void>;
  stop(): Promise<void>;
}

/** What a project may have of the image service's resources, by identity's unified limits. */
const imageLimits = ({ client }: IdentityService) => ({
  limitOf: (project_id: string, resource_name: string) => client.limitOf({ service: 'image', resource_name, project_id }),
});

export async function buildServices({ config, log, clock, db, nodes, tasks }: Foundation): Promise<CloudServices> {
  const base = { db, log, clock };
  const secrets = join(config.cloud.data_dir, 'secrets');
  const identity = createIdentityService({
    ...base,
    config: { ...config.identity, fernet_keys: config.identity.fernet_keys || join(secrets, 'fernet-keys') },
    // not set by anybody: callers are shown the host that they asked
    public_url: config.api.public_url === localUrl(config.api) ? '' : config.api.public_url,
  });
  const image = await createImageService({ ...base, nodes, tasks, limits: imageLimits(identity), config: config.image, directory: join(config.cloud.data_dir, 'controller'), identity: identity.client, registry_key: join(secrets, 'registry-keys', 'tickets') });
  const placement = createPlacementService(base);
  const network = createNetworkService({ ...base, config: config.network, nodes, identity: identity.client });
  for (const [method, handler] of Object.entries(network.nodeHandlers)) nodes.handle(method, handler);
  const volumes = createBlockStorageService({
    ...base, config: config.block_storage, nodes, tasks, identity: identity.client, image: image.client,
    directory: join(config.cloud.data_dir, 'controller'), key_file: join(secrets, 'volume-keys', 'master'),
  });
  const compute = createComputeService({
    ...base, config: config.compute, nodes, tasks,
    identity: identity.client, image: image.client, network: network.client, placement: placement.client, volumes: volumes.client,
    ssh: { key_file: join(secrets, 'ssh-keys', 'gateway'), host: config.api.host },
  });
  volumes.onExtended((volume_id, server_id) => compute.volumeExtended(volume_id, server_id));
  return {
    services: [identity.service, image.service, ...image.registry, placement.service, network.service, compute.service, volumes.service, consolePage()],
    identity,
    async start(adminPassword) {
      await identity.bootstrap({ admin_password: adminPassword(), region: config.cloud.region, services: catalogue });
      await image.start();
      await volumes.start();
      await compute.start();
    },
    stop: () => compute.stop(),
  };
}
