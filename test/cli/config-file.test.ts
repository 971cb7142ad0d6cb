import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse as parseToml } from 'smol-toml';
import { serviceSections } from '../../src/cloud-config.ts';
import { ConfigError, parseConfig } from '../../src/kernel/config/config.ts';
import { keepOptions, setKey, template } from '../../src/cli/config-file.ts';
import { readSettings, readSettingsToStop } from '../../src/cli/settings.ts';

const parse = (toml: string): unknown => JSON.parse(JSON.stringify(parseToml(toml)));

test('a key is replaced where it stands, comments stay', () => {
  assert.equal(setKey('# c\n[api]\nport = 5000 # the one\nhost = "h"\n', 'api', 'port', 5001), '# c\n[api]\nport = 5001 # the one\nhost = "h"\n');
});

test('a key is added to its section, a section to the file', () => {
  assert.deepEqual(parse(setKey('[api]\nhost = "h"\n\n[log]\nlevel = "info"\n', 'api', 'port', 5001)), { api: { host: 'h', port: 5001 }, log: { level: 'info' } });
  assert.deepEqual(parse(setKey('[log]\nlevel = "info"\n', 'api', 'host', '::')), { api: { host: '::' }, log: { level: 'info' } });
  assert.deepEqual(parse(setKey('', 'api', 'port', 1)), { api: { port: 1 } });
});

test('a dotted key is replaced, too', () => {
  assert.deepEqual(parse(setKey('api.port = 5000\n', 'api', 'port', 5001)), { api: { port: 5001 } });
});

test('the first file says nothing but the defaults, and shows each of them', () => {
  const place = { file: '/d/gantry.toml', env: {}, sections: serviceSections };
  assert.deepEqual(parseConfig(template(), place), parseConfig('', place));
  const uncommented = template().replaceAll(/^# (\w+ = )/gm, '$1');
  assert.deepEqual(parseConfig(uncommented, place), parseConfig('', place), 'the defaults that it shows are valid and the real ones');
  assert.equal(parseConfig(setKey(template(), 'api', 'port', 5001), place).api.port, 5001);
});

test('a mistake in the file does not keep a cloud from being stopped: the settings that it last ran with are used', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-used-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const options = { dataDir: folder, name: 'gtused' };
  keepOptions(readSettings(options), { cloud: { name: 'gtused' }, api: { port: 5999 } });
  writeFileSync(join(folder, 'gantry.toml'), '[api]\nport = "many"\n');
  assert.throws(() => readSettings(options), ConfigError);
  const told: string[] = [];
  const settings = readSettingsToStop(options, (line) => told.push(line));
  assert.deepEqual([settings.config.api.port, settings.config.cloud.name, settings.data_dir], [5999, 'gtused', folder]);
  assert.match(told.join('\n'), /port[^]*settings of the last/);
  rmSync(join(folder, 'gantry.toml.used'));
  assert.throws(() => readSettingsToStop(options, () => {}), ConfigError);
});
