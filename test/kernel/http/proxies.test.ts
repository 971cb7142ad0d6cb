/** Who may say by which name and how a request came in. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { endpoint } from '../../../src/kernel/api/endpoint.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { forwardedOnlyBy } from '../../../src/kernel/http/proxies.ts';
import { createHttpServer } from '../../../src/kernel/http/server.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { createEnforcer } from '../../../src/kernel/policy/enforce.ts';
import type { Surface } from '../../../src/kernel/service.ts';

const surface: Surface = {
  name: 'root', prefix: '', policies: [],
  formatFault: (fault) => ({ contentType: 'application/json', body: JSON.stringify({ message: fault.message }) }),
  endpoints: [endpoint({ id: 'root', method: 'GET', path: '/', summary: 'Root', policy: 'public', status: 200, handler: (call) => ({ base: call.base, forwarded: call.headers['x-forwarded-for'] ?? null }) })],
};

/** Asks from an address of this host. */
async function start(t: TestContext, trusted_proxies?: readonly string[]) {
  const gate = { authenticate: async () => undefined, authenticateNode: async () => undefined, enforcer: createEnforcer([]), checkReplies: true };
  const http = await createHttpServer({ surfaces: [surface], gate, log: silentLog, clock: systemClock, upgradePaths: ['/link'], ...(trusted_proxies === undefined ? {} : { trusted_proxies }) });
  t.after(() => http.close());
  const port = await http.listen('127.0.0.1', 0);
  const send = (from: string, path: string, headers: Record<string, string>) =>
    httpRequest({ host: '127.0.0.1', port, localAddress: from, path, headers: { host: 'inside', 'x-forwarded-host': 'cloud.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.9', ...headers } }).on('error', () => {}).end();
  return {
    http, send,
    async ask(from: string): Promise<{ base: string; forwarded: string | null }> {
      const [answer] = (await once(send(from, '/', {}), 'response')) as [IncomingMessage];
      return JSON.parse(Buffer.concat(await answer.toArray()).toString()) as { base: string; forwarded: string | null };
    },
  };
}

const believed = { base: 'https://cloud.example', forwarded: '192.0.2.9' };
const plain = { base: 'http://inside', forwarded: null };

test('a proxy on this host is believed by default, nobody when the list says so', async (t) => {
  assert.deepEqual(await (await start(t)).ask('127.0.0.1'), believed);
  assert.deepEqual(await (await start(t, [])).ask('127.0.0.1'), plain);
});

test('only those on the list are believed, by address or by network', async (t) => {
  const byAddress = await start(t, ['127.0.0.2', '2001:db8::/32']);
  assert.deepEqual(await byAddress.ask('127.0.0.2'), believed);
  assert.deepEqual(await byAddress.ask('127.0.0.3'), plain);
  const byNetwork = await start(t, ['127.0.1.0/24']);
  assert.deepEqual(await byNetwork.ask('127.0.1.77'), believed);
  assert.deepEqual(await byNetwork.ask('127.0.2.77'), plain);
});

test('the same for what becomes another protocol', async (t) => {
  const { http, send } = await start(t, ['127.0.0.2']);
  const upgraded = async (from: string): Promise<IncomingMessage> => {
    const wish = send(from, '/link', { connection: 'upgrade', upgrade: 'websocket' });
    const [incoming, socket] = (await once(http.node, 'upgrade')) as [IncomingMessage, NodeJS.WritableStream & { destroy(): void }];
    socket.destroy();
    wish.destroy();
    return incoming;
  };
  assert.equal((await upgraded('127.0.0.2')).headers['x-forwarded-host'], 'cloud.example');
  assert.equal((await upgraded('127.0.0.3')).headers['x-forwarded-host'], undefined);
});

test('an address that a socket for both families wrote is the same address', () => {
  const take = forwardedOnlyBy(['192.0.2.0/24']);
  const headersFrom = (remoteAddress: string | undefined) => {
    const request = { headers: { 'x-forwarded-host': 'a', host: 'b' }, socket: { remoteAddress } } as unknown as IncomingMessage;
    take(request);
    return Object.keys(request.headers);
  };
  assert.deepEqual(headersFrom('::ffff:192.0.2.7'), ['x-forwarded-host', 'host']);
  for (const other of ['::ffff:192.0.3.7', '2001:db8::1', undefined]) assert.deepEqual(headersFrom(other), ['host']);
});

test('what is no address stops the start', () => {
  for (const entry of ['proxy.example', '192.0.2.0/33', '192.0.2.0/', '192.0.2.0/24/1', '2001:db8::/129', '']) {
    assert.throws(() => forwardedOnlyBy([entry]), (error: Error) => error.message.includes(`"${entry}" is neither`), entry);
  }
});
