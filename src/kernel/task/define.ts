import type { Clock } from '../clock.ts';
import type { Database } from '../db/database.ts';
import type { Log } from '../log/log.ts';

/** What is kept in the event log: what `JSON.stringify` keeps. Interfaces fit, hence no stricter type. */
export type Output = object | string | number | boolean | null | undefined | void;

/** What a step is handed. Dependencies of a service come by closure: a definition is made by a function of them. */
export interface StepContext {
  readonly task_id: string;
  /** `<task>/<step>`: the same each time the step runs, hence the idempotency key of what it asks of others. */
  readonly step_id: string;
  /** From 1, in this process. */
  readonly attempt: number;
  readonly resource: string;
  readonly request_id: string;
  readonly global_request_id: string | undefined;
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted when the task is cancelled or the process stops: a step that waits for long should heed it. */
  readonly signal: AbortSignal;
}

/** Why a task failed, as kept in its row. */
export interface TaskError {
  step: string;
  status: number;
  code: string;
  message: string;
  /** Whether users may see the message: it came from a Fault. */
  public: boolean;
  /** What the Fault's `detail` said, if that was a text: for operators. */
  detail?: string;
}

export interface StepDefinition<I, D, O extends Output> {
  /** May run twice, with the same `step_id`; awaits no network inside a transaction. */
  do(ctx: StepContext, input: I, done: D): Promise<O> | O;
  /**
   * Also runs for the step that failed, whose output is then undefined: tolerates that nothing, or a part, was done,
   * and that it ran before.
   */
  undo?(ctx: StepContext, input: I, output: O | undefined, done: Partial<D>): Promise<void> | void;
  /** How often a transient failure (Fault 503, or `retryable: true` on the error) is tried again; 5 unless told. */
  retries?: number;
}

export interface Step {
  readonly name: string;
  readonly do: (ctx: StepContext, input: any, done: any) => unknown;
  readonly undo?: ((ctx: StepContext, input: any, output: any, done: any) => unknown) | undefined;
  readonly retries: number;
}

export interface TaskDefinition<I = any, D = any> {
  readonly kind: string;
  readonly steps: readonly Step[];
  /** How many of this kind run at once in one process; the others wait in the order they came. */
  readonly concurrency: number;
  readonly onDone?: ((ctx: StepContext, input: I, done: D) => unknown) | undefined;
  readonly onFailed?: ((ctx: StepContext, input: I, error: TaskError) => unknown) | undefined;
}

export interface TaskHooks<I, D> {
  concurrency?: number;
  /** The last step: runs at least once after all the others; its failure undoes them. */
  onDone?(ctx: StepContext, input: I, done: D): Promise<void> | void;
  /** Runs at least once after everything was undone; its failure leaves the task stuck. */
  onFailed?(ctx: StepContext, input: I, error: TaskError): Promise<void> | void;
}

export interface TaskBuilder<I extends object, D extends object> {
  /** Adds a step; the later ones see its output as `done[name]`. */
  step<N extends string, O extends Output>(name: N, step: StepDefinition<I, D, O>): TaskBuilder<I, D & Record<N, O>>;
  build(hooks?: TaskHooks<I, D>): TaskDefinition<I, D>;
}

export const ON_DONE = 'on-done';
export const ON_FAILED = 'on-failed';
const DEFAULT_RETRIES = 5;
const DEFAULT_CONCURRENCY = 16;

/** Begins a task: `defineTask<{ server_id: string }>('compute.boot-server').step(…).step(…).build()`. Input is JSON. */
export function defineTask<I extends object>(kind: string): TaskBuilder<I, {}> {
  return builder<I, {}>(kind, []);
}

function builder<I extends object, D extends object>(kind: string, steps: readonly Step[]): TaskBuilder<I, D> {
  return {
    step(name, step) {
      if ([ON_DONE, ON_FAILED, ...steps.map((each) => each.name)].includes(name)) throw new Error(`task ${kind} has two steps ${name}`);
      const { retries = DEFAULT_RETRIES } = step;
      return builder(kind, [...steps, { name, do: step.do.bind(step), undo: step.undo?.bind(step), retries }]);
    },
    build(hooks = {}) {
      return { kind, steps, concurrency: hooks.concurrency ?? DEFAULT_CONCURRENCY, onDone: hooks.onDone, onFailed: hooks.onFailed };
    },
  };
}

/** All that is done on the way forward: the steps, and the hook after them. */
export function forwardSteps(definition: TaskDefinition): readonly Step[] {
  if (definition.onDone === undefined) return definition.steps;
  return [...definition.steps, { name: ON_DONE, do: definition.onDone, retries: DEFAULT_RETRIES }];
}
