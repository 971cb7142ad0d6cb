import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildGuestImage, debianParts } from '../../src/cli/guest-image.ts';
import { tar } from '../../src/cli/image/tar.ts';

const lacking = existsSync(debianParts.busybox) ? false : 'busybox-static is not installed';
const engine = spawnSync('docker', ['version', '--format', '{{.Server.Version}}']).status === 0 ? false : 'no Docker engine answers';
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-guest-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('tar: GNU tar reads modes, links and long paths', () => {
  const long = `${'a'.repeat(90)}/${'b'.repeat(120)}`;
  const file = join(folder, 't.tar');
  writeFileSync(file, tar([
    { path: 'd', type: 'directory', mode: 0o700 },
    { path: 'd/f', type: 'file', mode: 0o640, content: Buffer.from('hello') },
    { path: 'd/l', type: 'symlink', mode: 0o777, target: '/bin/busybox' },
    { path: long, type: 'file', mode: 0o644, content: Buffer.alloc(513, 65) },
  ]));
  const listing = execFileSync('tar', ['-tvf', file, '--numeric-owner'], { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  assert.deepEqual(listing.trim().split('\n').map((line) => line.replaceAll(/ +/g, ' ')), [
    'drwx------ 0/0 0 1970-01-01 00:00 d/',
    '-rw-r----- 0/0 5 1970-01-01 00:00 d/f',
    'lrwxrwxrwx 0/0 0 1970-01-01 00:00 d/l -> /bin/busybox',
    `-rw-r--r-- 0/0 513 1970-01-01 00:00 ${long}`,
  ]);
  assert.equal(execFileSync('tar', ['-xOf', file, 'd/f'], { encoding: 'utf8' }), 'hello');
});

test('the guest image is a valid docker-save archive, the same bytes each time', { skip: lacking }, () => {
  const archive = buildGuestImage();
  assert.equal(sha256(buildGuestImage()), sha256(archive));
  const file = join(folder, 'hello.tar');
  writeFileSync(file, archive);
  const unpacked = join(folder, 'unpacked');
  execFileSync('mkdir', [unpacked]);
  execFileSync('tar', ['-xf', file, '-C', unpacked]);
  const [manifest] = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'));
  const config = readFileSync(join(unpacked, manifest.Config));
  assert.equal(manifest.Config, `${sha256(config)}.json`);
  const layer = readFileSync(join(unpacked, manifest.Layers[0]));
  assert.deepEqual(JSON.parse(config.toString()).rootfs.diff_ids, [`sha256:${sha256(layer)}`]);
  const names = execFileSync('tar', ['-tf', join(unpacked, manifest.Layers[0])], { encoding: 'utf8' }).split('\n');
  for (const name of ['bin/busybox', 'bin/sh', 'sbin/init', 'etc/passwd', 'root/.ssh/', 'usr/sbin/httpd']) assert.ok(names.includes(name), name);
  assert.equal(new Set(names).size, names.length, 'no entry twice');
});

test('parts that are missing or unfit are named with the fix', () => {
  assert.throws(() => buildGuestImage({ busybox: join(folder, 'none'), dropbear: '' }), /is missing.*apt-get install busybox-static/);
  assert.throws(() => buildGuestImage({ busybox: '/bin/ls', dropbear: '' }), /dynamically linked/);
});

test('a real engine loads and runs it: page, banner, prompt stop', { skip: lacking || engine }, () => {
  const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const file = join(folder, 'hello.tar');
  writeFileSync(file, buildGuestImage());
  const loaded = /sha256:[0-9a-f]{64}/.exec(docker('load', '-i', file))![0];
  const name = `gantry-guest-test-${process.pid}`;
  try {
    docker('run', '-d', '--name', name, '--network', 'none', '--hostname', 'hello-test', loaded);
    const fetchPage = "for i in $(seq 100); do wget -q -O - http://127.0.0.1/ && exit 0; usleep 100000; done; exit 1";
    assert.match(docker('exec', name, 'sh', '-c', fetchPage), /Hello from hello-test/);
    const banner = "for i in $(seq 100); do netstat -ltn | grep -q ':22 ' && exit 0; usleep 100000; done; exit 1";
    if (existsSync(debianParts.dropbear)) docker('exec', name, 'sh', '-c', banner);
    assert.match(docker('logs', name), /hello-test login:/);
    docker('stop', '-t', '60', name);
    assert.equal(docker('inspect', '-f', '{{.State.ExitCode}}', name).trim(), '0', 'stopped by its own will, not killed');
  } finally {
    spawnSync('docker', ['rm', '-f', name]);
    spawnSync('docker', ['rmi', loaded]);
  }
});
