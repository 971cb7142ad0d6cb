import { isoMicros, type Clock } from '../clock.ts';
import type { Database } from '../db/database.ts';
import { isFault } from '../fault.ts';
import type { Log } from '../log/log.ts';
import { forwardSteps, ON_DONE, ON_FAILED, type Step, type StepContext, type TaskDefinition, type TaskError } from './define.ts';
import type { Recorder } from './record.ts';
import type { EventName, EventRow, TaskRow, TaskState } from './store.ts';

/** A task in memory: its row, and what its event log says. */
export interface LiveTask {
  readonly id: string;
  readonly definition: TaskDefinition;
  readonly resource: string;
  readonly input: unknown;
  readonly request_id: string;
  readonly global_request_id: string | undefined;
  readonly created_at: string;
  /** When the row was written last. */
  saved_at: string;
  /** Tells the step on the way forward to stop: the task was cancelled, or the process stops. */
  readonly abort: AbortController;
  state: TaskState;
  error: TaskError | undefined;
  cancelled: boolean;
  /** Outputs by step, as JSON gives them back. */
  done: Record<string, unknown>;
  undone: Set<string>;
  events: number;
}

export interface RunOptions {
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly owner: string;
  readonly record: Recorder;
  readonly stopping: AbortSignal;
  /** How long to wait before attempt 2, 3, …: in ms. */
  retryDelay(attempt: number): number;
  /** How often an undo is tried before the task is stuck. */
  readonly undo_attempts: number;
}

/** The task was left as it is: the process stops, or another one has it now. */
export class TaskLeft extends Error {}

export function liveTask(row: TaskRow, events: readonly EventRow[], definition: TaskDefinition): LiveTask {
  const task: LiveTask = {
    id: row.id,
    definition,
    resource: row.resource,
    input: JSON.parse(row.input),
    request_id: row.request_id,
    global_request_id: row.global_request_id ?? undefined,
    created_at: row.created_at,
    saved_at: row.updated_at,
    abort: new AbortController(),
    state: row.state,
    error: row.error === null ? undefined : (JSON.parse(row.error) as TaskError),
    cancelled: row.cancelled === 1,
    done: {},
    undone: new Set(),
    events: events.at(-1)?.number ?? 0,
  };
  for (const { step, event, output } of events) {
    if (event === 'done') task.done[step] = fromJson(output);
    if (event === 'undone') task.undone.add(step);
  }
  return task;
}

/** Carries the task on until it has settled; throws TaskLeft when it has to be left to a later run. */
export async function runTask(task: LiveTask, options: RunOptions): Promise<void> {
  if (task.state === 'running') await goForward(task, options);
  if (task.state === 'undoing') await goBack(task, options);
}

export function cancelLive(task: LiveTask): void {
  task.cancelled = true;
  if (task.state === 'running') task.abort.abort(new Error('the task was cancelled'));
}

async function goForward(task: LiveTask, options: RunOptions): Promise<void> {
  const left = forwardSteps(task.definition).filter(({ name }) => !Object.hasOwn(task.done, name));
  const last = left.at(-1);
  for (const step of left) {
    const result = await tryStep(task, step, options);
    if ('error' in result) {
      task.error = result.error;
      return await save(task, options, 'undoing', { step: step.name, event: 'failed' });
    }
    const output = toJson(result.output);
    task.done[step.name] = fromJson(output);
    const event: NewEvent = { step: step.name, event: 'done', output };
    // Told to stop during the step: its output is kept for its undo. Once the last hook ran it is too late.
    if (task.cancelled && step.name !== ON_DONE) {
      task.error = cancelledError(step.name);
      return await save(task, options, 'undoing', event);
    }
    await save(task, options, step === last ? 'done' : 'running', event);
  }
  if (last === undefined) await save(task, options, 'done');
}

async function tryStep(task: LiveTask, step: Step, options: RunOptions): Promise<{ output: unknown } | { error: TaskError }> {
  const { signal } = task.abort;
  for (let attempt = 1; ; attempt++) {
    checkStopping(options);
    if (task.cancelled) return { error: cancelledError(step.name) };
    const ctx = stepContext(task, step.name, attempt, signal, options);
    try {
      return { output: await step.do(ctx, task.input, task.done) };
    } catch (error) {
      checkStopping(options);
      if (task.cancelled) return { error: cancelledError(step.name) };
      ctx.log.warn({ err: error, attempt }, 'a step of a task failed');
      if (!isTransient(error) || attempt > step.retries) return { error: taskError(step.name, error) };
    }
    await pause(options.retryDelay(attempt), signal);
  }
}

