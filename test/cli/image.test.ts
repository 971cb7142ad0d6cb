import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loginOf } from '../../src/cli/caller.ts';
import { CliError } from '../../src/cli/errors.ts';
import { parseBuildArgs } from '../../src/cli/image/build.ts';
import { contextArchive, listContext } from '../../src/cli/image/context.ts';
import { jsonLines } from '../../src/cli/image/engine-images.ts';
import { parseIgnore } from '../../src/cli/image/ignore.ts';
import { byteText, parseBytes, parseReference, referenceText } from '../../src/cli/image/names.ts';
import { runCli } from '../../src/cli/main.ts';
import { createByteReader, readContent, readEntry } from '../../src/kernel/tar.ts';
import { scratchDirectory } from '../support/scratch.ts';

const refused = (reason: string) => (error: unknown): boolean => error instanceof CliError && error.reason === reason;

test('.dockerignore leaves out what docker leaves out', () => {
  const cases: [string, string[], string[]][] = [
    ['node_modules\n*.log\n', ['node_modules', 'node_modules/a/b', 'x.log'], ['sub/x.log', 'node_modules2', 'src']],
    ['**/*.log', ['x.log', 'a/b/x.log'], ['x.logs']],
    ['a/**/z', ['a/z', 'a/b/c/z', 'a/z/deep'], ['a', 'b/z']],
    ['# a comment\n/leading\ntrailing/\n\n./dot/./x', ['leading', 'trailing/f', 'dot/x'], ['sub/leading']],
    ['*\n!keep\n!deep/one', ['a', 'deep/two'], ['keep', 'keep/inside', 'deep/one']],
    ['docs\n!docs/README.md\ndocs/README.md', ['docs/README.md'], ['src']],
    ['file?.[a-c]\nx\\*y\n(a+b)', ['file1.a', 'x*y', '(a+b)'], ['file1.d', 'file.a', 'xzy', 'aab']],
    ['temp*\n*/temp*\n*/*/temp*', ['temp', 'a/temp1', 'a/b/temporary.txt'], ['a/b/c/temp']],
  ];
  for (const [text, out, kept] of cases) {
    const ignore = parseIgnore(text);
    for (const path of out) assert.equal(ignore.excludes(path), true, `${JSON.stringify(text)} leaves out ${path}`);
    for (const path of kept) assert.equal(ignore.excludes(path), false, `${JSON.stringify(text)} keeps ${path}`);
  }
  assert.throws(() => parseIgnore('[open'));
});

async function contextOf(folder: string): Promise<Map<string, { type: string; content: string; link: string }>> {
  const reader = createByteReader(contextArchive(folder, await listContext(folder, 'Dockerfile')));
  const found = new Map<string, { type: string; content: string; link: string }>();
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    found.set(entry.name, { type: entry.type, link: entry.link, content: (await readContent(reader, entry.size)).toString() });
  }
  return found;
}

test('a folder goes to the engine as it is, without what is ignored', async () => {
  const folder = scratchDirectory('context');
  for (const [name, text] of [['Dockerfile', 'FROM scratch\n'], ['.dockerignore', 'Dockerfile\n.dockerignore\nsecret\nlogs\n!logs/keep\n'], ['app', 'x'.repeat(1000)], ['secret', 's'], ['empty', '']] as const) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs/keep'), 'kept');
  writeFileSync(join(folder, 'logs/gone'), 'gone');
  symlinkSync('../outside', join(folder, 'link'));
  chmodSync(join(folder, 'app'), 0o755);
  const found = await contextOf(folder);
  assert.deepEqual([...found.keys()].sort(), ['.dockerignore', 'Dockerfile', 'app', 'empty', 'link', 'logs/keep']);
  assert.equal(found.get('app')?.content, 'x'.repeat(1000));
  assert.deepEqual([found.get('link')?.type, found.get('link')?.link], ['2', '../outside']);
  await assert.rejects(listContext(join(folder, 'nowhere'), 'Dockerfile'), refused('GY-BUILD-001'));
  await assert.rejects(listContext(folder, 'Other'), refused('GY-BUILD-002'));
});

