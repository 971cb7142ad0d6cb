/**
 * The law of tasks, as tests: whatever happens at whichever step, the world ends as it should. Every task of every
 * service passes `testTask`.
 */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Transaction } from 'kysely';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Database } from '../../src/kernel/db/database.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import type { Step, StepContext, TaskDefinition } from '../../src/kernel/task/define.ts';
import { createTasks, type TaskOptions, type Tasks, type TaskView } from '../../src/kernel/task/tasks.ts';

/** A fresh world, one per case. Its database has `taskMigrations` and what the task needs. */
export interface TaskWorld {
  db: Database;
  /** The task, made with the world's own dependencies. */
  definition: TaskDefinition<any, any>;
  /** Other kinds that its steps start. */
  others?: TaskDefinition<any, any>[];
  /** Does what a user's request does, `tasks.start` included; returns the task's id. */
  start(tx: Transaction<any>, tasks: Tasks): Promise<string>;
  /**
   * All that the task may touch (rows, fakes of agents, files …), without what differs from run to run (ids made on
   * the way, times) and without what a failure rightly leaves behind, such as the fault on the server.
   */
  snapshot(): Promise<unknown>;
  /** Asserts what holds once the task is done: also after crashes and steps that ran twice. */
  expectDone(): Promise<void>;
  /** Asserts what else holds once it has failed, beside the snapshot being as before. */
  expectFailed?(task: TaskView): Promise<void>;
  close(): Promise<void>;
}

export interface TaskCase {
  setup(): Promise<TaskWorld>;
  /** The names of the steps, in order: a step without a case of its own would go untested unseen. */
  steps: readonly string[];
}

type Change = (step: Step, tasks: () => Tasks) => Step;

const unchanged: Change = (step) => step;
const asFailed = 'made to fail';

async function inWorld(spec: TaskCase, work: (world: TaskWorld) => Promise<void>): Promise<void> {
  const world = await spec.setup();
  try {
    const names = world.definition.steps.map((step) => step.name);
    assert.deepEqual(names, spec.steps, 'the steps of the task');
    await work(world);
  } finally {
    await world.close();
  }
}

export type TestTasksOptions = Partial<TaskOptions> & { change?: Change; hooks?: Pick<TaskDefinition, 'onDone' | 'onFailed'> };

/** An engine over the world's database, which retries without delay, and whose task may be tampered with. */
export function testTasks(world: Pick<TaskWorld, 'db' | 'definition' | 'others'>, options: TestTasksOptions = {}): Tasks {
  const { change = unchanged, hooks, ...rest } = options;
  const tasks = createTasks({
    db: world.db,
    log: silentLog,
    clock: systemClock,
    exclusive: true,
    retryDelay: () => 1,
    undo_attempts: 4,
    ...rest,
  });
  const steps = world.definition.steps.map((step) => change(step, () => tasks));
  tasks.register({ ...world.definition, steps, ...hooks }, ...(world.others ?? []));
  return tasks;
}

async function works(world: TaskWorld, change: Change = unchanged): Promise<void> {
  const tasks = testTasks(world, { change });
  await tasks.run();
  const id = await world.db.transaction((tx) => world.start(tx, tasks));
  await endsDone(world, tasks, id);
}

async function fails(world: TaskWorld, change: Change, expected = asFailed): Promise<void> {
  const before = await world.snapshot();
  const tasks = testTasks(world, { change });
  await tasks.run();
  const id = await world.db.transaction((tx) => world.start(tx, tasks));
  await endsAsBefore(world, tasks, id, before, expected);
}

async function endsDone(world: TaskWorld, tasks: Tasks, id: string): Promise<void> {
  const task = await tasks.whenSettled(id);
  assert.equal(task.state, 'done', JSON.stringify(task.error));
  await world.expectDone();
  await tasks.stop();
}

async function endsAsBefore(world: TaskWorld, tasks: Tasks, id: string, before: unknown, expected: string): Promise<void> {
  const task = await tasks.whenSettled(id);
  assert.equal(task.state, 'failed', JSON.stringify(task));
  assert.ok([task.error?.message, task.error?.code].includes(expected), JSON.stringify(task.error));
  assert.deepEqual(await world.snapshot(), before, 'the world is as before');
  await world.expectFailed?.(task);
  await tasks.stop();
}

const doingTwice: Change = (step) => ({
  ...step,
  async do(ctx, input, done) {
    await step.do(ctx, input, done);
    return await step.do(ctx, input, done);
  },
});

const doingAgain: Change = (step) => ({
  ...step,
  async do(ctx, input, done) {
    const output = await step.do(ctx, input, done);
    if (ctx.attempt === 1) throw Object.assign(new Error('gone for a moment'), { retryable: true });
    return output;
  },
  retries: Math.max(1, step.retries),
});

function failing(name: string, when: 'before' | 'after'): Change {
  return (step) => {
    if (step.name !== name) return step;
    return {
      ...step,
      async do(ctx, input, done) {
        if (when === 'after') await step.do(ctx, input, done);
        throw new Error(asFailed);
      },
    };
  };
}

function both(first: Change, second: Change): Change {
  return (step, tasks) => second(first(step, tasks), tasks);
}

/** Changes what a step undoes, if it does. */
function undoing(change: (undo: NonNullable<Step['undo']>, step: Step, tasks: () => Tasks) => NonNullable<Step['undo']>): Change {
  return (step, tasks) => (step.undo === undefined ? step : { ...step, undo: change(step.undo, step, tasks) });
}

const undoingTwice = undoing((undo) => async (...args) => {
  await undo(...args);
  await undo(...args);
});

