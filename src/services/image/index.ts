/** Glance: images, their data, and with whom they are shared. */
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import { imageDataEndpoints } from './api/image-data.ts';
import { imageEndpoints } from './api/images.ts';
import { imageMemberEndpoints } from './api/image-members.ts';
import { imageTagEndpoints } from './api/image-tags.ts';
import { infoEndpoints } from './api/info.ts';
import { schemaEndpoints } from './api/schemas.ts';
import { versionEndpoints } from './api/versions.ts';
import { IMAGE_PREFIX, type ImageClient } from './client.ts';
import type { ImageConfig } from './config.ts';
import { createImageClient } from './create-client.ts';
import type { ImageDeps } from './deps.ts';
import { formatFault } from './faults.ts';
import { collectGarbage } from './jobs/collect-garbage.ts';
import { imagePolicies } from './policies.ts';
import { createBlobStore } from './store/blobs.ts';
import { requeueSaving } from './store/images.ts';
import { migrations } from './store/migrations/index.ts';
import type { ImageTables } from './store/tables.ts';

export interface ImageServiceOptions {
  db: Database;
  clock: Clock;
  log: Log;
  config: ImageConfig;
  /** Where the blobs are kept. */
  directory: string;
}

export interface ImageService {
  service: Service;
  client: ImageClient;
  /** Forgets what a crash broke off. Before the first request. */
  start(): Promise<void>;
}

export async function createImageService(options: ImageServiceOptions): Promise<ImageService> {
  const blobs = await createBlobStore(join(options.directory, 'blobs'));
  const deps: ImageDeps = { ...options, db: as<ImageTables>(options.db), blobs };
  const service: Service = {
    name: 'image',
    prefix: IMAGE_PREFIX,
    endpoints: [
      ...versionEndpoints(), ...imageEndpoints(deps), ...imageDataEndpoints(deps), ...imageTagEndpoints(deps), ...imageMemberEndpoints(deps),
      ...schemaEndpoints(), ...infoEndpoints(),
    ],
    policies: imagePolicies,
    formatFault,
    tasks: [],
    jobs: [collectGarbage(deps)],
    migrations,
  };
  return {
    service,
    client: createImageClient(deps),
    async start() {
      await blobs.clearIncoming();
      await deps.db.transaction((tx) => requeueSaving(tx));
    },
  };
}