test('names and amounts are read as docker reads them', () => {
  assert.equal(referenceText(parseReference('web')), 'web:latest');
  assert.equal(referenceText(parseReference('team/web_1.x:V2')), 'team/web_1.x:V2');
  for (const bad of ['', 'Web', 'a//b', 'a:', 'a:b:c', '/a', 'a/', '-a', 'a b', 'x'.repeat(201)]) assert.throws(() => parseReference(bad), refused('GY-IMAGE-003'), bad);
  assert.equal(parseBytes('1.5g', '--memory'), 1.5 * 1024 ** 3);
  assert.equal(parseBytes('512M', '--memory'), 512 * 1024 ** 2);
  assert.equal(parseBytes('4096', '--memory'), 4096);
  for (const bad of ['', 'much', '0', '-1', '1x']) assert.throws(() => parseBytes(bad, '--memory'), refused('GY-IMAGE-004'), bad);
  assert.deepEqual([byteText(0), byteText(1023), byteText(1536), byteText(5 * 1024 ** 3)], ['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
  assert.deepEqual(parseBuildArgs(['A=b=c', 'HOME'], { HOME: '/h' }), { A: 'b=c', HOME: '/h' });
  assert.throws(() => parseBuildArgs(['MISSING'], {}), refused('GY-BUILD-008'));
});

test('lines of the engine are read however they are cut', async () => {
  const bytes = Buffer.from('{"stream":"grün\\n"}\r\n{"error":"x"}\n{"aux":1}');
  for (const size of [1, 3, 7, 100]) {
    const parts = (async function* () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size); })();
    assert.deepEqual(await Array.fromAsync(jsonLines(parts)), [{ stream: 'grün\n' }, { error: 'x' }, { aux: 1 }]);
  }
});

test('callers are who the variables name', () => {
  const base = { auth_url: 'http://h:5000/identity', username: 'u', password: 'p', project_name: 'x' };
  const login = loginOf({ ...base, region_name: 'R' }, 'here');
  assert.deepEqual([login.auth_url, login.region], ['http://h:5000/identity/v3', 'R']);
  assert.deepEqual(login.auth, {
    identity: { methods: ['password'], password: { user: { name: 'u', domain: { id: 'default' }, password: 'p' } } }, scope: { project: { name: 'x', domain: { id: 'default' } } },
  });
  const named = loginOf({ ...base, auth_url: 'http://h/v3/', user_domain_name: 'D', project_id: 'i' }, 'here');
  assert.equal(named.auth_url, 'http://h/v3');
  assert.deepEqual(named.auth, {
    identity: { methods: ['password'], password: { user: { name: 'u', domain: { name: 'D' }, password: 'p' } } }, scope: { project: { id: 'i' } },
  });
  const app = loginOf({ auth_url: 'http://h', application_credential_id: 'a', application_credential_secret: 's' }, 'here');
  assert.deepEqual(app.auth, { identity: { methods: ['application_credential'], application_credential: { secret: 's', id: 'a' } } });
  for (const gone of ['auth_url', 'username', 'password', 'project_name']) assert.throws(() => loginOf({ ...base, [gone]: undefined }, 'here'), refused('GY-CALLER-002'), gone);
});

test('what is wrong on the command line is told before anything is done', async () => {
  const notes: string[] = [];
  const output = { print: () => {}, note: (line: string) => void notes.push(line), tty: false, colour: false };
  const run = async (...args: string[]): Promise<string> => {
    notes.length = 0;
    assert.notEqual(await runCli(['image', ...args], output), 0);
    return notes.join('\n');
  };
  assert.match(await run('build', '.', '-t', 'Bad Name'), /GY-IMAGE-003/);
  assert.match(await run('build', '.'), /GY-IMAGE-003.*needs a name/);
  assert.match(await run('build', 'x', '--memory', '1'), /GY-IMAGE-004/);
  assert.match(await run('build', 'x', '--cpus', 'many'), /GY-IMAGE-004/);
  assert.match(await run('build', 'x', '-f', '../Dockerfile'), /GY-BUILD-002/);
  assert.match(await run('list', '--data-dir', scratchDirectory('none')), /GY-CLOUD-001|OS_/);
  assert.match(await run('build'), /missing required argument/);
  assert.match(await run('frob'), /unknown command/);
  assert.match(await run('list', '-o', 'xml'), /Allowed choices are text, json/);
});
