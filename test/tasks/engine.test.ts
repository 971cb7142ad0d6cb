import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dialect } from '../../src/kernel/db/database.ts';
import { isFault, unavailable, type Fault } from '../../src/kernel/fault.ts';
import { defineTask, type StepContext, type TaskDefinition, type TaskHooks } from '../../src/kernel/task/define.ts';
import { taskMigrations } from '../../src/kernel/task/migrations.ts';
import type { Tasks } from '../../src/kernel/task/tasks.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { testTask, testTasks, type TaskWorld } from './harness.ts';

interface Thing {
  server_id: string;
  node?: string;
  state: string;
}

/** Stands for hosts and rows: survives the engine, and what is made in it is made once per idempotency key. */
function makeThings() {
  const things = new Map<string, Thing>();
  return {
    things,
    create: (key: string, thing: Thing) => things.set(key, things.get(key) ?? thing),
    remove: (key: string) => things.delete(key),
  };
}

type Things = ReturnType<typeof makeThings>;

function buildServer(world: Things, hooks: TaskHooks<{ server_id: string }, any> = {}) {
  return defineTask<{ server_id: string }>('test.build')
    .step('claim', {
      do: (ctx, { server_id }) => {
        world.create(ctx.step_id, { server_id, state: 'claimed' });
        return { node: 'n1' };
      },
      undo: (ctx) => void world.remove(ctx.step_id),
    })
    .step('check', { do: (_ctx, _input, done) => assert.equal(done.claim.node, 'n1') })
    .step('spawn', {
      do: (ctx, { server_id }, done) => {
        world.create(ctx.step_id, { server_id, node: done.claim.node, state: 'spawned' });
        return { key: ctx.step_id };
      },
      undo: (ctx, _input, output, done) => {
        assert.equal(done.claim?.node, 'n1');
        if (output !== undefined) assert.equal(output.key, ctx.step_id);
        world.remove(ctx.step_id);
      },
    })
    .build(hooks);
}

async function serverWorld(dialect: Dialect): Promise<TaskWorld> {
  const made = await freshDatabase(taskMigrations, dialect);
  const world = makeThings();
  const states: string[] = [];
  const definition = buildServer(world, {
    onDone: (_ctx, { server_id }, done) => void states.push(`${server_id} active on ${done.claim.node}`),
    onFailed: (_ctx, { server_id }, error) => void states.push(`${server_id} error ${error.code}`),
  });
  return {
    db: made.db,
    definition,
    start: (tx, tasks) => tasks.start(tx, definition, { resource: 'server:s1', input: { server_id: 's1' }, request_id: 'req-1' }),
    snapshot: async () => [...world.things.values()],
    async expectDone() {
      assert.deepEqual([...world.things.values()].map(({ state, node }) => [state, node]), [['claimed', undefined], ['spawned', 'n1']]);
      assert.deepEqual([...new Set(states)], ['s1 active on n1']);
    },
    async expectFailed(task) {
      assert.deepEqual([...new Set(states)], [`s1 error ${task.error?.code}`]);
    },
    close: () => made.close(),
  };
}

const catching = (work: Promise<unknown>): Promise<Fault> => work.then(() => assert.fail('no error came'), (error) => error);
const failed = async (): Promise<never> => {
  throw new Error('no');
};

