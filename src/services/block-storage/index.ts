/** Block storage v3: volumes, and all that is made of them. */
import { join } from 'node:path';
import { volumeMethods, type BackendReport } from '../../agents/volume/protocol.ts';
import type { NodeLink } from '../../kernel/bus/node-link.ts';
import type { Clock } from '../../kernel/clock.ts';
import { as, type Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Service } from '../../kernel/service.ts';
import type { Tasks } from '../../kernel/task/tasks.ts';
import type { IdentityClient } from '../identity/client.ts';
import type { ImageClient } from '../image/client.ts';
import { blockStorageEndpoints, blockStoragePolicies } from './api/index.ts';
import type { BlockStorageClient } from './client.ts';
import type { BlockStorageConfig } from './config.ts';
import { createBlockStorageClient } from './create-client.ts';
import type { BlockStorageDeps, TaskDeps } from './deps.ts';
import { formatFault, invalidInput } from './faults.ts';
import { sweepJob } from './jobs/sweep.ts';
import { saveReport } from './model/backends.ts';
import { keyMaker } from './model/keys.ts';
import { ensureDefaultType } from './model/types.ts';
import { createChunkStore } from './store/chunks.ts';
import { migrations } from './store/migrations/index.ts';
import type { BlockStorageTables } from './store/tables.ts';
import { blockStorageTasks } from './tasks/index.ts';
import { blockStorageVersions } from './versions.ts';

export interface BlockStorageOptions {
  db: Database;
  clock: Clock;
  log: Log;
  config: BlockStorageConfig;
  identity: IdentityClient;
  image: ImageClient;
  nodes: Pick<NodeLink, 'call' | 'isConnected' | 'handle'>;
  tasks: Tasks;
  /** Of the controller's own files. */
  directory: string;
  /** From which the keys of encrypted volumes follow. */
  key_file: string;
}

export interface BlockStorageService {
  service: Service;
  client: BlockStorageClient;
  /** Compute, which is built later: a volume in use has grown. */
  onExtended(listener: (volume_id: string, server_id: string) => Promise<void>): void;
  start(): Promise<void>;
}

export function createBlockStorageService({ tasks, directory, key_file, identity, ...rest }: BlockStorageOptions): BlockStorageService {
  let extended = async (_volume_id: string, _server_id: string): Promise<void> => {};
  const taskDeps: TaskDeps = {
    ...rest, db: as<BlockStorageTables>(rest.db), engine: tasks, chunks: createChunkStore(join(directory, 'backups')), keyOf: keyMaker(key_file),
    extended: (volume_id, server_id) => extended(volume_id, server_id),
  };
  const { definitions, work } = blockStorageTasks(taskDeps, tasks);
  const deps: BlockStorageDeps = { ...taskDeps, identity, work };
  rest.nodes.handle(volumeMethods.report, (node, { backends }: { backends: BackendReport[] }) => saveReport(deps, node, backends));
  const service: Service = {
    name: 'block-storage',
    prefix: '/volume',
    microversions: blockStorageVersions,
    endpoints: blockStorageEndpoints(deps),
    policies: blockStoragePolicies,
    formatFault,
    invalid: invalidInput,
    requestIdHeaders: ['x-compute-request-id'],
    rewrite: withoutProject,
    tasks: definitions,
    jobs: [sweepJob(deps)],
    migrations,
  };
  return {
    service,
    client: createBlockStorageClient(deps),
    onExtended(listener) {
      extended = listener;
    },
    start: () => ensureDefaultType(deps),
  };
}

/** `/v3/<project>/volumes` is `/v3/volumes`: whose they are, the token says. */
const withoutProject = (path: string): string => path.replace(/^\/volume\/v3\/(?:[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\//, '/volume/v3/');
