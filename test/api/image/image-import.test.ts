import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { importer, type Importer, registryHandler, registryImage, type WebServer, webServer } from '../../support/image-import.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let cloud: TestCloud;
let mine: Importer;
let admin: Importer;
let member: string;
let web: WebServer;
let registry: WebServer;
const served = randomBytes(300_000);
const good = registryImage([{ hello: 'hi' }, { 'etc/motd': 'welcome' }]);
const damaged = registryImage([{ hello: 'hi' }], (manifest, blobs) => blobs.set(manifest['layers'][0].digest, Buffer.from('not what was promised')));
const lying = registryImage([{ hello: 'hi' }], (manifest) => { manifest['layers'][0].mediaType = 'application/vnd.oci.image.layer.v1.tar'; });

before(async () => {
  web = await webServer((request, response) => {
    if (request.url === '/image') return void response.writeHead(200, { 'content-length': served.length }).end(served);
    if (request.url === '/moved') return void response.writeHead(302, { location: '/image' }).end();
    if (request.url === '/short') return void response.writeHead(200, { 'content-length': 1000 }).write('x', () => response.destroy());
    if (request.url === '/huge') return void response.writeHead(200, { 'content-length': String(100 * 2 ** 30) }).end('x');
    response.writeHead(404).end();
  });
  registry = await webServer(registryHandler({ 'some/hello:1.0': good, 'some/damaged:latest': damaged, 'some/lying:latest': lying }, { token: 'let-me-read' }));
  const toml = `[image]\nmore_stores = ["second=${scratchDirectory('store')}"]\nimport_allowed_hosts = ["127.0.0.1"]\nimport_allowed_ports = [${web.port}, ${registry.port}]\nimport_plain_registries = ["127.0.0.1:${registry.port}"]\n`;
  cloud = await startTestCloud({ toml });
  member = (await cloud.tenant('importing')).token;
  mine = importer(cloud, member);
  admin = importer(cloud, await cloud.token());
});
after(async () => {
  await cloud.stop();
  await web.close();
  await registry.close();
});

const staged = (): string[] => readdirSync(join(cloud.directory, 'controller', 'staging'));

test('staged data are imported by a task that the image shows', async () => {
  const created = await cloud.call('POST', '/image/v2/images', { token: member, body: { container_format: 'bare', disk_format: 'raw' } });
  assert.equal(created.headers.get('openstack-image-import-methods'), 'glance-direct,web-download,copy-image');
  assert.equal(created.headers.get('openstack-image-store-ids'), 'local,second');
  const id = created.json.id as string;
  assert.equal((await mine.import(id, { name: 'glance-direct' })).status, 409, 'not staged yet');
  assert.equal(await mine.stage(id, served), 204);
  assert.equal((await mine.show(id)).status, 'uploading');
  assert.equal(await mine.stage(id, served), 409);
  assert.equal((await mine.import(id, { name: 'web-download', uri: 'http://127.0.0.1/' })).status, 409);
  assert.equal((await mine.import(id, { name: 'glance-direct' })).status, 202);
  const task = await mine.ended(id);
  assert.equal(task.status, 'success');
  assert.equal(task.input.import_req.method.name, 'glance-direct');
  assert.deepEqual(task.result, { image_id: id });
  const image = await mine.show(id);
  assert.deepEqual([image.status, image.size, image.stores, image.os_glance_importing_to_stores, image.os_glance_failed_import], ['active', served.length, 'local', '', '']);
  assert.ok(!('os_glance_import_task' in image));
  assert.deepEqual(await mine.data(id), served);
  assert.deepEqual(staged(), []);
  assert.equal((await mine.import(id, { name: 'glance-direct' })).status, 409, 'it is active');
});

