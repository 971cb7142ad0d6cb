/** Images of servers among real neighbours: a whole controller with its image service, and an agent with fake drivers that sends layers. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createByteReader, paddingOf, readContent, readEntry } from '../../../src/kernel/tar.ts';
import type { TestCloud } from '../../support/cloud.ts';
import { dockerArchive } from '../../support/docker-archive.ts';
import { type NodeCloud, startNodeCloud } from '../../support/fake-node.ts';

let cloud: TestCloud;
let node: NodeCloud;
const latest = { 'openstack-api-version': 'compute latest' };

before(async () => {
  node = await startNodeCloud(['compute', 'network'], '[image]\ngarbage_grace = 1\ngarbage_interval = 1\n');
  ({ cloud } = node);
  await must('POST', '/compute/v2.1/flavors', { flavor: { id: 'c1', name: 'c1', ram: 64, disk: 1, vcpus: 1 } });
});
after(() => node.stop());

async function must(method: string, path: string, body?: unknown): Promise<any> {
  const reply = await cloud.call(method, path, { headers: latest, ...(body === undefined ? {} : { body }) });
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.json;
}

async function upload(name: string): Promise<string> {
  const { id } = await must('POST', '/image/v2/images', { name, container_format: 'docker', disk_format: 'raw' });
  assert.equal((await cloud.call('PUT', `/image/v2/images/${id}/file`, { body: dockerArchive(), headers: { 'content-type': 'application/octet-stream' } })).status, 204);
  return id;
}

async function until<T>(ask: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await ask();
    if (good(value)) return value;
    await delay(20);
  }
}

const image = (id: string): Promise<any> => must('GET', `/image/v2/images/${id}`);

async function snapshot(server_id: string): Promise<string> {
  const { image_id } = await must('POST', `/compute/v2.1/servers/${server_id}/action`, { createImage: { name: 'snap' } });
  await until(() => image(image_id), ({ status }) => status === 'active');
  await until(() => must('GET', `/compute/v2.1/servers/${server_id}`), ({ server }) => server['OS-EXT-STS:task_state'] === null);
  return image_id;
}

/** The names in the image's archive, and what its manifest and configuration say. */
async function contents(id: string): Promise<{ layers: string[]; diff_ids: string[] }> {
  const reply = await fetch(`${cloud.url}/image/v2/images/${id}/file`, { headers: { 'x-auth-token': await cloud.token() } });
  const reader = createByteReader(Readable.fromWeb(reply.body as never) as AsyncIterable<Buffer>);
  const files = new Map<string, Buffer>();
  for (let entry = await readEntry(reader); entry !== undefined; entry = await readEntry(reader)) {
    if (entry.type === '0') files.set(entry.name, await readContent(reader, entry.size));
    else for await (const _chunk of reader.pass(entry.size + paddingOf(entry.size)));
  }
  const [manifest] = JSON.parse(files.get('manifest.json')!.toString()) as { Config: string; Layers: string[] }[];
  for (const layer of manifest!.Layers) assert.ok(files.has(layer), layer);
  const { rootfs } = JSON.parse(files.get(manifest!.Config)!.toString()) as { rootfs: { diff_ids: string[] } };
  return { layers: manifest!.Layers, diff_ids: rootfs.diff_ids };
}

test('a snapshot is its base and one layer more; the layers outlive the base while a server needs them, and no longer', async () => {
  while ((await must('GET', '/compute/v2.1/os-hypervisors')).hypervisors.length === 0) await delay(10);
  const base = await upload('base');
  const below = await contents(base);
  const { server } = await must('POST', '/compute/v2.1/servers', { server: { name: 'one', imageRef: base, flavorRef: 'c1', networks: 'none' } });
  await until(() => must('GET', `/compute/v2.1/servers/${server.id}`), (now) => now.server.status === 'ACTIVE');
  const first = await snapshot(server.id);
  const made = await contents(first);
  assert.deepEqual([made.layers.length, made.diff_ids.slice(0, -1)], [below.layers.length + 1, below.diff_ids]);
  const hashed = await until(() => image(first), ({ checksum }) => checksum !== null);
  assert.equal(hashed.os_hash_algo, 'sha512');
  await must('DELETE', `/image/v2/images/${first}`);
  await must('DELETE', `/image/v2/images/${base}`);
  // The layer of the deleted snapshot is collected; that of the base, which was deleted with it, is not.
  const blob = (diff_id: string): string => join(cloud.directory, 'controller', 'blobs', 'sha256', diff_id.slice(7, 9), diff_id.slice(7));
  const stored = (diff_id: string): boolean => existsSync(blob(diff_id));
  assert.ok(stored(below.diff_ids[0]!), blob(below.diff_ids[0]!));
  await until(async () => stored(made.diff_ids.at(-1)!), (there) => !there);
  assert.ok(stored(below.diff_ids[0]!));
  const second = await snapshot(server.id);
  assert.deepEqual((await contents(second)).diff_ids.slice(0, -1), below.diff_ids);
  await must('DELETE', `/image/v2/images/${second}`);
  await must('DELETE', `/compute/v2.1/servers/${server.id}`);
  await until(async () => stored(below.diff_ids[0]!), (there) => !there);
});
