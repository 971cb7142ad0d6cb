/** What a project may leave behind in the registry, and what nobody else gets to see of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { as } from '../../../src/kernel/db/database.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import type { TaskDeps } from '../../../src/services/image/deps.ts';
import { createUploads } from '../../../src/services/image/model/registry/uploads.ts';
import { createScratch } from '../../../src/services/image/store/scratch.ts';
import type { ImageTables } from '../../../src/services/image/store/tables.ts';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { tar } from '../../support/docker-archive.ts';
import { imageParts, INDEX, MANIFEST, pushImage, registryClient, type RegistryClient, sha256 } from '../../support/registry-client.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
let registry: RegistryClient;
let stranger: RegistryClient;
before(async () => {
  cloud = await startTestCloud({ toml: '[image]\nmax_blob_uploads = 3\n' });
  mine = await cloud.tenant('mine');
  const other = await cloud.tenant('other');
  registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
  stranger = registryClient(cloud.url, { name: 'other/other', secret: other.password });
});
after(() => cloud.stop());

const code = (answer: { json: any }): string => answer.json?.errors?.[0]?.code;
/** @param lie bytes more than the layer has, as its manifest says */
function ociArchive(lie: number): Buffer {
  const { layers, config, manifest } = imageParts({ a: 'x'.repeat(1000) });
  const body = JSON.stringify({ ...manifest, layers: [{ ...manifest.layers[0], size: layers[0]!.length + lie }] });
  const path = (bytes: string | Buffer): string => `blobs/sha256/${sha256(bytes).slice('sha256:'.length)}`;
  return tar({
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: MANIFEST, digest: sha256(body), size: body.length }] }),
    [path(body)]: body, [path(config)]: config, [path(layers[0]!)]: layers[0]!,
  });
}
const begin = (name: string) => registry.call('POST', `/v2/${name}/blobs/uploads/`);

test('only so many uploads may be begun at a time', async () => {
  const begun = [await begin('mine/a'), await begin('mine/b'), await begin('mine/c')];
  assert.deepEqual(begun.map(({ status }) => status), [202, 202, 202]);
  const refused = await begin('mine/d');
  assert.deepEqual([refused.status, code(refused)], [429, 'TOOMANYREQUESTS']);
  for (const { headers } of begun) assert.equal((await registry.call('DELETE', headers.get('location')!)).status, 204);
  assert.equal((await begin('mine/a')).status, 202);
});

test('an index names its manifests with the size that they have', async () => {
  const parts = imageParts({ x: 'index' });
  for (const blob of [...parts.layers, parts.config]) await registry.pushBlob('mine/index', blob);
  const text = JSON.stringify(parts.manifest);
  assert.equal((await registry.pushManifest('mine/index', sha256(text), parts.manifest)).status, 201);
  const index = (size: number) => ({ schemaVersion: 2, mediaType: INDEX, manifests: [{ mediaType: MANIFEST, digest: sha256(text), size }] });
  assert.equal(code(await registry.pushManifest('mine/index', 'v1', index(text.length + 1), INDEX)), 'SIZE_INVALID');
  assert.equal((await registry.pushManifest('mine/index', 'v1', index(text.length), INDEX)).status, 201);
});

test('an uploaded archive whose own manifest lies about a size is refused', async () => {
  const send = async (lie: number): Promise<number> => {
    const made = await cloud.call('POST', '/image/v2/images', { token: mine.token, body: { name: 'lying', container_format: 'docker', disk_format: 'raw' } });
    return (await cloud.call('PUT', `/image/v2/images/${made.json.id}/file`, { token: mine.token, body: ociArchive(lie), headers: { 'content-type': 'application/octet-stream' } })).status;
  };
  assert.deepEqual([await send(0), await send(1)], [204, 400]);
});

