/** Images from a Dockerfile to a server, and to a node that has part of them already. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { logFile } from '../../../src/cli/process/parts.ts';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import { runProgram, startRealCloud, within, type RealCloud, type Ran } from '../../support/real-cloud.ts';
import { createServer, deleteServer, makeFlavor, makeImage, makeNetwork, waitServer } from '../../support/real-cloud-world.ts';
import { SOCKET, sha256 } from '../compute/harness.ts';
import { baseLayer, configOf, fileLayer, type TestLayer } from '../compute/layers.ts';

const NAME = 'gtimg';
let cloud: RealCloud;
let flavor: string;

before(async () => {
  cloud = await startRealCloud({ name: NAME, toml: '[compute]\ncpu_allocation_ratio = 32\nshutdown_timeout = 1\n' });
  flavor = await makeFlavor(cloud.admin, 'nano', { disk: 1 });
});

after(async () => {
  const left = await docker('images', '-q', '--filter', `reference=gantry/${NAME}/*/*/*`, '--filter', `label=gtimg=${NAME}`);
  await docker('rmi', '-f', ...new Set(left.stdout.split('\n').filter((id) => id !== ''))).catch(() => {});
  for (const name of ['gtimg/local:1', 'gtimg/back:2', 'gtimg/app:1']) await docker('rmi', '-f', name);
  await cloud?.stop();
});

const docker = (...args: string[]): Promise<Ran> => runProgram(['docker', '-H', `unix://${SOCKET}`, ...args]);

/** As admin of this cloud, or as whoever `env` names. */
async function gantry(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const { PATH, HOME } = process.env;
  return await runProgram([process.execPath, join(cloud.settings.checkout, 'src/main.ts'), 'image', ...args, '--config', cloud.settings.config_file], { env: { PATH, HOME, ...env } });
}

async function json(args: string[], env?: NodeJS.ProcessEnv): Promise<any> {
  const ran = await gantry([...args, '-o', 'json'], env);
  assert.equal(ran.code, 0, ran.stderr + ran.stdout);
  return JSON.parse(ran.stdout);
}

/** As `docker save` writes it. */
function archiveOf(layers: TestLayer[]): Buffer {
  const config = configOf(layers.map((layer) => layer.diff_id), randomUUID());
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: null, Layers: layers.map((layer) => `${layer.diff_id}/layer.tar`) }];
  return Buffer.concat([
    ...layers.map((layer) => writeEntry({ name: `${layer.diff_id}/layer.tar`, content: layer.blob })),
    writeEntry({ name: `${sha256(config)}.json`, content: config }),
    writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }),
    endOfArchive(),
  ]);
}

/** What the agent said of the image's way to the node. */
async function loaded(image_id: string): Promise<Record<string, number>> {
  let found: Record<string, number> | undefined;
  await within(10_000, 'the agent tells of the image', () => '', async () => {
    const lines = readFileSync(logFile(cloud.data_dir, 'agent'), 'utf8').split('\n').filter((line) => line.includes('image loaded') && line.includes(image_id));
    found = lines.length === 0 ? undefined : JSON.parse(lines[0]!);
    return found !== undefined;
  });
  return found!;
}

test('a boot of an image whose base the node has fetches its other layers only', async (t) => {
  const base = await baseLayer('none', randomUUID());
  const heavy = fileLayer('opt/heavy', randomBytes(20 * 1024 ** 2));
  const tops = ['first', 'second'].map((text) => fileLayer('etc/which', text));
  const images = [];
  for (const top of tops) images.push(await makeImage(cloud.admin, `layers-${randomUUID()}`, archiveOf([base, heavy, top])));
  const bytes: number[] = [];
  const networks = [{ uuid: await makeNetwork(cloud.admin, 'lab', '192.168.55.0/24') }];
  for (const [at, imageRef] of images.entries()) {
    const id = await createServer(cloud.admin, { name: 'layered', imageRef, flavorRef: flavor, networks });
    await waitServer(cloud.admin, id, 'ACTIVE');
    const seen = await docker('exec', `${NAME}-${id}`, 'cat', '/etc/which');
    assert.equal(seen.stdout, at === 0 ? 'first' : 'second', seen.stderr);
    await deleteServer(cloud.admin, id);
    bytes.push((await loaded(imageRef))['bytes_fetched']!);
  }
  const second = await loaded(images[1]!);
  t.diagnostic(`first boot ${bytes[0]} bytes, second ${bytes[1]} bytes of ${second['bytes_fetched']! + second['bytes_reused']!}, in ${second['ms']} ms`);
  assert.equal(second['layers_fetched'], 1);
  assert.equal(second['layers_reused'], 2);
  assert.ok(bytes[0]! > 20 * 1024 ** 2, `${bytes[0]} bytes for the first`);
  assert.ok(bytes[1]! < 20_000, `${bytes[1]} bytes for the second`);
});

