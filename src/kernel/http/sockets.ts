/** WebSockets of the one port, beside those of the agents: consoles. */
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { openPipe, type Pipe } from '../bus/pipe.ts';
import type { Log } from '../log/log.ts';

export interface SocketRequest {
  url: URL;
  headers: IncomingHttpHeaders;
  /** The subprotocol that was agreed on; empty: none. */
  protocol: string;
  remote_address: string | undefined;
}

/** A path on which clients open WebSockets. Whoever may not stay is closed with a code, since browsers are told no more than that. */
export interface SocketRoute {
  /** Exact. */
  path: string;
  /** Subprotocols in the order in which they are preferred; a client that names none of them goes without. */
  protocols: readonly string[];
  max_message_bytes: number;
  /** Open at a time; more are refused with 503. */
  max_open: number;
  /** Judges and serves; a failure closes the socket. */
  serve(pipe: Pipe, request: SocketRequest): void | Promise<void>;
}

/** The handlers of `upgrade`; @returns how to end them all. */
export function acceptSockets(server: Server, routes: readonly SocketRoute[], log: Log): () => void {
  const ends = routes.map((route) => accept(server, route, log));
  return () => ends.forEach((end) => end());
}

function accept(server: Server, route: SocketRoute, log: Log): () => void {
  const open = new Set<Pipe>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: route.max_message_bytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => route.protocols.find((one) => offered.has(one)) ?? false,
  });
  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (request.url?.split('?', 1)[0] !== route.path) return; // another listener's
    if (open.size >= route.max_open) {
      stream.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    // the port's own bound on silence is for requests
    request.socket.setTimeout(0);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const pipe = openPipe(socket);
      open.add(pipe);
      pipe.onClose(() => open.delete(pipe));
      const url = new URL(request.url ?? '/', 'http://localhost');
      void serve(route, pipe, { url, headers: request.headers, protocol: socket.protocol, remote_address: request.socket.remoteAddress }, log);
    });
  };
  server.on('upgrade', upgrade);
  return () => {
    server.off('upgrade', upgrade);
    for (const pipe of open) pipe.close(1001, 'the controller stops');
  };
}

async function serve(route: SocketRoute, pipe: Pipe, request: SocketRequest, log: Log): Promise<void> {
  try {
    await route.serve(pipe, request);
  } catch (error) {
    log.error({ err: error, path: route.path }, 'a socket could not be served');
    pipe.close(1011, 'The controller failed to carry out the call.');
  }
}
