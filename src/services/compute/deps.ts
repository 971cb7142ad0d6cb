import type { Transaction } from 'kysely';
import type { PlannedNic } from '../network/client.ts';
import type { PasswordHash } from '../../agents/compute/protocol.ts';
import type { NodeLink } from '../../kernel/bus/node-link.ts';
import type { Auth } from '../../kernel/context.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../kernel/db/database.ts';
import type { Log } from '../../kernel/log/log.ts';
import type { BlockStorageClient } from '../block-storage/client.ts';
import type { IdentityClient } from '../identity/client.ts';
import type { ImageClient } from '../image/client.ts';
import type { NetworkClient } from '../network/client.ts';
import type { PlacementClient } from '../placement/client.ts';
import type { ComputeConfig } from './config.ts';
import type { BootImage } from './model/image-checks.ts';

/** The links to the nodes: `kernel/bus/node-link.ts`. */
export type ComputeNodes = Pick<NodeLink, 'call' | 'openStream' | 'expectStream' | 'handle' | 'isConnected' | 'onConnect' | 'onDisconnect' | 'onEvent' | 'nodes'>;

/** What a power task is to do, in the words of the API's actions. */
export type PowerTask = 'start' | 'stop' | 'reboot' | 'reboot-hard' | 'pause' | 'unpause' | 'suspend' | 'resume' | 'restore';

/** Who asked, for the log of the work. */
export interface RequestIds {
  readonly request_id: string;
  readonly global_request_id: string | undefined;
}

/** The long work that holds a server, by kind: what each wants to know beside whose server it is. */
export interface ServerTasks {
  boot: object;
  power: { what: PowerTask };
  /** Makes the queued image of the server; `rotation`: how many backups of that type there are to be then. */
  snapshot: { image_id: string; backup?: { type: string; rotation: number } };
  /** `stopped`: it is to be off afterwards, as it was before. */
  rebuild: { stopped: boolean };
  /** `was`: its vm_state before. */
  shelve: { image_id: string; was: string };
  offload: object;
  /** `offloaded`: it is on no node; `host`: the one that it may go to. */
  unshelve: { offloaded: boolean; host: string | null };
  /** `new_port_id`: of the port that is made when the plan names none. */
  'attach-interface': { nic: PlannedNic; new_port_id: string };
  'detach-interface': { port_id: string };
  'attach-volume': VolumeInput;
  'detach-volume': VolumeInput;
  password: { passwords: PasswordHash[] };
  /** `shell`: the image's shell instead of what it runs. */
  rescue: { image: BootImage; shell: boolean; passwords: PasswordHash[]; was_running: boolean };
  unrescue: object;
  /** A move too, which is a resize to the same flavor on another node. `host`: the one that it has to go to. */
  resize: MoveInput & { host: string | null };
  'confirm-resize': MoveInput;
  'revert-resize': MoveInput;
  /** `forced`: without asking the scheduler. `stopped`: it is not to run. */
  evacuate: MoveInput & { host: string | null; forced: boolean; stopped: boolean };
}

/** By the id of the block device mapping. */
interface VolumeInput {
  device_id: string;
  /** Who asked. */
  auth: Auth;
}

/** By the uuid of the migration. */
export interface MoveInput {
  migration: string;
}

export type ServerTaskKind = keyof ServerTasks;

export interface ServerTaskInput {
  server_id: string;
  /** The record of the call that asked for it. */
  action_id: string;
}

/**
 * Asks for long work, in the transaction of the change that wants it: it begins once that has committed.
 * Each server has at most one piece of work at a time; a second one is refused with 409.
 */
export interface ComputeTasks {
  /** @returns the task's id. */
  start<Kind extends ServerTaskKind>(tx: Transaction<any>, kind: Kind, input: ServerTaskInput & ServerTasks[Kind], ids: RequestIds): Promise<string>;
  /** For calls of the API that answer with what came out. @throws Fault what the task failed with. */
  ended(task_id: string): Promise<void>;
  /** Stops what runs and takes its place; `softly`: the server can be restored. */
  remove(tx: Transaction<any>, input: ServerTaskInput, ids: RequestIds, softly?: 'softly'): Promise<void>;
}

/** What jobs are built from: long work is asked for by the API only. */
export type JobDeps = Omit<ComputeDeps, 'tasks'>;

/** What every part of compute is built from: handed in by the composition root, nothing is global. */
export interface ComputeDeps {
  readonly db: Database<any>;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: ComputeConfig;
  readonly identity: IdentityClient;
  readonly image: ImageClient;
  readonly network: NetworkClient;
  readonly placement: PlacementClient;
  readonly volumes: BlockStorageClient;
  readonly nodes: ComputeNodes;
  readonly tasks: ComputeTasks;
}