test('build, list, search, run, prefetch, pull and push', async () => {
  const folder = join(cloud.data_dir, 'build');
  mkdirSync(folder);
  copyFileSync('/bin/busybox', join(folder, 'busybox'));
  const dockerfile = (text: string): void => writeFileSync(join(folder, 'Dockerfile'), text);
  const steps = `FROM scratch\nARG WHO=nobody\nCOPY busybox /bin/sh\nRUN echo "hello $WHO" > /greeting\nLABEL gtimg=${NAME}\nCMD ["/bin/sh", "-c", "exec sleep 1000"]\n`;
  dockerfile(steps);
  const tenant = await cloud.tenant('maker');
  const first = await json(['build', folder, '-t', 'team/app:1', '--memory', '64m', '--build-arg', 'WHO=world'], tenant.env);
  assert.deepEqual([first.name, first.status, first.owner, first.visibility, first.hidden], ['team/app:1', 'active', tenant.project_id, 'private', []]);
  dockerfile(`${steps}ENV VERSION=2\n`);
  const told = await gantry(['build', folder, '-t', 'team/app:1', '--memory', '64m', '--build-arg', 'WHO=world'], tenant.env);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stderr, /Step 4\/7 : RUN echo "hello \$WHO"[\s\S]*Using cache/);
  assert.match(told.stderr, new RegExp(`${first.id}, is hidden now`));
  const [second] = await json(['list'], tenant.env);
  assert.notEqual(second.id, first.id);
  assert.deepEqual((await json(['search', 'APP'], tenant.env)).map((one: any) => one.id), [second.id]);
  assert.deepEqual(await json(['search', 'no-such-word'], tenant.env), []);

  // The node built it: nothing has to come.
  const [hosted] = await json(['prefetch', second.id]);
  assert.deepEqual([hosted.status, hosted.layers_fetched], ['fetched', 0]);
  assert.equal((await json(['prefetch', second.id]))[0].status, 'present');
  assert.match((await gantry(['prefetch', 'team/app:1'], tenant.env)).stderr, /403/);
  assert.match((await gantry(['prefetch', 'nothing'])).stderr, /GY-IMAGE-005/);
  const networks = [{ uuid: await makeNetwork(tenant.session, 'lab', '192.168.56.0/24') }];
  const id = await createServer(tenant.session, { name: 'made', imageRef: second.id, flavorRef: flavor, networks });
  await waitServer(tenant.session, id, 'ACTIVE');
  assert.equal((await docker('exec', `${NAME}-${id}`, '/bin/sh', '-c', 'read line < /greeting; echo "$line $VERSION"')).stdout, 'hello world 2\n');
  await deleteServer(tenant.session, id);

  assert.equal((await gantry(['pull', 'team/app:1', '-t', 'gtimg/local:1'], tenant.env)).stdout, 'gtimg/local:1\n');
  const pushed = await json(['push', 'gtimg/local:1', 'gtimg/back:2'], tenant.env);
  assert.equal(pushed.name, 'gtimg/back:2');
  assert.equal((await gantry(['pull', 'gtimg/back:2'], tenant.env)).stdout, 'gtimg/back:2\n');
  const ids = await Promise.all(['gtimg/local:1', 'gtimg/back:2'].map((name) => docker('inspect', '-f', '{{json .RootFS.Layers}}', name)));
  assert.equal(ids[0]!.stdout, ids[1]!.stdout);
  assert.match((await gantry(['push', 'gtimg/no-such'], tenant.env)).stderr, /GY-IMAGE-007/);
});

test('a build that cannot be is told, and leaves no image', async () => {
  const folder = join(cloud.data_dir, 'broken');
  mkdirSync(folder);
  copyFileSync('/bin/busybox', join(folder, 'busybox'));
  const build = async (step: string, ...more: string[]): Promise<string> => {
    writeFileSync(join(folder, 'Dockerfile'), `FROM scratch\nLABEL gtimg=${NAME}\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n${step}\n`);
    const ran = await gantry(['build', folder, '-t', 'gtimg/app:1', ...more]);
    assert.equal(ran.code, 1, ran.stdout + ran.stderr);
    return ran.stderr;
  };
  assert.match(await build('RUN exit 3'), /GY-BUILD-006.*non-zero code: 3/);
  assert.match(await build('RUN busybox wget -q http://192.0.2.1/'), /GY-BUILD-006[\s\S]*no network; --network bridge/);
  assert.match(await build("RUN busybox dd if=/dev/zero of=/dev/null bs=64M count=1 && busybox tail -c 64M /dev/zero", '--memory', '16m'), /GY-BUILD-006[\s\S]*more memory than 16.0 MiB/);
  assert.match(await build('RUN sleep 100', '--timeout', '3'), /GY-BUILD-007/);
  assert.match(await build('NONSENSE'), /GY-(BUILD-006|ENGINE-002).*NONSENSE/i);
  writeFileSync(join(folder, 'large'), Buffer.alloc(2 * 1024 ** 2));
  assert.match(await build('', '--max-context', '1m'), /GY-BUILD-004/);
  const { id } = (await cloud.tenant('poor').then(({ project_id }) => ({ id: project_id })));
  await cloud.admin.call('compute', 'PUT', `/os-quota-sets/${id}`, { quota_set: { ram: 100 } });
  const poor = { ...cloud.env, OS_USERNAME: 'poor', OS_PASSWORD: 'password-of-poor', OS_PROJECT_NAME: 'poor' };
  assert.match((await gantry(['build', folder, '-t', 'gtimg/app:1'], poor)).stderr, /GY-BUILD-005.*100 MiB/);
  assert.deepEqual((await json(['search', 'gtimg/app'])).length, 0);
});

test('files and addresses are imported', async () => {
  const file = join(cloud.data_dir, 'hello.tar');
  writeFileSync(file, archiveOf([await baseLayer('none', 'file')]));
  const image = await json(['import', file, 'from-file']);
  assert.deepEqual([image.name, image.status, image.container_format], ['from-file', 'active', 'docker']);
  assert.match((await gantry(['import', '/no/such/file'])).stderr, /GY-IMAGE-011/);
  // Loopback is none of the addresses that a user may name.
  const inside = await gantry(['import', `http://127.0.0.1:${new URL(cloud.url).port}/`, 'inside']);
  assert.notEqual(inside.code, 0);
  assert.match(inside.stderr, /400/);
  assert.deepEqual(await json(['search', 'inside']), []);
});
