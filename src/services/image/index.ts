/** Glance: images, their data, and with whom they are shared. */
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import { conflict } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import { imageDataEndpoints } from './api/image-data.ts';
import { imageEndpoints } from './api/images.ts';
import { imageMemberEndpoints } from './api/image-members.ts';
import { imageTagEndpoints } from './api/image-tags.ts';
import { infoEndpoints } from './api/info.ts';
import { schemaEndpoints } from './api/schemas.ts';
import { versionEndpoints } from './api/versions.ts';
import type { ImageClient } from './client.ts';
import type { ImageConfig } from './config.ts';
import type { ImageDeps } from './deps.ts';
import { formatFault, imageNotFound } from './faults.ts';
import { collectGarbage } from './jobs/collect-garbage.ts';
import { getImage } from './model/images.ts';
import { imageInfo } from './model/view.ts';
import { imagePolicies } from './policies.ts';
import { createBlobStore } from './store/blobs.ts';
import { findImage, requeueSaving } from './store/images.ts';
import { createImages } from './store/migrations/1-images.ts';
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
    prefix: '/image',
    endpoints: [
      ...versionEndpoints(), ...imageEndpoints(deps), ...imageDataEndpoints(deps), ...imageTagEndpoints(deps), ...imageMemberEndpoints(deps),
      ...schemaEndpoints(), ...infoEndpoints(),
    ],
    policies: imagePolicies,
    formatFault,
    tasks: [],
    jobs: [collectGarbage(deps)],
    migrations: [createImages],
  };
  return {
    service,
    client: createClient(deps),
    async start() {
      await blobs.clearIncoming();
      await deps.db.transaction((tx) => requeueSaving(tx));
    },
  };
}

function createClient(deps: ImageDeps): ImageClient {
  return {
    async getImage(auth, id) {
      const eyes = { project_id: auth.project_id, is_admin: auth.roles.includes('admin') };
      return imageInfo(await getImage(deps, eyes, id));
    },
    async openData(id) {
      const row = await findImage(deps.db.read, id);
      if (!row) throw imageNotFound(id);
      if (row.digest === null || row.size === null) throw conflict('image.no-data', `Image ${id} has no data yet.`);
      return { stream: deps.blobs.open(row.digest), size: row.size, digest: row.digest };
    },
  };
}
