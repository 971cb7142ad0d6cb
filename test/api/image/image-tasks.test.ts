import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../kernel/bus/fixtures.ts';
import { startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { importer, type WebServer, webServer } from '../../support/image-import.ts';

let cloud: TestCloud;
let member: string;
let web: WebServer;
const data = Buffer.alloc(5000, 'gantry');
before(async () => {
  web = await webServer((request, response) => void (request.url === '/image' ? response.end(data) : response.writeHead(500).end()));
  cloud = await startTestCloud({ toml: `[image]\nimport_allowed_hosts = ["127.0.0.0/8"]\nimport_allowed_ports = [${web.port}]\n` });
  member = (await cloud.tenant('tasking')).token;
});
after(async () => {
  await cloud.stop();
  await web.close();
});

const json = { accept: 'application/json' };
const create = (input: unknown, type = 'import') => cloud.call('POST', '/image/v2/tasks', { body: { type, input }, headers: json });
const inputOf = (path: string, image_properties: object = { name: 'made', container_format: 'bare', disk_format: 'raw' }) => ({ import_from: `http://127.0.0.1:${web.port}${path}`, import_from_format: 'raw', image_properties });

/** The task once it has ended. */
async function ended(id: string): Promise<any> {
  let task: any;
  await until(async () => {
    task = (await cloud.call('GET', `/image/v2/tasks/${id}`)).json;
    return task.status === 'success' || task.status === 'failure';
  });
  return task;
}

test('an administrator imports an image by a task', async () => {
  const created = await create(inputOf('/image'));
  assert.equal(created.status, 201, created.text);
  assert.equal(created.headers.get('location'), `/v2/tasks/${created.json.id}`);
  assert.deepEqual([created.json.type, created.json.status, created.json.schema], ['import', 'pending', '/v2/schemas/task']);
  const task = await ended(created.json.id);
  assert.deepEqual([task.status, task.image_id, task.message], ['success', task.result.image_id, '']);
  assert.ok(Date.parse(task.expires_at) > Date.now() + 47 * 3_600_000);
  const image = (await cloud.call('GET', `/image/v2/images/${task.image_id}`)).json;
  assert.deepEqual([image.status, image.name, image.size], ['active', 'made', data.length]);
});

test('a task that fails says why, and leaves no image', async () => {
  const { images: before } = (await cloud.call('GET', '/image/v2/images')).json;
  for (const [input, why] of [[inputOf('/broken'), /500/], [inputOf('/image', { name: 'x', visibility: 'odd' }), /odd/]] as const) {
    const created = await create(input);
    assert.equal(created.status, 201);
    const task = await ended(created.json.id);
    assert.equal(task.status, 'failure');
    assert.match(task.message, why);
    assert.equal(task.result, null);
  }
  assert.equal((await cloud.call('GET', '/image/v2/images')).json.images.length, before.length);
});

test('what is malformed, or leads where it may not, is refused at once', async () => {
  const bad: [unknown, string | undefined][] = [
    [undefined, undefined], [{}, undefined], [{ ...inputOf('/image'), import_from: 'file:///etc/passwd' }, undefined], [{ ...inputOf('/image'), import_from: 'http://10.0.0.1/' }, undefined],
    [{ ...inputOf('/image'), image_properties: 'none' }, undefined], [inputOf('/image'), 'export'], [inputOf('/image'), 'api_image_import'],
  ];
  for (const [input, type] of bad) assert.equal((await create(input, type)).status, 400, JSON.stringify(input));
});

test('tasks are listed by pages, filtered and sorted', async () => {
  const get = (query = '') => cloud.call('GET', `/image/v2/tasks${query}`, { headers: json });
  const all = (await get()).json;
  assert.ok(all.tasks.length >= 3);
  assert.ok(!('input' in all.tasks[0]), 'a list shows stubs');
  assert.deepEqual([all.first, all.schema], ['/v2/tasks', '/v2/schemas/tasks']);
  const first = (await get('?limit=2&sort_key=created_at&sort_dir=asc')).json;
  const second = (await cloud.call('GET', `/image${first.next}`)).json;
  const ids = all.tasks.map((task: { id: string }) => task.id).reverse();
  assert.deepEqual([...first.tasks, ...second.tasks].map((task) => task.id), ids.slice(0, 4));
  assert.ok((await get('?status=failure')).json.tasks.every((task: { status: string }) => task.status === 'failure'));
  for (const query of ['?status=odd', '?type=odd', '?sort_dir=up', '?sort_key=input', '?limit=-1', '?limit=x', '?marker=none', '?marker=00000000-0000-0000-0000-000000000000']) {
    assert.equal((await get(query)).status, 400, query);
  }
});

test('the task API is for administrators; nobody deletes a task', async () => {
  const created = await create(inputOf('/image'));
  const path = `/image/v2/tasks/${created.json.id}`;
  for (const [method, at] of [['GET', '/image/v2/tasks'], ['POST', '/image/v2/tasks'], ['GET', path], ['DELETE', path]] as const) {
    assert.equal((await cloud.call(method, at, { token: member, ...(method === 'POST' ? { body: {} } : {}) })).status, 403, `${method} ${at}`);
  }
  const deleted = await cloud.call('DELETE', path);
  assert.deepEqual([deleted.status, deleted.headers.get('allow')], [405, 'GET']);
  assert.equal((await cloud.call('GET', '/image/v2/tasks/00000000-0000-0000-0000-000000000000')).status, 404);
  for (const name of ['task', 'tasks']) assert.equal((await cloud.call('GET', `/image/v2/schemas/${name}`, { token: member })).status, 200);
  await ended(created.json.id);
});

test('the tasks of an image are shown to who sees the image', async () => {
  const mine = importer(cloud, member);
  const id = await mine.create();
  assert.deepEqual((await cloud.call('GET', `/image/v2/images/${id}/tasks`, { token: member })).json, { tasks: [] });
  assert.equal((await mine.import(id, { name: 'web-download', uri: `http://127.0.0.1:${web.port}/image` })).status, 202);
  assert.equal((await mine.ended(id)).status, 'success');
  const stranger = (await cloud.tenant('tasks-stranger')).token;
  assert.equal((await cloud.call('GET', `/image/v2/images/${id}/tasks`, { token: stranger })).status, 404);
});

test('of glance’s cache, what the engines of nodes do not need is refused, to administrators with a word', async () => {
  for (const [method, path, status] of [['POST', '/cache/clean', 404], ['POST', '/cache/prune', 404], ['GET', '/cache/nodes/any', 409]] as const) {
    assert.equal((await cloud.call(method, `/image/v2${path}`)).status, status, `${method} ${path}`);
    assert.equal((await cloud.call(method, `/image/v2${path}`, { token: member })).status, 403, `${method} ${path}`);
  }
});

test('locations are shown to services and administrators, and cannot be given', async () => {
  const mine = importer(cloud, member);
  const id = await mine.create();
  const path = `/image/v2/images/${id}/locations`;
  const give = (token?: string) => cloud.call('POST', path, { ...(token ? { token } : {}), body: { url: 'http://example.org/image' }, headers: json });
  assert.equal((await give(member)).status, 403);
  assert.equal((await give()).status, 403, 'an administrator is no service');
  const service = await cloud.tenant('locating', ['service']);
  assert.equal((await cloud.call('GET', path, { token: service.token })).status, 404, 'private');
  assert.equal(await mine.upload(id, data), 204);
  assert.equal((await give(member)).status, 409);
  assert.equal((await cloud.call('GET', path, { token: member })).status, 403);
  assert.deepEqual((await cloud.call('GET', path)).json.map((one: { metadata: object }) => one.metadata), [{ store: 'local' }]);
  const patch = await cloud.call('PATCH', `/image/v2/images/${id}`, { body: [{ op: 'replace', path: '/locations', value: [] }], headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' } });
  assert.equal(patch.status, 403);
});
