/** The S3 back end against a server of that protocol. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { createS3Blobs, type S3Options } from '../../../src/services/image/store/s3-blobs.ts';
import { startTestCloud } from '../../support/cloud.ts';
import { dockerArchive } from '../../support/docker-archive.ts';
import { pushImage, registryClient } from '../../support/registry-client.ts';
import { type S3Server, startS3 } from '../../support/s3.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let server: S3Server;
let options: S3Options;
before(async () => {
  server = await startS3('images');
  options = { endpoint: server.url, region: 'us-east-1', bucket: 'images', prefix: 'gantry/', access_key: server.access_key, secret_key: server.secret_key };
});
after(() => server.stop());

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('blobs are put, read whole and in ranges, listed and removed', async () => {
  const blobs = createS3Blobs(options);
  const bytes = randomBytes(7 << 20);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const path = join(scratchDirectory('s3'), 'file');
  for (let turn = 0; turn < 2; turn += 1) {
    writeFileSync(path, bytes);
    await blobs.put(digest, path);
    assert.ok(!existsSync(path));
  }
  assert.ok((await read(blobs.open(digest))).equals(bytes));
  assert.ok((await read(blobs.open(digest, { start: 5, end: 6_000_000 }))).equals(bytes.subarray(5, 6_000_001)));
  const future = new Date(Date.now() + 60_000);
  assert.deepEqual(await Array.fromAsync(blobs.list(future)), [digest]);
  assert.deepEqual(await Array.fromAsync(blobs.list(new Date('2000-01-01'))), []);
  await blobs.clear();
  await blobs.remove(digest);
  await blobs.remove(digest);
  assert.deepEqual(await Array.fromAsync(blobs.list(future)), []);
  await assert.rejects(read(blobs.open(digest)), /cannot be reached/);
});

test('a large blob goes in parts; one that was broken off is sent anew', async () => {
  const blobs = createS3Blobs({ ...options, prefix: 'parts/', part_size: 5 << 20 });
  const bytes = randomBytes((12 << 20) + 1);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const [path, lost] = [join(scratchDirectory('s3-parts'), 'file'), join(scratchDirectory('s3-parts'), 'lost')];
  const before_it = server.parts();
  await assert.rejects(blobs.put(digest, lost), /cannot be reached/);
  writeFileSync(path, bytes);
  server.failPart(2);
  await assert.rejects(blobs.put(digest, path), /cannot be reached/);
  assert.ok(existsSync(path), 'what did not arrive is still here');
  await assert.rejects(read(blobs.open(digest)), /cannot be reached/, 'half a blob is none');
  await blobs.clear();
  await blobs.put(digest, path);
  assert.ok(server.parts() - before_it >= 3, `${server.parts()} parts`);
  assert.ok(!existsSync(path));
  assert.ok((await read(blobs.open(digest))).equals(bytes));
  assert.ok((await read(blobs.open(digest, { start: (5 << 20) - 1, end: 10 << 20 }))).equals(bytes.subarray((5 << 20) - 1, (10 << 20) + 1)));
  await blobs.remove(digest);
});

test('a cloud keeps its images there: uploads and pushes', async () => {
  const cloud = await startTestCloud({ toml: `[image]\nstore = "s3"\ns3_endpoint = "${server.url}"\ns3_bucket = "images"\ns3_prefix = "cloud/"\ns3_access_key = "${server.access_key}"\ns3_secret_key = "${server.secret_key}"` });
  try {
    const demo = await cloud.tenant('demo');
    const made = await cloud.call('POST', '/image/v2/images', { token: demo.token, body: { name: 'one', container_format: 'docker', disk_format: 'raw' } });
    const archive = dockerArchive({ big: randomBytes(3_000_000) });
    const path = `/image/v2/images/${made.json.id}/file`;
    assert.equal((await cloud.call('PUT', path, { token: demo.token, body: archive, headers: { 'content-type': 'application/octet-stream' } })).status, 204);
    const data = await fetch(`${cloud.url}${path}`, { headers: { 'x-auth-token': demo.token } });
    assert.ok(Buffer.from(await data.arrayBuffer()).equals(archive));
    const client = registryClient(cloud.url, { name: 'demo/demo', secret: demo.password });
    await pushImage(client, 'demo/app', 'v1', { a: randomBytes(200_000) });
    const manifest = await client.call('GET', '/v2/demo/app/manifests/v1');
    assert.equal((await client.call('GET', `/v2/demo/app/blobs/${manifest.json.layers[0].digest}`)).bytes.length, manifest.json.layers[0].size);
    const local = join(cloud.directory, 'controller', 'blobs');
    assert.ok(existsSync(local) && !existsSync(join(local, 'sha256')), 'nothing stays on the local disk');
  } finally {
    await cloud.stop();
  }
});
