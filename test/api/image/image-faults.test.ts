/** Senders that lie, break off or want too much; signatures; quotas; crashes in between. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSign, constants, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { importer, type Importer, type WebServer, webServer } from '../../support/image-import.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { until } from '../../kernel/bus/fixtures.ts';

const CERTIFICATE = '11111111-2222-4333-8444-555555555555';
const GIB = 2 ** 30;
let cloud: TestCloud;
let mine: Importer;
let member: { token: string; project_id: string };
let web: WebServer;
let certificates: string;
let held: (() => void)[] = [];
const data = Buffer.alloc(100_000, 'gantry');

before(async () => {
  web = await webServer((request, response) => {
    if (request.url === '/image') return void response.end(data);
    // the rest comes when the test says so
    response.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 1000));
    held.push(() => response.end(data.subarray(1000)));
  });
  certificates = scratchDirectory('certificates');
  cloud = await startTestCloud({ toml: `[image]\nmax_size_gb = 10\ncertificates_dir = "${certificates}"\nimport_allowed_hosts = ["127.0.0.1"]\nimport_allowed_ports = [${web.port}]\n` });
  member = await cloud.tenant('faulty');
  mine = importer(cloud, member.token);
});
after(async () => {
  await cloud.stop();
  await web.close();
});

const folder = (name: string): string[] => readdirSync(join(cloud.directory, 'controller', name));
const images = '/image/v2/images';

/** A PUT whose body is written by the test; resolves to the status, or to the error's code when the other side hangs up. */
function put(path: string, headers: Record<string, string | number>, write: (body: ReturnType<typeof request>) => void): Promise<number | string> {
  return new Promise((resolve) => {
    const out = request(cloud.url + path, { method: 'PUT', headers: { 'x-auth-token': member.token, 'content-type': 'application/octet-stream', ...headers } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    out.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    write(out);
  });
}

const forget = (id: string) => cloud.call('DELETE', `${images}/${id}`, { token: member.token });

const isQueued = async (id: string): Promise<void> => {
  await until(async () => (await mine.show(id)).status === 'queued');
  const image = await mine.show(id);
  assert.deepEqual([image.size, image.checksum], [null, null]);
};

for (const tail of ['file', 'stage']) {
  test(`${tail}: a sender that hangs up leaves nothing but a queued image`, async () => {
    const id = await mine.create();
    await put(`${images}/${id}/${tail}`, { 'content-length': data.length }, (out) => {
      out.write(data.subarray(0, 5000));
      void until(async () => (await mine.show(id)).status !== 'queued').then(() => out.destroy());
    });
    await isQueued(id);
    assert.deepEqual([folder('blobs/incoming'), folder('staging')], [[], []]);
    assert.equal(tail === 'file' ? await mine.upload(id, data) : await mine.stage(id, data), 204, 'and it can be sent again');
    await forget(id);
  });

  test(`${tail}: 100 GiB are refused before they are sent`, async () => {
    const id = await mine.create();
    const status = await put(`${images}/${id}/${tail}`, { 'content-length': 100 * GIB }, (out) => out.flushHeaders());
    assert.equal(status, 413);
    await isQueued(id);
  });

  test(`${tail}: an announced size has to be a number, and true`, async () => {
    const id = await mine.create();
    const send = (size: string) => put(`${images}/${id}/${tail}`, { 'x-openstack-image-size': size }, (out) => out.end(data));
    for (const size of ['many', '-1', '1.5']) assert.equal(await send(size), 400, size);
    assert.equal(await send('99'), 400, 'too small');
    await isQueued(id);
    assert.equal(await send(String(data.length)), 204);
    await forget(id);
  });

  test(`${tail}: other media types are refused`, async () => {
    const id = await mine.create();
    assert.equal(await put(`${images}/${id}/${tail}`, { 'content-type': 'application/json' }, (out) => out.end('{}')), 415);
  });
}

test('an empty image is an image; an empty docker image is none', async () => {
  const id = await mine.create();
  assert.equal(await mine.upload(id, Buffer.alloc(0)), 204);
  const image = await mine.show(id);
  assert.deepEqual([image.status, image.size, image.checksum], ['active', 0, 'd41d8cd98f00b204e9800998ecf8427e']);
  assert.equal((await mine.data(id)).length, 0);
  const docker = await mine.create({ container_format: 'docker' });
  assert.equal(await mine.upload(docker, Buffer.alloc(0)), 400);
  await isQueued(docker);
});

test('parts of the data are sent on request, and what is no part is refused', async () => {
  const id = await mine.create();
  await mine.upload(id, data);
  const get = async (range: string) => {
    const answer = await fetch(`${cloud.url}${images}/${id}/file`, { headers: { 'x-auth-token': member.token, range } });
    return { status: answer.status, range: answer.headers.get('content-range'), length: (await answer.arrayBuffer()).byteLength };
  };
  const size = data.length;
  assert.deepEqual(await get('bytes=0-9'), { status: 206, range: `bytes 0-9/${size}`, length: 10 });
  assert.deepEqual(await get(`bytes=${size - 5}-`), { status: 206, range: `bytes ${size - 5}-${size - 1}/${size}`, length: 5 });
  assert.deepEqual(await get('bytes=-7'), { status: 206, range: `bytes ${size - 7}-${size - 1}/${size}`, length: 7 });
  assert.deepEqual(await get(`bytes=10-${size * 9}`), { status: 206, range: `bytes 10-${size - 1}/${size}`, length: size - 10 });
  for (const range of [`bytes=${size}-`, 'bytes=9-3', 'bytes=x-y', 'bytes=0-1,5-6', 'lines=1-2']) assert.equal((await get(range)).status, 416, range);
});

test('an image deleted while it is being sent stays deleted', async () => {
  const id = await mine.create();
  const status = put(`${images}/${id}/file`, { 'transfer-encoding': 'chunked' }, (out) => {
    out.write(data);
    void until(async () => (await mine.show(id)).status === 'saving').then(() => cloud.call('DELETE', `${images}/${id}`, { token: member.token })).then(() => out.end());
  });
  assert.equal(await status, 410);
  assert.equal((await cloud.call('GET', `${images}/${id}`, { token: member.token })).status, 404);
});

test('an image deleted while it is being imported stays deleted', async () => {
  const id = await mine.create();
  assert.equal((await mine.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/slow` })).status, 202);
  await until(() => held.length === 1);
  assert.equal((await mine.show(id)).status, 'importing');
  assert.equal((await mine.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/image` })).status, 409);
  const [task] = await cloud.tasks.listOf(`image:${id}`, 1);
  assert.equal((await cloud.call('DELETE', `${images}/${id}`, { token: member.token })).status, 204);
  assert.equal((await cloud.tasks.whenSettled(task!.id)).state, 'failed');
  assert.deepEqual(folder('staging'), []);
  held = [];
});

