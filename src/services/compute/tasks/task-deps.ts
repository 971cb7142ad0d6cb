import type { KeyedLock } from '../../../kernel/locks.ts';
import type { TaskError } from '../../../kernel/task/define.ts';
import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { ComputeDeps } from '../deps.ts';
import type { BuildFailures } from '../model/build-failures.ts';
import type { ServerFault } from '../model/server-row.ts';

/** What the tasks are built from. */
export interface TaskDeps extends Omit<ComputeDeps, 'tasks'> {
  readonly engine: Pick<Tasks, 'whenSettled' | 'listOf'>;
  readonly failures: BuildFailures;
  /** Servers of one group are placed one after the other: each sees where the others went. */
  readonly turns: KeyedLock;
  /** Work on a server has ended: what its node told meanwhile counts now. */
  settled(server_id: string): void;
}

/** The lock that boots and power changes of a server share. */
export const serverResource = (server_id: string): string => `server:${server_id}`;
/** Deleting has a lock of its own: it begins by stopping what holds the other ones. */
export const deletionResource = (server_id: string): string => `server:${server_id}:delete`;
/** So has a deletion that can be taken back. */
export const softDeletionResource = (server_id: string): string => `server:${server_id}:soft-delete`;

/** Who holds the image of a server on the shelf. */
export const shelfOf = (server_id: string): string => `shelved:${server_id}`;

/** What a server shows after work on it has failed: what users may know is the message, the rest is for administrators. */
export function taskFault(error: TaskError, undone: string, created: string): ServerFault {
  const message = error.public ? error.message : `${undone}: an unexpected error.`;
  return { code: error.status < 400 ? 500 : error.status, message, created, details: error.public ? (error.detail ?? null) : `${error.step}: ${error.message}` };
}