const undoingAgain = undoing((undo) => async (ctx, ...args) => {
  await undo(ctx, ...args);
  if (ctx.attempt === 1) throw new Error('the undo is made to fail');
});

function cancelling(name: string): Change {
  return (step, tasks) => {
    if (step.name !== name) return step;
    return {
      ...step,
      async do(ctx, input, done) {
        const asked = await ctx.db.transaction((tx) => tasks().cancel(tx, ctx.resource));
        assert.equal(asked, ctx.task_id);
        return await step.do(ctx, input, done);
      },
    };
  };
}

/** Never comes back, as far as the engine that crashed can tell. */
function crash(tasks: Tasks, crashed: () => void): Promise<never> {
  tasks.crash();
  crashed();
  return new Promise(() => {});
}

function crashing(name: string, when: 'before' | 'after', crashed: () => void): Change {
  return (step, tasks) => {
    if (step.name !== name) return step;
    return {
      ...step,
      async do(ctx, input, done) {
        if (when === 'after') await step.do(ctx, input, done);
        return await crash(tasks(), crashed);
      },
    };
  };
}

function crashingUndo(name: string, when: 'before' | 'after', crashed: () => void): Change {
  return undoing((undo, step, tasks) => {
    if (step.name !== name) return undo;
    return async (ctx, ...args) => {
      if (when === 'after') await undo(ctx, ...args);
      await crash(tasks(), crashed);
    };
  });
}

/** Runs the task until it crashes; returns its id. */
async function untilCrash(world: TaskWorld, options: (crashed: () => void) => TestTasksOptions, id?: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const tasks = testTasks(world, options(resolve));
  const resumed = await tasks.run();
  if (id !== undefined) assert.equal(resumed, 1, 'the task is taken over');
  const started = id ?? (await world.db.transaction((tx) => world.start(tx, tasks)));
  await promise;
  return started;
}

async function crashes(world: TaskWorld, step: string, when: 'before' | 'after'): Promise<void> {
  const id = await untilCrash(world, (crashed) => ({ change: crashing(step, when, crashed) }));
  const tasks = testTasks(world);
  assert.equal(await tasks.run(), 1, 'the task is taken over');
  await endsDone(world, tasks, id);
}

async function crashesUndoing(world: TaskWorld, last: string, step: string, t: TestContext): Promise<void> {
  if (world.definition.steps.find(({ name }) => name === step)?.undo === undefined) return t.skip('it has nothing to undo');
  const before = await world.snapshot();
  const fail = failing(last, 'after');
  const id = await untilCrash(world, (crashed) => ({ change: both(fail, crashingUndo(step, 'before', crashed)) }));
  await untilCrash(world, (crashed) => ({ change: both(fail, crashingUndo(step, 'after', crashed)) }), id);
  const tasks = testTasks(world, { change: fail });
  await tasks.run();
  await endsAsBefore(world, tasks, id, before, asFailed);
}

async function crashesInHook(world: TaskWorld, hook: 'onDone' | 'onFailed', spec: TaskCase, t: TestContext): Promise<void> {
  const original = world.definition[hook];
  if (original === undefined) return t.skip('it has no such hook');
  const before = await world.snapshot();
  const change = hook === 'onFailed' ? failing(spec.steps.at(-1) as string, 'after') : unchanged;
  let engine: Tasks | undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const crashingHook = async (ctx: StepContext, input: any, outcome: any): Promise<void> => {
    await original(ctx, input, outcome);
    await crash(engine as Tasks, resolve);
  };
  engine = testTasks(world, { change, hooks: { [hook]: crashingHook } });
  await engine.run();
  const first = engine;
  const id = await world.db.transaction((tx) => world.start(tx, first));
  await promise;
  const tasks = testTasks(world, { change });
  assert.equal(await tasks.run(), 1, 'the task is taken over');
  if (hook === 'onDone') await endsDone(world, tasks, id);
  else await endsAsBefore(world, tasks, id, before, asFailed);
}

/** Runs all cases of the law on a task. */
export function testTask(name: string, spec: TaskCase): void {
  const last = spec.steps.at(-1) as string;
  describe(`task ${name}`, () => {
    test('works', () => inWorld(spec, works));
    test('each step twice', () => inWorld(spec, (world) => works(world, doingTwice)));
    test('each step fails once for a moment', () => inWorld(spec, (world) => works(world, doingAgain)));
    for (const hook of ['onDone', 'onFailed'] as const) {
      test(`crashes after ${hook}, not yet recorded`, (t) => inWorld(spec, (world) => crashesInHook(world, hook, spec, t)));
    }
    for (const step of spec.steps) testStep(spec, step, last);
  });
}

function testStep(spec: TaskCase, step: string, last: string): void {
  const failed = failing(step, 'after');
  test(`fails before ${step}`, () => inWorld(spec, (world) => fails(world, failing(step, 'before'))));
  test(`fails after ${step}`, () => inWorld(spec, (world) => fails(world, failed)));
  test(`fails after ${step}, each undo twice`, () => inWorld(spec, (world) => fails(world, both(failed, undoingTwice))));
  test(`fails after ${step}, each undo fails once`, () => inWorld(spec, (world) => fails(world, both(failed, undoingAgain))));
  test(`is cancelled during ${step}`, () => inWorld(spec, (world) => fails(world, cancelling(step), 'task.cancelled')));
  test(`crashes before ${step}`, () => inWorld(spec, (world) => crashes(world, step, 'before')));
  test(`crashes after ${step}, not yet recorded`, () => inWorld(spec, (world) => crashes(world, step, 'after')));
  test(`crashes before and after the undo of ${step}`, (t) => inWorld(spec, (world) => crashesUndoing(world, last, step, t)));
}
