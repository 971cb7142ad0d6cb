import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { isFault } from '../../../src/kernel/fault.ts';
import { house, memoryLog, TOKEN, until, type House } from './fixtures.ts';

const identityOf = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as { node_id: string; key: string; joined: boolean };

/** Sends one first message as it is; tells how the controller ended the link. */
async function introduce(h: House, hello: unknown): Promise<{ code: number; reason: string }> {
  const socket = new WebSocket(`ws://127.0.0.1:${h.port}/agent/v1`);
  await once(socket, 'open');
  socket.send(typeof hello === 'string' ? hello : JSON.stringify(hello));
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}
const hello = {
  protocol: 1, node_id: '0b7c2c1e-1111-4222-8333-444455556666', key: 'k'.repeat(43), hostname: 'b', roles: ['compute'], tunnel_ip: null, host_ip: null,
};

test('a node joins by token, is kept with a hashed key only, and comes back by its key', async (t) => {
  const h = await house(t);
  const identityFile = join(h.dir, 'a', 'identity.json');
  const first = h.agent({ tunnel_ip: '10.10.0.5', host_ip: '127.0.0.1' });
  await until(() => first.connected());
  const { node_id, key, joined } = identityOf(identityFile);
  assert.deepEqual([node_id, joined], [first.node_id, true]);
  assert.equal(statSync(identityFile).mode & 0o777, 0o600);
  const row = await h.db.read.selectFrom('nodes').selectAll().executeTakeFirstOrThrow();
  assert.equal(JSON.stringify(row).includes(key), false);
  assert.match(row.key_hash, /^[0-9a-f]{64}$/);

  await first.close();
  await until(() => !h.link.isConnected(node_id));
  const second = h.agent({ joinToken: '', hostname: 'renamed' });
  await until(() => h.link.isConnected(node_id));
  assert.equal(second.node_id, node_id);
  const [node, ...others] = await h.link.nodes();
  assert.equal(others.length, 0);
  assert.deepEqual([node?.hostname, node?.state, node?.roles, node?.tunnel_ip], ['renamed', 'up', ['compute', 'network'], null]);
});

test('a node whose identity was not marked as joined before a crash joins again as the same', async (t) => {
  const h = await house(t);
  const identityFile = join(h.dir, 'a', 'identity.json');
  const first = h.agent();
  await until(() => h.link.isConnected(first.node_id));
  await first.close();
  writeFileSync(identityFile, JSON.stringify({ ...identityOf(identityFile), joined: false }));
  const second = h.agent();
  await until(() => h.link.isConnected(first.node_id));
  assert.equal(second.node_id, first.node_id);
  await until(() => identityOf(identityFile).joined);
});

test('each refusal has its code and a reason', async (t) => {
  const h = await house(t, { handshake_timeout_ms: 30 });
  const a = h.agent();
  await until(() => h.link.isConnected(a.node_id));
  const key = identityOf(join(h.dir, 'a', 'identity.json')).key;
  const cases: [unknown, number, RegExp][] = [
    [{ ...hello, join_token: 'guess' }, 4401, /join token is not valid/],
    [{ ...hello, join_token: '' }, 4401, /join token is not valid/],
    [hello, 4404, /does not know the node/],
    [{ ...hello, node_id: a.node_id }, 4403, /key is not the one of this node/],
    [{ ...hello, node_id: a.node_id, join_token: TOKEN }, 4403, /key is not the one of this node/],
    [{ ...hello, hostname: 'a', join_token: TOKEN }, 4409, /another node is called a/],
    [{ ...hello, protocol: 2 }, 4426, /version 1 of the protocol, the agent 2/],
    [{ ...hello, key: 'short', join_token: TOKEN }, 4400, /no valid key/],
    [{ ...hello, node_id: 'x', join_token: TOKEN }, 4400, /no valid node_id/],
    [{ ...hello, hostname: 'a b', join_token: TOKEN }, 4400, /no valid hostname/],
    [{ ...hello, roles: [1], join_token: TOKEN }, 4400, /no valid roles/],
    [{ ...hello, host_ip: '$(reboot)', join_token: TOKEN }, 4400, /no valid host_ip/],
    ['not json', 4400, /not a JSON object/],
    ['[]', 4400, /not a JSON object/],
  ];
  for (const [message, code, reason] of cases) {
    const outcome = await introduce(h, message);
    assert.equal(outcome.code, code, JSON.stringify(message));
    assert.match(outcome.reason, reason);
  }
  const silent = new WebSocket(`ws://127.0.0.1:${h.port}/agent/v1`);
  assert.equal((await once(silent, 'close'))[0], 4408);
  assert.equal((await h.link.nodes()).length, 1);
  assert.equal(h.link.isConnected(a.node_id), true, 'the true node is not disturbed');
  assert.equal(await h.link.authenticateNode(`Gantry-Node ${a.node_id}:${key}`), a.node_id);
});

