import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/kernel/config/config.ts';
import { CliError } from '../../src/cli/errors.ts';
import { exportLines, variables } from '../../src/cli/env.ts';
import { parseLine, parseSince } from '../../src/cli/logs.ts';
import type { Output } from '../../src/cli/output.ts';
import { table } from '../../src/cli/output.ts';
import { runCli } from '../../src/cli/main.ts';
import { credentialsOf, prepareDataDir } from '../../src/cli/secrets.ts';
import { advice, quote } from '../../src/cli/self.ts';
import type { Settings } from '../../src/cli/settings.ts';
import { defaultDataDir } from '../../src/cli/settings.ts';
import { withoutRuntime, withRuntime } from '../../src/cli/up/daemon-json.ts';
import { withoutDocker } from '../../src/cli/up/firewall.ts';
import { registryReference } from '../../src/cli/up/image-source.ts';
import { takeLock } from '../../src/cli/up/lock.ts';
import { installRuntime, otherClouds, refuseNamesake, removeRuntime } from '../../src/cli/up/runtime.ts';
import { createProgress, runSteps } from '../../src/cli/up/steps.ts';
import type { UpContext } from '../../src/cli/up/context.ts';
import { scratchDirectory } from '../support/scratch.ts';

function settingsIn(data_dir: string, name = 'tcli'): Settings {
  const config = parseConfig(`[cloud]\nname = "${name}"\n[controller]\nuid = ${process.getuid!()}\ngid = ${process.getgid!()}\n`, { file: join(data_dir, 'gantry.toml'), env: {} });
  return { config, config_file: join(data_dir, 'gantry.toml'), data_dir, exists: true, checkout: join(import.meta.dirname, '..', '..') };
}

function collector(): Output & { lines: string[]; notes: string[] } {
  const lines: string[] = [];
  const notes: string[] = [];
  return { lines, notes, print: (line) => void lines.push(line), note: (line) => void notes.push(line), tty: false, colour: false };
}

const credentials = { auth_url: 'http://h:5000/identity/v3', username: "o'brien", password: 'a b$"\\', project: 'p', region: 'R' };

test('env lines survive the shell whatever the password is', () => {
  const script = `${exportLines(credentials, 'bash').join('\n')}\nprintf '%s|%s' "$OS_PASSWORD" "$OS_USERNAME"`;
  assert.equal(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }), `${credentials.password}|${credentials.username}`);
  assert.ok(exportLines(credentials, 'fish').includes("set -gx OS_USERNAME 'o\\'brien';"));
  assert.equal(variables(credentials)['OS_PROJECT_NAME'], 'p');
  assert.equal(quote('plain-1.2/x'), 'plain-1.2/x');
});

test('passwords are made once, private, and read back', () => {
  const settings = settingsIn(scratchDirectory('secrets'));
  prepareDataDir(settings);
  const first = credentialsOf(settings, 'admin');
  assert.match(first.password, /^\w{20}$/);
  prepareDataDir(settings);
  assert.equal(credentialsOf(settings, 'admin').password, first.password);
  assert.notEqual(credentialsOf(settings, 'demo').password, first.password);
  const modes = spawnSync('stat', ['-c', '%a', ...['admin-password', 'demo-password', 'join-token'].map((name) => join(settings.data_dir, 'secrets', name))], { encoding: 'utf8' });
  assert.equal(modes.stdout, '600\n600\n600\n');
});

test('without a cloud the passwords say what to do', () => {
  assert.throws(() => credentialsOf(settingsIn(join(scratchDirectory('none'), 'x')), 'admin'), (error) => error instanceof CliError && error.reason === 'GY-CLOUD-001');
});

test('the data directory follows option, variable, root and XDG', () => {
  assert.equal(defaultDataDir({ dataDir: '/a' }, { GANTRY_DATA_DIR: '/b' }, 0), '/a');
  assert.equal(defaultDataDir({}, { GANTRY_DATA_DIR: '/b' }, 0), '/b');
  assert.equal(defaultDataDir({ name: 'east' }, {}, 0), '/var/lib/east');
  assert.equal(defaultDataDir({}, { XDG_DATA_HOME: '/x' }, 1000), '/x/gantry');
});

test('advice is made to fit the cloud', () => {
  const settings = settingsIn('/srv/cloud');
  assert.match(advice(settings, './gantry logs agent'), /gantry logs agent --data-dir \/srv\/cloud$/);
  assert.match(advice(settings, './gantry down, then run the same command again'), /gantry down --data-dir \/srv\/cloud, then run the same command again$/);
  assert.equal(advice(settings, 'apt-get install npm'), 'apt-get install npm');
});

