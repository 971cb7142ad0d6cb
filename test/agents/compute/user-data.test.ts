import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bootScript } from '../../../src/agents/compute/user-data/boot-script.ts';
import { userDataParts } from '../../../src/agents/compute/user-data/parts.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'gantry-user-data-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the steps here rather than in a guest: output to stdout, its own files below the test's folder. */
function carryOut(data: string | Buffer): string {
  const script = bootScript(Buffer.from(data), 'root')!.split('\n').filter((line) => !line.includes('/proc/1/fd/1')).join('\n').replaceAll('/var/lib/gantry/user-data', join(dir, 'own'));
  const done = spawnSync('/bin/sh', [], { input: script.replace('exec </dev/null', 'hostname() { echo "hostname is $1"; }'), encoding: 'utf8' });
  return `${done.stdout}${done.stderr}`;
}

const kinds = (data: string | Buffer): string[] => userDataParts(Buffer.from(data)).map(({ kind }) => kind);

test('parts are told apart by their first line, through gzip and MIME', () => {
  assert.deepEqual(kinds('#!/bin/sh\ntrue'), ['script']);
  assert.deepEqual(kinds('#cloud-config\n{}'), ['cloud-config']);
  assert.deepEqual(kinds('#include http://x'), ['unknown']);
  assert.deepEqual(kinds(gzipSync('#!/bin/sh')), ['script']);
  assert.deepEqual(kinds(''), []);
  const mime = [
    'Content-Type: multipart/mixed; boundary="==X=="', 'MIME-Version: 1.0', '',
    '--==X==', 'Content-Type: text/x-shellscript; charset="us-ascii"', '', 'echo plain', '',
    '--==X==', 'Content-Type: text/cloud-config', 'Content-Transfer-Encoding: base64', '', Buffer.from('#cloud-config\nruncmd: []').toString('base64'),
    '--==X==', 'Content-Type: text/plain', 'Content-Transfer-Encoding: base64', '', gzipSync('#!/bin/sh\necho zipped').toString('base64'),
    '--==X==--', '',
  ];
  assert.deepEqual(kinds(mime.join('\n')), ['script', 'cloud-config', 'script']);
  assert.deepEqual(kinds(mime.join('\r\n')), ['script', 'cloud-config', 'script']);
});

test('a script is run by its first line, and how it ends is said', () => {
  assert.match(carryOut('#!/bin/sh\necho "hello $((1 + 1))"'), /runs part 1\nhello 2\nuser-data: done$/m);
  assert.match(carryOut('#!/bin/sh\nexit 3'), /part 1 ended with 3\nuser-data: done, with failures/);
});

test('a cloud-config writes files and runs commands in its order', () => {
  const path = join(dir, 'deep', 'file');
  const binary = join(dir, 'binary');
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const output = carryOut(`#cloud-config
runcmd:
  - echo two $((1+1))
  - [echo, "a  b", "it's"]
bootcmd: ["echo one"]
write_files:
  - {path: ${path}, content: "x 'y' \\\\n %s\\n", permissions: "0600"}
  - {path: ${path}, content: "more", append: true}
  - {path: ${binary}, encoding: b64, content: ${bytes.toString('base64')}}
  - {path: relative, content: x}
packages: [nginx]
swap: {}
`);
  assert.match(output, /one\n[^]*two 2\na {2}b it's\n/);
  assert.match(output, /packages are not installed here/);
  assert.match(output, /"swap" is not understood/);
  assert.match(output, /"relative" is no absolute path/);
  assert.equal(readFileSync(path, 'utf8'), `x 'y' \\n %s\nmore`);
  assert.deepEqual(readFileSync(binary), bytes);
  assert.equal(statSync(path).mode & 0o777, 0o644);
});

test('what is broken is said, and nothing of it is run', () => {
  assert.match(carryOut('#cloud-config\n: : :\n - ['), /not YAML/);
  assert.match(carryOut('#cloud-config\n- a list'), /holds no settings/);
  assert.match(carryOut(Buffer.from([0x1f, 0x8b, 1, 2])), /could not be read/);
  assert.match(carryOut('just words; touch /tmp/never'), /not understood and left out: just words/);
  assert.equal(bootScript(Buffer.from(' \n'), 'root'), undefined);
});

test('names and keys cannot break out of the script', () => {
  const output = carryOut(`#cloud-config
users: [{name: "x; touch ${dir}/broken"}]
ssh_authorized_keys: []
hostname: "$(touch ${dir}/broken)'"
`);
  assert.match(output, /is no name of a user/);
  assert.ok(output.includes(`hostname is $(touch ${dir}/broken)'`), output);
  assert.throws(() => statSync(join(dir, 'broken')));
});
