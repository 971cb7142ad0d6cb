/** Servers become images and come back, with real containers. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { endOfArchive, writeEntry } from '../../../src/kernel/tar.ts';
import { runProgram, startRealCloud, within, type RealCloud, type Ran } from '../../support/real-cloud.ts';
import { createServer, deleteServer, makeFlavor, makeImage, makeNetwork, showServer, waitServer } from '../../support/real-cloud-world.ts';
import { SOCKET, sha256 } from '../compute/harness.ts';
import { baseLayer, configOf, fileLayer } from '../compute/layers.ts';

const NAME = 'gtsnp';
const MIB = 1024 ** 2;
let cloud: RealCloud;
let flavorRef: string;
let networks: { uuid: string }[];
let base: string;

before(async () => {
  cloud = await startRealCloud({ name: NAME, toml: '[compute]\ncpu_allocation_ratio = 32\nshutdown_timeout = 1\n' });
  flavorRef = await makeFlavor(cloud.admin, 'nano', { disk: 1 });
  networks = [{ uuid: await makeNetwork(cloud.admin, 'lab', '192.168.56.0/24') }];
  base = await newBase();
});

after(async () => {
  const left = await docker('images', '-q', '--filter', `reference=gantry/${NAME}/*`);
  await docker('rmi', '-f', ...new Set(left.stdout.split('\n').filter((id) => id !== ''))).catch(() => {});
  await cloud?.stop();
});

const docker = (...args: string[]): Promise<Ran> => runProgram(['docker', '-H', `unix://${SOCKET}`, ...args]);

async function newBase(): Promise<string> {
  const layers = [await baseLayer('none', randomUUID()), fileLayer('opt/heavy', randomBytes(20 * MIB))];
  const config = configOf(layers.map((layer) => layer.diff_id), randomUUID());
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: null, Layers: layers.map((layer) => `${layer.diff_id}/layer.tar`) }];
  return await makeImage(cloud.admin, 'base', Buffer.concat([
    ...layers.map((layer) => writeEntry({ name: `${layer.diff_id}/layer.tar`, content: layer.blob })),
    writeEntry({ name: `${sha256(config)}.json`, content: config }), writeEntry({ name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }), endOfArchive(),
  ]));
}

async function inside(id: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await docker('exec', `${NAME}-${id}`, 'sh', '-c', script);
  assert.equal(code, 0, stderr);
  return stdout;
}

const act = (id: string, body: object): Promise<any> => cloud.admin.call('compute', 'POST', `/servers/${id}/action`, body);

async function snapshotOf(id: string, name: string): Promise<any> {
  await act(id, { createImage: { name } });
  let image: any;
  await within(60_000, `image ${name} is not active`, () => JSON.stringify(image), async () => {
    [image] = (await cloud.admin.call('image', 'GET', `/images?name=${name}`)).images;
    return image?.status === 'active' && (await cloud.admin.call('compute', 'GET', `/servers/${id}`)).server['OS-EXT-STS:task_state'] === null;
  });
  return image;
}

const stored = async (): Promise<number> => Number((await runProgram(['du', '-sb', `${cloud.data_dir}/controller/blobs`])).stdout.split('\t')[0]);

test('an image of a server costs what the server has changed, and outlives the image below', async (t) => {
  const id = await createServer(cloud.admin, { name: 'one', imageRef: base, flavorRef, networks });
  await waitServer(cloud.admin, id, 'ACTIVE');
  await inside(id, 'dd if=/dev/urandom of=/root/mine bs=1M count=1 2>/dev/null; busybox rm /opt/heavy');
  const before = await stored();
  const began = performance.now();
  const image = await snapshotOf(id, 'snap');
  const grown = (await stored()) - before;
  t.diagnostic(`snapshot of 20 MiB with 1 MiB changed: ${Math.round(performance.now() - began)} ms, ${grown} bytes stored`);
  assert.ok(grown > MIB && grown < 1.1 * MIB, `${grown} bytes`);
  assert.deepEqual([image.container_format, image.image_type, image.base_image_ref, image.instance_uuid], ['docker', 'snapshot', base, id]);
  await cloud.admin.call('image', 'DELETE', `/images/${base}`);
  const mine = await inside(id, 'busybox md5sum /root/mine');
  const copy = await createServer(cloud.admin, { name: 'copy', imageRef: image.id, flavorRef, networks });
  await waitServer(cloud.admin, copy, 'ACTIVE');
  assert.equal(await inside(copy, 'busybox md5sum /root/mine'), mine);
  assert.equal((await inside(copy, 'ls /opt')).trim(), '', 'what the server had removed is not there');
  const second = await snapshotOf(id, 'again');
  assert.equal(second.status, 'active', 'the layers of a deleted image stay while a server needs them');
  for (const one of [id, copy]) await deleteServer(cloud.admin, one);
});

test('rebuilt, shelved and unshelved, a server keeps its address', async () => {
  base = await newBase();
  const id = await createServer(cloud.admin, { name: 'two', imageRef: base, flavorRef, networks });
  const { addresses } = await waitServer(cloud.admin, id, 'ACTIVE');
  await inside(id, 'echo kept > /root/kept');
  const image = await snapshotOf(id, 'two');
  await inside(id, 'echo lost > /root/lost');
  await act(id, { rebuild: { imageRef: image.id } });
  assert.deepEqual((await waitServer(cloud.admin, id, 'ACTIVE')).addresses, addresses);
  assert.equal(await inside(id, 'ls /root'), 'kept\n');
  const { addr } = Object.values(addresses)[0]![0]!;
  assert.match(await inside(id, 'ip -4 addr show eth0'), new RegExp(addr.replaceAll('.', '\\.')));
  await inside(id, 'echo more > /root/more');
  await act(id, { shelve: null });
  await waitServer(cloud.admin, id, 'SHELVED_OFFLOADED');
  assert.equal((await docker('inspect', `${NAME}-${id}`)).code, 1, 'no container is left');
  await act(id, { unshelve: null });
  await waitServer(cloud.admin, id, 'ACTIVE');
  assert.deepEqual((await showServer(cloud.admin, id)).addresses, addresses);
  assert.equal(await inside(id, 'cat /root/kept /root/more'), 'kept\nmore\n');
  assert.match(await inside(id, 'ip -4 addr show eth0'), new RegExp(addr.replaceAll('.', '\\.')));
  await snapshotOf(id, 'three');
  await deleteServer(cloud.admin, id);
});
