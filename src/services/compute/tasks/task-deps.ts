import type { Tasks } from '../../../kernel/task/tasks.ts';
import type { ComputeDeps } from '../deps.ts';

/** What the tasks are built from. */
export interface TaskDeps extends Omit<ComputeDeps, 'tasks'> {
  readonly engine: Pick<Tasks, 'whenSettled' | 'listOf'>;
  /** Work on a server has ended: what its node told meanwhile counts now. */
  settled(server_id: string): void;
}

/** The lock that boots and power changes of a server share. */
export const serverResource = (server_id: string): string => `server:${server_id}`;
/** Deleting has a lock of its own: it begins by stopping what holds the other one. */
export const deletionResource = (server_id: string): string => `server:${server_id}:delete`;
