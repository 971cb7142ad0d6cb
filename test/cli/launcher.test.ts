import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const checkout = resolve(import.meta.dirname, '..', '..');
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
let folder: string;
let tree: string;
let bin: string;

/** A checkout without packages, and a PATH with nothing but what every Debian has. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-launcher-'));
  tree = join(folder, 'tree');
  bin = join(folder, 'bin');
  mkdirSync(tree);
  mkdirSync(bin);
  for (const entry of ['gantry', 'package.json', 'package-lock.json', 'src', 'libexec']) cpSync(join(checkout, entry), join(tree, entry), { recursive: true });
  for (const tool of ['sh', 'uname', 'dirname', 'readlink', 'cksum', 'cut', 'find', 'head', 'tail', 'cat', 'mkdir', 'touch', 'mv', 'cp', 'rm', 'id', 'ln', 'ls']) {
    symlinkSync([`/usr/bin/${tool}`, `/bin/${tool}`].find((path) => existsSync(path))!, join(bin, tool));
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** Notes its calls, and installs by linking to what this very run uses. */
function fakeNpm(): void {
  program('npm', `
echo "$(pwd) $*" >>"${folder}/npm.calls"
case $1 in
  install) mkdir -p "node_modules/node-linux-${architecture}/bin" && ln -s "${process.execPath}" "node_modules/node-linux-${architecture}/bin/node" ;;
  ci) mkdir -p node_modules && for one in "${checkout}"/node_modules/*; do ln -sf "$one" node_modules/; done; echo '{}' >node_modules/.package-lock.json ;;
esac`);
}
const npmCalls = (): string[] => (existsSync(join(folder, 'npm.calls')) ? readFileSync(join(folder, 'npm.calls'), 'utf8').trim().split('\n') : []);

function launch(args: string[], launcher = join(tree, 'gantry')): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: bin, HOME: join(folder, 'home') };
  return spawnSync(launcher, args, { encoding: 'utf8', env });
}

test('without npm it says what to install', () => {
  const { status, stderr } = launch(['version', '--no-install']);
  assert.equal(status, 1);
  assert.match(stderr, /npm is needed[^]*fix: apt-get install npm/);
});

test('an old Node is left alone: one of its own is fetched, packages are installed, then it is quiet', () => {
  program('node', 'echo v20.1.0');
  fakeNpm();
  const first = launch(['creds', '--data-dir', join(folder, 'none')]);
  assert.match(first.stderr, /fetching Node 24[^]*installing the locked packages[^]*GY-CLOUD-001/);
  const calls = npmCalls();
  assert.equal(calls.length, 2, calls.join('\n'));
  assert.match(calls[0]!, new RegExp(`/tree/\\.node install node-linux-${architecture}@24 `));
  assert.match(calls[1]!, /\/tree ci --omit=dev /);

  const second = launch(['env', '--help']);
  assert.equal(second.status, 0, second.stderr);
  assert.equal(second.stderr, '');
  assert.match(second.stdout, /--shell/);
  assert.deepEqual(npmCalls(), calls, 'nothing is fetched twice');
});

test('a changed lock is installed again, a touched one is not', () => {
  fakeNpm();
  launch(['env', '--help']);
  const before = npmCalls().length;
  utimesSync(join(tree, 'package-lock.json'), new Date(), new Date());
  launch(['env', '--help']);
  assert.equal(npmCalls().length, before);
  writeFileSync(join(tree, 'package-lock.json'), `${readFileSync(join(tree, 'package-lock.json'), 'utf8')}\n`);
  const { stderr } = launch(['env', '--help']);
  assert.match(stderr, /installing the locked packages/);
  assert.equal(npmCalls().length, before + 1);
});

test('a new enough Node of the system is used', () => {
  symlinkSync(process.execPath, join(bin, 'node'));
  fakeNpm();
  assert.equal(launch(['env', '--help']).status, 0);
  assert.deepEqual(npmCalls().map((call) => call.split(' ')[1]), ['ci']);
});

test('where `npm ci` is too strict the same locked versions are taken by install', () => {
  symlinkSync(process.execPath, join(bin, 'node'));
  fakeNpm();
  appendFileSync(join(bin, 'npm'), '\n[ "$1" != ci ] || exit 1\n');
  launch(['env', '--help']);
  assert.deepEqual(npmCalls().map((call) => call.split(' ').slice(1, 4).join(' ')), ['ci --omit=dev --no-audit', 'install --no-save --omit=dev']);
});

test('a failing npm ends it, with the last words and a fix', () => {
  symlinkSync(process.execPath, join(bin, 'node'));
  program('npm', 'echo "npm error network is away"; exit 1');
  const { status, stderr } = launch(['env', '--help']);
  assert.equal(status, 1);
  assert.match(stderr, /network is away[^]*npm install failed[^]*fix: /);
});

test('it works through a link and from another folder', () => {
  symlinkSync(process.execPath, join(bin, 'node'));
  fakeNpm();
  symlinkSync('tree/gantry', join(folder, 'link'));
  symlinkSync(join(folder, 'link'), join(folder, 'bin', 'gantry'));
  const { status, stdout } = launch(['env', '--help'], join(folder, 'bin', 'gantry'));
  assert.equal(status, 0);
  assert.match(stdout, /--shell/);
});

const noMounts = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'needs root and mount namespaces';

test('a checkout that cannot be written is mirrored into the cache, and again when it changes', { skip: noMounts }, () => {
  symlinkSync(process.execPath, join(bin, 'node'));
  fakeNpm();
  const readOnly = (args: string[]): { status: number | null; stdout: string; stderr: string } => {
    const script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && PATH=$BIN exec "$@"';
    const env = { PATH: process.env['PATH'], BIN: bin, XDG_CACHE_HOME: join(folder, 'cache') };
    return spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', tree, join(tree, 'gantry'), ...args], { encoding: 'utf8', env });
  };
  const first = readOnly(['env', '--help']);
  assert.equal(first.status, 0, first.stderr);
  assert.ok(!existsSync(join(tree, 'node_modules')));
  const [mirror] = readdirSync(join(folder, 'cache', 'gantry'));
  const copied = join(folder, 'cache', 'gantry', mirror!, 'src', 'cli', 'commands.ts');
  assert.ok(existsSync(copied));
  appendFileSync(join(tree, 'src', 'cli', 'commands.ts'), '// changed\n');
  assert.equal(readOnly(['env', '--help']).status, 0);
  assert.match(readFileSync(copied, 'utf8'), /\/\/ changed\n$/);
});
