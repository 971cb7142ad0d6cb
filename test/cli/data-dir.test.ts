import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { foreignEntries, refuseForeignFolder } from '../../src/cli/data-dir.ts';
import { CliError } from '../../src/cli/errors.ts';
import type { Settings } from '../../src/cli/settings.ts';
import { emptiedTables } from '../../src/cli/up/firewall.ts';
import { refuseNamesake } from '../../src/cli/up/runtime.ts';
import { scratchDirectory } from '../support/scratch.ts';

test('a cloud is not made in a folder that is used for something else, and knows its own things there', () => {
  const data_dir = scratchDirectory('data');
  const settings = (exists: boolean): Settings => ({ data_dir, exists }) as Settings;
  refuseForeignFolder(settings(false));
  for (const name of ['run', 'log', 'secrets']) mkdirSync(join(data_dir, name));
  writeFileSync(join(data_dir, 'policy.yaml'), '');
  refuseForeignFolder(settings(false));
  writeFileSync(join(data_dir, 'thesis.tex'), '');
  assert.throws(() => refuseForeignFolder(settings(false)), (error) => error instanceof CliError && error.reason === 'GY-DATA-002' && error.message.includes('thesis.tex'));
  refuseForeignFolder(settings(true));
  assert.deepEqual(foreignEntries(data_dir).sort(), ['policy.yaml', 'thesis.tex']);
});

test('a cloud whose name was changed in its file is not taken for another one', () => {
  const lib = scratchDirectory('lib');
  const data_dir = scratchDirectory('named');
  mkdirSync(join(lib, 'clouds'));
  writeFileSync(join(lib, 'clouds', 'first'), `${data_dir}\n`);
  writeFileSync(join(data_dir, 'gantry.toml'), '');
  refuseNamesake('first', data_dir, 'up', lib);
  assert.throws(() => refuseNamesake('second', data_dir, 'up', lib), (error) => error instanceof CliError && error.reason === 'GY-CLOUD-004');
});

test('tables of the firewall that only Docker had are known by their emptiness', () => {
  const rest = '*nat\n:PREROUTING ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT\n-A INPUT -j ACCEPT\nCOMMIT\n*mangle\n:INPUT ACCEPT\nCOMMIT\n';
  assert.deepEqual(emptiedTables(rest, '*mangle\n:INPUT ACCEPT\nCOMMIT\n'), ['nat']);
});
