/** A thread that hashes: reads ranges of shared memory in the order they are named. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { DigestReply, DigestRequest } from './digest-lanes.ts';

const hashes = new Map<number, Hash>();

const port = parentPort;
port?.on('message', (request: DigestRequest) => {
  const reply: DigestReply = { seq: request.seq };
  if (request.op === 'begin') hashes.set(request.hash, createHash(request.algorithm));
  else if (request.op === 'update') hashes.get(request.hash)?.update(new Uint8Array(request.memory, request.at, request.length));
  else {
    if (request.op === 'end') reply.digest = hashes.get(request.hash)?.digest('hex') ?? '';
    hashes.delete(request.hash);
  }
  port?.postMessage(reply, []);
});
