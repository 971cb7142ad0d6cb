import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WebSocket } from 'ws';
import { createOutbox } from '../../../src/kernel/bus/outbox.ts';

/** A socket that takes frames but lets them go only when told. */
function slowSocket() {
  const sent: string[] = [];
  const done: (() => void)[] = [];
  const socket = {
    bufferedAmount: 0,
    send(text: string, callback: () => void) {
      sent.push(text[0] ?? '');
      this.bufferedAmount += text.length;
      done.push(() => {
        this.bufferedAmount -= text.length;
        callback();
      });
    },
  };
  return { sent, socket: socket as unknown as WebSocket, flush: () => done.splice(0).forEach((let_go) => let_go()), shrink: (n: number) => void (socket.bufferedAmount -= n) };
}
const big = (first: string): string => first.padEnd(5 * 1024 * 1024, '.');

test('frames wait behind a full socket, keep their order, and those given up are never sent', () => {
  const { sent, socket, flush, shrink } = slowSocket();
  const outbox = createOutbox(socket);
  outbox.push(big('a'));
  outbox.push('b');
  const c = outbox.push('c');
  if (c !== false) c.dropped = true;
  assert.deepEqual(sent, ['a']);
  shrink(4 * 1024 * 1024); // room again, before the socket says so
  outbox.push('d');
  assert.deepEqual(sent, ['a'], 'nothing overtakes what waits');
  flush();
  assert.deepEqual(sent, ['a', 'b', 'd']);
});

test('more than can be held is refused', () => {
  const { sent, socket, flush } = slowSocket();
  const outbox = createOutbox(socket);
  outbox.push(big('a'));
  let held = 0;
  while (outbox.push(big('x')) !== false) held += 1;
  assert.equal(held, 51);
  outbox.clear();
  flush();
  assert.deepEqual(sent, ['a']);
});
