import type { Transaction } from 'kysely';
import type { NodeLink } from '../../kernel/bus/node-link.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../kernel/db/database.ts';
import type { Resolve } from '../../kernel/http/outbound.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { IdentityClient } from '../identity/client.ts';
import type { Hashing } from './model/registry/hash-pushed.ts';
import type { TicketBox } from './model/registry/tokens.ts';
import type { Uploads } from './model/registry/uploads.ts';
import type { BlobStore } from './store/blobs.ts';
import type { Scratch } from './store/scratch.ts';
import type { Staging } from './store/staging.ts';
import type { Stores } from './store/stores.ts';
import type { ImageConfig } from './config.ts';
import type { ImageTables } from './store/tables.ts';

/** What every part of the image service works with. */
export interface ImageDeps {
  db: Database<ImageTables>;
  /** The default store. */
  blobs: BlobStore;
  /** All of them, by the names that the API knows them by. */
  stores: Stores;
  staging: Staging;
  /** Files that are being written. */
  scratch: Scratch;
  limits: ImageLimits;
  /** Looks up the names that imports name. */
  resolve: Resolve;
  /** Who converts disk images; without them, none is. */
  nodes: ImageNodes | undefined;
  tasks: ImageTasks;
  clock: Clock;
  log: Log;
  config: ImageConfig;
}

/** What the registry works with beside. */
export interface RegistryDeps extends TaskDeps {
  identity: IdentityClient;
  tickets: TicketBox;
  hashing: Hashing;
  uploads: Uploads;
}

/** The links to the nodes: `kernel/bus/node-link.ts`. */
export type ImageNodes = Pick<NodeLink, 'call' | 'nodes' | 'onEvent'>;

/** What tasks are built from: long work is asked for by the API only. */
export type TaskDeps = Omit<ImageDeps, 'tasks'>;

/** What identity says a project may have; without a registered limit there is none. */
export interface ImageLimits {
  /** -1 or undefined: any number. */
  limitOf(project_id: string, resource: string): Promise<number | undefined>;
}

/** Asks for long work, in the transaction of the change that wants it. One at a time per image: else 409. */
export interface ImageTasks {
  import(tx: Transaction<any>, input: ImportInput, ids: RequestIds): Promise<void>;
  /** Makes the container form of a disk image. */
  convert(tx: Transaction<any>, image_id: string, ids: RequestIds): Promise<void>;
  /** Stops what is being done to an image. */
  cancel(tx: Transaction<any>, image_id: string): Promise<void>;
}

export interface RequestIds {
  readonly request_id: string;
  readonly global_request_id: string | undefined;
}

export type ImportMethod = 'glance-direct' | 'web-download' | 'copy-image';

/** What a task needs to know in order to fill an image. */
export interface ImportInput {
  /** Of the row in `image_tasks`. */
  task_id: string;
  image_id: string;
  method: ImportMethod;
  uri: string | null;
  stores: string[];
  all_stores_must_succeed: boolean;
  /** For the older task API: the image to be made first, as its creator would have sent it. */
  create: { owner: string; fields: Record<string, unknown> } | null;
}