for (const dialect of ['sqlite', 'postgres'] satisfies Dialect[]) {
  testTask(`of the engine's own on ${dialect}`, { setup: () => serverWorld(dialect), steps: ['claim', 'check', 'spawn'] });

  describe(`task engine on ${dialect}`, () => {
    /** A database and an engine for the definition; both go at the end. */
    async function withEngine(definition: TaskDefinition, work: (tasks: Tasks, made: TestDatabase) => Promise<void>): Promise<void> {
      const made = await freshDatabase(taskMigrations, dialect);
      const tasks = testTasks({ db: made.db, definition });
      try {
        await tasks.run();
        await work(tasks, made);
      } finally {
        await tasks.stop();
        await made.close();
      }
    }
    const begin = (tasks: Tasks, { db }: TestDatabase, definition: TaskDefinition, resource: string): Promise<string> =>
      db.transaction((tx) => tasks.start(tx, definition, { resource, input: {}, request_id: 'req-1' }));

    test('a resource has one task at a time', async () => {
      const gate = Promise.withResolvers<void>();
      const definition = defineTask('test.wait').step('wait', { do: () => gate.promise }).build();
      await withEngine(definition, async (tasks, made) => {
        const first = await begin(tasks, made, definition, 'a');
        const error = await catching(begin(tasks, made, definition, 'a'));
        assert.ok(isFault(error) && error.status === 409 && error.code === 'task.resource-busy');
        await begin(tasks, made, definition, 'b');
        gate.resolve();
        await tasks.whenSettled(first);
        await tasks.whenSettled(await begin(tasks, made, definition, 'a'));
        assert.equal((await tasks.listOf('a')).length, 2);
      });
    });

    test('a task whose transaction rolls back never was', async () => {
      let ran = 0;
      const definition = defineTask('test.count').step('count', { do: () => void ran++ }).build();
      await withEngine(definition, async (tasks, made) => {
        let id = '';
        await catching(
          made.db.transaction(async (tx) => {
            id = await tasks.start(tx, definition, { resource: 'a', input: {}, request_id: 'r' });
            await failed();
          }),
        );
        assert.equal((await catching(tasks.whenSettled(id))).code, 'task.not-found');
        await tasks.whenSettled(await begin(tasks, made, definition, 'a'));
        assert.equal(ran, 1);
      });
    });

    test('a transient fault is tried again, up to the bound; the fault is kept', async () => {
      let ran = 0;
      const definition = defineTask('test.away')
        .step('call', {
          retries: 3,
          do: () => {
            ran++;
            throw unavailable('node.away', 'The node is away.');
          },
        })
        .build();
      await withEngine(definition, async (tasks, made) => {
        const task = await tasks.whenSettled(await begin(tasks, made, definition, 'a'));
        assert.equal(task.state, 'failed');
        assert.deepEqual(task.error, { step: 'call', status: 503, code: 'node.away', message: 'The node is away.', public: true });
        assert.equal(ran, 4);
      });
    });

    test('an undo that keeps failing is stuck, frees the resource, and goes on when asked', async () => {
      let broken = true;
      const definition = defineTask('test.stuck')
        .step('first', { do: () => 1, undo: () => {} })
        .step('second', {
          do: failed,
          undo: () => {
            if (broken) throw new Error('still broken');
          },
        })
        .build();
      await withEngine(definition, async (tasks, made) => {
        const id = await begin(tasks, made, definition, 'a');
        assert.equal((await tasks.whenSettled(id)).state, 'stuck');
        assert.deepEqual((await tasks.listStuck()).map((task) => task.id), [id]);
        assert.equal(await tasks.prune(new Date(Date.now() + 60_000)), 0);
        const other = await begin(tasks, made, definition, 'a');
        assert.equal((await tasks.whenSettled(other)).state, 'stuck');
        broken = false;
        assert.equal(await tasks.retryStuck(id), true);
        assert.equal((await tasks.whenSettled(id)).state, 'failed');
        assert.equal(await tasks.retryStuck(id), false);
        assert.deepEqual((await tasks.listStuck()).map((task) => task.id), [other]);
      });
    });

    test('no more than the kind allows run at once, first come first served', async () => {
      const order: string[] = [];
      const entered: (() => void)[] = [];
      let running = 0;
      let most = 0;
      const definition = defineTask('test.lane')
        .step('work', {
          do: async (ctx) => {
            most = Math.max(most, ++running);
            order.push(ctx.resource);
            // Each waits for a companion.
            if (entered.length === 0) await new Promise<void>((resolve) => entered.push(resolve));
            else entered.pop()?.();
            running--;
          },
        })
        .build({ concurrency: 2 });
      await withEngine(definition, async (tasks, made) => {
        const ids: string[] = [];
        for (let i = 0; i < 8; i++) ids.push(await begin(tasks, made, definition, `r${i}`));
        await Promise.all(ids.map((id) => tasks.whenSettled(id)));
        assert.deepEqual(order, ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7']);
        assert.equal(most, 2);
      });
    });

    test('stopping lets a step end, and the next process goes on after it', async () => {
      const ran: string[] = [];
      const started = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const definition = defineTask('test.stop')
        .step('first', {
          do: async () => {
            ran.push('first');
            started.resolve();
            await gate.promise;
          },
        })
        .step('second', { do: () => void ran.push('second') })
        .build();
      await withEngine(definition, async (tasks, made) => {
        const id = await begin(tasks, made, definition, 'a');
        await started.promise;
        const waiting = catching(tasks.whenSettled(id));
        const stopped = tasks.stop();
        gate.resolve();
        await stopped;
        assert.equal((await waiting).code, 'task.stopping');
        assert.deepEqual(ran, ['first']);
        const next = testTasks({ db: made.db, definition });
        assert.equal(await next.run(), 1);
        assert.equal((await next.whenSettled(id)).state, 'done');
        assert.deepEqual(ran, ['first', 'second']);
        await next.stop();
      });
    });

    test('a live process takes over from a dead one, which can record nothing more; others learn of it', async () => {
      const hung = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const after: string[] = [];
      const make = (name: string, first: (ctx: StepContext) => unknown): TaskDefinition =>
        defineTask('test.shared')
          .step('first', { do: async (ctx) => void (await first(ctx)) })
          .step('second', { do: () => void after.push(name) })
          .build();
      const made = await freshDatabase(taskMigrations, dialect);
      let now = new Date('2026-01-01T00:00:00Z');
      const options = { exclusive: false, heartbeat_ms: 5, clock: { now: () => now } };
      const slow = make('slow', () => (started.resolve(), hung.promise));
      // It is silent from now on, though it lives.
      const first = testTasks({ db: made.db, definition: slow }, { ...options, heartbeat_ms: 3_600_000 });
      const second = testTasks({ db: made.db, definition: make('quick', () => 0) }, options);
      const third = testTasks({ db: made.db, definition: make('quick', () => 0) }, options);
      await first.run();
      assert.equal(await second.run(), 0);
      const id = await begin(first, made, slow, 'a');
      await started.promise;
      await third.run();
      now = new Date('2026-01-01T01:00:00Z');
      assert.equal((await third.whenSettled(id)).state, 'done');
      assert.equal((await second.whenSettled(id)).state, 'done');
      hung.resolve();
      await first.stop();
      assert.deepEqual(after, ['quick']);
      await Promise.all([second.stop(), third.stop()]);
      await made.close();
    });

    test('a cancel from another process arrives', async () => {
      const started = Promise.withResolvers<void>();
      const definition = defineTask('test.long')
        .step('wait', {
          do: async ({ signal }) => {
            started.resolve();
            await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
          },
        })
        .build();
      const made = await freshDatabase(taskMigrations, dialect);
      const [here, there] = [0, 1].map(() => testTasks({ db: made.db, definition }, { exclusive: false, heartbeat_ms: 5 })) as [Tasks, Tasks];
      await Promise.all([here.run(), there.run()]);
      const id = await begin(here, made, definition, 'a');
      await started.promise;
      assert.equal(await made.db.transaction((tx) => there.cancel(tx, 'a')), id);
      assert.equal(await made.db.transaction((tx) => there.cancel(tx, 'b')), undefined);
      assert.equal((await here.whenSettled(id)).error?.code, 'task.cancelled');
      await Promise.all([here.stop(), there.stop()]);
      await made.close();
    });

    test('old settled tasks are pruned with their events', async () => {
      const definition = defineTask('test.quick').step('go', { do: () => 1 }).build();
      await withEngine(definition, async (tasks, made) => {
        const id = await begin(tasks, made, definition, 'a');
        await tasks.whenSettled(id);
        assert.equal(await tasks.prune(new Date(0)), 0);
        assert.equal(await tasks.prune(new Date(Date.now() + 60_000)), 1);
        assert.equal(await tasks.find(id), undefined);
        assert.deepEqual(await made.db.read.selectFrom('task_events').selectAll().limit(100).execute(), []);
      });
    });
  });
}
