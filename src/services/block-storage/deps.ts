import type { Readable } from 'node:stream';
import type { Transaction } from 'kysely';
import type { NodeLink } from '../../kernel/bus/node-link.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Context } from '../../kernel/context.ts';
import type { Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { Tasks } from '../../kernel/task/tasks.ts';
import type { IdentityClient } from '../identity/client.ts';
import type { ImageClient } from '../image/client.ts';
import type { BlockStorageConfig } from './config.ts';
import type { BlockStorageTables } from './store/tables.ts';
import type { WorkInputs } from './work.ts';

/** What backups consist of, by chain and lower-case hex sha-256. */
export interface ChunkStore {
  /** @throws Fault 400 when the bytes are others. */
  put(chain: string, digest: string, body: Readable): Promise<void>;
  /** @throws Fault 404 */
  open(chain: string, digest: string): Promise<Readable>;
  /** Removes what no backup of the chain needs any more. */
  retain(chain: string, digests: ReadonlySet<string>): Promise<void>;
}

export type RequestIds = Pick<Context, 'request_id' | 'global_request_id'>;

/** Asks for long work, in the transaction of the change that wants it: it begins once that has committed. */
export interface Work {
  /** @returns the task's id. Faults: 409 something else is done with it. */
  start<Kind extends keyof WorkInputs>(tx: Transaction<any>, kind: Kind, input: WorkInputs[Kind], ids: RequestIds): Promise<string>;
}

/** What the tasks are built from. */
export interface TaskDeps {
  readonly db: Database<BlockStorageTables>;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: BlockStorageConfig;
  readonly image: ImageClient;
  readonly nodes: Pick<NodeLink, 'call' | 'isConnected'>;
  readonly chunks: ChunkStore;
  readonly engine: Pick<Tasks, 'whenSettled' | 'listOf' | 'cancel'>;
  /** The key that a volume is encrypted with, hex. */
  keyOf(encryption_key_id: string, bits: number): string;
  /** A volume in use has grown: its servers should know. */
  extended(volume_id: string, server_id: string): Promise<void>;
}

/** What every part of block storage is built from: handed in by the composition root, nothing is global. */
export interface BlockStorageDeps extends TaskDeps {
  readonly identity: IdentityClient;
  readonly work: Work;
}
