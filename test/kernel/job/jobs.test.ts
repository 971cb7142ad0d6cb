import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/kernel/clock.ts';
import { defineJob, type Job } from '../../../src/kernel/job/reconciler.ts';
import { createJobs, type Jobs } from '../../../src/kernel/job/schedule.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';

function jobsOf(t: TestContext, ...jobs: Job[]): Jobs {
  // Half way: no jitter.
  const made = createJobs({ jobs, log: silentLog, clock: systemClock, random: () => 0.5 });
  t.after(() => made.stop());
  return made;
}

function gates(): { run(): Promise<void>; open(): void; entered: number; most: number } {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const state = {
    entered: 0,
    most: 0,
    async run() {
      state.entered++;
      state.most = Math.max(state.most, ++inside);
      await new Promise<void>((resolve) => waiting.push(resolve));
      inside--;
    },
    open: () => waiting.shift()?.(),
  };
  return state;
}

test('runs at the start, and its result is shown', async (t) => {
  const jobs = jobsOf(t, defineJob({ name: 'count', every_seconds: 60, run: async () => ({ seen: 3 }) }));
  jobs.start();
  await jobs.idle('count');
  const [status] = jobs.status();
  assert.deepEqual(status?.result, { seen: 3 });
  assert.deepEqual([status?.runs, status?.failures, status?.running], [1, 0, false]);
});

test('pokes during a run make one more, never two at a time', async (t) => {
  const gate = gates();
  const jobs = jobsOf(t, defineJob({ name: 'slow', every_seconds: 60, run: gate.run }));
  jobs.start();
  for (let i = 0; i < 5; i++) jobs.poke('slow');
  gate.open();
  // The second run begins once the first has wound up.
  while (gate.entered < 2) await new Promise((resolve) => setImmediate(resolve));
  gate.open();
  await jobs.idle('slow');
  assert.deepEqual([gate.entered, gate.most], [2, 1]);
});

test('the timer runs it again; an error backs off, then it recovers', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let broken = false;
  let runs = 0;
  const run = async (): Promise<object> => {
    runs++;
    if (broken) throw new Error('docker is away');
    return { runs };
  };
  const jobs = jobsOf(t, defineJob({ name: 'timed', every_seconds: 10, run }));
  const after = async (ms: number): Promise<number> => {
    t.mock.timers.tick(ms);
    await jobs.idle('timed');
    return runs;
  };
  jobs.start();
  assert.equal(await after(0), 1);
  assert.equal(await after(9_999), 1);
  assert.equal(await after(1), 2);
  broken = true;
  jobs.poke('timed');
  assert.equal(await after(0), 3);
  assert.deepEqual([jobs.status()[0]?.failures, jobs.status()[0]?.error, jobs.status()[0]?.result], [1, 'docker is away', { runs: 2 }]);
  assert.equal(await after(999), 3);
  assert.equal(await after(1), 4);
  assert.equal(await after(1_999), 4);
  broken = false;
  assert.equal(await after(1), 5);
  assert.deepEqual([jobs.status()[0]?.failures, jobs.status()[0]?.error], [0, undefined]);
  assert.equal(await after(9_999), 5);
  assert.equal(await after(1), 6);
});

test('stop waits for the run under way, and none comes after', async (t) => {
  const gate = gates();
  const jobs = jobsOf(t, defineJob({ name: 'last', every_seconds: 60, run: gate.run }));
  jobs.start();
  jobs.poke('last');
  let stopped = false;
  const stopping = jobs.stop().then(() => (stopped = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(stopped, false);
  gate.open();
  await stopping;
  jobs.poke('last');
  assert.equal(gate.entered, 1);
});

test('a wrong name or interval is an error', (t) => {
  const job = defineJob({ name: 'one', every_seconds: 1, run: async () => {} });
  assert.throws(() => jobsOf(t, job).poke('two'), /no job two/);
  assert.throws(() => jobsOf(t, job, job), /same name/);
  assert.throws(() => defineJob({ ...job, every_seconds: 0 }), /positive/);
});
