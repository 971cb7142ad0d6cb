/** What strangers send that no client would: each gets its answer, nothing is held open, nothing crashes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { Type } from 'typebox';
import { endpoint } from '../../../src/kernel/api/endpoint.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { readJson } from '../../../src/kernel/http/body.ts';
import { createHttpServer, type HttpServer } from '../../../src/kernel/http/server.ts';
import type { Log } from '../../../src/kernel/log/log.ts';
import { createEnforcer } from '../../../src/kernel/policy/enforce.ts';
import type { Surface } from '../../../src/kernel/service.ts';

const surfaceOf = (name: string, prefix: string): Surface => ({
  name,
  prefix,
  policies: [],
  formatFault: (fault) => ({ contentType: 'application/json', body: JSON.stringify({ [`${name}Fault`]: { code: fault.status, message: fault.message } }) }),
  endpoints: [
    endpoint({ id: `${name}:root`, method: 'GET', path: prefix === '' ? '/' : '', summary: 'Root', policy: 'public', status: 200, handler: () => ({ name }) }),
    endpoint({ id: `${name}:make`, method: 'POST', path: '/things', summary: 'Make', policy: 'public', status: 201, body: Type.Object({ a: Type.Unknown() }, { additionalProperties: false }), handler: () => ({}) }),
    endpoint({ id: `${name}:show`, method: 'GET', path: '/things/{id}', summary: 'Show', policy: 'public', status: 200, handler: () => ({}) }),
  ],
});

const errors: string[] = [];
const log: Log = { debug() {}, info() {}, warn() {}, error: (_fields, message) => void errors.push(message), child: () => log };
let http: HttpServer;
let port: number;
before(async () => {
  const surfaces = [surfaceOf('toy', '/toy'), surfaceOf('root', '')];
  const gate = { authenticate: async () => undefined, authenticateNode: async () => undefined, enforcer: createEnforcer([]), checkReplies: true };
  http = await createHttpServer({ surfaces, gate, log, clock: systemClock, upgradePaths: ['/link'] });
  port = await http.listen('127.0.0.1', 0);
});
after(() => http.close());

async function dial(text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

async function answerTo(text: string): Promise<{ status: number; body: string }> {
  const socket = await dial(text);
  let out = '';
  for await (const chunk of socket) out += String(chunk);
  return { status: Number(out.slice(9, 12)), body: out.slice(out.indexOf('\r\n\r\n') + 4) };
}

const get = (path: string, method = 'GET'): Promise<{ status: number; body: string }> => answerTo(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
const post = (body: string): Promise<{ status: number; body: string }> =>
  answerTo(`POST /toy/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);

test('JSON that is nested too deeply is refused before anything walks through it', async () => {
  for (const body of ['['.repeat(50_000) + ']'.repeat(50_000), `{"a":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_001)}`, '['.repeat(60_000)]) {
    const answer = await post(body);
    assert.equal(answer.status, 400);
    assert.match(answer.body, /nested too deeply/);
  }
  const brackets = JSON.stringify({ a: `"${'[{'.repeat(5_000)}\\` });
  assert.equal((await post(brackets)).status, 201, 'brackets within a text nest nothing');
  assert.equal((await post(`{"a":${'['.repeat(90)}${']'.repeat(90)}}`)).status, 201);
});

test('texts that no database keeps are refused: halves of surrogate pairs, NUL', async () => {
  for (const body of ['{"a":"\\ud800"}', '{"a":[{"b":"x\\uDC00\\uD800"}]}', '{"a\\u0000":1}', '{"a":"\\u0000"}']) {
    const answer = await post(body);
    assert.equal(answer.status, 400, body);
    assert.match(answer.body, /not valid Unicode or holds a NUL/);
  }
  for (const body of ['{"a":"\\ud83d\\ude00"}', '{"a":"\\\\ud800"}']) assert.equal((await post(body)).status, 201, body);
  assert.equal((await get('/toy/things?name=a%00b')).status, 400);
  assert.equal((await get('/toy/things/a%00b')).status, 400);
});

test('paths that no router takes are answered in the words of the service they are nearest to', async () => {
  for (const path of ['//', '//toy/things', '/nowhere', '/..', 'http://x/nowhere']) {
    const { status, body } = await get(path);
    assert.equal(status, 404, path);
    assert.equal(JSON.parse(body).rootFault.code, 404, path);
  }
  for (const path of ['/toy/%zz', '/toy/things/%', '/toy/things/%c0%af']) {
    const { status, body } = await get(path);
    assert.equal(status, 400, path);
    assert.equal(JSON.parse(body).toyFault.code, 400, path);
  }
  assert.equal(JSON.parse((await get('/toy/things', 'PROPFIND')).body).toyFault.code, 404);
});

test('an upgrade that nobody waits for is an ordinary request', async () => {
  const ask = (path: string, to: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: ${to}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  assert.equal((await answerTo(ask('/toy', 'h2c'))).status, 200);
  assert.equal((await answerTo(ask('/linked', 'websocket'))).status, 404);
  const upgraded = once(http.node, 'upgrade');
  const socket = await dial(ask('/link?x=1', 'websocket'));
  const [request, stream] = (await upgraded) as [IncomingMessage, Socket];
  assert.equal(request.url, '/link?x=1');
  stream.destroy();
  socket.destroy();
});

test('a caller that hangs up in the middle of its body is no error of ours', async () => {
  errors.splice(0);
  const cut = new PassThrough();
  const reading = readJson(Object.assign(cut, { headers: {} }) as unknown as IncomingMessage, 1000, []);
  cut.write('{"a"');
  cut.destroy(new Error('aborted'));
  await assert.rejects(reading, { status: 400, code: 'api.body-cut-off' });
  const arrived = once(http.node, 'request');
  const socket = await dial('POST /toy/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"');
  const [request] = (await arrived) as [IncomingMessage];
  const gone = new Promise((resolve) => request.socket.once('close', resolve));
  socket.destroy();
  await gone;
  await get('/toy');
  assert.deepEqual(errors, []);
});

test('a body that never ends is not waited for', async () => {
  const slow = Object.assign(new PassThrough(), { headers: {} });
  slow.write('{');
  await assert.rejects(readJson(slow as unknown as IncomingMessage, 1000, [], 5), { status: 408, code: 'api.body-too-slow' });
});