test('data come from the web, redirects followed', async () => {
  const id = await mine.create();
  assert.equal((await mine.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/moved` }, { all_stores: true })).status, 202);
  assert.equal((await mine.ended(id)).status, 'success');
  assert.equal((await mine.show(id)).stores, 'local,second');
  assert.deepEqual(await mine.data(id), served);
  assert.deepEqual(await mine.data(id, '?prefer=second'), served);
});

test('what the web does not give leaves the image queued, and the store named as failed', async () => {
  for (const [path, why] of [['/none', /404/], ['/short', /broke off|1000/], ['/huge', /size limit/]] as const) {
    const id = await mine.create();
    assert.equal((await mine.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}${path}` })).status, 202);
    const task = await mine.ended(id);
    assert.equal(task.status, 'failure', path);
    assert.match(task.message, why);
    const image = await mine.show(id);
    assert.deepEqual([image.status, image.size, image.os_glance_failed_import, image.os_glance_importing_to_stores], ['queued', null, 'local', ''], path);
  }
  assert.deepEqual(staged(), []);
});

test('an image comes from a registry, with a token, every digest checked', async () => {
  const uri = `docker://127.0.0.1:${registry.port}/some/hello:1.0`;
  const bare = await mine.create();
  assert.equal((await mine.import(bare, { name: 'web-download', uri })).status, 400, 'no docker image');
  const id = await mine.create({ container_format: 'docker' });
  assert.equal((await mine.import(id, { name: 'web-download', uri })).status, 202);
  const task = await mine.ended(id);
  assert.equal(task.status, 'success', task.message);
  const archive = (await mine.data(id)).toString('latin1');
  for (const diff of good.diff_ids) assert.ok(archive.includes(`${diff.slice(7)}/layer.tar`));
  for (const [name, why] of [['some/damaged', /digest|damaged/], ['some/lying', /digest/], ['some/nothing', /has no/]] as const) {
    const other = await mine.create({ container_format: 'docker' });
    assert.equal((await mine.import(other, { name: 'web-download', uri: `docker://127.0.0.1:${registry.port}/${name}` })).status, 202);
    const failed = await mine.ended(other);
    assert.equal(failed.status, 'failure', name);
    assert.match(failed.message, why);
    assert.equal((await mine.show(other)).status, 'queued');
  }
  assert.deepEqual(staged(), []);
});

test('an administrator copies an image to further stores, and takes it from one again', async () => {
  const id = await mine.create();
  assert.equal(await mine.upload(id, served), 204);
  assert.equal((await mine.import(id, { name: 'copy-image' }, { all_stores: true })).status, 403, 'administrators only');
  assert.equal((await admin.import(id, { name: 'copy-image' }, { stores: ['local'] })).status, 400, 'it is there');
  assert.equal((await admin.import(id, { name: 'copy-image' }, { stores: ['third'] })).status, 409);
  assert.equal((await admin.import(id, { name: 'copy-image' }, { all_stores: true })).status, 202);
  assert.equal((await mine.ended(id)).status, 'success');
  assert.equal((await mine.show(id)).stores, 'local,second');
  assert.equal((await admin.import(id, { name: 'copy-image' }, { all_stores: true })).status, 202, 'nothing left to do');
  const remove = async (store: string, token?: string) => (await cloud.call('DELETE', `/image/v2/stores/${store}/${id}`, token ? { token } : {})).status;
  assert.equal(await remove('second', member), 403);
  assert.equal(await remove('third'), 409);
  assert.equal(await remove('local'), 204);
  assert.equal(await remove('local'), 403, 'the last one stays');
  assert.equal((await mine.show(id)).stores, 'second');
  assert.deepEqual(await mine.data(id), served);
});

test('an image is uploaded to the store that is asked for', async () => {
  const id = await mine.create();
  assert.equal(await mine.upload(id, served, { 'x-image-meta-store': 'third' }), 400);
  assert.equal(await mine.upload(id, served, { 'x-image-meta-store': 'second' }), 204);
  assert.equal((await mine.show(id)).stores, 'second');
  assert.deepEqual(await mine.data(id), served);
});

