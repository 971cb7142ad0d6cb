import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { healPart, livePids, logFile, partState, startPart, stopPart, until } from '../../src/cli/process/parts.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'gantry-supervise-'));
});
afterEach(async () => {
  await stopPart(data, 'part', 1);
  rmSync(data, { recursive: true, force: true });
});

function script(text: string): string[] {
  const path = join(data, 'script');
  writeFileSync(path, text, { mode: 0o755 });
  return ['/bin/sh', path, data];
}

const start = (text: string): Promise<void> => startPart(data, { name: 'part', command: script(text), env: process.env });
const log = (): string => (existsSync(logFile(data, 'part')) ? readFileSync(logFile(data, 'part'), 'utf8') : '');
const logged = (text: string): Promise<boolean> => until(() => log().includes(text), 20_000);

test('a part that dies is started again', async () => {
  await start('echo "run $$"; exec sleep 1000');
  const first = partState(data, 'part').process!;
  assert.ok(await logged(`run ${first.pid}`));
  process.kill(first.pid, 'SIGKILL');
  assert.ok(await until(() => (partState(data, 'part').process?.pid ?? first.pid) !== first.pid, 20_000), log());
  assert.match(log(), /ended with status 137, starts again in 0 s/);
});

test('a part that keeps dying is given longer and longer pauses', async () => {
  await start('exit 3');
  assert.ok(await logged('ended with status 3, starts again in 2 s'), log());
  assert.match(log(), /again in 0 s[^]*again in 1 s[^]*again in 2 s/);
  assert.equal(await stopPart(data, 'part'), true, 'a stop cuts the pause short');
  assert.deepEqual(livePids(data), []);
});

test('stop hands TERM on, waits, and leaves no process and no pid file', async () => {
  await start('trap \'echo goodbye; exit 0\' TERM; echo ready; while :; do sleep 0.1; done');
  assert.ok(await logged('ready'));
  const before = partState(data, 'part');
  assert.equal(await stopPart(data, 'part'), true);
  assert.match(log(), /goodbye/);
  assert.deepEqual(partState(data, 'part'), { supervisor: undefined, process: undefined });
  assert.ok(!existsSync(`/proc/${before.supervisor!.pid}`) || partState(data, 'part').supervisor === undefined);
  assert.ok(!existsSync(join(data, 'run', 'part.pid')));
  assert.equal(await stopPart(data, 'part'), false, 'twice is harmless');
});

test('a part that ignores TERM is killed after the patience', async () => {
  await start('trap "" TERM; echo ready; while :; do sleep 0.1; done');
  assert.ok(await logged('ready'));
  await stopPart(data, 'part', 200);
  assert.deepEqual(livePids(data), []);
});

test('a part whose supervisor was killed is ended by healing', async () => {
  await start('echo ready; exec sleep 1000');
  assert.ok(await logged('ready'));
  assert.equal(await healPart(data, 'part'), 'running');
  const { supervisor, process: child } = partState(data, 'part');
  process.kill(supervisor!.pid, 'SIGKILL');
  assert.ok(await until(() => partState(data, 'part').supervisor === undefined, 5_000));
  assert.equal(partState(data, 'part').process!.pid, child!.pid, 'the part itself lives on');
  assert.equal(await healPart(data, 'part'), 'dead');
  assert.deepEqual(livePids(data), []);
});

test('a reused process id is not taken for the part', async () => {
  await start('exec sleep 1000');
  const pid = partState(data, 'part').process!.pid;
  await stopPart(data, 'part');
  writeFileSync(join(data, 'run', 'part.pid'), `${process.pid} 12345\n`);
  writeFileSync(join(data, 'run', 'part.supervisor'), `${pid} 1\n`);
  assert.deepEqual(partState(data, 'part'), { supervisor: undefined, process: undefined });
});
