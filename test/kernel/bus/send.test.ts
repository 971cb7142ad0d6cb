import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { isFault } from '../../../src/kernel/fault.ts';
import { house, until } from './fixtures.ts';

const code = (expected: string) => (error: unknown): boolean => {
  assert.ok(isFault(error), String(error));
  assert.equal(error.code, expected);
  return true;
};

test('a node uploads with its own authorization; what is refused, broken off or lost fails with its reason', async (t) => {
  const whole: number[] = [];
  const h = await house(t, {}, (own) => async (request, response) => {
    if ((await own.link.authenticateNode(request.headers.authorization)) === undefined) return void response.writeHead(401).end();
    if (request.url === '/refused') return void response.writeHead(409, { connection: 'close' }).end();
    const bytes = await buffer(request).catch(() => undefined);
    if (bytes === undefined) return;
    whole.push(bytes.length);
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ size: bytes.length }));
  });
  const agent = h.agent();
  await until(() => agent.connected());
  const megabytes = (count: number): Readable => Readable.from(Array.from({ length: count }, () => Buffer.alloc(1 << 20, 1)), { objectMode: false });

  assert.deepEqual(await agent.send('/layer', megabytes(5)), { size: 5 << 20 });
  await assert.rejects(agent.send('/refused', megabytes(200)), code('bus.send-failed'));
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1 << 20);
    throw new Error('the disk is damaged');
  }
  await assert.rejects(agent.send('/layer', Readable.from(broken(), { objectMode: false })), /the disk is damaged/);
  await h.stop();
  await assert.rejects(agent.send('/layer', megabytes(1)), code('bus.controller-unavailable'));
  await h.start();
  assert.deepEqual(whole, [5 << 20], 'nothing that broke off was taken for whole');
});