test('a malformed request changes nothing', async () => {
  const id = await mine.create();
  const bodies: [object, RegExp][] = [
    [{}, /method/], [{ method: {} }, /name/], [{ method: { name: 'glance-download' } }, /Unknown import method/], [{ method: { name: 'web-download' } }, /filtering/],
    [{ method: { name: 'web-download', uri: 7 } }, /string/], [{ method: { name: 'web-download', uri: 'x' }, all_stores: 'yes' }, /boolean/],
    [{ method: { name: 'web-download', uri: 'x' }, all_stores: true, stores: ['local'] }, /can't be used/], [{ method: { name: 'web-download', uri: 'x' }, stores: 'local' }, /list/],
  ];
  for (const [body, why] of bodies) {
    const answer = await cloud.call('POST', `/image/v2/images/${id}/import`, { token: member, body, headers: { accept: 'application/json' } });
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(answer.json.message, why);
  }
  assert.equal((await mine.show(id)).status, 'queued');
  const unset = await cloud.call('POST', '/image/v2/images', { token: member, body: {} });
  assert.equal((await mine.import(unset.json.id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/image` })).status, 409, 'no formats');
});

test('others neither stage nor import into my image', async () => {
  const id = await mine.create({ visibility: 'community' });
  const other = importer(cloud, (await cloud.tenant('stranger')).token);
  assert.equal(await other.stage(id, served), 403);
  assert.equal((await other.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/image` })).status, 403);
  const hidden = await mine.create();
  assert.equal(await other.stage(hidden, served), 404);
  assert.equal((await mine.show(id)).status, 'queued');
});

test('stores and methods are listed, and how the stores work for administrators only', async () => {
  const get = async (path: string, token?: string) => await cloud.call('GET', `/image/v2/info/${path}`, token ? { token } : {});
  assert.deepEqual((await get('import', member)).json['import-methods'].value, ['glance-direct', 'web-download', 'copy-image']);
  assert.deepEqual((await get('stores', member)).json.stores, [{ id: 'local', default: 'true' }, { id: 'second' }]);
  assert.equal((await get('stores/detail', member)).status, 403);
  assert.equal((await get('stores/detail')).json.stores[1].type, 'file');
  const { usage } = (await get('usage', member)).json;
  assert.equal(usage.image_count_total.limit, -1);
  assert.ok(usage.image_count_total.usage > 0);
});

test('deleting an image stops its import', async () => {
  const id = await mine.create();
  assert.equal(await mine.stage(id, served), 204);
  assert.equal((await cloud.call('DELETE', `/image/v2/images/${id}`, { token: member })).status, 204);
  assert.deepEqual(staged(), []);
});

test('by default an import reaches neither this host nor private networks, by no method', async () => {
  const strict = await startTestCloud();
  try {
    const token = (await strict.tenant('outward')).token;
    const there = importer(strict, token);
    const id = await there.create({ container_format: 'docker' });
    const bad = [
      `http://127.0.0.1:${web.port}/image`, 'http://127.0.0.1/', 'http://localhost/', 'http://[::1]/', 'http://169.254.169.254/latest/meta-data', 'http://10.0.0.1/', 'http://192.168.0.1/', 'http://2130706433/',
      'file:///etc/passwd', 'ftp://8.8.8.8/', 'http://8.8.8.8:22/', 'http://name.invalid/', 'nothing', '', `docker://127.0.0.1:${registry.port}/some/hello`, 'docker://localhost/some/hello', 'docker://10.0.0.1/some/hello',
      'docker://8.8.8.8:5000/some/hello', 'docker://Some/HELLO', 'docker://8.8.8.8/../etc', 'docker://8.8.8.8/some/hello:one:two', 'docker://8.8.8.8/some/hello@sha256:0',
    ];
    const asked = [web.asked.length, registry.asked.length];
    for (const uri of bad) {
      const answer = await there.import(id, { name: 'web-download', uri });
      assert.equal(answer.status, 400, uri);
      assert.match(answer.message, /does not pass filtering/, uri);
    }
    assert.deepEqual([web.asked.length, registry.asked.length], asked);
    assert.equal((await there.show(id)).status, 'queued');
    assert.deepEqual((await strict.call('GET', `/image/v2/images/${id}/tasks`, { token })).json.tasks, []);
  } finally {
    await strict.stop();
  }
});
