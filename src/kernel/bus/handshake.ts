import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Log } from '../log/log.ts';
import { closeCode, LINK_PATH, MAX_MESSAGE_BYTES, parseFrame, type Hello, type Welcome } from './frames.ts';
import type { Refusal } from './node-auth.ts';

export interface HandshakeOptions {
  log: Log;
  timeout_ms: number;
  admit(frame: Record<string, unknown>): Promise<Hello | Refusal>;
  /** Called right after the welcome was sent. */
  onAdmitted(hello: Hello, socket: WebSocket, transport: Socket): void;
}

/** Strangers may not take more than this. */
const MAX_STRANGERS = 1024;
const STRANGER_BYTES = 64 * 1024;

/** Takes `upgrade` requests for the agents' path from an HTTP server and leads each through its first message. */
export function acceptAgents(options: HandshakeOptions): { attach(server: Server): void; close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  const strangers = new Set<WebSocket>();
  const servers = new Set<Server>();

  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (request.url?.split('?', 1)[0] !== LINK_PATH) return; // another listener's
    if (strangers.size >= MAX_STRANGERS) {
      stream.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\r\n');
      return;
    }
    const transport = stream as Socket;
    sockets.handleUpgrade(request, stream, head, (socket) => {
      strangers.add(socket);
      socket.once('close', () => strangers.delete(socket));
      transport.setNoDelay(true);
      void greet(options, socket, transport).finally(() => strangers.delete(socket));
    });
  };
  return {
    attach(server) {
      servers.add(server);
      server.on('upgrade', upgrade);
    },
    close() {
      for (const server of servers) server.off('upgrade', upgrade);
      for (const socket of strangers) socket.terminate();
    },
  };
}

async function greet(options: HandshakeOptions, socket: WebSocket, transport: Socket): Promise<void> {
  const { log } = options;
  const address = transport.remoteAddress;
  const failed = (error: Error): void => log.debug({ err: error, address }, 'the socket of an agent failed');
  socket.on('error', failed);
  try {
    const text = await firstMessage(socket, transport, options.timeout_ms);
    if (text === undefined) return;
    const outcome = await options.admit(parseFrame(text));
    if (socket.readyState !== socket.OPEN) return;
    if ('verdict' in outcome) {
      log.warn({ address, code: outcome.code, reason: outcome.reason }, 'an agent was refused');
      socket.close(outcome.code, outcome.reason);
      return;
    }
    const welcome: Welcome = { welcome: { node_id: outcome.node_id } };
    socket.send(JSON.stringify(welcome));
    socket.off('error', failed);
    options.onAdmitted(outcome, socket, transport);
  } catch (error) {
    if (error instanceof SyntaxError) {
      socket.close(closeCode.malformed, 'the first message is not a JSON object');
      return;
    }
    log.error({ err: error, address }, 'an agent could not be let in');
    socket.close(closeCode.failed, 'the controller could not decide; try again');
  }
}

/** Undefined when the stranger went, said too much or nothing. */
function firstMessage(socket: WebSocket, transport: Socket, timeout_ms: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const start = transport.bytesRead;
    const done = (text?: string): void => {
      clearTimeout(timer);
      transport.off('data', limit);
      socket.off('message', message);
      socket.off('close', gone);
      resolve(text);
    };
    const message = (data: RawData): void => done((data as Buffer).toString());
    const gone = (): void => done();
    const limit = (): void => {
      if (transport.bytesRead - start > STRANGER_BYTES) socket.terminate();
    };
    const timer = setTimeout(() => {
      socket.close(closeCode.handshake_timeout, 'no first message came');
      done();
    }, timeout_ms);
    socket.on('message', message);
    socket.on('close', gone);
    transport.on('data', limit);
  });
}
