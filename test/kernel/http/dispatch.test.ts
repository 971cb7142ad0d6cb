import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Type } from 'typebox';
import { endpoint, reply } from '../../../src/kernel/api/endpoint.ts';
import { mv, since } from '../../../src/kernel/api/microversion.ts';
import { notFound } from '../../../src/kernel/fault.ts';
import type { Surface } from '../../../src/kernel/service.ts';
import { serveSurfaces, testAuth, type TestSurface } from '../../support/surface.ts';

const thing = Type.Object({ name: Type.String({ minLength: 1 }), colour: Type.Optional(since(mv('2.5'), Type.String())) }, { additionalProperties: false });

const surface: Surface = {
  name: 'toy',
  prefix: '/toy',
  microversions: { word: 'toy', min: mv('2.1'), max: mv('2.9'), legacyHeader: 'X-Toy-Version' },
  policies: [
    { name: 'toy:read', default: 'project_id:%(project_id)s', description: 'read', scope: ['project'], operations: [] },
    { name: 'toy:admin', default: 'role:admin', description: 'all', scope: ['project'], operations: [] },
  ],
  formatFault: (fault) => ({ contentType: 'application/json', body: JSON.stringify({ toyFault: { code: fault.status, message: fault.message } }) }),
  endpoints: [
    endpoint({ id: 'root', method: 'GET', path: '', summary: 'Version', policy: 'public', status: 200, handler: (call) => ({ base: call.base }) }),
    endpoint({
      id: 'things:list', method: 'GET', path: '/things', summary: 'List', policy: 'toy:read', status: 200,
      query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 0 })), id: Type.Optional(Type.Array(Type.String())) }),
      handler: (call) => ({ limit: call.query.limit ?? null, ids: call.query.id ?? [] }),
    }),
    endpoint({
      id: 'things:create', method: 'POST', path: '/things', summary: 'Create', policy: 'toy:read', status: 201,
      body: Type.Object({ thing }, { additionalProperties: false }), reply: Type.Object({ thing }),
      handler: (call) => reply({ thing: { name: call.body.thing.name, colour: 'red' } }, { headers: { location: '/x' } }),
    }),
    endpoint({ id: 'things:show', method: 'GET', path: '/things/{id}', summary: 'Show', policy: 'toy:read', status: 200, target: () => { throw notFound('toy.none', 'No thing.'); }, handler: () => ({}) }),
    endpoint({ id: 'things:start', method: 'POST', path: '/things/{id}/action', action: 'start', summary: 'Start', policy: 'toy:read', status: 202, body: Type.Object({ start: Type.Null() }), handler: () => undefined }),
    endpoint({ id: 'things:stop', method: 'POST', path: '/things/{id}/action', action: 'stop', since: mv('2.3'), summary: 'Stop', policy: 'toy:admin', status: 202, body: Type.Object({ stop: Type.Null() }), handler: () => undefined }),
    endpoint({ id: 'crash', method: 'GET', path: '/crash', summary: 'Crash', policy: 'public', status: 200, handler: () => { throw new Error('secret: SELECT 1'); } }),
    endpoint({
      id: 'bytes', method: 'PUT', path: '/bytes', summary: 'Bytes', policy: 'toy:read', status: 200, body: 'stream',
      handler: async (call) => { let size = 0; for await (const chunk of call.stream) size += (chunk as Buffer).length; return { size }; },
    }),
  ],
};

let http: TestSurface;
before(async () => { http = await serveSurfaces([surface], { user: testAuth(), admin: testAuth({ roles: ['admin'] }) }); });
after(() => http.close());

test('a public endpoint needs no token and knows the host it was called by', async () => {
  const answer = await http.call('GET', '/toy', { token: null });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.base, `${http.url}/toy`);
  assert.match(answer.headers.get('x-openstack-request-id')!, /^req-/);
});

test('without a valid token every other endpoint answers as keystonemiddleware does', async () => {
  for (const token of [null, 'wrong']) {
    const answer = await http.call('GET', '/toy/things', { token });
    assert.equal(answer.status, 401);
    assert.equal(answer.json.error.title, 'Unauthorized');
    assert.match(answer.headers.get('www-authenticate')!, /^Keystone uri=/);
  }
});

