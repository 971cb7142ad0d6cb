/**
 * An image of a server, and its rebuild, beside what the Docker command does for the same: `docker commit` alone and with `docker save`, `rm -f` and `run -d`.
 * `node bench/snapshot.ts [--rounds 5] [--image-mb 500] [--change-mb 1] [--out FILE]`. Needs root, Docker and the runtime that `./gantry up` installs.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endOfArchive, writeEntry } from '../src/kernel/tar.ts';
import { runProgram, startRealCloud, type RealCloud } from '../test/support/real-cloud.ts';
import { createServer, makeFlavor, makeImage, makeNetwork, showServer, waitServer } from '../test/support/real-cloud-world.ts';
import { least, median, report, type Figure } from './measure.ts';
import { createHash } from 'node:crypto';

const NAME = 'gbsnap';
const LABEL = 'gantry.bench=snapshot';
const MIB = 1024 ** 2;
const COPY = 'gantry-bench/copy';

async function docker(...args: string[]): Promise<string> {
  const ran = await runProgram(['docker', ...args]);
  if (ran.code !== 0) throw new Error(`docker ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

/** busybox, and so many bytes beside it that do not compress. */
function imageOf(megabytes: number): Buffer {
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const layer = Buffer.concat([
    writeEntry({ name: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 }),
    ...['sh', 'sleep', 'dd'].map((name) => writeEntry({ name: `bin/${name}`, type: '2', link: 'busybox' })),
    writeEntry({ name: 'opt/heavy', content: randomBytes(megabytes * MIB) }), endOfArchive(),
  ]);
  const config = Buffer.from(JSON.stringify({ architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux', config: { Cmd: ['/bin/sleep', '100000'], Env: ['PATH=/bin'] }, rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] } }));
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: null, Layers: ['layer.tar'] }];
  return Buffer.concat([writeEntry({ name: 'layer.tar', content: layer }), writeEntry({ name: `${sha256(config)}.json`, content: config }), writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }), endOfArchive()]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function snapshot({ admin }: RealCloud, id: string): Promise<void> {
  const name = `bench-${performance.now()}`;
  await admin.call('compute', 'POST', `/servers/${id}/action`, { createImage: { name } });
  for (;;) {
    const [image] = (await admin.call('image', 'GET', `/images?name=${name}`)).images;
    if (image?.status === 'active') return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function rebuild({ admin }: RealCloud, id: string, imageRef: string): Promise<void> {
  await admin.call('compute', 'POST', `/servers/${id}/action`, { rebuild: { imageRef } });
  while ((await showServer(admin, id)).status !== 'ACTIVE') await new Promise((resolve) => setTimeout(resolve, 2));
}

interface Times {
  snapshot: number[];
  commit: number[];
  commit_save: number[];
  rebuild: number[];
  remake: number[];
  bytes: number[];
}

async function measure(cloud: RealCloud, rounds: number, image_mb: number, change_mb: number): Promise<Times> {
  const { admin } = cloud;
  const imageRef = await makeImage(admin, 'bench', imageOf(image_mb));
  const flavorRef = await makeFlavor(admin, 'bench', { disk: 2 });
  const networks = [{ uuid: await makeNetwork(admin, 'bench', '192.168.57.0/24') }];
  const id = await createServer(admin, { name: 'bench', imageRef, flavorRef, networks });
  await waitServer(admin, id, 'ACTIVE');
  const tag = await docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=gantry/*/${imageRef}`);
  const stored = async (): Promise<number> => Number((await runProgram(['du', '-sb', `${cloud.data_dir}/controller/blobs`])).stdout.split('\t')[0]);
  const plain = (): Promise<string> => docker('run', '-d', '--label', LABEL, '--network', 'none', tag);
  const change = (container: string): Promise<string> => docker('exec', container, 'dd', 'if=/dev/urandom', 'of=/changed', 'bs=1M', `count=${change_mb}`);
  const times: Times = { snapshot: [], commit: [], commit_save: [], rebuild: [], remake: [], bytes: [] };
  let bare = await plain();
  for (let round = 0; round < rounds; round += 1) {
    await change(`${NAME}-${id}`);
    await change(bare);
    const before = await stored();
    times.snapshot.push(await timed(() => snapshot(cloud, id)));
    times.bytes.push((await stored()) - before);
    times.commit.push(await timed(() => docker('commit', bare, COPY)));
    times.commit_save.push(times.commit.at(-1)! + (await timed(() => runProgram(['sh', '-c', `docker save ${COPY} > /dev/null`]))));
    await waitServer(admin, id, 'ACTIVE');
    while ((await admin.call('compute', 'GET', `/servers/${id}`)).server['OS-EXT-STS:task_state'] !== null) await new Promise((resolve) => setTimeout(resolve, 2));
    times.rebuild.push(await timed(() => rebuild(cloud, id, imageRef)));
    times.remake.push(await timed(async () => {
      await docker('rm', '-f', bare);
      bare = await plain();
    }));
  }
  return times;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, 'image-mb': { type: 'string', default: '500' }, 'change-mb': { type: 'string', default: '1' }, out: { type: 'string' } } });
const cloud = await startRealCloud({ name: NAME, toml: '[compute]\nshutdown_timeout = 1\n' });
try {
  const times = await measure(cloud, Number(values.rounds), Number(values['image-mb']), Number(values['change-mb']));
  const figures: Figure[] = Object.entries(times).flatMap(([name, all]) => {
    const unit = name === 'bytes' ? 'bytes' : 'ms';
    return [{ name: `${name} median`, value: Math.round(median(all)), unit }, { name: `${name} least`, value: Math.round(least(all)), unit }];
  });
  report('Images of servers, and rebuilds', figures, values.out);
} finally {
  for (const id of (await docker('ps', '-aq', '--filter', `label=${LABEL}`)).split('\n').filter((one) => one !== '')) await docker('rm', '-f', id);
  await runProgram(['docker', 'rmi', '-f', COPY]);
  await cloud.stop();
}