test('signed images are taken when the signature holds, and refused when it does not or cannot be checked', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const work = scratchDirectory('key');
  writeFileSync(join(work, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  execFileSync('openssl', ['req', '-x509', '-new', '-key', join(work, 'key.pem'), '-subj', '/CN=test', '-days', '2', '-out', join(certificates, `${CERTIFICATE}.pem`)], { stdio: 'ignore' });
  const img_signature = createSign('sha256').update(data).sign({ key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }, 'base64');
  const signed = { img_signature, img_signature_hash_method: 'SHA-256', img_signature_key_type: 'RSA-PSS', img_signature_certificate_uuid: CERTIFICATE };
  const send = async (properties: object, bytes = data) => {
    const id = await mine.create(properties);
    const answer = await cloud.call('PUT', `${images}/${id}/file`, { token: member.token, body: bytes, headers: { 'content-type': 'application/octet-stream', accept: 'application/json' } });
    return { id, status: answer.status, message: String(answer.json?.message ?? '') };
  };
  assert.equal((await send(signed)).status, 204);
  const { img_signature: _, ...incomplete } = signed;
  assert.equal((await send(incomplete)).status, 204, 'not all four: not signed');
  const bad: [object, typeof data, RegExp][] = [
    [signed, Buffer.from('other data'), /not what was signed/],
    [{ ...signed, img_signature: 'bm9uZQ==' }, data, /not what was signed/],
    [{ ...signed, img_signature_certificate_uuid: '99999999-2222-4333-8444-555555555555' }, data, /unable to retrieve the certificate/],
    [{ ...signed, img_signature_certificate_uuid: `../${CERTIFICATE}` }, data, /unable to retrieve the certificate/],
    [{ ...signed, img_signature_hash_method: 'MD5' }, data, /no hash method/],
    [{ ...signed, img_signature_key_type: 'ECC_SECP384R1' }, data, /no key of type/],
  ];
  for (const [properties, bytes, why] of bad) {
    const answer = await send(properties, bytes);
    assert.equal(answer.status, 400, String(why));
    assert.match(answer.message, why);
    await isQueued(answer.id);
  }
  const imported = await mine.create({ ...signed, img_signature: 'bm9uZQ==' });
  await mine.import(imported, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/image` });
  assert.match((await mine.ended(imported)).message, /not what was signed/);
});

test('quotas are those that identity registers', async () => {
  const tenant = await cloud.tenant('bounded');
  const bounded = importer(cloud, tenant.token);
  const services = (await cloud.call('GET', '/identity/v3/services?type=image')).json.services;
  const registered_limits = Object.entries({ image_size_total: 2, image_stage_total: 1, image_count_total: 3, image_count_uploading: 1 })
    .map(([resource_name, default_limit]) => ({ service_id: services[0].id, region_id: 'RegionOne', resource_name, default_limit }));
  assert.equal((await cloud.call('POST', '/identity/v3/registered_limits', { body: { registered_limits } })).status, 201);
  const usage = async () => (await cloud.call('GET', '/image/v2/info/usage', { token: tenant.token })).json.usage;
  assert.deepEqual((await usage()).image_size_total, { usage: 0, limit: 2 });
  const mib = (count: number) => Buffer.alloc(count * 2 ** 20);
  const [one, two, three] = [await bounded.create(), await bounded.create(), await bounded.create()];
  await assert.rejects(bounded.create(), /quota of image_count_total/);
  assert.equal(await bounded.upload(one!, mib(3)), 413, 'announced as too much');
  const told = { 'x-auth-token': tenant.token, 'content-type': 'application/octet-stream' };
  const chunked = await fetch(`${cloud.url}${images}/${one}/file`, { method: 'PUT', headers: told, body: new Blob([new Uint8Array(3 * 2 ** 20)]).stream(), duplex: 'half' } as never);
  assert.equal(chunked.status, 413, 'turned out to be too much');
  assert.equal(await bounded.upload(one!, mib(1)), 204);
  assert.equal(await bounded.stage(two!, mib(2)), 413);
  assert.equal(await bounded.stage(two!, mib(1)), 204);
  assert.deepEqual((await usage()).image_stage_total, { usage: 1, limit: 1 });
  assert.equal(await bounded.upload(three!, mib(1)), 413, 'one at a time');
  assert.equal((await bounded.import(two!, { name: 'glance-direct' })).status, 202);
  assert.equal((await bounded.ended(two!)).status, 'success');
  assert.deepEqual(await usage(), {
    image_size_total: { usage: 2, limit: 2 }, image_stage_total: { usage: 0, limit: 1 }, image_count_total: { usage: 3, limit: 3 }, image_count_uploading: { usage: 0, limit: 1 },
  });
  assert.equal(await bounded.upload(three!, mib(1)), 413, 'the store is full for them');
  const limits = (await cloud.call('GET', '/identity/v3/registered_limits')).json.registered_limits;
  for (const { id } of limits) await cloud.call('DELETE', `/identity/v3/registered_limits/${id}`);
});

test('a store that is full says so and stays whole', { skip: process.getuid?.() === 0 ? false : 'mounting a small file system needs root' }, async () => {
  const small = join(scratchDirectory('full'), 'data');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  const full = await startTestCloud({ toml: `[image]\nmore_stores = ["small=${small}"]\nimport_allowed_hosts = ["127.0.0.1"]\nimport_allowed_ports = [${web.port}]\n` });
  try {
    const tenant = importer(full, (await full.tenant('filling')).token);
    const kept = await tenant.create();
    assert.equal(await tenant.upload(kept, data, { 'x-image-meta-store': 'small' }), 204);
    const big = await tenant.create();
    assert.equal(await tenant.upload(big, Buffer.alloc(3 * 2 ** 20), { 'x-image-meta-store': 'small' }), 413);
    assert.equal((await tenant.show(big)).status, 'queued');
    assert.deepEqual(await tenant.data(kept), data);
    assert.equal(await tenant.stage(big, Buffer.alloc(3 * 2 ** 20, 1)), 204);
    assert.equal((await tenant.import(big, { name: 'glance-direct' }, { all_stores: true, all_stores_must_succeed: false })).status, 202);
    assert.equal((await tenant.ended(big)).status, 'success');
    const image = await tenant.show(big);
    assert.deepEqual([image.status, image.stores, image.os_glance_failed_import], ['active', 'local', 'small']);
  } finally {
    await full.stop();
    execFileSync('umount', [small]);
  }
});

test('after a crash nothing is half there', async () => {
  const [saving, staging, staged, importing] = [await mine.create(), await mine.create(), await mine.create(), await mine.create()];
  assert.equal(await mine.stage(staged, data), 204);
  assert.equal((await mine.import(importing, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/slow` })).status, 202);
  await until(() => held.length === 1);
  const [task] = await cloud.tasks.listOf(`image:${importing}`, 1);
  await cloud.crash();
  held = [];
  // what a process leaves that dies while data come in
  const rows = await cloud.reopen();
  for (const [id, status] of [[saving, 'saving'], [staging, 'uploading']]) await rows.transaction((tx) => tx.updateTable('image_images').set({ status }).where('id', '=', id).execute());
  await rows.close();
  const place = (name: string): string => join(cloud.directory, 'controller', name);
  for (const name of [`staging/${staging}.part`, 'staging/00000000-0000-4000-8000-000000000000', 'blobs/incoming/one']) writeFileSync(place(name), 'half');
  cloud = await cloud.restart();
  mine = importer(cloud, await cloud.token({ name: 'faulty', password: 'password-of-faulty', project: 'faulty' }));
  await until(() => held.length === 1);
  held.splice(0).forEach((send) => send());
  assert.equal((await cloud.tasks.whenSettled(task!.id)).state, 'done', 'it has gone on by itself');
  const states = await Promise.all([saving, staging, staged, importing].map(async (id) => (await mine.show(id)).status));
  assert.deepEqual(states, ['queued', 'queued', 'uploading', 'active']);
  assert.deepEqual(await mine.data(importing), data);
  assert.deepEqual([folder('staging'), folder('blobs/incoming')], [[staged], []]);
  assert.equal((await mine.import(staged, { name: 'glance-direct' })).status, 202);
  assert.equal((await mine.ended(staged)).status, 'success');
});