test('paths, methods and versions that are not there', async () => {
  assert.equal((await http.call('GET', '/toy/nothing')).status, 404);
  const wrong = await http.call('DELETE', '/toy/things');
  assert.equal(wrong.status, 405);
  assert.match(wrong.headers.get('allow')!, /GET/);
  assert.equal((await http.call('GET', '/toy/things', { headers: { 'openstack-api-version': 'toy 2.10' } })).status, 406);
  assert.equal((await http.call('GET', '/toy/things', { headers: { 'openstack-api-version': 'toy two' } })).status, 400);
  const latest = await http.call('GET', '/toy/things', { headers: { 'x-toy-version': 'latest' } });
  assert.equal(latest.headers.get('openstack-api-version'), 'toy 2.9');
});

test('queries are converted and checked', async () => {
  assert.deepEqual((await http.call('GET', '/toy/things?limit=3&id=a&id=b')).json, { limit: 3, ids: ['a', 'b'] });
  const bad = await http.call('GET', '/toy/things?limit=-1');
  assert.equal(bad.status, 400);
  assert.match(bad.json.toyFault.message, /limit/);
});

test('bodies are checked per version and replies lowered to it', async () => {
  const old = await http.call('POST', '/toy/things', { body: { thing: { name: 'x' } } });
  assert.equal(old.status, 201);
  assert.deepEqual(old.json, { thing: { name: 'x' } });
  const modern = await http.call('POST', '/toy/things', { body: { thing: { name: 'x', colour: 'blue' } }, headers: { 'x-toy-version': '2.5' } });
  assert.deepEqual(modern.json, { thing: { name: 'x', colour: 'red' } });
  const tooSoon = await http.call('POST', '/toy/things', { body: { thing: { name: 'x', colour: 'blue' } } });
  assert.equal(tooSoon.status, 400);
  assert.match(tooSoon.json.toyFault.message, /'colour' was unexpected/);
  assert.match((await http.call('POST', '/toy/things', { body: { thing: {} } })).json.toyFault.message, /'name' is a required property/);
  assert.equal((await http.call('POST', '/toy/things', { body: '{', headers: { 'content-type': 'application/json' } })).status, 400);
  assert.equal((await http.call('POST', '/toy/things', { body: 'x=1', headers: { 'content-type': 'text/plain' } })).status, 415);
  assert.equal((await http.call('POST', '/toy/things')).status, 400);
  assert.equal((await http.call('POST', '/toy/things', { body: { thing: { name: 'x'.repeat(200_000) } } })).status, 413);
});

test('actions are chosen by the one key of the body', async () => {
  const act = (body: unknown, options = {}) => http.call('POST', '/toy/things/1/action', { body, ...options });
  assert.equal((await act({ start: null })).status, 202);
  assert.match((await act({ jump: null })).json.toyFault.message, /no such action: jump/);
  assert.equal((await act({ start: null, stop: null })).status, 400);
  assert.equal((await act({ stop: null })).status, 404, 'not in 2.1');
  const stop = { headers: { 'x-toy-version': '2.3' } };
  assert.equal((await act({ stop: null }, stop)).status, 403);
  assert.equal((await act({ stop: null }, { ...stop, token: 'admin' })).status, 202);
});

test('a fault keeps its words, anything else stays inside', async () => {
  assert.equal((await http.call('GET', '/toy/things/1')).json.toyFault.message, 'No thing.');
  const crash = await http.call('GET', '/toy/crash');
  assert.equal(crash.status, 500);
  assert.doesNotMatch(crash.text, /secret/);
});

test('streams reach the handler unread', async () => {
  const answer = await http.call('PUT', '/toy/bytes', { body: new Uint8Array(3_000_000), headers: { 'content-type': 'application/octet-stream' } });
  assert.equal(answer.json.size, 3_000_000);
  assert.equal((await http.call('PUT', '/toy/bytes', { token: null, body: new Uint8Array(3_000_000) })).status, 401);
});
