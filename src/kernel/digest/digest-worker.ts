/** A thread that hashes: reads ranges of shared memory in the order they are named. */
import { createHash, type Hash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { DigestReply, DigestRequest } from './digest-lanes.ts';

/** Of this thread alone: Linux takes its number for that of a process. Elsewhere it stays as it is. */
function stepBack(nice: number): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), nice);
  } catch {
    // it works as well, beside others
  }
}

const { nice } = workerData as { nice: number };
if (nice > 0) stepBack(nice);

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