async function goBack(task: LiveTask, options: RunOptions): Promise<void> {
  const hook = task.definition.onFailed;
  const back: { name: string; undo: (ctx: StepContext) => unknown }[] = undoable(task).map((step) => ({
    name: step.name,
    undo: (ctx) => step.undo?.(ctx, task.input, task.done[step.name], task.done),
  }));
  if (hook !== undefined) back.push({ name: ON_FAILED, undo: (ctx) => hook(ctx, task.input, task.error as TaskError) });
  const left = back.filter(({ name }) => !task.undone.has(name));
  for (const { name, undo } of left) {
    if (!(await tryUndo(task, name, undo, options))) return await save(task, options, 'stuck');
    task.undone.add(name);
    await save(task, options, name === left.at(-1)?.name ? 'failed' : 'undoing', { step: name, event: 'undone' });
  }
  if (left.length === 0) await save(task, options, 'failed');
}

/** Newest first: those that are done, and the one that failed. */
function undoable(task: LiveTask): Step[] {
  return task.definition.steps
    .filter(({ name, undo }) => undo !== undefined && (Object.hasOwn(task.done, name) || name === task.error?.step))
    .toReversed();
}

async function tryUndo(task: LiveTask, name: string, undo: (ctx: StepContext) => unknown, options: RunOptions): Promise<boolean> {
  for (let attempt = 1; attempt <= options.undo_attempts; attempt++) {
    checkStopping(options);
    const ctx = stepContext(task, name, attempt, options.stopping, options);
    try {
      await undo(ctx);
      return true;
    } catch (error) {
      checkStopping(options);
      const message = attempt === options.undo_attempts ? 'a task is stuck: its undo keeps failing' : 'an undo of a task failed';
      ctx.log.error({ err: error, attempt }, message);
    }
    if (attempt < options.undo_attempts) await pause(options.retryDelay(attempt), options.stopping);
  }
  return false;
}

interface NewEvent {
  step: string;
  event: EventName;
  output?: string | null;
}

async function save(task: LiveTask, options: RunOptions, state: TaskState, event?: NewEvent): Promise<void> {
  const at = options.clock.now();
  if (event !== undefined) task.events += 1;
  const recorded = await options.record({
    task_id: task.id,
    owner: options.owner,
    ...(event === undefined ? {} : { event: { number: task.events, output: null, ...event } }),
    state,
    error: task.error,
    at,
  });
  if (!recorded.owned) throw new TaskLeft(`task ${task.id} belongs to another process now`);
  task.state = state;
  task.saved_at = isoMicros(at);
  if (recorded.cancelled) task.cancelled = true;
}

function stepContext(task: LiveTask, step: string, attempt: number, signal: AbortSignal, options: RunOptions): StepContext {
  const { id: task_id, resource, request_id, global_request_id } = task;
  return {
    task_id,
    step_id: `${task_id}/${step}`,
    attempt,
    resource,
    request_id,
    global_request_id,
    db: options.db,
    log: options.log.child({ task_id, task: task.definition.kind, step, resource, request_id }),
    clock: options.clock,
    signal,
  };
}

function checkStopping(options: RunOptions): void {
  if (options.stopping.aborted) throw new TaskLeft('the process stops');
}

/** 503, or an error that says of itself that trying again may help. */
export function isTransient(error: unknown): boolean {
  if (isFault(error)) return error.retryable || error.status === 503;
  return error instanceof Error && (error as { retryable?: unknown }).retryable === true;
}

function taskError(step: string, error: unknown): TaskError {
  if (isFault(error)) {
    const detail = typeof error.detail === 'string' ? { detail: error.detail } : {};
    return { step, status: error.status, code: error.code, message: error.message, public: true, ...detail };
  }
  return { step, status: 500, code: 'task.step-failed', message: error instanceof Error ? error.message : String(error), public: false };
}

function cancelledError(step: string): TaskError {
  return { step, status: 409, code: 'task.cancelled', message: 'The operation was cancelled.', public: true };
}

function toJson(output: unknown): string | null {
  return output === undefined ? null : JSON.stringify(output);
}

function fromJson(output: string | null): unknown {
  return output === null ? undefined : JSON.parse(output);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
