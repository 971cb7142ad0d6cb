import assert from 'node:assert/strict';
import { hostname, tmpdir } from 'node:os';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Type } from 'typebox';
import { ConfigError, describeSettings, coreSections, loadConfig, parseConfig } from '../../../src/kernel/config/config.ts';

const none = { env: {} };

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  throw new Error('no ConfigError was thrown');
}

test('an empty file is a whole configuration', () => {
  const config = parseConfig('', { ...none, file: '/srv/cloud/gantry.toml' });
  assert.equal(config.cloud.name, 'gantry');
  assert.equal(config.cloud.data_dir, '/srv/cloud');
  assert.equal(config.api.port, 5000);
  assert.equal(config.api.public_url, 'http://127.0.0.1:5000');
  assert.equal(config.agent.controller_url, 'ws://127.0.0.1:5000');
  assert.equal(config.agent.hostname, hostname());
  assert.deepEqual(config.agent.roles, ['compute', 'network', 'volume']);
  assert.equal(config.database.url, 'sqlite:/srv/cloud/controller/gantry.db');
  assert.equal(config.agent.join_token_file, '/srv/cloud/secrets/join-token');
});

test('what the file says counts, relative paths are meant from its folder', () => {
  const config = parseConfig('[cloud]\ndata_dir = "data"\n[api]\nhost = "::"\nport = 5001\n', { ...none, file: '/etc/gantry/gantry.toml' });
  assert.equal(config.cloud.data_dir, '/etc/gantry/data');
  assert.equal(config.api.public_url, 'http://[::1]:5001');
  assert.equal(config.agent.controller_url, 'ws://[::1]:5001');
});

test('two configurations share no default', () => {
  parseConfig('', none).agent.roles.pop();
  assert.equal(parseConfig('', none).agent.roles.length, 3);
});

test('an unknown key names file, line and the likely meaning', () => {
  const [problem] = problemsOf(() => parseConfig('# a comment\n[api]\nprot = 5001\n', { ...none, file: '/g.toml' }));
  assert.equal(problem, '/g.toml:3: unknown key "prot" in [api] (did you mean "port"?)');
});

test('an unknown section and a key outside of any section', () => {
  assert.deepEqual(problemsOf(() => parseConfig('port = 1\n\n[apj]\nport = 1\n', { ...none, file: '/g.toml' })), [
    '/g.toml:1: unknown key "port" outside of a section',
    '/g.toml:3: unknown section [apj] (did you mean "api"?)',
  ]);
});

test('a wrong type says what is expected, all problems at once', () => {
  const problems = problemsOf(() => parseConfig('[api]\nport = "x"\n[agent]\nroles = ["compute", "storage"]\n[log]\nlevel = "loud"\n', { ...none, file: '/g.toml' }));
  assert.deepEqual(problems, [
    '/g.toml:2: api.port: expected a whole number from 0 to 65535, got "x"',
    '/g.toml:4: agent.roles: expected a list of one of "compute", "network", "volume", got a list',
    '/g.toml:6: log.level: expected one of "debug", "info", "warn", "error", got "loud"',
  ]);
});

test('a reader of some sections leaves the others alone', () => {
  assert.equal(parseConfig('[identity]\nx = 1\n[api]\nport = 1\n', { ...none, other_sections: 'ignore' }).api.port, 1);
});

test('a section given as a value is refused', () => {
  assert.deepEqual(problemsOf(() => parseConfig('api = 3\n', { ...none, file: '/g.toml' })), ['/g.toml:1: [api] is a section of settings, not a number']);
});

test('broken TOML names line and column', () => {
  const [problem] = problemsOf(() => parseConfig('[api]\nport = = 1\n', { ...none, file: '/g.toml' }));
  assert.match(problem!, /^\/g\.toml:2:\d+: not valid TOML: /);
});

test('a value with a password in it is not repeated', () => {
  const [problem] = problemsOf(() => parseConfig('[database]\nurl = "mysql://me:hunter2@h/x"\n', none));
  assert.ok(!problem!.includes('hunter2'), problem);
});

test('the environment wins over the file', () => {
  const config = parseConfig('[api]\nport = 5001\n', { env: { GANTRY_API_PORT: '5002', GANTRY_AGENT_ROLES: 'network', GANTRY_DATA_DIR: '/d', GANTRY_UNRELATED: 'x' } });
  assert.equal(config.api.port, 5002);
  assert.deepEqual(config.agent.roles, ['network']);
  assert.equal(config.cloud.data_dir, '/d');
});

test('a wrong variable is named', () => {
  assert.deepEqual(problemsOf(() => parseConfig('', { env: { GANTRY_API_PRT: '1', GANTRY_API_PORT: 'many' } })), [
    'environment variable GANTRY_API_PRT: no such setting (did you mean "GANTRY_API_PORT"?)',
    'environment variable GANTRY_API_PORT: api.port: expected a whole number from 0 to 65535, got "many"',
  ]);
});

test('a service brings a section of its own, typed', () => {
  const sections = { identity: Type.Object({ token_hours: Type.Integer({ default: 24, minimum: 1 }) }, { additionalProperties: false }) };
  const config = parseConfig('[identity]\ntoken_hours = 2\n', { env: { GANTRY_IDENTITY_TOKEN_HOURS: '3' }, sections });
  const hours: number = config.identity.token_hours;
  assert.equal(hours, 3);
  assert.equal(parseConfig('', { env: {}, sections }).identity.token_hours, 24);
  assert.deepEqual(problemsOf(() => parseConfig('[identity]\ntoken_hours = 0\n', { env: {}, sections, file: '/g.toml' })), [
    '/g.toml:2: identity.token_hours: expected a whole number of at least 1, got 0',
  ]);
});

test('tables of a list have defaults of their own, and what is wrong with one is named', () => {
  const provider = Type.Object({ url: Type.String(), ask: Type.Boolean({ default: true }) }, { additionalProperties: false });
  const sections = { login: Type.Object({ providers: Type.Array(provider, { default: [] }) }) };
  const read = (text: string) => parseConfig(text, { sections, env: {} }).login.providers;
  assert.deepEqual(read('[[login.providers]]\nurl = "a"\n[[login.providers]]\nurl = "b"\nask = false\n'), [{ url: 'a', ask: true }, { url: 'b', ask: false }]);
  assert.throws(() => read('[[login.providers]]\nasks = false\n'), /unknown key "asks" in \[login\.providers\[0\]\].*ask[^]*login\.providers\[0\]: "url" is missing/);
  assert.throws(() => read('[login]\nproviders = ["a"]\n'), /login\.providers\[0\]/);
});

test('a file that is not there is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
  try {
    assert.match(problemsOf(() => loadConfig({ file: join(folder, 'gantry.toml') }))[0]!, /gantry\.toml: cannot be read: ENOENT/);
    writeFileSync(join(folder, 'gantry.toml'), '[cloud]\nname = "east"\n');
    const config = loadConfig({ file: join(folder, 'gantry.toml'), env: {} });
    assert.equal(config.cloud.name, 'east');
    assert.equal(config.cloud.data_dir, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('every setting has a meaning to show', () => {
  for (const setting of describeSettings(coreSections)) assert.ok(setting.description.length > 10, `${setting.section}.${setting.key}`);
});
