/** What strangers try with the registry. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { tar } from '../../support/docker-archive.ts';
import { imageParts, MANIFEST, pushImage, registryClient, type RegistryClient, sha256 } from '../../support/registry-client.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
let other: Awaited<ReturnType<TestCloud['tenant']>>;
let registry: RegistryClient;
let stranger: RegistryClient;
before(async () => {
  cloud = await startTestCloud();
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
  registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
  stranger = registryClient(cloud.url, { name: 'other/other', secret: other.password });
});
after(() => cloud.stop());

const hex = (digest: string): string => digest.slice('sha256:'.length);

/** A member of an archive that is a link. */
function linkTo(name: string, target: string): Buffer {
  const header = Buffer.from(tar({ [name]: '' }).subarray(0, 512));
  header.write('2', 156);
  header.write(target, 157);
  header.fill(' ', 148, 156);
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

test('an archive whose manifest names a foreign layer by a link to an own one is refused', async () => {
  await pushImage(registry, 'mine/secret', 'v1', { secret: 'of mine only' });
  const wanted = imageParts({ secret: 'of mine only' }).layers[0]!;
  const own = imageParts({ harmless: 'x' });
  const layer = own.layers[0]!;
  const manifest = JSON.stringify({
    schemaVersion: 2, mediaType: MANIFEST, config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(own.config), size: own.config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(wanted), size: wanted.length }],
  });
  const path = (digest: string): string => `blobs/sha256/${hex(digest)}`;
  const files = tar({
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: MANIFEST, digest: sha256(manifest), size: manifest.length }] }),
    [path(sha256(manifest))]: manifest, [path(sha256(own.config))]: own.config, [path(sha256(layer))]: layer,
  });
  const archive = Buffer.concat([linkTo(path(sha256(wanted)), hex(sha256(layer))), files]);
  const made = await cloud.call('POST', '/image/v2/images', { token: other.token, body: { name: 'thief', container_format: 'docker', disk_format: 'raw' } });
  const sent = await fetch(`${cloud.url}/image/v2/images/${made.json.id}/file`, { method: 'PUT', headers: { 'x-auth-token': other.token, 'content-type': 'application/octet-stream' }, body: archive });
  const stolen = await stranger.call('GET', `/v2/other/thief/blobs/${sha256(wanted)}`);
  assert.equal(stolen.status, 404, stolen.text.slice(0, 200));
  assert.equal(sent.status, 400, await sent.text());
});

test('what a manifest is says its content, not who pushes it first', async () => {
  const parts = imageParts({ shared: 'the same for both' });
  const { mediaType: _, ...bare } = parts.manifest as { mediaType: string };
  for (const [client, name] of [[stranger, 'other/first'], [registry, 'mine/second']] as const) for (const blob of [...parts.layers, parts.config]) await client.pushBlob(name, blob);
  assert.equal((await stranger.pushManifest('other/first', 'v1', bare, 'application/vnd.docker.distribution.manifest.v2+json')).status, 400);
  assert.equal((await registry.pushManifest('mine/second', 'v1', bare)).status, 201);
  assert.equal((await registry.call('GET', '/v2/mine/second/manifests/v1')).headers.get('content-type'), MANIFEST);
});

test('a manifest names only so many others', async () => {
  const parts = imageParts({ a: 'many' });
  for (const blob of [...parts.layers, parts.config]) await registry.pushBlob('mine/many', blob);
  const layer = { mediaType: 'application/octet-stream', digest: sha256(parts.layers[0]!), size: parts.layers[0]!.length };
  const naming = (count: number) => registry.pushManifest('mine/many', 'v1', { schemaVersion: 2, config: { ...layer, mediaType: 'application/vnd.example+json' }, layers: Array.from({ length: count }, () => layer) });
  assert.equal((await naming(999)).status, 201);
  assert.equal((await naming(1000)).status, 400);
});

test('no spelling of a path makes a token good for more than it names', async () => {
  await pushImage(registry, 'mine/scoped', 'v1', { a: '1' });
  const basic = { authorization: `Basic ${Buffer.from(`mine/mine:${mine.password}`).toString('base64')}` };
  const { token } = (await (await fetch(`${cloud.url}/v2/token?scope=repository:mine/else:pull`, { headers: basic })).json()) as { token: string };
  for (const path of ['mine%2Fscoped/manifests/v1', 'mine%2Fscoped/m%61nifests/v1', 'mine%2Fscoped/manifests/v1/', 'mine%2Fscoped/t%61gs/list', 'mine/scoped%2Fmanifests/v1', '_c%61talog']) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await fetch(`${cloud.url}/v2/${path}`, { method, headers: { authorization: `Bearer ${token}` } });
      assert.ok([401, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status} ${await answer.text()}`);
    }
  }
  assert.equal((await registry.call('GET', '/v2/mine/scoped/manifests/v1')).status, 200);
});

test('a deactivated image is not pulled by its digest either', async () => {
  const digest = await pushImage(registry, 'mine/halted', 'v1', { a: 'halted' });
  const [image] = (await cloud.call('GET', `/image/v2/images?docker:ref=${encodeURIComponent('mine/halted:v1')}`, { token: mine.token })).json.images;
  const act = async (action: string) => assert.equal((await cloud.call('POST', `/image/v2/images/${image.id}/actions/${action}`)).status, 204);
  const pull = async (reference: string) => (await registry.call('GET', `/v2/mine/halted/manifests/${reference}`)).status;
  await act('deactivate');
  assert.deepEqual([await pull('v1'), await pull(digest)], [403, 403]);
  await act('reactivate');
  assert.deepEqual([await pull('v1'), await pull(digest)], [200, 200]);
});
