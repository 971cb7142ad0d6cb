import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, parseDocument } from 'yaml';
import { cloudEntry, cloudsYamlPath, editCloudsYaml, mergeClouds, removeClouds } from '../../src/cli/clouds-yaml.ts';
import { CliError } from '../../src/cli/errors.ts';

const entry = cloudEntry({ auth_url: 'http://127.0.0.1:5000/identity/v3', username: 'admin', password: 'p', project: 'admin', region: 'RegionOne' });
const others = `# my clouds
clouds:
  work: # the one that pays
    auth:
      auth_url: https://work.example/v3
    region_name: north
cache:
  auth: true
`;

test('a first file', () => {
  assert.deepEqual(parse(mergeClouds('', { gantry: entry })), { clouds: { gantry: entry } });
  assert.deepEqual(parse(mergeClouds('# nothing yet\n', { gantry: entry })).clouds.gantry, entry);
  assert.deepEqual(parse(mergeClouds('clouds:\n', { gantry: entry })).clouds.gantry, entry);
});

test('other clouds, settings and comments stay', () => {
  const merged = mergeClouds(others, { gantry: entry });
  assert.deepEqual(parse(merged), { ...parse(others), clouds: { ...parse(others).clouds, gantry: entry } });
  for (const comment of ['# my clouds', '# the one that pays']) assert.ok(merged.includes(comment), comment);
  assert.equal(mergeClouds(merged, { gantry: entry }), merged, 'twice changes nothing');
});

test('only our own entry is removed', () => {
  const merged = mergeClouds(others, { gantry: entry, 'gantry-demo': entry });
  assert.equal(removeClouds(merged, ['gantry', 'gantry-demo'], 'http://127.0.0.1:5000/identity/v3'), String(parseDocument(others)));
  assert.equal(removeClouds(merged, ['gantry'], 'http://127.0.0.1:5999/identity/v3'), merged, 'an entry that leads elsewhere');
  assert.equal(removeClouds(others, ['work'], 'http://127.0.0.1:5000/identity/v3'), others);
});

test('merging and removing give back any file of clouds', () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/).filter((text) => text !== 'gantry');
  fc.assert(fc.property(fc.dictionary(name, fc.record({ region_name: name }), { minKeys: 1 }), (clouds) => {
    const text = mergeClouds('', clouds);
    assert.deepEqual(parse(removeClouds(mergeClouds(text, { gantry: entry }), ['gantry'], 'http://127.0.0.1:5000/identity/v3')), parse(text));
  }), { numRuns: 50 });
});

test('a broken file is refused, not overwritten', () => {
  for (const text of ['clouds: [\n', '- a\n', 'just text']) assert.throws(() => mergeClouds(text, { gantry: entry }), CliError, text);
});

test('the file is written private, with a copy of what was there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-clouds-'));
  try {
    const path = join(folder, 'openstack', 'clouds.yaml');
    assert.equal(cloudsYamlPath({ OS_CLIENT_CONFIG_FILE: path }), path);
    assert.ok(editCloudsYaml(path, (text) => mergeClouds(text, { gantry: entry })));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.ok(!existsSync(`${path}.before-gantry`));
    writeFileSync(path, others, { mode: 0o644 });
    assert.ok(editCloudsYaml(path, (text) => mergeClouds(text, { gantry: entry })));
    assert.equal(readFileSync(`${path}.before-gantry`, 'utf8'), others);
    assert.ok(!editCloudsYaml(path, (text) => mergeClouds(text, { gantry: entry })), 'no change, no write');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
