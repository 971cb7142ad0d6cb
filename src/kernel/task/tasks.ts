import type { Transaction } from 'kysely';
import { isoMicros, type Clock } from '../clock.ts';
import { as, asTransaction, onCommit, type Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/errors.ts';
import { conflict, notFound, unavailable } from '../fault.ts';
import { uuid } from '../ids.ts';
import type { Log } from '../log/log.ts';
import type { TaskDefinition, TaskError } from './define.ts';
import { lanes } from './lanes.ts';
import { progressRecorder } from './record.ts';
import { letGo, takeOver } from './recover.ts';
import { cancelLive, liveTask, runTask, TaskLeft, type LiveTask, type RunOptions } from './run.ts';
import {
  deleteSettled,
  findTask,
  insertTask,
  isActive,
  listByResource,
  listByState,
  listEvents,
  listStuck,
  markCancelled,
  reviveStuck,
  type TaskRow,
  type TaskState,
  type TaskTables,
} from './store.ts';
import { settlements } from './settlements.ts';

export interface TaskOptions {
  db: Database;
  log: Log;
  clock: Clock;
  /** No other process uses this database: what earlier ones left is taken over at once. */
  exclusive: boolean;
  /** ms */
  lease_ms?: number;
  heartbeat_ms?: number;
  /** ms before attempt + 1 */
  retryDelay?: (attempt: number) => number;
  undo_attempts?: number;
}

export interface StartOptions<I> {
  /** The lock: `server:<id>`. */
  resource: string;
  input: I;
  request_id: string;
  global_request_id?: string | undefined;
}

export interface TaskView {
  id: string;
  kind: string;
  resource: string;
  state: TaskState;
  error: TaskError | undefined;
  request_id: string;
  created_at: string;
  updated_at: string;
  settled_at: string | null;
}

export interface Tasks {
  /** Makes the kinds known; before `run`, which resumes only what it knows. */
  register(...definitions: TaskDefinition<any, any>[]): void;
  /** Takes over what was left unfinished and begins to run tasks. Returns how many were resumed. */
  run(): Promise<number>;
  /**
   * Writes the task down with the caller's change; it begins when that commits. Returns its id.
   * Throws Fault 409 `task.resource-busy` (which dooms the transaction) while another task has the resource.
   */
  start<I>(tx: Transaction<any>, definition: TaskDefinition<I, any>, options: StartOptions<I>): Promise<string>;
  /** Asks the resource's running task to stop at its next step and undo; its id, or undefined when none is running. */
  cancel(tx: Transaction<any>, resource: string): Promise<string | undefined>;
  /** Resolves when the task is done, failed or stuck; rejects with Fault 404 or, when this process stops, 503. */
  whenSettled(id: string): Promise<TaskView>;
  find(id: string): Promise<TaskView | undefined>;
  /** Newest first. */
  listOf(resource: string, limit?: number): Promise<TaskView[]>;
  /** Oldest first. */
  listStuck(limit?: number): Promise<TaskView[]>;
  /** Undoes on. False when the task isn't stuck; Fault 409 while another has the resource. */
  retryStuck(id: string): Promise<boolean>;
  /** Deletes settled tasks older than that, but no stuck ones; returns how many. */
  prune(before: Date): Promise<number>;
  /** Begins nothing new, lets the steps that run end for up to `grace_ms`; the rest is resumed by the next process. */
  stop(grace_ms?: number): Promise<void>;
  /** Lets go at once and writes nothing more, as a crash does: for tests. */
  crash(): void;
}

export function createTasks(options: TaskOptions): Tasks {
  return new TaskEngine(options);
}

const PRUNED_AT_ONCE = 500;

class TaskEngine implements Tasks {
  readonly #options: TaskOptions;
  readonly #run: RunOptions;
  readonly #db: Database<TaskTables>;
  readonly #owner = uuid();
  readonly #kinds = new Map<string, TaskDefinition>();
  readonly #live = new Map<string, LiveTask>();
  readonly #lanes = lanes();
  readonly #settled = settlements();
  readonly #stopping = new AbortController();
  readonly #crashed = new AbortController();
  #running = false;
  #beat: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;

  constructor(options: TaskOptions) {
    this.#options = options;
    this.#db = as<TaskTables>(options.db);
    this.#run = {
      db: options.db,
      log: options.log,
      clock: options.clock,
      owner: this.#owner,
      record: progressRecorder(options.db, options.log, this.#crashed.signal),
      stopping: this.#stopping.signal,
      retryDelay: options.retryDelay ?? defaultDelay,
      undo_attempts: options.undo_attempts ?? 8,
    };
  }

  register(...definitions: TaskDefinition<any, any>[]): void {
    for (const definition of definitions) {
      if (this.#kinds.has(definition.kind)) throw new Error(`task ${definition.kind} is registered twice`);
      this.#kinds.set(definition.kind, definition);
    }
  }

  async run(): Promise<number> {
    const rows = await takeOver(this.#ownership(), this.#options.exclusive);
    this.#running = true;
    for (const row of rows) await this.#resume(row);
    // Alone, nobody takes anything from us, nor leaves anything to us.
    if (!this.#options.exclusive) this.#beat = setInterval(() => this.#heartbeat(), this.#options.heartbeat_ms ?? 5_000).unref();
    return rows.length;
  }

  async start<I>(tx: Transaction<any>, definition: TaskDefinition<I, any>, options: StartOptions<I>): Promise<string> {
    const known = this.#kinds.get(definition.kind);
    if (known === undefined) throw new Error(`task ${definition.kind} is not registered`);
    if (!this.#running) throw new Error('tasks can be started after Tasks.run only');
    if (this.#stopping.signal.aborted) throw unavailable('task.stopping', 'The service is stopping. Try again later.');
    const row = newRow(uuid(), definition.kind, options, this.#owner, isoMicros(this.#options.clock.now()));
    await asBusy(insertTask(asTransaction<TaskTables>(tx), row));
    onCommit(tx, () => this.#enqueue(liveTask(row, [], known)));
    return row.id;
  }

  async cancel(tx: Transaction<any>, resource: string): Promise<string | undefined> {
    const id = await markCancelled(asTransaction<TaskTables>(tx), resource, this.#options.clock.now());
    if (id === undefined) return undefined;
    onCommit(tx, () => {
      const task = this.#live.get(id);
      if (task !== undefined) cancelLive(task);
    });
    return id;
  }

  async whenSettled(id: string): Promise<TaskView> {
    // Waited for before it is looked up, lest it settle in between.
    const settled = this.#settled.wait(id);
    // It may reject while the row is looked up.
    settled.catch(() => {});
    const row = await findTask(this.#db.read, id);
    if (row === undefined) this.#settled.reject(id, notFound('task.not-found', `There is no task ${id}.`));
    else if (!isActive(row.state)) this.#settled.resolve(id, toView(row));
    else if (this.#stopping.signal.aborted) this.#settled.reject(id, stoppedFault());
    return await settled;
  }

  async find(id: string): Promise<TaskView | undefined> {
    const row = await findTask(this.#db.read, id);
    return row === undefined ? undefined : toView(row);
  }

  async listOf(resource: string, limit = 100): Promise<TaskView[]> {
    return (await listByResource(this.#db.read, resource, limit)).map(toView);
  }

  async listStuck(limit = 100): Promise<TaskView[]> {
    return (await listStuck(this.#db.read, limit)).map(toView);
  }

  async retryStuck(id: string): Promise<boolean> {
    const row = await this.#db.transaction((tx) => asBusy(reviveStuck(tx, id, this.#owner, this.#options.clock.now())));
    if (row !== undefined) await this.#resume(row);
    return row !== undefined;
  }

  async prune(before: Date): Promise<number> {
    for (let total = 0; ; ) {
      const deleted = await this.#db.transaction((tx) => deleteSettled(tx, before, PRUNED_AT_ONCE));
      total += deleted;
      if (deleted < PRUNED_AT_ONCE) return total;
    }
  }

  async stop(grace_ms = 10_000): Promise<void> {
    this.#quiesce();
    const hard = setTimeout(() => this.crash(), grace_ms);
    await this.#lanes.idle();
    await this.#beating;
    clearTimeout(hard);
    this.#settled.rejectAll(stoppedFault());
    if (!this.#crashed.signal.aborted) await letGo(this.#ownership());
  }

  crash(): void {
    this.#quiesce();
    this.#crashed.abort(new TaskLeft('the process stops'));
    this.#lanes.abandon();
  }

  #quiesce(): void {
    clearInterval(this.#beat);
    this.#stopping.abort(new TaskLeft('the process stops'));
    this.#lanes.close();
    for (const task of this.#live.values()) task.abort.abort(this.#stopping.signal.reason);
  }

  #ownership(): Parameters<typeof takeOver>[0] {
    const { db, clock, lease_ms = 20_000 } = this.#options;
    return { db, clock, owner: this.#owner, lease_ms };
  }

  async #resume(row: TaskRow): Promise<void> {
    if (this.#live.has(row.id)) return;
    const definition = this.#kinds.get(row.kind);
    if (definition === undefined) {
      this.#options.log.error({ task_id: row.id, task: row.kind }, 'a task can not be resumed: its kind is unknown');
      return;
    }
    this.#enqueue(liveTask(row, await listEvents(this.#db.read, row.id), definition));
  }

  #enqueue(task: LiveTask): void {
    this.#live.set(task.id, task);
    this.#lanes.add(task.definition.kind, task.definition.concurrency, () => this.#runOne(task));
  }

  async #runOne(task: LiveTask): Promise<void> {
    const started = performance.now();
    try {
      await runTask(task, this.#run);
    } catch (error) {
      this.#live.delete(task.id);
      if (this.#stopping.signal.aborted) return;
      this.#options.log.error({ err: error, task_id: task.id }, 'a task was left unfinished');
      return await this.#reconsider(task.id);
    }
    this.#live.delete(task.id);
    const view = viewOfLive(task);
    const ms = Math.round(performance.now() - started);
    this.#options.log.info({ ...view, ms }, 'a task has settled');
    this.#settled.resolve(task.id, view);
  }

  /** A task that was left may be ours still, or again: then it goes on from its log. */
  async #reconsider(id: string): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, this.#run.retryDelay(attempt)).unref());
      try {
        const row = await findTask(this.#db.read, id);
        if (row !== undefined && isActive(row.state) && row.owner === this.#owner) await this.#resume(row);
        return;
      } catch (error) {
        this.#options.log.warn({ err: error, task_id: id }, 'a task could not be looked up; trying again');
      }
    }
  }

  #heartbeat(): void {
    this.#beating ??= this.#beatOnce()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'the tasks of this process could not be renewed'))
      .finally(() => {
        this.#beating = undefined;
      });
  }

  /** Takes over what died elsewhere, and learns what other processes did to tasks that matter here. */
  async #beatOnce(): Promise<void> {
    for (const row of await takeOver(this.#ownership(), false)) await this.#resume(row);
    for (const row of await listByState(this.#db.read, [...new Set([...this.#live.keys(), ...this.#settled.ids()])])) {
      const task = this.#live.get(row.id);
      if (task !== undefined && row.cancelled === 1 && !task.cancelled) cancelLive(task);
      if (task === undefined && !isActive(row.state)) this.#settled.resolve(row.id, toView(row));
    }
  }
}

function defaultDelay(attempt: number): number {
  return Math.min(100 * 2 ** (attempt - 1), 10_000) * (0.75 + Math.random() / 2);
}

function stoppedFault(): Error {
  return unavailable('task.stopping', 'The service stops; the operation goes on when it is back.');
}

async function asBusy<T>(writing: Promise<T>): Promise<T> {
  return await writing.catch((error: unknown) => {
    if (!isUniqueViolation(error, 'resource')) throw error;
    throw conflict('task.resource-busy', 'Another operation on this resource is in progress.', { cause: error });
  });
}

function newRow(id: string, kind: string, options: StartOptions<unknown>, owner: string, now: string): TaskRow {
  const { resource, input, request_id, global_request_id = null } = options;
  const text = JSON.stringify(input);
  const settled = { error: null, cancelled: 0, settled_at: null };
  return { id, kind, resource, state: 'running', active: 1, input: text, request_id, global_request_id, owner, created_at: now, updated_at: now, ...settled };
}

function viewOfLive(task: LiveTask): TaskView {
  const { id, definition, resource, state, error, request_id, created_at, saved_at } = task;
  return { id, kind: definition.kind, resource, state, error, request_id, created_at, updated_at: saved_at, settled_at: saved_at };
}

function toView(row: TaskRow): TaskView {
  const { id, kind, resource, state, request_id, created_at, updated_at, settled_at } = row;
  const error = row.error === null ? undefined : (JSON.parse(row.error) as TaskError);
  return { id, kind, resource, state, error, request_id, created_at, updated_at, settled_at };
}
