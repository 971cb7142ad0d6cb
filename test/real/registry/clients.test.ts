/** Debian's docker, skopeo and podman against the registry, with nothing changed on them but the address. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const LAYERS = 10;
const LAYER_BYTES = 2_000_000;

let cloud: TestCloud;
let demo: Awaited<ReturnType<TestCloud['tenant']>>;
let host: string;
let folder: string;
const built: string[] = [];

before(async () => {
  cloud = await startTestCloud();
  demo = await cloud.tenant('demo');
  host = new URL(cloud.url).host;
  folder = scratchDirectory('registry-clients');
}, { timeout: 60_000 });
after(async () => {
  for (const name of built) spawnSync('/usr/bin/docker', ['rmi', '-f', name], { stdio: 'ignore' });
  await cloud?.stop();
});

interface Done {
  status: number | null;
  out: string;
}

/** The controller runs in this process: nothing here may block. */
function run(program: string, args: string[], options: { input?: string; kill_on?: RegExp } = {}): Promise<Done> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, DOCKER_CONFIG: join(folder, 'docker'), DOCKER_BUILDKIT: '0', XDG_RUNTIME_DIR: folder } });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        out += chunk.toString('utf8');
        if (options.kill_on?.test(out) === true) child.kill('SIGKILL');
      });
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out }));
    child.stdin.end(options.input ?? '');
  });
}

async function must(program: string, ...args: string[]): Promise<string> {
  const { status, out } = await run(program, args);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${out}`);
  return out;
}

const docker = (...args: string[]): Promise<string> => must('/usr/bin/docker', ...args);
const creds = (): string => `demo/demo:${demo.password}`;
const image = async (ref: string): Promise<any> => (await cloud.call('GET', `/image/v2/images?docker:ref=${encodeURIComponent(ref)}`, { token: demo.token })).json.images[0];

async function build(name: string, dockerfile: string, files: Record<string, Uint8Array>): Promise<string> {
  const context = join(folder, name.replaceAll(/[/:]/g, '-'));
  mkdirSync(context, { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(context, file), bytes);
  const full = `${host}/${name}`;
  await docker('build', '-q', '-t', full, context);
  built.push(full);
  return full;
}

test('docker: login, build from scratch, push twice, search, pull', async () => {
  assert.notEqual((await run('/usr/bin/docker', ['login', '-u', 'demo/demo', '--password-stdin', host], { input: 'wrong' })).status, 0);
  const login = await run('/usr/bin/docker', ['login', '-u', 'demo/demo', '--password-stdin', host], { input: demo.password });
  assert.match(login.out, /Login Succeeded/);
  const files = Object.fromEntries(Array.from({ length: LAYERS }, (_, at) => [`f${at}`, randomBytes(LAYER_BYTES)]));
  const base = await build('demo/base:v1', ['FROM scratch', ...Object.keys(files).map((file) => `COPY ${file} /${file}`), 'CMD ["/f0"]'].join('\n'), files);
  const first = await docker('push', base);
  assert.equal(first.match(/Pushed/g)?.length, LAYERS);
  const second = await docker('push', base);
  assert.equal(second.match(/Layer already exists/g)?.length, LAYERS, second);
  assert.ok(!/Pushed/.test(second), 'no layer is sent twice');
  const [, digest] = /digest: (sha256:\w+)/.exec(second)!;
  assert.equal((await image('demo/base:v1'))['docker:digest'], digest);
  assert.match(await docker('search', `${host}/base`), /demo\/base/);
  const child = await build('demo/child:v1', `FROM ${base}\nCOPY extra /extra`, { extra: randomBytes(100_000) });
  const pushed = await docker('push', child);
  assert.equal(pushed.match(/Pushed/g)?.length, 1, `the layers of its base are mounted: ${pushed}`);
  await docker('rmi', child, base);
  assert.match(await docker('pull', child), new RegExp(`Downloaded newer image for ${child}`));
  const denied = await run('/usr/bin/docker', ['push', await build('admin/nope:v1', 'FROM scratch\nCOPY x /x', { x: randomBytes(10) })]);
  assert.notEqual(denied.status, 0);
  assert.match(denied.out, /denied/);
});

test('the data of a pushed image are an archive that docker loads', async () => {
  const { id } = await image('demo/child:v1');
  const file = await fetch(`${cloud.url}/image/v2/images/${id}/file`, { headers: { 'x-auth-token': demo.token } });
  const path = join(folder, 'saved.tar');
  writeFileSync(path, Buffer.from(await file.arrayBuffer()));
  built.push('demo/child:v1');
  assert.match(await docker('load', '-i', path), /Loaded image: demo\/child:v1/);
});

test('skopeo lists and copies; what was broken off is not sent again', async () => {
  const tags = JSON.parse(await must('skopeo', 'list-tags', '--tls-verify=false', '--creds', creds(), `docker://${host}/demo/base`));
  assert.deepEqual(tags.Tags, ['v1']);
  const local = `dir:${join(folder, 'copied')}`;
  await must('skopeo', 'copy', '--src-tls-verify=false', '--src-creds', creds(), `docker://${host}/demo/base:v1`, local);
  const manifest = JSON.parse(readFileSync(join(folder, 'copied', 'manifest.json'), 'utf8'));
  assert.equal(manifest.layers.length, LAYERS);
  const push = ['copy', '--dest-tls-verify=false', '--dest-creds', creds(), local, `docker://${host}/demo/resumed:v1`];
  await run('skopeo', push, { kill_on: /Copying blob/ });
  assert.equal(await image('demo/resumed:v1'), undefined, 'half an image is none');
  await must('skopeo', ...push);
  assert.equal((await image('demo/resumed:v1')).status, 'active');
});

test('podman pulls', async () => {
  // podman wants a short path for it
  const runroot = mkdtempSync('/tmp/gpod-');
  const store = ['--root', join(folder, 'podman'), '--runroot', runroot, '--storage-driver', 'vfs'];
  await must('podman', ...store, 'pull', '--tls-verify=false', '--creds', creds(), `${host}/demo/resumed:v1`);
  assert.match(await must('podman', ...store, 'images'), /demo\/resumed/);
  await run('podman', [...store, 'rmi', '-af']);
  rmSync(runroot, { recursive: true, force: true });
});
