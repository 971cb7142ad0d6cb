import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerState } from '../../../src/agents/compute/drivers/docker/engine-types.ts';
import type { GuestNote } from '../../../src/agents/compute/drivers/docker/guest-notes.ts';
import { isPending, planRestart } from '../../../src/agents/compute/drivers/docker/restart-plan.ts';

const ended = (over: Partial<ContainerState> = {}): ContainerState => ({
  Status: 'exited', Running: false, Paused: false, OOMKilled: false, Dead: false, Pid: 0, ExitCode: 1, Error: '', StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:00:01Z', ...over,
});
const run = '2026-01-01T00:00:00Z';
const after = (in_a_row: number, ended_run = 'an earlier one'): GuestNote => ({ restarts: { count: 7, in_a_row, ended_run, exit_code: 1, oom_killed: false, ended_at: '' } });

test('who restarts, and who does not', () => {
  assert.equal(planRestart({ name: 'no', most: 0 }, ended(), {}), undefined);
  assert.deepEqual(planRestart({ name: 'always', most: 0 }, ended(), {}), { in_a_row: 1, pause_ms: 100 });
  assert.deepEqual(planRestart({ name: 'unless-stopped', most: 0 }, ended({ ExitCode: 0 }), {}), { in_a_row: 1, pause_ms: 100 });
  assert.equal(planRestart({ name: 'on-failure', most: 0 }, ended({ ExitCode: 0 }), {}), undefined);
  assert.ok(planRestart({ name: 'on-failure', most: 0 }, ended(), {}));
  assert.equal(planRestart({ name: 'always', most: 0 }, ended(), { stopped_run: run }), undefined, 'it was asked to end');
  assert.equal(planRestart({ name: 'always', most: 0 }, ended({ Status: 'running' }), {}), undefined);
});

test('a loop has its pauses and its end, and one that ran well begins anew', () => {
  assert.deepEqual(planRestart({ name: 'always', most: 0 }, ended(), after(3)), { in_a_row: 4, pause_ms: 800 });
  assert.equal(planRestart({ name: 'always', most: 0 }, ended(), after(10)), undefined);
  assert.equal(planRestart({ name: 'on-failure', most: 3 }, ended(), after(3)), undefined);
  assert.deepEqual(planRestart({ name: 'always', most: 0 }, ended({ FinishedAt: '2026-01-01T00:00:30Z' }), after(10)), { in_a_row: 1, pause_ms: 100 });
  assert.deepEqual(planRestart({ name: 'always', most: 0 }, ended(), after(4, run)), { in_a_row: 4, pause_ms: 800 }, 'looked at twice it is the same restart');
});

test('between its end and its start it is as good as running', () => {
  const pending = (State: ContainerState, note: GuestNote, rule = 'always') => isPending({ State, Config: { Labels: { 'gantry.restart': rule }, Tty: false, OpenStdin: true } }, note);
  assert.equal(pending(ended(), after(1, run)), true);
  assert.equal(pending(ended(), {}), true, 'also before it is written down');
  assert.equal(pending(ended(), {}, 'no'), false);
  assert.equal(pending(ended(), { ...after(1, run), stopped_run: run }), false);
  assert.equal(pending(ended(), { ...after(1, run), gave_up_run: run }), false);
});
