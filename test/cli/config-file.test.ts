import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse as parseToml } from 'smol-toml';
import { serviceSections } from '../../src/cloud-config.ts';
import { parseConfig } from '../../src/kernel/config/config.ts';
import { setKey, template } from '../../src/cli/config-file.ts';

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
