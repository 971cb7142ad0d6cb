import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostProbes, run } from '../../src/cli/doctor/probes.ts';
import { loopsOf, removeLeftovers, viewsOf } from '../../src/cli/leftovers.ts';
import { scratchDirectory } from '../support/scratch.ts';

function addView(dir: string, name: string, cloud?: string): string {
  const folder = join(dir, name);
  mkdirSync(folder, { recursive: true });
  if (cloud !== undefined) writeFileSync(join(folder, 'view.json'), JSON.stringify({ cloud }));
  return folder;
}

test('what guests saw of their machine goes, begun or whole; what is of others stays', () => {
  const dir = scratchDirectory('views');
  const ours = [addView(dir, 'a'.repeat(64), 'tleft'), addView(dir, '.074f99b2-a7bf-40a1-ae22-6b17b842e36c', 'tleft')];
  const others = [addView(dir, 'b'.repeat(64), 'tleft2'), addView(dir, 'c'.repeat(64))];
  assert.deepEqual(viewsOf('tleft', hostProbes(), dir).toSorted(), ours.toSorted());
  assert.deepEqual(removeLeftovers('tleft', '/nowhere/agent', hostProbes(), dir), ['removed what 2 guests saw of their machine']);
  assert.deepEqual([...ours, ...others].map((folder) => existsSync(folder)), [false, false, true, true]);
});

const may = process.getuid?.() === 0 && existsSync('/dev/loop-control');

test('a config drive is let go also when the data directory was deleted first', { skip: !may && 'needs root and loop devices' }, () => {
  const data = scratchDirectory('loops');
  const drive = join(data, 'agent', 'config-drives', 'one', 'drive.img');
  const other = join(data, 'other.img');
  const attach = (file: string): string => {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, Buffer.alloc(1024 * 1024));
    return run('losetup', ['-f', '--show', '-r', file]).stdout.trim();
  };
  const device = attach(drive);
  const foreign = attach(other);
  try {
    rmSync(join(data, 'agent'), { recursive: true });
    assert.deepEqual(loopsOf(join(data, 'agent'), hostProbes()), [{ device, file: drive }]);
    assert.deepEqual(removeLeftovers('tleft', join(data, 'agent'), hostProbes(), data), [`removed ${device} of ${drive}`]);
    assert.deepEqual(loopsOf(data, hostProbes()), [{ device: foreign, file: other }]);
  } finally {
    for (const one of loopsOf(data, hostProbes())) run('losetup', ['-d', one.device]);
  }
});
