/** The distribution protocol, call by call. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { dockerArchive } from '../../support/docker-archive.ts';
import { imageParts, INDEX, MANIFEST, pushImage, registryClient, type RegistryClient, sha256 } from '../../support/registry-client.ts';

let cloud: TestCloud;
let mine: Awaited<ReturnType<TestCloud['tenant']>>;
let registry: RegistryClient;
let other: Awaited<ReturnType<TestCloud['tenant']>>;
let stranger: RegistryClient;
before(async () => {
  cloud = await startTestCloud();
  mine = await cloud.tenant('mine');
  other = await cloud.tenant('other');
  registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
  stranger = registryClient(cloud.url, { name: 'other/other', secret: other.password });
});
after(() => cloud.stop());

const glance = (path: string, method = 'GET') => cloud.call(method, `/image/v2/images${path}`, { token: mine.token });
const images = async (query = ''): Promise<any[]> => (await glance(query)).json.images;
const ref = async (text: string): Promise<any> => (await images(`?docker:ref=${encodeURIComponent(text)}`))[0];
const code = (answer: { json: any }): string => answer.json?.errors?.[0]?.code;

test('without a token the challenge says where to get one, and for what', async () => {
  const base = await fetch(`${cloud.url}/v2/`);
  assert.equal(base.status, 401);
  assert.equal(base.headers.get('docker-distribution-api-version'), 'registry/2.0');
  assert.match(base.headers.get('www-authenticate') ?? '', /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/v2\/token",service="127\.0\.0\.1:\d+"$/);
  const push = await fetch(`${cloud.url}/v2/mine/app/blobs/uploads/`, { method: 'POST' });
  assert.match(push.headers.get('www-authenticate') ?? '', /scope="repository:mine\/app:pull,push"/);
  assert.equal((await registry.call('GET', '/v2/')).status, 200);
  assert.equal((await registryClient(cloud.url, undefined).call('GET', '/v2/')).status, 401);
  assert.equal((await registryClient(cloud.url, { name: 'mine/mine', secret: 'wrong' }).call('GET', '/v2/')).status, 401);
  for (const project of ['nosuch', 'other']) assert.equal((await registryClient(cloud.url, { name: `${project}/mine`, secret: mine.password }).call('GET', '/v2/')).status, 401, project);
});

test('a token is good for what it names and no more, and ends with its user', async () => {
  await pushImage(registry, 'mine/scoped', 'v1', { a: '1' });
  const basic = { authorization: `Basic ${Buffer.from(`mine/mine:${mine.password}`).toString('base64')}` };
  const { token } = (await (await fetch(`${cloud.url}/v2/token?scope=repository:mine/scoped:pull`, { headers: basic })).json()) as { token: string };
  const as = { headers: { authorization: `Bearer ${token}` } };
  assert.equal((await fetch(`${cloud.url}/v2/mine/scoped/manifests/v1`, as)).status, 200);
  assert.equal((await fetch(`${cloud.url}/v2/mine/scoped/manifests/v1`, { ...as, method: 'DELETE' })).status, 401);
  assert.equal((await fetch(`${cloud.url}/v2/mine/else/manifests/v1`, as)).status, 401);
  assert.equal((await fetch(`${cloud.url}/v2/mine/scoped/manifests/v1`, { headers: { authorization: `Bearer ${token.slice(0, -4)}AAAA` } })).status, 401);
  const form = await fetch(`${cloud.url}/v2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'password', username: 'mine/mine', password: mine.password, service: 'x', scope: 'repository:mine/scoped:pull' }) });
  assert.equal(form.status, 200);
  await cloud.call('PATCH', `/identity/v3/users/${mine.user_id}`, { body: { user: { enabled: false } } });
  assert.equal((await fetch(`${cloud.url}/v2/mine/scoped/manifests/v1`, as)).status, 401, 'refused at once');
  await cloud.call('PATCH', `/identity/v3/users/${mine.user_id}`, { body: { user: { enabled: true } } });
  mine = { ...mine, token: await cloud.token({ name: 'mine', password: mine.password, project: 'mine' }) };
  registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
});

test('an application credential logs in', async () => {
  const made = await cloud.call('POST', `/identity/v3/users/${mine.user_id}/application_credentials`, { token: mine.token, body: { application_credential: { name: 'ci' } } });
  assert.equal(made.status, 201, made.text);
  const { id, secret } = made.json.application_credential;
  const client = registryClient(cloud.url, { name: id, secret });
  assert.match(await pushImage(client, 'mine/by-credential', 'latest', { a: 'c' }), /^sha256:/);
});

test('a blob in chunks: where it goes on, out of order, given up, resumed', async () => {
  const bytes = randomBytes(300_000);
  const begun = await registry.call('POST', '/v2/mine/chunked/blobs/uploads/');
  assert.equal(begun.status, 202);
  const at = begun.headers.get('location')!;
  const part = (from: number, to: number) => registry.call('PATCH', at, { body: bytes.subarray(from, to), headers: { 'content-type': 'application/octet-stream', 'content-range': `${from}-${to - 1}` } });
  const first = await part(0, 100_000);
  assert.equal(first.status, 202, first.text);
  assert.equal(first.headers.get('range'), '0-99999');
  assert.equal((await part(200_000, 300_000)).status, 416);
  const asked = await registry.call('GET', at);
  assert.equal(asked.status, 204);
  assert.equal(asked.headers.get('range'), '0-99999');
  assert.equal((await part(100_000, 200_000)).status, 202);
  const wrong = await registry.call('POST', '/v2/mine/chunked/blobs/uploads/');
  assert.equal(code(await registry.call('PUT', `${wrong.headers.get('location')}?digest=${sha256('x')}`, { body: 'y' })), 'DIGEST_INVALID');
  const done = await registry.call('PUT', `${at}?digest=${sha256(bytes)}`, { body: bytes.subarray(200_000) });
  assert.equal(done.status, 201, done.text);
  const got = await registry.call('GET', done.headers.get('location')!);
  assert.ok(got.bytes.equals(bytes));
  const head = await registry.call('HEAD', `/v2/mine/chunked/blobs/${sha256(bytes)}`);
  assert.equal(head.headers.get('content-length'), '300000');
  const range = await registry.call('GET', `/v2/mine/chunked/blobs/${sha256(bytes)}`, { headers: { range: 'bytes=10-19' } });
  assert.equal(range.status, 206);
  assert.ok(range.bytes.equals(bytes.subarray(10, 20)));
  const given_up = await registry.call('POST', '/v2/mine/chunked/blobs/uploads/');
  assert.equal((await registry.call('DELETE', given_up.headers.get('location')!)).status, 204);
  assert.equal(code(await registry.call('GET', given_up.headers.get('location')!)), 'BLOB_UPLOAD_UNKNOWN');
  assert.equal((await stranger.call('GET', `/v2/mine/chunked/blobs/${sha256(bytes)}`)).status, 404);
});

test('a push whose connection breaks goes on where it was, also after a restart', async () => {
  const bytes = randomBytes(3_000_000);
  const begun = await registry.call('POST', '/v2/mine/broken/blobs/uploads/');
  const at = begun.headers.get('location')!;
  const basic = { authorization: `Basic ${Buffer.from(`mine/mine:${mine.password}`).toString('base64')}` };
  const { token } = (await (await fetch(`${cloud.url}/v2/token?scope=repository:mine/broken:pull,push`, { headers: basic })).json()) as { token: string };
  await new Promise<void>((resolve) => {
    const sending = request(new URL(at, cloud.url), { method: 'PATCH', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream', 'content-length': bytes.length } });
    sending.on('error', () => {});
    sending.on('close', () => resolve());
    sending.write(bytes.subarray(0, 2_000_000), () => setTimeout(() => sending.destroy(), 50));
  });
  const arrived = async (): Promise<number> => Number(/-(\d+)$/.exec((await registry.call('GET', at)).headers.get('range') ?? '')?.[1]) + 1;
  await until(async () => (await arrived()) > 1);
  const size = await arrived();
  assert.ok(size <= 2_000_000);
  // another process knows nothing of the hash so far
  await cloud.stop();
  cloud = await cloud.restart();
  registry = registryClient(cloud.url, { name: 'mine/mine', secret: mine.password });
  stranger = registryClient(cloud.url, { name: 'other/other', secret: other.password });
  const half = size + 100_000;
  const more = await registry.call('PATCH', at, { body: bytes.subarray(size, half), headers: { 'content-range': `${size}-${half - 1}` } });
  assert.equal(more.status, 202, more.text);
  const done = await registry.call('PUT', `${at}?digest=${sha256(bytes)}`, { body: bytes.subarray(half) });
  assert.equal(done.status, 201, done.text);
  assert.ok((await registry.call('GET', `/v2/mine/broken/blobs/${sha256(bytes)}`)).bytes.equals(bytes));
});

test('a blob is mounted from a repository that one may read, and only from there', async () => {
  const digest = await registry.pushBlob('mine/from', randomBytes(1000));
  const basic = { authorization: `Basic ${Buffer.from(`mine/mine:${mine.password}`).toString('base64')}` };
  const scopes = 'scope=repository:mine/to:pull,push&scope=repository:mine/from:pull';
  const { token } = (await (await fetch(`${cloud.url}/v2/token?${scopes}`, { headers: basic })).json()) as { token: string };
  const both = await fetch(`${cloud.url}/v2/mine/to/blobs/uploads/?mount=${digest}&from=mine/from`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  assert.equal(both.status, 201);
  const foreign = await stranger.call('POST', `/v2/other/to/blobs/uploads/?mount=${digest}&from=mine/from`);
  assert.equal(foreign.status, 202);
});

test('manifests that are not what they say are refused with the code of the specification', async () => {
  const { layers, config, manifest } = imageParts({ f: 'x' });
  const put = async (reference: string, body: unknown, type = MANIFEST) => code(await registry.call('PUT', `/v2/mine/bad/manifests/${reference}`, { body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': type } }));
  assert.equal(await put('v1', manifest), 'MANIFEST_BLOB_UNKNOWN');
  for (const blob of [...layers, config]) await registry.pushBlob('mine/bad', blob);
  assert.equal(await put('v1', '{'), 'MANIFEST_INVALID');
  assert.equal(await put('v1', { schemaVersion: 1 }), 'MANIFEST_INVALID');
  assert.equal(await put('v1', manifest, 'text/plain'), 'MANIFEST_INVALID');
  assert.equal(await put(sha256('other'), manifest), 'DIGEST_INVALID');
  assert.equal(await put('v1', { ...manifest, layers: [{ ...manifest.layers[0], size: 5 }] }), 'SIZE_INVALID');
  assert.equal(await put('v1', 'x'.repeat((4 << 20) + 1)), 'SIZE_INVALID');
  assert.equal(code(await registry.call('GET', '/v2/mine/bad/manifests/v1')), 'MANIFEST_UNKNOWN');
  assert.equal(code(await registry.call('GET', '/v2/mine/UPPER/manifests/v1')), 'NAME_INVALID');
  assert.equal(code(await registry.call('GET', `/v2/mine/bad/blobs/${sha256('nothing')}`)), 'BLOB_UNKNOWN');
  assert.equal(code(await registry.call('GET', '/v2/mine/bad/blobs/sha256:abc')), 'DIGEST_INVALID');
});

test('a pushed tag is an image of glance: same id, former digest hidden, data an archive', async () => {
  const one = await pushImage(registry, 'mine/app', 'v1', { base: 'b' }, { app: '1' });
  const image = await ref('mine/app:v1');
  assert.equal(image.name, 'mine/app:v1');
  assert.equal(image.status, 'active');
  assert.equal(image['docker:digest'], one);
  await until(async () => (await glance(`/${image.id}`)).json.checksum !== null);
  const shown = (await glance(`/${image.id}`)).json;
  const file = Buffer.from(await (await fetch(`${cloud.url}/image/v2/images/${image.id}/file`, { headers: { 'x-auth-token': mine.token } })).arrayBuffer());
  assert.equal(file.length, shown.size);
  assert.equal(createHash('md5').update(file).digest('hex'), shown.checksum);
  assert.equal(createHash('sha512').update(file).digest('hex'), shown.os_hash_value);
  const two = await pushImage(registry, 'mine/app', 'v1', { base: 'b' }, { app: '2' });
  const after_push = await ref('mine/app:v1');
  assert.equal(after_push.id, image.id);
  assert.equal(after_push['docker:digest'], two);
  const hidden = (await images('?os_hidden=true')).filter((one_) => one_['docker:digest'] === one);
  assert.equal(hidden.length, 1);
  assert.equal((await registry.call('GET', `/v2/mine/app/manifests/${one}`)).status, 200, 'the former digest is not lost');
  assert.equal((await registry.call('HEAD', '/v2/mine/app/manifests/v1')).headers.get('docker-content-digest'), two);
  await pushImage(registry, 'mine/app', 'v1', { base: 'b' }, { app: '1' });
  const again = (await images('?os_hidden=true')).filter(({ name }) => name === 'mine/app:v1').map((one_) => one_['docker:digest']);
  assert.deepEqual(again, [two]);
});

test('deleting one side shows on the other', async () => {
  const digest = await pushImage(registry, 'mine/gone', 'v1', { x: '1' });
  const image = await ref('mine/gone:v1');
  assert.equal((await glance(`/${image.id}`, 'DELETE')).status, 204);
  assert.equal((await registry.call('GET', '/v2/mine/gone/manifests/v1')).status, 404);
  assert.equal((await registry.call('GET', `/v2/mine/gone/manifests/${digest}`)).status, 404);
  await pushImage(registry, 'mine/gone', 'v2', { x: '1' });
  const again = await ref('mine/gone:v2');
  await cloud.call('PATCH', `/image/v2/images/${again.id}`, { token: mine.token, body: [{ op: 'replace', path: '/protected', value: true }], headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' } });
  assert.equal(code(await registry.call('DELETE', `/v2/mine/gone/manifests/${digest}`)), 'DENIED');
  await cloud.call('PATCH', `/image/v2/images/${again.id}`, { token: mine.token, body: [{ op: 'replace', path: '/protected', value: false }], headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' } });
  assert.equal((await registry.call('DELETE', `/v2/mine/gone/manifests/${digest}`)).status, 202);
  assert.equal((await glance(`/${again.id}`)).status, 404);
  await pushImage(registry, 'mine/gone', 'v3', { x: '3' });
  assert.equal((await registry.call('DELETE', '/v2/mine/gone/manifests/v3')).status, 202);
  assert.equal(await ref('mine/gone:v3'), undefined);
});

test('an uploaded archive can be pulled, byte for byte what its digests say', async () => {
  const made = await cloud.call('POST', '/image/v2/images', { token: mine.token, body: { name: 'uploaded', container_format: 'docker', disk_format: 'raw' } });
  const archive = dockerArchive({ big: randomBytes(400_000) });
  assert.equal((await cloud.call('PUT', `/image/v2/images/${made.json.id}/file`, { token: mine.token, body: archive, headers: { 'content-type': 'application/octet-stream' } })).status, 204);
  for (const name of ['uploaded', made.json.id]) {
    const manifest = await registry.call('GET', `/v2/mine/${name}/manifests/latest`);
    assert.equal(manifest.status, 200, manifest.text);
    for (const { digest } of [manifest.json.config, ...manifest.json.layers]) assert.equal(sha256((await registry.call('GET', `/v2/mine/${name}/blobs/${digest}`)).bytes), digest);
    assert.deepEqual((await registry.call('GET', `/v2/mine/${name}/tags/list`)).json.tags, ['latest']);
  }
  const file = Buffer.from(await (await fetch(`${cloud.url}/image/v2/images/${made.json.id}/file`, { headers: { 'x-auth-token': mine.token } })).arrayBuffer());
  assert.ok(file.equals(archive));
  assert.equal((await stranger.call('GET', '/v2/mine/uploaded/manifests/latest')).status, 404);
});

test('visibility of the image is that of the tag', async () => {
  const digest = await pushImage(registry, 'mine/shown', 'v1', { x: 'public' });
  await pushImage(registry, 'mine/shown', 'secret', { x: 'private' });
  const image = await ref('mine/shown:v1');
  assert.equal((await stranger.call('GET', '/v2/mine/shown/manifests/v1')).status, 404);
  await cloud.call('PATCH', `/image/v2/images/${image.id}`, { body: [{ op: 'replace', path: '/visibility', value: 'public' }], headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' } });
  const manifest = await stranger.call('GET', '/v2/mine/shown/manifests/v1');
  assert.equal(manifest.status, 200);
  assert.equal((await stranger.call('GET', `/v2/mine/shown/manifests/${digest}`)).status, 200);
  assert.equal((await stranger.call('GET', `/v2/mine/shown/blobs/${manifest.json.layers[0].digest}`)).status, 200);
  assert.equal((await stranger.call('GET', '/v2/mine/shown/manifests/secret')).status, 404);
  assert.deepEqual((await stranger.call('GET', '/v2/mine/shown/tags/list')).json.tags, ['v1']);
  assert.equal((await stranger.call('POST', '/v2/mine/shown/blobs/uploads/')).status, 403);
  assert.equal((await stranger.call('DELETE', '/v2/mine/shown/manifests/v1')).status, 403);
  assert.ok((await stranger.call('GET', '/v2/_catalog')).json.repositories.includes('mine/shown'));
});

test('tags and repositories come in pages', async () => {
  for (const tag of ['c', 'a', 'b']) await pushImage(registry, 'mine/paged', tag, { x: 'same' });
  const first = await registry.call('GET', '/v2/mine/paged/tags/list?n=2');
  assert.deepEqual(first.json.tags, ['a', 'b']);
  const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1];
  assert.deepEqual((await registry.call('GET', next!)).json.tags, ['c']);
  const catalog = await registry.call('GET', '/v2/_catalog?n=1');
  assert.equal(catalog.json.repositories.length, 1);
  assert.ok(catalog.headers.get('link'));
});

test('an index, and what refers to a manifest', async () => {
  const one = imageParts({ x: 'amd64' });
  for (const blob of [...one.layers, one.config]) await registry.pushBlob('mine/multi', blob);
  const child = (await registry.pushManifest('mine/multi', sha256(JSON.stringify(one.manifest)), one.manifest)).headers.get('docker-content-digest')!;
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [{ mediaType: MANIFEST, digest: child, size: JSON.stringify(one.manifest).length, platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } }] };
  assert.equal((await registry.pushManifest('mine/multi', 'v1', index, INDEX)).status, 201);
  assert.equal((await ref('mine/multi:v1')).status, 'active');
  const empty = await registry.pushBlob('mine/multi', Buffer.from('{}'));
  const artifact = { schemaVersion: 2, mediaType: MANIFEST, artifactType: 'application/x-sbom', config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 }, layers: [{ mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 }], subject: { mediaType: MANIFEST, digest: child, size: 1 }, annotations: { a: 'b' } };
  const pushed = await registry.pushManifest('mine/multi', sha256(JSON.stringify(artifact)), artifact);
  assert.equal(pushed.headers.get('oci-subject'), child);
  const referrers = await registry.call('GET', `/v2/mine/multi/referrers/${child}`);
  assert.equal(referrers.json.manifests[0].artifactType, 'application/x-sbom');
  assert.deepEqual((await registry.call('GET', `/v2/mine/multi/referrers/${child}?artifactType=other`)).json.manifests, []);
  assert.deepEqual((await registry.call('GET', `/v2/mine/multi/referrers/${sha256('none')}`)).json.manifests, []);
});

test('docker search', async () => {
  assert.equal((await fetch(`${cloud.url}/v1/_ping`)).status, 200);
  assert.equal((await fetch(`${cloud.url}/v1/search?q=app`)).status, 401);
  const found = await fetch(`${cloud.url}/v1/search?q=app&n=10`, { headers: { authorization: `Basic ${Buffer.from(`mine/mine:${mine.password}`).toString('base64')}` } });
  assert.deepEqual(((await found.json()) as { results: { name: string }[] }).results.map(({ name }) => name), ['mine/app']);
});

test('quotas hold for pushes, with a clear word', async () => {
  const small = await cloud.tenant('small');
  const service_id = (await cloud.call('GET', '/identity/v3/services?type=image')).json.services[0].id;
  const regions = (await cloud.call('GET', '/identity/v3/regions')).json.regions;
  const made = await cloud.call('POST', '/identity/v3/registered_limits', { body: { registered_limits: [{ service_id, region_id: regions[0].id, resource_name: 'image_size_total', default_limit: 1 }] } });
  assert.equal(made.status, 201, made.text);
  const client = registryClient(cloud.url, { name: 'small/small', secret: small.password });
  const large = randomBytes(2_000_000);
  const refused = await client.call('POST', `/v2/small/app/blobs/uploads/?digest=${sha256(large)}`, { body: large });
  assert.equal(refused.status, 413);
  assert.equal(code(refused), 'DENIED');
  assert.match(refused.json.errors[0].message, /quota|limit/);
  await assert.rejects(pushImage(client, 'small/app', 'v1', { a: randomBytes(800_000) }, { b: randomBytes(800_000) }, { c: randomBytes(800_000) }), /DENIED.*quota/s);
  await pushImage(client, 'small/app', 'v2', { a: randomBytes(200_000) });
});

async function until(check: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await check());) {
    assert.ok(Date.now() < end, 'it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
