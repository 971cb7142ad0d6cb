import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { isFault } from '../../../src/kernel/fault.ts';
import { house, memoryLog, until } from './fixtures.ts';

const fault = (status: number, code: string, retryable: boolean) => (error: unknown): boolean => {
  assert.ok(isFault(error), String(error));
  assert.deepEqual([error.status, error.code, error.retryable], [status, code, retryable]);
  return true;
};

test('a node downloads with its own authorization', async (t) => {
  const bytes = Buffer.alloc(3_000_000, 'image');
  const h = await house(t, {}, (own) => async (request, response) => {
    const id = await own.link.authenticateNode(request.headers.authorization);
    if (id === undefined) return void response.writeHead(401).end();
    if (request.url !== '/image/agent/images/1/file') return void response.writeHead(404).end('a long story');
    response.end(bytes);
  });
  const agent = h.agent();
  await assert.rejects(agent.fetch('/image/agent/images/1/file'), fault(401, 'bus.fetch-failed', false));
  await until(() => agent.connected());
  assert.ok((await buffer(await agent.fetch('/image/agent/images/1/file'))).equals(bytes));
  await assert.rejects(agent.fetch('/image/agent/images/2/file'), (error) =>
    fault(404, 'bus.fetch-failed', false)(error) && String(error).includes('/image/agent/images/2/file'));
  await assert.rejects(agent.fetch('//elsewhere.example/x'), /does not lead to the controller/);
  await assert.rejects(agent.fetch('image'), /does not lead to the controller/);
});

test('a download fails clearly when the controller is away, breaks off, or is no longer wanted', async (t) => {
  const h = await house(t, {}, () => (request, response) => {
    if (request.url === '/half') {
      response.writeHead(200, { 'content-length': '1000' }).write('half');
      response.once('drain', () => {});
      setImmediate(() => response.destroy());
    }
  });
  const agent = h.agent();
  await assert.rejects(agent.fetch('/half').then(buffer), /aborted/);
  const given_up = new AbortController();
  const wanted = agent.fetch('/never', { signal: given_up.signal });
  given_up.abort(new Error('enough'));
  await assert.rejects(wanted, /enough/);
  await h.stop();
  await assert.rejects(agent.fetch('/half'), fault(503, 'bus.controller-unavailable', true));
  await h.start();
});

test('over TLS the controller must be the one that the authority signed for', async (t) => {
  const file = (name: string): string => new URL(`./tls/${name}`, import.meta.url).pathname;
  const h = await house(t);
  const secure = createServer({ cert: readFileSync(file('server.pem')), key: readFileSync(file('server-key.pem')) }, (_request, response) => response.end('over TLS'));
  h.link.attach(secure as unknown as Parameters<typeof h.link.attach>[0]);
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  t.after(() => {
    secure.closeAllConnections();
    secure.close();
  });
  const url = `wss://127.0.0.1:${(secure.address() as AddressInfo).port}`;
  const log = memoryLog();
  const distrustful = h.agent({ url, identityFile: `${h.dir}/d.json`, hostname: 'd', log });
  await until(() => log.said.some((line) => line.includes('no link to the controller') && /self.signed|CERT/i.test(line)));
  await assert.rejects(distrustful.fetch('/x'), fault(503, 'bus.controller-unavailable', true));
  const agent = h.agent({ url, caFile: file('server.pem') });
  await until(() => agent.connected());
  assert.equal((await buffer(await agent.fetch('/x'))).toString(), 'over TLS');
  assert.equal(h.link.isConnected(distrustful.node_id), false);
});