test('the engine keeps its other settings beside our runtime', () => {
  const before = '{\n  "log-driver": "local",\n  "runtimes": {\n    "crun": {\n      "path": "/usr/bin/crun"\n    }\n  }\n}\n';
  const after = withRuntime(before, 'gantry', '/lib/gantry-runc');
  assert.deepEqual(JSON.parse(after), { 'log-driver': 'local', runtimes: { crun: { path: '/usr/bin/crun' }, gantry: { path: '/lib/gantry-runc' } } });
  assert.equal(withoutRuntime(after, 'gantry', '/lib/gantry-runc'), before);
  assert.equal(withoutRuntime(after, 'gantry', '/another'), after, 'an entry that is not ours');
  assert.equal(withoutRuntime(withRuntime('', 'gantry', '/l'), 'gantry', '/l'), '');
  assert.throws(() => withRuntime('[]', 'gantry', '/l'), CliError);
});

test("Docker's firewall goes, everybody else's stays", () => {
  const before = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n';
  const now = '*filter\n:INPUT ACCEPT [1:2]\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n:MINE - [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -o docker0 -j DOCKER\n'
    + '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A INPUT -p tcp -j MINE\n-A DOCKER-USER -j RETURN\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n';
  assert.equal(withoutDocker(now, before), '*filter\n:INPUT ACCEPT [1:2]\n:FORWARD ACCEPT [0:0]\n:MINE - [0:0]\n-A INPUT -p tcp -j MINE\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n');
});

test('registry references', () => {
  assert.equal(registryReference('docker://nginx'), 'nginx:latest');
  assert.equal(registryReference('docker://localhost:5001/team/app:1.2'), 'localhost:5001/team/app:1.2');
  assert.equal(registryReference('docker://localhost:5001/app'), 'localhost:5001/app:latest');
  for (const bad of ['nginx', 'docker://', 'docker://-x', 'http://x']) assert.throws(() => registryReference(bad), CliError, bad);
});

test('the runtime goes with the last cloud, and only if up had brought it', () => {
  const lib = join(scratchDirectory('lib'), 'gantry');
  const [east, west] = [settingsIn(scratchDirectory('east'), 'east'), settingsIn(scratchDirectory('west'), 'west')];
  assert.equal(installRuntime(east, lib), 'installed');
  assert.equal(installRuntime(west, lib), 'in place');
  writeFileSync(join(lib, 'gantry-runc'), 'older');
  assert.equal(installRuntime(east, lib), 'renewed');
  assert.deepEqual(otherClouds('east', lib), [west.data_dir]);
  assert.deepEqual(removeRuntime('east', lib), []);
  assert.ok(existsSync(join(lib, 'gantry-runc')));
  assert.deepEqual(removeRuntime('west', lib), [join(lib, 'gantry-runc')]);
  assert.ok(!existsSync(lib));

  mkdirSync(lib);
  writeFileSync(join(lib, 'gantry-runc'), "somebody else's");
  installRuntime(east, lib);
  assert.deepEqual(removeRuntime('east', lib), []);
  assert.ok(existsSync(join(lib, 'gantry-runc')));
});

test('a cloud of the same name in another folder is left alone, as long as it is there', () => {
  const lib = join(scratchDirectory('lib'), 'gantry');
  const home = settingsIn(scratchDirectory('home'));
  const stray = join(scratchDirectory('stray'), 'data');
  const link = join(scratchDirectory('link'), 'data');
  symlinkSync(home.data_dir, link);
  const refuse = (data_dir: string) => (): void => refuseNamesake('tcli', data_dir, 'down --purge', lib);
  assert.doesNotThrow(refuse(stray), 'nobody has the name');
  prepareDataDir(home);
  writeFileSync(home.config_file, '');
  installRuntime(home, lib);
  assert.throws(refuse(stray), (error) => error instanceof CliError && error.reason === 'GY-CLOUD-003' && error.next!.includes(home.data_dir));
  for (const own of [home.data_dir, link]) assert.doesNotThrow(refuse(own));
  assert.doesNotThrow(() => refuseNamesake('other', stray, 'up', lib));
  rmSync(home.data_dir, { recursive: true });
  assert.doesNotThrow(refuse(stray), 'what a lost folder left can be removed');
});

test('one command at a time; a dead holder is no hindrance', () => {
  const data = scratchDirectory('lock');
  const release = takeLock(data, 'up');
  assert.throws(() => takeLock(data, 'down'), (error) => error instanceof CliError && error.reason === 'GY-LOCK-001' && error.message.includes(`gantry up (process ${process.pid})`));
  release();
  writeFileSync(join(data, 'run', 'command.lock'), `${process.pid} 1 up\n`);
  takeLock(data, 'down')();
  assert.ok(!existsSync(join(data, 'run', 'command.lock')));
});

function context(output: Output, signal = new AbortController().signal): UpContext {
  return { settings: settingsIn('/nowhere'), options: { install: true, write: true, json: false, image: undefined }, output, undo: [], signal, say() {} };
}