test('strangers see of what refers to a public image only what is public itself', async () => {
  const digest = await pushImage(registry, 'mine/signed', 'v1', { x: 'signed' });
  const empty = await registry.pushBlob('mine/signed', Buffer.from('{}'));
  const blob = { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 };
  const note = { schemaVersion: 2, mediaType: MANIFEST, artifactType: 'application/x-secret', config: blob, layers: [blob], subject: { mediaType: MANIFEST, digest, size: 1 }, annotations: { secret: 'of the project' } };
  assert.equal((await registry.pushManifest('mine/signed', sha256(JSON.stringify(note)), note)).status, 201);
  const [image] = (await cloud.call('GET', `/image/v2/images?docker:ref=${encodeURIComponent('mine/signed:v1')}`, { token: mine.token })).json.images;
  await cloud.call('PATCH', `/image/v2/images/${image.id}`, { body: [{ op: 'replace', path: '/visibility', value: 'public' }], headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' } });
  const seen = async (client: RegistryClient) => (await client.call('GET', `/v2/mine/signed/referrers/${digest}`)).json.manifests.length;
  assert.deepEqual([await seen(registry), await seen(stranger)], [1, 0]);
});

test('two controllers on one folder do not write to one upload', async () => {
  const [db, folder] = [await cloud.reopen(), scratchDirectory('two-controllers')];
  const deps = { db: as<ImageTables>(db), scratch: await createScratch(folder), clock: { now: () => new Date() }, log: silentLog, config: { max_size_gb: 1, max_blob_uploads: 10 }, limits: { limitOf: async () => undefined } } as unknown as TaskDeps;
  const [one, two] = [createUploads(deps), createUploads(deps)];
  const row = await one.begin({ project_id: 'p', name: 'r' }, 'u');
  const options = { project_id: 'p', at: undefined, declared: undefined };
  const bytes = (text: string) => Readable.from([Buffer.from(text)]) as AsyncIterable<Buffer>;
  const writerOf = async () => (await deps.db.read.selectFrom('image_uploads').select('writer').where('id', '=', row.id).executeTakeFirstOrThrow()).writer;
  const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* slowly(): AsyncGenerator<Buffer> {
    begun.resolve();
    yield Buffer.from('first');
    await held.promise;
  }
  const writing = one.append(row, slowly(), options);
  await begun.promise;
  const writer = await writerOf();
  await assert.rejects(two.append(row, bytes('other'), options), { code: 'registry.upload-busy' });
  held.resolve();
  assert.equal(await writing, 5);
  assert.equal(await writerOf(), null);
  assert.equal(await two.append(row, bytes('.'), { ...options, at: 5 }), 6);
  // a process that was killed keeps nobody waiting
  const dead = writer!.replace(` ${process.pid} `, ` ${spawnSync('/bin/true').pid} `);
  assert.notEqual(dead, writer);
  await deps.db.transaction((tx) => tx.updateTable('image_uploads').set({ writer: dead, writing_until: '2999-01-01T00:00:00.000000Z' }).where('id', '=', row.id).execute());
  assert.equal(await two.append(row, bytes('!'), { ...options, at: 6 }), 7);
  await db.close();
});

test('what is pushed without a tag counts in the quota, until it is deleted', async () => {
  const service_id = (await cloud.call('GET', '/identity/v3/services?type=image')).json.services[0].id;
  const region_id = (await cloud.call('GET', '/identity/v3/regions')).json.regions[0].id;
  await cloud.call('POST', '/identity/v3/registered_limits', { body: { registered_limits: [{ service_id, region_id, resource_name: 'image_size_total', default_limit: 2 }] } });
  const small = await cloud.tenant('small');
  const client = registryClient(cloud.url, { name: 'small/small', secret: small.password });
  const usage = async (): Promise<number> => (await cloud.call('GET', '/image/v2/info/usage', { token: small.token })).json.usage.image_size_total.usage;
  const push = async (at: number): Promise<{ digest: string; status: number }> => {
    const { layers, config, manifest } = imageParts({ [`f${at}`]: randomBytes(1_200_000) });
    const digest = sha256(JSON.stringify(manifest));
    const sent = await client.call('POST', `/v2/small/loose/blobs/uploads/?digest=${sha256(layers[0]!)}`, { body: layers[0]!, headers: { 'content-type': 'application/octet-stream' } });
    if (sent.status !== 201) return { digest, status: sent.status };
    await client.pushBlob('small/loose', config);
    return { digest, status: (await client.pushManifest('small/loose', digest, manifest)).status };
  };
  const first = await push(0);
  assert.deepEqual([first.status, await usage()], [201, 1]);
  assert.equal((await push(1)).status, 413);
  assert.equal((await client.call('DELETE', `/v2/small/loose/manifests/${first.digest}`)).status, 202);
  assert.equal(await usage(), 0);
  const second = await push(2);
  assert.equal(second.status, 201);
  // tagged, it counts as the image that it becomes, and not twice
  const body = (await client.call('GET', `/v2/small/loose/manifests/${second.digest}`)).json;
  assert.equal((await client.pushManifest('small/loose', 'v1', body)).status, 201);
  assert.equal(await usage(), 1);
});
