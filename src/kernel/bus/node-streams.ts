/**
 * Streams beside the link of a node: each is a WebSocket of its own, which the node opens when it is asked to, so that a slow
 * reader of one holds up nothing else. The one-time id tells which call it belongs to, and the node's key whose it is.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { unavailable } from '../fault.ts';
import type { Log } from '../log/log.ts';
import type { LinkTable } from './link-table.ts';
import { openPipe, type Pipe } from './pipe.ts';

export const STREAM_PATH = '/agent/v1/stream';
export const MAX_STREAM_MESSAGE_BYTES = 4 * 1024 * 1024;

const EXPECT_MS = 15_000;

export interface StreamOptions {
  /** For the node's answer and its stream together. */
  timeout_ms?: number;
}

export interface NodeStreams {
  attach(server: Server): void;
  /**
   * Calls a method that opens a stream; the node gets `stream_id` beside the parameters. @returns the node's answer and the stream.
   * @throws Fault of the node; 503 and 504 as for other calls.
   */
  open<T>(node_id: string, method: string, params: object, options?: StreamOptions): Promise<{ pipe: Pipe; reply: T }>;
  /** For a stream that the node asked for. @returns its `stream_id`; nobody is waited for longer than a moment. */
  expect(node_id: string, take: (pipe: Pipe) => void): string;
  close(): void;
}

export interface NodeStreamsOptions {
  log: Log;
  links: Pick<LinkTable, 'call'>;
  /** The node behind an `Authorization` header; undefined when it is none of ours. */
  authenticate(header: string | undefined): Promise<string | undefined>;
}

interface Waiting {
  node_id: string;
  take(pipe: Pipe): void;
}

/** @returns the handler of `upgrade`. */
function admitter({ log, authenticate }: NodeStreamsOptions, waiting: Map<string, Waiting>, live: Set<Pipe>): (request: IncomingMessage, stream: Duplex, head: Buffer) => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_STREAM_MESSAGE_BYTES, perMessageDeflate: false });
  async function admit(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    stream.on('error', () => {});
    const node_id = await authenticate(request.headers.authorization);
    const id = new URL(request.url ?? '/', 'http://controller').searchParams.get('id') ?? '';
    const one = waiting.get(id);
    if (node_id === undefined || one?.node_id !== node_id) {
      stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    waiting.delete(id);
    request.socket.setTimeout(0);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const pipe = openPipe(socket);
      live.add(pipe);
      pipe.onClose(() => live.delete(pipe));
      one.take(pipe);
    });
  }
  return (request, stream, head) => {
    if (request.url?.split('?', 1)[0] !== STREAM_PATH) return; // another listener's
    admit(request, stream, head).catch((error: unknown) => {
      log.error({ err: error }, 'a stream of a node could not be let in');
      stream.destroy();
    });
  };
}

export function createNodeStreams(options: NodeStreamsOptions): NodeStreams {
  const { links } = options;
  const waiting = new Map<string, Waiting>();
  const servers = new Set<Server>();
  const live = new Set<Pipe>();
  const upgrade = admitter(options, waiting, live);
  return {
    attach(server) {
      servers.add(server);
      server.on('upgrade', upgrade);
    },
    async open<T>(node_id: string, method: string, params: object, limits: StreamOptions = {}) {
      const stream_id = randomBytes(24).toString('base64url');
      const { promise, resolve } = Promise.withResolvers<Pipe>();
      waiting.set(stream_id, { node_id, take: resolve });
      try {
        // The node answers when its stream is there.
        const reply = await links.call<T>(node_id, method, { ...params, stream_id }, { timeout_ms: limits.timeout_ms ?? 30_000 });
        if (waiting.has(stream_id)) throw unavailable('bus.no-stream', 'The node answered without a stream.', { retryable: true });
        return { pipe: await promise, reply };
      } catch (error) {
        if (!waiting.delete(stream_id)) void promise.then((pipe) => pipe.close(1000, 'given up'));
        throw error;
      }
    },
    expect(node_id, take) {
      const stream_id = randomBytes(24).toString('base64url');
      waiting.set(stream_id, { node_id, take });
      setTimeout(() => waiting.delete(stream_id), EXPECT_MS).unref();
      return stream_id;
    },
    close() {
      for (const server of servers) server.off('upgrade', upgrade);
      for (const pipe of live) pipe.close(1001, 'the controller stops');
      waiting.clear();
    },
  };
}