test('a step that fails undoes what the run started, last first', async () => {
  const output = collector();
  const undone: string[] = [];
  const start = (what: string) => async (up: UpContext): Promise<string> => {
    up.undo.push({ what, run: async () => void undone.push(what) });
    return 'started';
  };
  const steps = [
    { name: 'a', title: 'first', run: start('engine') },
    { name: 'b', title: 'second', run: start('controller') },
    { name: 'c', title: 'third', run: async () => { throw new CliError('GY-X-001', 'broken'); } },
    { name: 'd', title: 'fourth', run: start('never') },
  ];
  await assert.rejects(runSteps(steps, context(output), createProgress(output, true)), /broken/);
  assert.deepEqual(undone, ['controller', 'engine']);
  const events = output.lines.map((line) => JSON.parse(line) as { event: string; step?: string; state?: string; text?: string });
  assert.deepEqual(events.filter((event) => event.event === 'step').map((event) => `${event.step} ${event.state}`), ['a started', 'a done', 'b started', 'b done', 'c started', 'c failed']);
  assert.deepEqual(events.filter((event) => event.event === 'note').map((event) => event.text), ['rolled back: controller', 'rolled back: engine']);
});

test('Ctrl-C ends a step that hangs, and undoes', async () => {
  const output = collector();
  const interrupt = new AbortController();
  const undone: string[] = [];
  const hangs = async (up: UpContext): Promise<string> => {
    up.undo.push({ what: 'agent', run: async () => void undone.push('agent') });
    interrupt.abort();
    return new Promise(() => {});
  };
  await assert.rejects(runSteps([{ name: 'a', title: 'a', run: hangs }], context(output, interrupt.signal), createProgress(output, false)), (error) => error instanceof CliError && error.reason === 'GY-UP-INTERRUPTED');
  assert.deepEqual(undone, ['agent']);
});

test('log lines: records, plain text, --since', () => {
  const line = parseLine('agent', '{"level":"warn","time":"2030-01-01T00:00:00Z","name":"agent","msg":"no link","code":1006}');
  assert.equal(line.text, 'warn  no link  code=1006');
  assert.equal(parseLine('agent', 'plain').text, 'plain');
  const now = new Date('2030-01-01T01:00:00Z');
  assert.equal(parseSince('10m', now).toISOString(), '2030-01-01T00:50:00.000Z');
  assert.equal(parseSince('2030-01-01T00:00:00Z', now).toISOString(), '2030-01-01T00:00:00.000Z');
  assert.throws(() => parseSince('soon', now), CliError);
});

test('logs of several processes are joined by time and filtered by request', async () => {
  const data = scratchDirectory('logs');
  mkdirSync(join(data, 'log'));
  const record = (second: number, msg: string, id = 'req-1'): string => `{"level":"info","time":"2030-01-01T00:00:0${second}.000Z","request_id":"${id}","msg":"${msg}"}\n`;
  writeFileSync(join(data, 'log', 'controller.log'), record(1, 'asked') + record(4, 'other', 'req-2') + record(5, 'answered'));
  writeFileSync(join(data, 'log', 'agent.log'), record(3, 'done'));
  writeFileSync(join(data, 'log', 'apt.log'), 'noise\n');
  const output = collector();
  assert.equal(await runCli(['logs', '--data-dir', data, '--request-id', 'req-1'], output), 0);
  assert.deepEqual(output.lines.map((line) => /(asked|done|answered|other)/.exec(line)?.[0]), ['asked', 'done', 'answered']);
  assert.equal(await runCli(['logs', 'apt', '--data-dir', data], output), 0);
  assert.equal(output.lines.at(-1), 'noise');
  assert.equal(await runCli(['logs', 'agnt', '--data-dir', data], output), 1);
  assert.match(output.notes.join('\n'), /did you mean "agent"/);
});

test('a slip in a command is answered with the likely one; a broken file with its line', async () => {
  const output = collector();
  assert.equal(await runCli(['stauts'], output), 2);
  assert.match(output.notes.join('\n'), /did you mean "status"/);
  const data = scratchDirectory('broken');
  writeFileSync(join(data, 'gantry.toml'), '[api]\nprot = 1\n');
  assert.equal(await runCli(['creds', '--data-dir', data], output), 2);
  assert.match(output.notes.join('\n'), /gantry\.toml:2: unknown key "prot" in \[api\] \(did you mean "port"\?\)/);
});

test('every command explains itself', async () => {
  for (const name of ['up', 'down', 'doctor', 'status', 'logs', 'version', 'env', 'openrc', 'creds']) {
    const output = collector();
    assert.equal(await runCli([name, '--help'], output), 0, name);
    assert.match(output.lines.join('\n'), /--data-dir/, name);
  }
});

test('tables line up', () => {
  assert.deepEqual(table(['a', 'b'], [['long', 'x'], ['s', '']]), ['a     b', 'long  x', 's']);
});
