/** The controller is killed at any moment while images are uploaded, staged and imported: none is lost, none is half there. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerArchive } from '../../support/docker-archive.ts';
import { type WebServer, webServer } from '../../support/image-import.ts';
import { type RealCloud, startRealCloud } from '../../support/real-cloud.ts';

/** More of them: GANTRY_KILLS=200. */
const KILLS = Number(process.env['GANTRY_KILLS'] ?? 6);
const AT_ONCE = 4;
/** Kills fall anywhere in the time that the work of one round takes. */
const ROUND_MS = 1_500;

let cloud: RealCloud;
let web: WebServer;
let token: string;
const served = new Map<string, Buffer>();
/** What each image was promised to hold. */
const promised = new Map<string, { bytes: Buffer; confirmed: boolean }>();

before(async () => {
  web = await webServer((request, response) => void response.end(served.get(request.url ?? '')));
  cloud = await startRealCloud({
    name: 'gkill', drivers: 'fake', with_agent: false,
    toml: `[image]\nimport_allowed_hosts = ["127.0.0.1"]\nimport_allowed_ports = [${web.port}]`,
  });
  token = await newToken();
}, { timeout: 120_000 });
after(async () => {
  await cloud?.stop();
  await web?.close();
});

async function newToken(): Promise<string> {
  const domain = { id: 'default' };
  const identity = { methods: ['password'], password: { user: { name: 'admin', domain, password: cloud.admin_password } } };
  const body = JSON.stringify({ auth: { identity, scope: { project: { name: 'admin', domain } } } });
  const answer = await fetch(`${cloud.url}/identity/v3/auth/tokens`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return answer.headers.get('x-subject-token') ?? assert.fail(`no token: ${answer.status}`);
}

const call = async (method: string, path: string, body?: object | Buffer): Promise<{ status: number; json: any }> => {
  const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json';
  const text = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const answer = await fetch(`${cloud.url}/image/v2${path}`, { method, headers: { 'x-auth-token': token, ...(body ? { 'content-type': type } : {}) }, ...(text ? { body: text as never } : {}) });
  const got = await answer.text();
  return { status: answer.status, json: got.startsWith('{') ? JSON.parse(got) : undefined };
};

/** One image by one of the ways; ends quietly when the controller dies. */
async function fill(way: number): Promise<void> {
  try {
    const docker = way === 3;
    const bytes = docker ? dockerArchive({ hello: randomBytes(200_000) }) : randomBytes(2_000_000);
    const id = randomUUID();
    const promise = { bytes, confirmed: false };
    promised.set(id, promise);
    await call('POST', '/images', { id, name: `way-${way}`, container_format: docker ? 'docker' : 'bare', disk_format: 'raw' });
    if (way === 1) {
      served.set(`/${id}`, bytes);
      await call('POST', `/images/${id}/import`, { method: { name: 'web-download', uri: `http://127.0.0.1:${web.port}/${id}` } });
    } else if (way === 2) {
      await call('PUT', `/images/${id}/stage`, bytes);
      await call('POST', `/images/${id}/import`, { method: { name: 'glance-direct' } });
    } else promise.confirmed = (await call('PUT', `/images/${id}/file`, bytes)).status === 204;
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof SyntaxError, String(error));
  }
}

const sha512 = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('hex');

async function allImages(): Promise<any[]> {
  const found: any[] = [];
  for (let path = '/images?limit=500'; ; ) {
    const { json } = await call('GET', path);
    found.push(...json.images);
    if (json.next === undefined) return found;
    path = (json.next as string).replace('/v2', '');
  }
}

/** After a restart, once its tasks have ended. */
async function check(): Promise<{ active: number; queued: number; uploading: number }> {
  const end = performance.now() + 60_000;
  let images = await allImages();
  while (images.some(({ status }) => status === 'importing')) {
    assert.ok(performance.now() < end, 'an import does not end');
    await sleep(50);
    images = await allImages();
  }
  const folder = join(cloud.data_dir, 'controller');
  const staged = (): string => readdirSync(join(folder, 'staging')).sort().join();
  const count = { active: 0, queued: 0, uploading: 0 };
  for (const image of images) {
    assert.ok(image.status in count, `${image.id} is ${image.status}`);
    count[image.status as keyof typeof count] += 1;
    const { bytes, confirmed } = promised.get(image.id) ?? assert.fail(`${image.id} was never asked for`);
    if (confirmed) assert.equal(image.status, 'active', 'what was confirmed is there');
    if (image.status === 'uploading') assert.equal(statSync(join(folder, 'staging', image.id)).size, bytes.length, 'staged data are whole');
    if (image.status === 'queued') assert.deepEqual([image.size, image.checksum], [null, null]);
    if (image.status !== 'active') continue;
    assert.equal(image.os_hash_value, sha512(bytes));
    const data = await fetch(`${cloud.url}/image/v2/images/${image.id}/file`, { headers: { 'x-auth-token': token } });
    assert.equal(sha512(new Uint8Array(await data.arrayBuffer())), image.os_hash_value, 'the data are what they were');
  }
  const uploading = images.filter(({ status }) => status === 'uploading').map(({ id }) => id as string);
  // an import is over a moment before its staged data go
  while (staged() !== uploading.sort().join()) {
    assert.ok(performance.now() < end, `staged is ${staged()}, of which ${uploading.join()} is waited for`);
    await sleep(50);
  }
  assert.deepEqual(readdirSync(join(folder, 'blobs', 'incoming')), [], 'nothing is left of what broke off');
  return count;
}

test(`${KILLS} times kill -9 while images come in`, { timeout: 120_000 + KILLS * 30_000 }, async (t) => {
  const totals = { active: 0, queued: 0, uploading: 0 };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const work = Array.from({ length: AT_ONCE }, (_, way) => fill(way));
    await sleep(randomInt(ROUND_MS));
    await cloud.kill('controller');
    await Promise.all(work);
    cloud.launch('controller');
    await cloud.waitReady();
    const count = await check();
    for (const state of ['active', 'queued', 'uploading'] as const) totals[state] += count[state];
    for (const id of promised.keys()) await call('DELETE', `/images/${id}`);
    promised.clear();
    served.clear();
  }
  t.diagnostic(JSON.stringify(totals));
  assert.deepEqual(await allImages(), []);
});
