/** The engine's way to give a connection away: it answers a POST with 101, and from then on the bytes are the guest's. */
import { request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { EngineError } from './engine-error.ts';

export interface Hijacked {
  socket: Socket;
  /** What came with the answer. */
  head: Buffer;
}

const MAX_WORDS = 64 * 1024;

/** @throws EngineError */
export function hijack(socketPath: string, path: string, body: unknown, timeout_ms: number): Promise<Hijacked> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { host: 'docker', connection: 'Upgrade', upgrade: 'tcp', 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, agent: false, method: 'POST', path, headers });
    const timer = setTimeout(() => outgoing.destroy(new EngineError('timeout', 0, `no answer within ${timeout_ms / 1000} s`)), timeout_ms);
    outgoing.once('upgrade', (_reply, socket, head) => {
      clearTimeout(timer);
      resolve({ socket: socket as Socket, head });
    });
    outgoing.once('response', (reply) => {
      clearTimeout(timer);
      void refusal(reply).then(reject);
    });
    outgoing.once('error', (error) => {
      clearTimeout(timer);
      reject(error instanceof EngineError ? error : new EngineError('unreachable', 0, error.message, error));
    });
    outgoing.end(text);
  });
}

async function refusal(reply: IncomingMessage): Promise<EngineError> {
  let text = '';
  try {
    for await (const chunk of reply) {
      text += String(chunk);
      if (text.length > MAX_WORDS) break;
    }
    text = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // Not JSON, or not whole: what came is the message.
  }
  reply.destroy();
  return new EngineError('refused', reply.statusCode ?? 0, text.trim());
}
