/** Glance: images, their data, and with whom they are shared. */
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import { type Resolve, systemResolve } from '../../kernel/http/outbound.ts';
import type { Service } from '../../kernel/service.ts';
import type { IdentityClient } from '../identity/client.ts';
import type { Tasks } from '../../kernel/task/tasks.ts';
import { cacheEndpoints } from './api/cache.ts';
import { imageDataEndpoints } from './api/image-data.ts';
import { imageEndpoints } from './api/images.ts';
import { imageImportEndpoints } from './api/image-import.ts';
import { imageMemberEndpoints } from './api/image-members.ts';
import { imageTagEndpoints } from './api/image-tags.ts';
import { infoEndpoints } from './api/info.ts';
import { metadefEndpoints } from './api/metadefs/endpoints.ts';
import { schemaEndpoints } from './api/schemas.ts';
import { storeEndpoints } from './api/stores.ts';
import { taskEndpoints } from './api/tasks.ts';
import { versionEndpoints } from './api/versions.ts';
import { IMAGE_PREFIX, type ImageClient } from './client.ts';
import type { ImageConfig } from './config.ts';
import { createImageClient } from './create-client.ts';
import type { ImageDeps, ImageLimits, ImageNodes } from './deps.ts';
import { formatFault } from './faults.ts';
import { collectGarbage } from './jobs/collect-garbage.ts';
import { collectStores } from './jobs/collect-stores.ts';
import { convertWaiting } from './jobs/convert-waiting.ts';
import { fillCache } from './jobs/fill-cache.ts';
import { expireTasks } from './jobs/expire-tasks.ts';
import { createCacheFilling } from './model/cache.ts';
import { followConversions } from './model/conversion-progress.ts';
import { loadKnownDefinitions } from './model/metadefs/load-known.ts';
import { hashPushed } from './jobs/hash-pushed.ts';
import { createHashing } from './model/registry/hash-pushed.ts';
import { createTicketBox } from './model/registry/tokens.ts';
import { createUploads } from './model/registry/uploads.ts';
import { registryServices } from './registry-surface.ts';
import { recoverImages } from './model/recovery.ts';
import { imagePolicies } from './policies.ts';
import type { BlobStore } from './store/blobs.ts';
import { createFileBlobs } from './store/file-blobs.ts';
import { migrations } from './store/migrations/index.ts';
import { createScratch } from './store/scratch.ts';
import { createStaging } from './store/staging.ts';
import { checkStores, createStores } from './store/stores.ts';
import type { ImageTables } from './store/tables.ts';
import { imageTasks } from './tasks/index.ts';

export interface ImageServiceOptions {
  db: Database;
  clock: Clock;
  log: Log;
  config: ImageConfig;
  tasks: Tasks;
  /** What projects may have; without it, any number. */
  limits?: ImageLimits;
  /** Who converts disk images; without them, none is. */
  nodes?: ImageNodes;
  /** Looks up names; tests hand in one of their own. */
  resolve?: Resolve;
  /** Where the blobs are kept. */
  directory: string;
  identity: IdentityClient;
  /** Holds the key of the registry's tokens; made when missing. */
  registry_key: string;
}

export interface ImageService {
  service: Service;
  /** The same images for docker and its kin. */
  registry: Service[];
  client: ImageClient;
  /** Forgets what a crash broke off. Before the first request. */
  start(): Promise<void>;
}

async function openBlobs(config: ImageConfig, folder: string): Promise<BlobStore> {
  if (config.store === 'file') return createFileBlobs(folder);
  for (const name of ['s3_endpoint', 's3_bucket', 's3_access_key', 's3_secret_key'] as const) if (config[name] === '') throw new Error(`[image] ${name} is needed for store = "s3"`);
  if (!URL.canParse(config.s3_endpoint)) throw new Error('[image] s3_endpoint is no address like https://host:port');
  // its client takes 25 MiB: who does not use it does not load it
  const { createS3Blobs } = await import('./store/s3-blobs.ts');
  return createS3Blobs({ endpoint: config.s3_endpoint, region: config.s3_region, bucket: config.s3_bucket, prefix: config.s3_prefix, access_key: config.s3_access_key, secret_key: config.s3_secret_key });
}

const UNLIMITED: ImageLimits = { limitOf: async () => undefined };

export async function createImageService(options: ImageServiceOptions): Promise<ImageService> {
  const { db, clock, log, config, directory, tasks: engine, limits = UNLIMITED, resolve = systemResolve, nodes } = options;
  const folder = join(directory, 'blobs');
  const blobs = await openBlobs(config, folder);
  const stores = createStores({ id: config.store_name, blobs, folder: config.store === 'file' ? folder : undefined }, config.more_stores);
  await checkStores(stores);
  const staging = await createStaging(join(directory, 'staging'));
  const taskDeps = { clock, log, config, limits, resolve, nodes, db: as<ImageTables>(db), blobs, stores, staging, scratch: await createScratch(folder) };
  const { definitions, starter } = imageTasks(taskDeps, engine);
  const deps: ImageDeps = { ...taskDeps, tasks: starter };
  const hashing = createHashing(taskDeps);
  const filling = createCacheFilling(taskDeps);
  const uploads = createUploads(taskDeps);
  const registry = registryServices({ ...taskDeps, identity: options.identity, tickets: createTicketBox(options.registry_key), hashing, uploads });
  const service: Service = {
    name: 'image',
    prefix: IMAGE_PREFIX,
    endpoints: [
      ...versionEndpoints(), ...imageEndpoints(deps), ...imageDataEndpoints(deps), ...imageTagEndpoints(deps), ...imageMemberEndpoints(deps),
      ...schemaEndpoints(), ...metadefEndpoints(deps), ...infoEndpoints(deps), ...imageImportEndpoints(deps), ...storeEndpoints(deps), ...taskEndpoints(deps), ...cacheEndpoints(deps, filling),
    ],
    policies: imagePolicies,
    formatFault,
    tasks: definitions,
    jobs: [collectGarbage(deps, uploads), hashPushed(hashing), collectStores(deps), expireTasks(deps), convertWaiting(deps), fillCache(filling)],
    migrations,
  };
  return {
    service,
    registry,
    client: createImageClient(deps, hashing.poke),
    async start() {
      followConversions(taskDeps);
      await recoverImages(deps);
      await loadKnownDefinitions(deps);
    },
  };
}