test('no one joins a cloud that has no join token', async (t) => {
  const h = await house(t, { joinToken: () => '' });
  assert.equal((await introduce(h, { ...hello, join_token: '' })).code, 4401);
});

test('strangers may not send much, and other paths are not ours', async (t) => {
  const h = await house(t);
  const outcome = introduce(h, 'x'.repeat(2_000_000));
  assert.equal((await outcome).code, 1006);
  h.server.on('upgrade', (request, socket) => {
    if (request.url === '/console') socket.end('HTTP/1.1 418 Ours\r\n\r\n');
  });
  const other = createConnection(h.port, '127.0.0.1');
  other.write('GET /console HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [chunk] = (await once(other, 'data')) as [Buffer];
  assert.match(chunk.toString(), /418 Ours/);
});

test('a refused agent says why, and gets in once the cause is gone', async (t) => {
  const h = await house(t);
  const log = memoryLog();
  const a = h.agent();
  await until(() => h.link.isConnected(a.node_id));
  const b = h.agent({ identityFile: join(h.dir, 'b.json'), log });
  await until(() => log.said.some((line) => line.includes('"code":4409') && line.includes('another node is called a')));
  await h.link.remove(a.node_id);
  await until(() => h.link.isConnected(b.node_id));
  assert.equal(log.said.some((line) => line.includes(TOKEN)), false);
  assert.equal(h.link.isConnected(a.node_id), false);
  await assert.rejects(h.link.remove(a.node_id), (error) => isFault(error) && error.status === 404);
});

test('a disabled node is cut off, for calls and for requests, until it is enabled', async (t) => {
  const h = await house(t);
  const a = h.agent();
  const header = (): string => `Gantry-Node ${a.node_id}:${identityOf(join(h.dir, 'a', 'identity.json')).key}`;
  await until(() => h.link.isConnected(a.node_id));
  await h.link.setDisabled(a.node_id, true);
  assert.equal(h.link.isConnected(a.node_id), false);
  assert.equal(await h.link.authenticateNode(header()), undefined);
  assert.deepEqual((await h.link.node(a.node_id))?.disabled, true);
  await h.link.setDisabled(a.node_id, false);
  await until(() => h.link.isConnected(a.node_id));
  assert.equal(await h.link.authenticateNode(header()), a.node_id);
});

test('a node’s header is taken only when it is whole and right', async (t) => {
  const h = await house(t);
  const a = h.agent();
  await until(() => h.link.isConnected(a.node_id));
  const { key } = identityOf(join(h.dir, 'a', 'identity.json'));
  const wrong = [undefined, '', 'Gantry-Node', `Gantry-Node ${a.node_id}`, `Gantry-Node ${a.node_id}:${'x'.repeat(43)}`, `Bearer ${a.node_id}:${key}`,
    `Gantry-Node ${hello.node_id}:${key}`, `Gantry-Node ${a.node_id}:${key} `];
  for (const header of wrong) assert.equal(await h.link.authenticateNode(header), undefined, header);
});

test('an identity that is damaged or missing is told at start', async (t) => {
  const h = await house(t);
  const identityFile = join(h.dir, 'identity.json');
  assert.throws(() => h.agent({ identityFile, joinToken: '' }), /a join token is needed/);
  for (const text of ['', '{}', 'null', '{"node_id":"x","key":"y","joined":true}']) {
    writeFileSync(identityFile, text);
    assert.throws(() => h.agent({ identityFile }), /holds no identity of a node; remove it/);
  }
  rmSync(identityFile);
  const agent = h.agent({ identityFile });
  await until(() => agent.connected());
  await agent.close();
  chmodSync(identityFile, 0o644);
  h.agent({ identityFile });
  assert.equal(statSync(identityFile).mode & 0o777, 0o600);
  assert.equal(existsSync(`${identityFile}.new`), false);
  assert.throws(() => h.agent({ url: 'ftp://x' }), /not the URL of a controller/);
});
